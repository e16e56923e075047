# SPDX-License-Identifier: MIT
"""Documents come into the folder that shows them, and never over what nobody recorded."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from federation import limits
from federation.adapters import beneath
from federation.adapters.watch import Shared
from federation.adapters.watch import shared as shared_files
from federation.daemon.place import Place
from federation.daemon.placewriting import write
from federation.errors import Fault, Refusal
from federation.machines.folder import Read, Seen
from tests.daemon.folders import holds, quick, shown, two
from tests.daemon.running import Running, running, soon, until

__all__ = ["quick"]  # a fixture


async def test_a_file_of_one_folder_is_in_the_other(tmp_path: Path) -> None:
    async with two(tmp_path) as (a, b, fa, fb):
        (fa / "sub").mkdir()
        for name in ("y.md", "z.md"):  # else the whole folder would be deleted
            (fa / name).write_bytes(b"stays")
        (fa / "sub/x.md").write_bytes(b"one\n")
        await until(lambda: holds(fb / "sub/x.md", b"one\n"))
        assert shown(b, "sub/x.md") == b"one\n"
        assert b.synced("sub/x.md") == a.synced("sub/x.md") == b"one\n"
        (fb / "sub/x.md").write_bytes(b"one\ntwo\n")
        await until(lambda: holds(fa / "sub/x.md", b"one\ntwo\n"))
        (fa / "sub/x.md").unlink()
        await until(lambda: not (fb / "sub").exists())
        assert shown(b, "sub/x.md") is None
        assert not (b.peer.disk.synced / "sub").exists()
        (first, second, third) = b.peer.store.revisions("sub/x.md")
        assert (second.parents, third.parents) == ((first.revision,), (second.revision,))
        assert third.deleted
        listed = (await b.front().call("documents.list"))["documents"]
        assert [one["file"] for one in listed] == ["y.md", "z.md"]
        (row, *_) = (await b.front().call("documents.list", deleted=True))["documents"]
        assert (row["file"], row["deleted"]) == ("sub/x.md", True)
        await b.front().call("documents.restore", file="sub/x.md", revision=second.revision)
        await until(lambda: holds(fa / "sub/x.md", b"one\ntwo\n"))
        (fa / "sub/x.md").unlink()
        await until(lambda: not (fb / "sub").exists())  # it goes right after its last file
        (fb / "sub").mkdir()
        (fb / "sub/x.md").write_bytes(b"anew")
        await until(lambda: holds(fa / "sub/x.md", b"anew"))


async def test_a_file_with_unsaved_changes_waits_for_its_editor(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path) as here:
        await here.sync("x.md", "one\n")
        await here.front().call("spaces.share", path=str(folder))
        await until(lambda: holds(folder / "x.md", b"one\n"))
        lock = folder / ".#x.md"
        lock.symlink_to(f"me@{os.uname().nodename}.{os.getpid()}")
        friend = await here.known()
        (first,) = here.peer.store.heads("x.md")
        seen = {"vector": {first.author: first.seq}, "parents": [first.revision]}
        await friend.sync("x.md", "one\ntwo\n", **seen)
        await until(lambda: here.synced("x.md") == b"one\ntwo\n")
        assert (folder / "x.md").read_bytes() == b"one\n"
        (folder / "x.md").write_bytes(b"zero\none\n")
        answer = await here.front().call("sync.file", path=str(folder / "x.md"))
        assert answer["file"] == "x.md"
        lock.unlink()
        await until(lambda: holds(folder / "x.md", b"zero\none\ntwo\n"))
        await until(lambda: here.synced("x.md") == b"zero\none\ntwo\n")
        own = [one for one in here.peer.store.revisions("x.md") if one.author == first.author]
        assert len(own) == 2, "what Emacs had synced is not imported once more"


async def test_a_version_is_not_written_where_a_file_is_missing(tmp_path: Path) -> None:
    """A file is deleted while another version is on its way: the deletion is heard first."""
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path) as here:
        for name in ("x.md", "y.md", "z.md"):
            await here.sync(name, "one\n")
        await here.front().call("spaces.share", path=str(folder))
        await until(lambda: all(holds(folder / f"{n}.md", b"one\n") for n in "xyz"))
        await here.front().call("spaces.set", auto_sync=False)
        (folder / "x.md").unlink()
        friend = await here.known()
        (first,) = here.peer.store.heads("x.md")
        seen = {"vector": {first.author: first.seq}, "parents": [first.revision]}
        await friend.sync("x.md", "one\ntwo\n", **seen)
        await until(lambda: here.synced("x.md") == b"one\ntwo\n")
        assert not (folder / "x.md").exists()
        await here.front().call("sync.all")
        await until(lambda: holds(folder / "x.md", b"one\ntwo\n"))
        (row,) = (await here.front().call("conflicts.list"))["conflicts"]
        assert row["places"][0]["path"] == []


@asynccontextmanager
async def shared(tmp_path: Path, *names: str) -> AsyncIterator[tuple[Running, Place, Path]]:
    """A peer that shows these documents in a folder, where nothing is done any more."""
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path) as here:
        friend = await here.known(3)
        for name in names:
            await friend.sync(name, "one\n")
        await here.front().call("spaces.share", path=str(folder))
        place = here.peer.spaces.places("commons")[1]
        await until(lambda: all(holds(folder / name, b"one\n") for name in names) and place.quiet)
        await place.close()
        yield here, place, folder


async def test_a_folder_does_not_go_while_a_file_is_written_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, removed, empty = beneath.write_file, Shared._remove_empty, threading.Event()

    def waiting(folder: int, name: str, content: bytes, mode: int) -> Seen:
        empty.wait(0.5)
        return real(folder, name, content, mode)

    def told(files: Shared, file: str) -> None:
        removed(files, file)
        empty.set()

    async with shared(tmp_path, "a/x.md", "y.md") as (here, place, folder):
        await here.turn(lambda now: here.peer.node.at(now, lambda: here.peer.node.delete("a/x.md")))
        await (await here.known()).sync("a/z.md", "new\n")
        monkeypatch.setattr(shared_files, "write_file", waiting)
        monkeypatch.setattr(Shared, "_remove_empty", told)
        await write(place, ["a/x.md", "a/z.md"])
        assert holds(folder / "a/z.md", b"new\n")
        assert not (folder / "a/x.md").exists()


async def test_a_content_that_is_gone_keeps_no_other_file_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shared(tmp_path) as (here, place, folder):
        for name in "xyz":
            await here.sync(f"{name}.md", name)
        real = here.peer.store.content
        (lost,) = here.peer.store.heads("y.md")

        def content(digest: str) -> bytes:
            if digest == lost.content_hash:
                raise Fault("no such content")
            return real(digest)

        monkeypatch.setattr(here.peer.store, "content", content)
        await write(place, ["x.md", "y.md", "z.md"])
        assert holds(folder / "x.md", b"x")
        assert holds(folder / "y.md", None)
        assert holds(folder / "z.md", b"z")


async def test_what_was_read_is_recorded_before_it_is_written_over(tmp_path: Path) -> None:
    """An edit, and a version of somebody else, which is to be written right after it was read."""
    async with shared(tmp_path, "x.md") as (here, place, folder):
        (first,) = here.peer.store.heads("x.md")
        friend = await here.known()
        (folder / "x.md").write_bytes(b"zero\none\n")
        seen = {"vector": {first.author: first.seq}, "parents": [first.revision]}
        await friend.sync("x.md", "one\ntwo\n", **seen)
        place._todo.clear()
        place.show("x.md")
        place.feed([Read("x.md")])
        place.show("x.md")
        place.start()
        await until(lambda: holds(folder / "x.md", b"zero\none\ntwo\n"))
        await until(lambda: here.synced("x.md") == b"zero\none\ntwo\n")
        found = here.peer.store.revisions("x.md")
        (own,) = [one for one in found if one.author == here.peer.node.context.peer_id]
        assert own.parents == (first.revision,), "it was made from what the file held"


@pytest.mark.parametrize("step", ["before", "after"])
async def test_a_file_that_is_synced_while_it_is_written_has_what_was_written_as_its_base(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it holds is not noted yet: it would count as made from what came since."""
    real, reached, go = Shared.write, threading.Event(), threading.Event()

    def slow(folder: Shared, file: str, content: bytes, known: str | None) -> object:
        done = real(folder, file, content, known) if step == "after" else None
        reached.set()
        go.wait(10)
        return done or real(folder, file, content, known)

    async with shared(tmp_path) as (here, place, folder):
        friend = await here.known()
        await friend.sync("x.md", "one\n")
        monkeypatch.setattr(Shared, "write", slow)
        writing = asyncio.ensure_future(write(place, ["x.md"]))
        await until(reached.is_set)
        if step == "before":
            (folder / "x.md").write_bytes(b"one\n")
        await friend.sync("x.md", "one\ntwo\n", vector={friend.peer_id: 1})
        call = here.front().call("sync.file", path=str(folder / "x.md"))
        synced = asyncio.ensure_future(call)
        await here.turn()
        go.set()
        await writing
        await soon(synced)
        assert shown(here, "x.md") == b"one\ntwo\n"
        assert len(here.peer.store.revisions("x.md", signed=True)) == 2


async def test_a_file_that_is_written_for_ever_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FOLDER_TAKE", 0.1)
    async with shared(tmp_path) as (here, place, folder):
        place.writing = frozenset({"x.md"})
        (folder / "x.md").write_bytes(b"one\n")
        assert await here.front().reason("sync.file", path=str(folder / "x.md")) == "timeout"
        place.writing = frozenset()
        assert await here.front().call("sync.file", path=str(folder / "x.md"))


async def test_what_may_not_be_recorded_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(file: str, *_given: object, **_named: object) -> bool:
        raise Refusal("file-too-large", file)

    async with shared(tmp_path, "x.md") as (here, place, folder):
        front = here.front()
        await front.call("events.subscribe")
        monkeypatch.setattr(here.peer.node, "import_changed", refused)
        (folder / "x.md").write_bytes(b"much\n")
        place.feed([Read("x.md")])
        place.start()
        await until(lambda: [one for one in front.events if one["event"] == "sync-failed"])
        await place.close()
        (first,) = here.peer.store.heads("x.md")
        seen = {"vector": {first.author: first.seq}, "parents": [first.revision]}
        await (await here.known()).sync("x.md", "two\n", **seen)
        await write(place, ["x.md"])
        assert holds(folder / "x.md", b"much\n")


async def test_who_goes_back_to_an_older_version_while_a_newer_one_comes_is_not_undone(
    tmp_path: Path,
) -> None:
    """What was recorded last is what may be written over, also if `sync` recorded it."""
    async with shared(tmp_path, "x.md") as (here, place, folder):
        (folder / "x.md").write_bytes(b"zero\none\n")
        await here.front().call("sync.file", path=str(folder / "x.md"))
        friend, (own,) = await here.known(), here.peer.store.heads("x.md")
        seen = {"vector": dict(own.vector) | {own.author: own.seq}, "parents": [own.revision]}
        await friend.sync("x.md", "zero\none\ntwo\n", **seen)
        (folder / "x.md").write_bytes(b"one\n")
        await write(place, ["x.md"])
        assert holds(folder / "x.md", b"one\n")
        place.start()
        await until(lambda: holds(folder / "x.md", b"one\ntwo\n"))
        await until(lambda: here.synced("x.md") == b"one\ntwo\n")


async def test_an_edit_that_was_taken_back_keeps_no_version_from_being_shown(
    tmp_path: Path,
) -> None:
    async with shared(tmp_path, "x.md") as (here, place, folder):
        (folder / "x.md").write_bytes(b"zero\none\n")
        friend, (first,) = await here.known(), here.peer.store.heads("x.md")
        seen = {"vector": {first.author: first.seq}, "parents": [first.revision]}
        await friend.sync("x.md", "one\ntwo\n", **seen)
        await write(place, ["x.md"])
        (folder / "x.md").write_bytes(b"one\n")
        place._shows.clear()
        place.start()
        await until(lambda: holds(folder / "x.md", b"one\ntwo\n"))


async def test_what_was_written_is_noted_before_what_is_asked_though_the_disk_was_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shared(tmp_path, "x.md") as (here, place, folder):
        (first,) = here.peer.store.heads("x.md")
        seen = {"vector": {first.author: first.seq}, "parents": [first.revision]}
        await (await here.known()).sync("x.md", "one\ntwo\n", **seen)
        ask, turns = here.peer.turns.ask, here.peer.turns

        def full(_run: object) -> asyncio.Future[None]:
            monkeypatch.setattr(turns, "ask", ask)
            refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            refused.set_exception(Refusal("disk-full"))
            return refused

        monkeypatch.setattr(turns, "ask", full)
        with pytest.raises(Refusal):
            await write(place, ["x.md"])
        (folder / "x.md").write_bytes(b"zero\none\ntwo\n")
        await here.front().call("sync.file", path=str(folder / "x.md"))
        assert len(here.peer.store.heads("x.md")) == 1, "it was made from what was written"


async def test_who_leaves_a_folder_while_it_is_written_notes_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the next start it would be no version that is known, and made from an old one."""
    real, reached, go = Shared.write, threading.Event(), threading.Event()

    def slow(folder: Shared, file: str, content: bytes, known: str | None) -> object:
        reached.set()
        go.wait(60)
        return real(folder, file, content, known)

    async with shared(tmp_path) as (here, place, folder):
        monkeypatch.setattr(Shared, "write", slow)
        await (await here.known()).sync("x.md", "one\n")
        place.start()
        await until(reached.is_set)
        closing = asyncio.ensure_future(place.close())
        await here.turn()
        go.set()
        await soon(closing)
        assert holds(folder / "x.md", b"one\n")
        (head,) = here.peer.store.heads("x.md")
        assert here.peer.store.synced_from(str(folder / "x.md")) == ("x.md", head.revision)
        assert "x.md" in here.peer.store.files_of(place.key)
