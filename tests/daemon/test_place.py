# SPDX-License-Identifier: MIT
"""One watched folder: what other programs do to it, while the peer is there and not."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from federation import limits
from tests.daemon.folders import holds, quick, shown
from tests.daemon.running import Running, running, until
from tests.daemon.told import here, written

__all__ = ["here", "quick"]  # fixtures


async def test_what_was_done_while_the_peer_was_off(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path) as here:
        await here.front().call("spaces.share", path=str(folder))
        for number in range(4):
            (folder / f"{number}.md").write_text(f"words of {number}")
        await until(lambda: all(shown(here, f"{number}.md") for number in range(4)))
        await until(lambda: all((here.peer.disk.synced / f"{n}.md").exists() for n in range(4)))
    (folder / "0.md").unlink()
    (folder / "1.md").write_text("edited offline")
    (folder / "2.md").rename(folder / "two.md")
    (tmp_path / "state/synced/3.md").unlink()
    async with running(tmp_path) as here:
        await until(lambda: shown(here, "0.md") is None)
        await until(lambda: shown(here, "1.md") == b"edited offline")
        await until(lambda: shown(here, "2.md") is None)
        await until(lambda: shown(here, "3.md") is None)
        assert shown(here, "two.md") == b"words of 2"
        await until(lambda: not (folder / "3.md").exists())
        await until(lambda: not (here.peer.disk.synced / "0.md").exists())
    shutil.move(folder, tmp_path / "elsewhere")
    async with running(tmp_path) as here:
        front = here.front()
        row = (await front.call("spaces.list"))["spaces"][0]
        await until(lambda: [one.state for one in here.peer.spaces.places("commons")][1] == "away")
        row = (await front.call("spaces.list"))["spaces"][0]
        assert (row["state"], row["reason"]) == ("away", "file-not-found")
        shutil.move(tmp_path / "elsewhere", folder)
        await here.sync("1.md", "from elsewhere")
        await until(lambda: holds(folder / "1.md", b"from elsewhere"))
        assert shown(here, "two.md") == b"words of 2"


async def test_a_mass_delete_waits_for_a_yes(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path) as here:
        front = here.front()
        await front.call("events.subscribe")
        await front.call("spaces.share", path=str(folder))
        names = [f"{number}.md" for number in range(12)]
        for name in names:
            (folder / name).write_text(f"words of {name}")
        await until(lambda: all(shown(here, name) for name in names))
        await until(lambda: all((here.peer.disk.synced / name).exists() for name in names))
        for name in names:
            (folder / name).unlink()
        await until(lambda: here.peer.spaces.held == 12)
        assert all(shown(here, name) for name in names)
        (row,) = (await front.call("sync.status"))["spaces"]
        assert (row["state"], row["held"]) == ("holding", 12)
        assert (await front.call("status"))["held_deletions"] == 12
        assert (await front.call("spaces.restore", space="commons"))["count"] == 12
        await until(lambda: all((folder / name).exists() for name in names))
        assert await front.reason("spaces.restore", space="commons") == "nothing-held"
        for name in names:
            (folder / name).unlink()
        await until(lambda: here.peer.spaces.held == 12)
        await front.call("spaces.confirm", space="commons")
        await until(lambda: not any(shown(here, name) for name in names))
        await until(lambda: not any((here.peer.disk.synced / name).exists() for name in names))

        def counts() -> list[object]:
            return [one["count"] for one in front.events if one["event"] == "deletions-held"]

        await until(lambda: counts()[-1:] == [0] and counts().count(0) == 2)
        assert counts().count(12) == 2


async def test_a_folder_without_its_mark_gets_another(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path) as here:
        await here.front().call("spaces.share", path=str(folder))
        (folder / "x.md").write_text("one")
        await until(lambda: shown(here, "x.md") == b"one")
        mark = folder / ".meta-log-space"
        first = mark.read_text()
        mark.unlink()
        await here.front().call("sync.all")
        await until(mark.exists)
        assert mark.read_text() != first
        (folder / "x.md").write_text("two")
        await until(lambda: shown(here, "x.md") == b"two")
    # the folder that took its place, with the number of the old one or not, is another
    shutil.rmtree(folder)
    folder.mkdir()
    async with running(tmp_path) as here:
        await until(lambda: here.peer.spaces.places("commons")[1].away == "folder-replaced")
        assert shown(here, "x.md") == b"two"


async def test_the_home_is_looked_through_less_often_while_it_is_watched(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path) as here:
        front = here.front()
        await front.call("spaces.share", path=str(folder))
        home, shared = here.peer.spaces.places("commons")
        await until(lambda: home._listed and shared._listed)
        pause = home.folder.next_timer() - time.monotonic()
        assert limits.FOLDER_INTERVAL < pause <= limits.HOME_INTERVAL
        pause = shared.folder.next_timer() - time.monotonic()
        assert pause <= limits.FOLDER_INTERVAL
        assert home._watch is not None
        home._watch._arrived(set(), "no more room for watches")
        await until(lambda: home.folder.next_timer() <= time.monotonic() + limits.FOLDER_INTERVAL)
        home._watch._arrived(None, "")
        await until(lambda: home.folder._interval == limits.HOME_INTERVAL)
        await front.call("spaces.set", interval=5)
        await until(lambda: home.folder.next_timer() <= time.monotonic() + 5)


# --- a version of somebody else comes meanwhile ----------------------------------------
async def test_who_goes_back_to_an_older_version_while_a_newer_one_comes_is_not_undone(
    here: Running,
) -> None:
    friend = await here.known()
    await friend.sync("a.md", "one\ntwo\nthree\n")
    await friend.sync("a.md", "ONE\ntwo\nthree\n", vector={friend.peer_id: 1})
    await until(lambda: written(here, "a.md"))
    (here.peer.disk.synced / "a.md").write_bytes(b"one\ntwo\nthree\n")
    await friend.sync("a.md", "ONE\ntwo\nthree\nfour\n", vector={friend.peer_id: 2})
    await until(lambda: here.synced("a.md") == b"one\ntwo\nthree\nfour\n")
    await until(lambda: written(here, "a.md"))


async def test_who_goes_back_at_once_from_what_is_recorded_is_not_undone(
    here: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version that was written last is there again, but another one was recorded since."""
    await (await here.known()).sync("a.md", "one\n")
    await until(lambda: written(here, "a.md"))
    path = here.peer.disk.synced / "a.md"
    real = here.peer.outlet.files.write_all

    async def late(effects: Sequence[Any]) -> None:
        if path.read_bytes() == b"two\n":
            path.write_bytes(b"one\n")
        await real(effects)

    monkeypatch.setattr(here.peer.outlet.files, "write_all", late)
    path.write_bytes(b"two\n")
    await here.front().call("sync.file", path=str(path))
    assert here.synced("a.md") == b"one\n"
    await until(lambda: written(here, "a.md"))
    contents = [here.peer.store.content(one.content_hash)
                for one in here.peer.store.revisions("a.md")]  # fmt: skip
    assert contents == [b"one\n", b"two\n", b"one\n"]


async def test_what_is_half_written_when_a_newer_version_comes_is_no_edit(here: Running) -> None:
    """A program empties the file, and fills it a moment later, in place."""
    friend = await here.known()
    await friend.sync("a.md", "one\n")
    await until(lambda: written(here, "a.md"))
    with (here.peer.disk.synced / "a.md").open("wb") as stream:
        await friend.sync("a.md", "one\ntwo\n", vector={friend.peer_id: 1})
        await here.turn()
        stream.write(b"mine\none\n")
    await until(lambda: here.synced("a.md") == b"mine\none\ntwo\n")
    own = [one for one in here.peer.store.revisions("a.md", signed=True)
           if one.author != friend.peer_id]  # fmt: skip
    assert [here.peer.store.content(one.content_hash) for one in own] == [b"mine\none\n"]


async def test_a_file_that_is_there_before_the_document_is_not_made_from_it(
    here: Running,
) -> None:
    friend = await here.known()
    (here.peer.disk.synced / "a.md").write_bytes(b"mine\n")
    await friend.sync("a.md", "theirs\n")
    await until(lambda: written(here, "a.md"))
    assert sorted(here.synced("a.md").splitlines()) == [b"mine", b"theirs"]
