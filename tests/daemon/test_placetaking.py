# SPDX-License-Identifier: MIT
"""What other programs wrote becomes revisions: of what the file held, or of nothing."""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from federation.adapters.watch import Shared
from federation.daemon import placetaking
from federation.daemon.placetaking import Changed, record
from federation.errors import Refusal
from federation.machines.folder import Delete, Known, Seen, Take
from tests.daemon.folders import holds, quick, shown, two
from tests.daemon.running import NOBODY, running, until

__all__ = ["quick"]  # a fixture


async def test_a_file_that_differs_from_a_document_is_merged_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "x.md").write_bytes(b"mine\n")
    async with running(tmp_path, NOBODY) as here:
        await here.sync("x.md", "theirs\n")
        await here.front().call("spaces.share", path=str(folder))
        await until(lambda: len(here.peer.store.heads("x.md")) == 2)
        await until(lambda: {*(folder / "x.md").read_text().split()} == {"mine", "theirs"})
        assert here.synced("x.md") == (folder / "x.md").read_bytes()


async def test_an_edit_survives_a_deletion_until_somebody_chooses(tmp_path: Path) -> None:
    async with two(tmp_path) as (a, b, fa, fb):
        for name in ("keep.md", "x.md", "y.md"):
            (fa / name).write_bytes(b"one\n")
            await until(lambda name=name: holds(fb / name, b"one\n"))  # type: ignore[misc]
        for here in (a, b):
            await here.front().call("spaces.set", auto_sync=False)
        for name in ("x.md", "y.md"):
            (fa / name).unlink()
            (fb / name).write_bytes(b"one\ntwo\n")
        (row,) = (await a.front().call("spaces.list"))["spaces"]
        assert (row["waiting"], row["state"]) == (2, "off")
        a.peer.link.connection.pause()
        b.peer.link.connection.pause()
        for here in (a, b):
            await here.front().call("sync.all")
        a.peer.link.connection.resume()
        b.peer.link.connection.resume()
        await until(lambda: holds(fa / "x.md", b"one\ntwo\n") and holds(fa / "y.md", b"one\ntwo\n"))
        assert (fb / "x.md").exists()
        for here in (a, b):
            await until(lambda here=here: here.peer.store.conflicted() == ["x.md", "y.md"])  # type: ignore[misc]
        rows = (await a.front().call("conflicts.list"))["conflicts"]
        number = {row["file"]: row["places"][0]["number"] for row in rows}
        assert rows[0]["places"][0]["path"] == []
        assert rows[0]["places"][0]["a"]["value"] is None
        await a.front().call("conflicts.resolve", file="x.md", number=number["x.md"], choice="a")
        await b.front().call("conflicts.resolve", file="y.md", number=number["y.md"], choice="b")
        await until(lambda: not (fb / "x.md").exists() and not (fa / "x.md").exists())
        for here in (a, b):
            await until(lambda here=here: here.peer.store.conflicted() == [])  # type: ignore[misc]
        assert shown(a, "y.md") == shown(b, "y.md") == b"one\ntwo\n"


async def test_what_cannot_be_recorded_is_told_or_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path) as here:
        front = here.front()
        await front.call("events.subscribe")
        await front.call("spaces.share", path=str(folder))
        real = here.peer.node.import_changed
        tries: list[str] = []

        def refusing(file: str, *given: object, **named: object) -> bool:
            tries.append(file)
            if tries.count(file) == 1:
                raise Refusal("disk-full" if file == "a.md" else "file-too-large", file)
            return real(file, *given, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(here.peer.node, "import_changed", refusing)
        (folder / "a.md").write_text("a")
        (folder / "b.md").write_text("b")
        await until(lambda: shown(here, "a.md") == b"a")
        await until(lambda: [one for one in front.events if one["event"] == "sync-failed"])
        (failed,) = [one for one in front.events if one["event"] == "sync-failed"]
        assert failed["file"] == str(folder / "b.md")
        assert shown(here, "b.md") is None


async def test_a_canvas_that_somebody_broke_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    one, two, three = (b'{"id":"a","n":%d}\n' % number for number in range(3))
    steps: list[tuple[str, bytes, str]] = [
        ("x.canvasl", one, ""),
        ("x.canvasl", one + two, 'the id "a" is that of line 1 already'),
        ("x.canvasl", one + three, ""),  # as broken as before
        ("x.canvasl", one + three + b'{"id":', "this is no JSON (column 7)"),
        ("x.canvasl", one, ""),
        ("x.canvasl", one + two, 'the id "a" is that of line 1 already'),
        ("y.canvas", b'{"nodes":3', "the canvas is no JSON from here on (column 11)"),
        ("z.md", b'{"id":', ""),
    ]  # fmt: skip
    async with running(tmp_path, NOBODY) as here:
        await here.front().call("spaces.share", path=str(folder))
        with caplog.at_level(logging.WARNING, "federation.daemon.placetaking"):
            for name, content, said in steps:
                caplog.clear()
                (folder / name).write_bytes(content)
                await until(lambda n=name, c=content: shown(here, n) == c)  # type: ignore[misc]
                await here.front().call("sync.all")  # until nothing is under way there
                found = [vars(row) for row in caplog.records if "broken" in row.getMessage()]
                assert [row["fault"] for row in found] == ([said] if said else [])
                assert [row["file"] for row in found] == ([str(folder / name)] if said else [])
            caplog.clear()
            (folder / "x.canvasl").rename(folder / "moved.canvasl")
            await until(lambda: shown(here, "moved.canvasl") == one + two)
            await until(lambda: shown(here, "x.canvasl") is None)
            await here.front().call("sync.all")
            assert [row for row in caplog.records if "broken" in row.getMessage()] == []


@pytest.mark.parametrize("newer", ["theirs", "mine"])
async def test_what_a_file_held_before_undoes_nothing_newer(tmp_path: Path, newer: str) -> None:
    """It was read, and before it was recorded a version came that was made from it."""
    async with running(tmp_path, NOBODY) as here:
        friend, front = await here.known(), here.front()
        await friend.sync("a.md", "one\n")
        home, path = here.peer.spaces.places("commons")[0], here.peer.disk.synced / "a.md"
        await until(lambda: home._listed and home.quiet and here.synced("a.md") == b"one\n")
        if newer == "mine":
            path.write_bytes(b"mine\none\n")
        content, known = home.shared.read("a.md") or (b"", None)
        assert known is not None
        if newer == "mine":
            path.write_bytes(b"newer\nmine\none\n")
            await front.call("sync.file", path=str(path))
        await friend.sync("a.md", "one\ntwo\n", vector={friend.peer_id: 1})
        expected = b"newer\nmine\none\ntwo\n" if newer == "mine" else b"one\ntwo\n"
        await until(lambda: here.synced("a.md") == expected)
        count = len(here.peer.store.revisions("a.md"))
        await record(home, [Changed(Take("a.md", known, None), content)])
        await until(lambda: home.quiet)
        assert shown(here, "a.md") == here.synced("a.md") == expected
        assert len(here.peer.store.revisions("a.md")) == count


async def test_a_file_that_is_written_to_after_it_was_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, done = placetaking._look_into, list[bytes]()

    def late(shared: Shared, *given: Any) -> Any:
        found = real(shared, *given)
        if not done:
            done.append(b"later\n")
            shared.path.joinpath("a.md").write_bytes(done[0])
        return found

    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path, NOBODY) as here:
        await here.front().call("spaces.share", path=str(folder))
        monkeypatch.setattr(placetaking, "_look_into", late)
        (folder / "a.md").write_bytes(b"first\n")
        await until(lambda: shown(here, "a.md") == b"later\n")
        await until(lambda: here.peer.spaces.places("commons")[1].quiet)
        assert (folder / "a.md").read_bytes() == b"later\n"


async def test_a_deletion_does_not_take_what_was_written_since(tmp_path: Path) -> None:
    async with running(tmp_path, NOBODY) as here:
        friend = await here.known()
        for name in ("a.md", "b.md"):
            await friend.sync(name, "one")
        await until(lambda: here.synced("b.md") == b"one")
        home = here.peer.spaces.places("commons")[0]
        known = Known(hashlib.sha256(b"zero").hexdigest(), Seen(4, 1, 1))
        await record(home, [Changed(Delete("a.md", known))])
        assert shown(here, "a.md") == b"one"
        home.folder.removed("b.md")
        await record(home, [Changed(Delete("b.md", known))])
        assert shown(here, "b.md") == here.synced("b.md") == b"one", "it is there again"
        (here.peer.disk.synced / "b.md").unlink()
        await record(home, [Changed(Delete("b.md", known))])
        assert shown(here, "b.md") is None


async def test_an_edit_that_is_merged_while_it_is_read_is_not_recorded_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read then would count as made from the merge, and undo what others wrote."""
    real, read, go = placetaking._look_into, threading.Event(), threading.Event()

    def slow(*given: object) -> object:
        found = real(*given)  # type: ignore[arg-type]
        read.set()
        go.wait(10)
        return found

    async with running(tmp_path, NOBODY) as here:
        friend = await here.known()
        await friend.sync("a.md", "one\n")
        home = here.peer.spaces.places("commons")[0]
        await until(lambda: home._listed and home.quiet and here.synced("a.md") == b"one\n")
        monkeypatch.setattr(placetaking, "_look_into", slow)
        path = here.peer.disk.synced / "a.md"
        path.write_bytes(b"zero\none\n")
        await until(read.is_set)
        await here.front().call("sync.file", path=str(path))
        await friend.sync("a.md", "one\ntwo\n", vector={friend.peer_id: 1})
        await until(lambda: here.synced("a.md") == b"zero\none\ntwo\n")
        go.set()
        await until(lambda: home.quiet)
        assert shown(here, "a.md") == here.synced("a.md") == b"zero\none\ntwo\n"
