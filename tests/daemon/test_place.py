# SPDX-License-Identifier: MIT
"""One watched folder: what other programs do to it, while the peer is there and not."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from federation import limits
from tests.daemon.folders import holds, quick, shown
from tests.daemon.running import running, until

__all__ = ["quick"]  # a fixture


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
