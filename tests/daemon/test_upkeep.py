# SPDX-License-Identifier: MIT
"""Histories that are too long are brought within the bounds while the peer runs."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from federation import limits
from federation.errors import Fault, Refusal
from tests.daemon.running import RpcError, Running, running, until


async def history(here: Running, file: str, count: int) -> None:
    for number in range(count):
        await here.sync(file, f"version {number} of {file}")


async def test_a_document_with_too_many_contents_loses_the_oldest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HISTORY_FRESH", 1e-6)
    monkeypatch.setattr(limits, "HISTORY_DROPPED", 2)
    async with running(tmp_path, history_revisions=4) as here:
        await history(here, "long.md", 12)
        await history(here, "short.md", 3)
        store = here.peer.store
        revisions = store.revisions("long.md")
        await until(lambda: store.document("long.md").written == revisions[-1].revision)  # type: ignore[union-attr]
        assert await here.peer.upkeep.compact() == 8
        assert store.dropped("long.md") == {one.revision for one in revisions[:8]}
        assert store.dropped("short.md") == set()
        assert store.content(revisions[8].content_hash) == b"version 8 of long.md"
        assert await here.peer.upkeep.compact() == 0
        # what a person asks for says why it is not there
        front = here.front()
        with pytest.raises(RpcError, match="content-dropped"):
            await front.call("documents.restore", file="long.md", revision=revisions[0].revision)


async def test_what_came_lately_stays(tmp_path: Path) -> None:
    async with running(tmp_path, history_revisions=4) as here:
        await history(here, "long.md", 12)
        assert await here.peer.upkeep.compact() == 0


async def test_it_happens_by_itself_and_again_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "HISTORY_FRESH", 1e-6)
    monkeypatch.setattr(limits, "UPKEEP", 0.001)
    done = asyncio.Event()
    errors = [Fault("damaged"), Refusal("disk-full")]

    async with running(tmp_path, history_revisions=4) as here:
        crowded = here.peer.store.crowded

        def failing(count: int, size: int) -> list[str]:
            if errors:
                raise errors.pop(0)
            done.set()
            return crowded(count, size)

        monkeypatch.setattr(here.peer.store, "crowded", failing)
        caplog.set_level(logging.WARNING)
        await history(here, "long.md", 12)
        await until(lambda: len(here.peer.store.dropped("long.md")) == 8)
        assert done.is_set()
    assert caplog.text.count("were not compacted") == 2
