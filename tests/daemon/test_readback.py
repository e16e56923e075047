# SPDX-License-Identifier: MIT
"""What other programs wrote into the synced folder while the peer was not there."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from federation import limits
from federation.adapters.store import SqliteStore
from federation.errors import Refusal
from tests.daemon.mini_broker import MiniBroker
from tests.daemon.running import Running, key_of, running, until

OLD = time.time() - 3600


def aged(path: Path, content: bytes | None = None) -> None:
    """Write a file, an hour ago."""
    if content is not None:
        path.write_bytes(content)
    os.utime(path, (OLD, OLD))


def contents(here: Running, file: str) -> list[bytes]:
    """The contents of all revisions of a document, in their order."""
    store = here.peer.store
    return [store.content(one.content_hash) for one in store.revisions(file)]


async def synced(here: Running, *files: str) -> None:
    """Some documents, and their files written and noted."""
    for file in files:
        await here.sync(file, f"first of {file}")
    await until(lambda: all(here.peer.store.document(one).written for one in files))  # type: ignore[union-attr]


def names_read(monkeypatch: pytest.MonkeyPatch, here: Running) -> list[str]:
    """The files that are read from now on."""
    read: list[str] = []
    real = here.peer.disk.read_synced

    def noted(file: str) -> bytes | None:
        read.append(file)
        return real(file)

    monkeypatch.setattr(here.peer.disk, "read_synced", noted)
    return read


async def test_an_edit_is_a_revision_of_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "synced"
    async with running(tmp_path) as here:
        await synced(here, "a.md", "b.md")
    aged(folder / "a.md", b"edited offline")
    async with running(tmp_path) as here:
        await until(lambda: len(contents(here, "a.md")) == 2)
        first, second = here.peer.store.revisions("a.md")
        assert second.parents == (first.revision,)
        assert second.author == key_of(1).peer_id
        assert contents(here, "a.md")[1] == b"edited offline"
        await until(lambda: here.peer.store.document("a.md").written == second.revision)  # type: ignore[union-attr]
    async with running(tmp_path) as here:
        await here.peer.readback.at_start()
        assert len(contents(here, "a.md")) == 2
        assert len(contents(here, "b.md")) == 1


async def test_it_reaches_the_others(tmp_path: Path) -> None:
    async with MiniBroker() as broker:
        async with running(tmp_path / "a") as a:
            await synced(a, "a.md")
        aged(tmp_path / "a/state/synced/a.md", b"edited offline")
        async with (
            running(tmp_path / "b", broker.url, number=2) as b,
            running(tmp_path / "a", broker.url),
        ):
            await until(lambda: b.peer.store.document("a.md") is not None)
            await until(lambda: (b.peer.disk.synced / "a.md").exists())
            await until(lambda: b.synced("a.md") == b"edited offline")


async def test_an_edit_beside_what_came_meanwhile_is_kept_with_it(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        await synced(here, "a.md")
    aged(tmp_path / "state/synced/a.md", b"edited offline")
    async with running(tmp_path) as here:
        (first,) = here.peer.store.revisions("a.md")
        friend = await here.known()
        seen = {"vector": dict(first.vector) | {first.author: first.seq},
                "parents": [first.revision]}  # fmt: skip
        await friend.sync("a.md", "of a friend", **seen)
        await until(lambda: {b"edited offline", b"of a friend"} <= {*contents(here, "a.md")})
        edit = next(
            one for one in here.peer.store.revisions("a.md") if one.author == first.author
            and here.peer.store.content(one.content_hash) == b"edited offline"
        )  # fmt: skip
        assert edit.parents == (first.revision,)
        assert friend.peer_id not in edit.vector, "made without what came meanwhile"


async def test_what_looks_as_it_did_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as here:
        await synced(here, "a.md", "b.md", "c.md")
    for name in ("a.md", "b.md", "c.md"):
        aged(tmp_path / "state/synced" / name)
    async with running(tmp_path) as here:
        await here.peer.readback.at_start()
        read = names_read(monkeypatch, here)
        await here.peer.readback.at_start()
        assert read == []
        aged(here.peer.disk.synced / "b.md")  # as it was, but for the time of that
        await here.peer.readback.at_start()
        assert read == ["b.md"]
        assert len(contents(here, "b.md")) == 1


async def test_what_may_be_half_written_is_read_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as here:
        await synced(here, "a.md", "b.md")
        aged(here.peer.disk.synced / "b.md")
        monkeypatch.setattr(limits, "SETTLED", 0.2)
        here.peer.disk.synced.joinpath("a.md").write_bytes(b"hal")
        read = names_read(monkeypatch, here)
        # the file grows as soon as the others are read
        real = here.peer.readback._take

        async def take(files: Any) -> int:
            taken = await real(files)
            (here.peer.disk.synced / "a.md").write_bytes(b"half and half")
            return taken

        monkeypatch.setattr(here.peer.readback, "_take", take)
        await here.peer.readback.at_start()
        assert read == ["b.md", "a.md"]
        assert contents(here, "a.md") == [b"first of a.md", b"half and half"]


async def test_a_synced_folder_that_is_gone_says_nothing_of_its_documents(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        await synced(here, "a.md", "b.md")
    shutil.rmtree(tmp_path / "state/synced")
    async with running(tmp_path) as here:
        await here.peer.readback.at_start()
        assert [len(contents(here, one)) for one in ("a.md", "b.md")] == [1, 1]
        for one in ("a.md", "b.md"):
            assert here.synced(one) == f"first of {one}".encode(), "written again"


async def test_what_was_written_but_not_noted_is_no_edit(tmp_path: Path) -> None:
    """A crash between the file and its note: that is made up for before anything comes."""
    async with running(tmp_path) as here:
        await synced(here, "a.md")
        (first,) = here.peer.store.revisions("a.md")
        friend = await here.known()
        known = {first.author: first.seq}
        await friend.sync("a.md", "second", vector=known, parents=[first.revision])
        (second,) = here.peer.store.heads("a.md")
        await until(lambda: here.synced("a.md") == b"second")
    with store_of(tmp_path) as store, store.transaction():
        document = store.document("a.md")
        assert document is not None
        store.put_document(replace(document, written=first.revision))
        store.set_synced_from(str(tmp_path / "state/synced/a.md"), "a.md", first.revision)
    aged(tmp_path / "state/synced/a.md", b"second")
    async with running(tmp_path) as here:
        friend = await here.known()
        seen = {**known, friend.peer_id: 1}
        await friend.sync("a.md", "third", vector=seen, seq=2, parents=[second.revision])
        await until(lambda: here.synced("a.md") == b"third")
        await here.peer.readback.at_start()
        assert contents(here, "a.md") == [b"first of a.md", b"second", b"third"]


def store_of(folder: Path) -> contextlib.closing[SqliteStore]:
    """The store of a peer that does not run, closed at the end."""
    return contextlib.closing(SqliteStore(folder / "state" / "store.db"))


async def test_a_state_directory_that_was_moved(tmp_path: Path) -> None:
    async with running(tmp_path / "here") as here:
        await synced(here, "a.md")
    (tmp_path / "here").rename(tmp_path / "there")
    aged(tmp_path / "there/state/synced/a.md", b"edited on the way")
    async with running(tmp_path / "there") as here:
        await until(lambda: len(contents(here, "a.md")) == 2)
        first, second = here.peer.store.revisions("a.md")
        assert second.parents == (first.revision,)


async def test_stopping_ends_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(tmp_path) as here:
        await synced(here, "a.md")
        aged(here.peer.disk.synced / "a.md", b"edited")
        here.peer.turns.stop()
        await here.peer.readback.at_start()
    assert "not every synced file was read" in caplog.text


async def test_a_file_that_cannot_be_taken_is_told_and_the_others_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, object]] = []
    async with running(tmp_path) as here:
        await synced(here, "a.md", "b.md")
        for name in ("a.md", "b.md"):
            aged(here.peer.disk.synced / name, b"edited")
        real = here.peer.disk.read_synced

        def broken(file: str) -> bytes | None:
            if file == "a.md":
                raise Refusal("path-io-error", file)
            return real(file)

        monkeypatch.setattr(here.peer.disk, "read_synced", broken)
        monkeypatch.setattr(here.peer.outlet, "tell", lambda _event, body: told.append(body))
        await here.peer.readback.at_start()
        assert len(contents(here, "b.md")) == 2
        assert len(contents(here, "a.md")) == 1
    assert [one["file"] for one in told if one["event"] == "sync-failed"] == ["a.md"]
