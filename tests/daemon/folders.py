# SPDX-License-Identifier: MIT
"""Folders that are watched for running peers, and what they hold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from federation import limits
from tests.daemon.mini_broker import MiniBroker
from tests.daemon.running import Running, running, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that come to rest soon."""
    for name, value in (("FOLDER_SETTLE", 0.05), ("FOLDER_GONE", 0.2), ("FOLDER_AWAY", 0.2),
                        ("WATCH_GATHER", 0.05), ("WATCH_AGAIN", 0.2), ("FOLDER_OWN", 0.1),
                        ("WRITE_AGAIN", 0.1)):  # fmt: skip
        monkeypatch.setattr(limits, name, value)


def shown(here: Running, file: str) -> bytes | None:
    """What a document shows; None while there is none, or it is deleted."""
    document = here.peer.store.document(file)
    if document is None or document.deleted:
        return None
    revision = here.peer.store.revision(document.current)
    assert revision is not None
    return here.peer.store.content(revision.content_hash)


def holds(path: Path, content: bytes | None) -> bool:
    """Whether a file holds this; None: whether there is none."""
    return (path.read_bytes() if path.exists() else None) == content


@asynccontextmanager
async def two(tmp_path: Path) -> AsyncIterator[tuple[Running, Running, Path, Path]]:
    """Two peers, each with a folder that shows ``commons``."""
    folders = tmp_path / "fa", tmp_path / "fb"
    async with (
        MiniBroker() as broker,
        running(tmp_path / "a", broker.url) as a,
        running(tmp_path / "b", broker.url, number=2) as b,
    ):
        for here, folder in zip((a, b), folders, strict=True):
            folder.mkdir()
            await here.front().call("spaces.share", path=str(folder))
        await until(lambda: bool(a.peer.node.book.online() and b.peer.node.book.online()))
        yield a, b, *folders
