# SPDX-License-Identifier: MIT
"""Turns of many files, while somebody edits these files, locks them and lets go: nothing is lost.

A friend adds lines at the end of its documents, many in one turn; the user puts
lines at the beginning of the files, in the home and in a shared folder, at any
moment, and syncs some of them.  In the end every file holds all lines of both, once.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from pathlib import Path

import pytest

from federation.events import Instant
from federation.wire import topics
from tests.daemon.folders import holds, quick, shown
from tests.daemon.running import NOBODY, Remote, Row, Running, running, until

__all__ = ["quick"]  # a fixture

NAMES = [f"{folder}{number}.md" for folder in ("", "a/", "b/c/") for number in range(5)]
ROUNDS = 6


class World:
    """A peer with a shared folder, a friend of it, and a user who edits with any program."""

    def __init__(self, here: Running, friend: Remote, folder: Path, dice: random.Random) -> None:
        self.here, self.friend, self.dice = here, friend, dice
        self.places = (here.peer.disk.synced, folder)
        self.shared = here.peer.spaces.places("commons")[1]
        self.theirs = dict.fromkeys(NAMES, "base\n")
        self.lines = {name: Counter(["base"]) for name in NAMES}
        self.locks: list[Path] = []
        self.sent = 0
        self.front = here.front()
        self.asked: list[asyncio.Future[Row]] = []

    async def remote(self, names: list[str]) -> None:
        """The friend changes these documents, all in one turn."""
        raws: list[bytes] = []

        async def keep(_topic: str, raw: bytes) -> None:
            raws.append(raw)

        say = self.friend.say
        self.friend.say = keep  # type: ignore[method-assign, assignment]
        for name in names:
            self.sent += 1
            self.theirs[name] += f"theirs {self.sent}\n"
            self.lines[name][f"theirs {self.sent}"] += 1
            seen = {"vector": {self.friend.peer_id: self.sent - 1}} if self.sent > 1 else {}
            if name not in self.friend._newest:
                seen = {}
            await self.friend.sync(name, self.theirs[name], **seen)
        self.friend.say = say  # type: ignore[method-assign]
        node = self.here.peer.node

        def receive(now: Instant) -> None:
            for raw in raws:
                node.receive_message(topics.SYNC, raw, retained=False, now=now)

        await self.here.turn(receive)

    def edit(self) -> None:
        """The user saves a file, as a whole, in no more than a moment."""
        name = self.dice.choice(NAMES)
        path = self.dice.choice(self.places) / name
        if path.is_relative_to(self.places[1]) and self.shared._working:
            return
        if not path.exists() or path.with_name(f".#{path.name}").is_symlink():
            return
        self.sent += 1
        beside = path.with_name(f"{path.name}.new~")
        # nobody puts a file in place meanwhile: that would be written over by this one
        with self.here.peer.disk._lock:
            beside.write_bytes(f"mine {self.sent}\n".encode() + path.read_bytes())
            beside.rename(path)
        self.lines[name][f"mine {self.sent}"] += 1

    def lock(self) -> None:
        """An editor has unsaved changes of a file for a while."""
        path = self.places[0] / self.dice.choice(NAMES)
        lock = path.with_name(f".#{path.name}")
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            lock.symlink_to("somebody@elsewhere.1:2")
            self.locks.append(lock)

    def unlock(self) -> None:
        """All of them are saved."""
        while self.locks:
            self.locks.pop().unlink()

    def sync(self) -> None:
        """The user says that a file is to be synced now, and goes on."""
        path = self.dice.choice(self.places) / self.dice.choice(NAMES)
        if path.exists():
            call = self.front.call("sync.file", path=str(path))
            self.asked.append(asyncio.ensure_future(call))

    def is_settled(self, name: str) -> bool:
        """Whether both files hold what the document shows."""
        content = shown(self.here, name)
        document = self.here.peer.store.document(name)
        return (
            content is not None
            and document is not None
            and document.written == document.current
            and all(holds(place / name, content) for place in self.places)
            and Counter(content.decode().splitlines()) == self.lines[name]
        )


@pytest.mark.parametrize("seed", range(4))
async def test_no_line_is_lost_or_doubled(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path, NOBODY) as here:
        await here.front().call("spaces.share", path=str(folder))
        world = World(here, await here.known(), folder, dice)
        await world.remote(NAMES)
        for _ in range(ROUNDS):
            some = dice.sample(NAMES, dice.randint(3, len(NAMES)))
            turn = asyncio.ensure_future(world.remote(some))
            while not turn.done():
                dice.choice((world.lock, world.edit, world.unlock, world.sync))()
                await asyncio.sleep(0)
            await turn
        world.unlock()
        await asyncio.gather(*world.asked)
        await until(lambda: all(world.is_settled(name) for name in NAMES))
        assert not here.peer.outlet.files.waiting
        assert list((here.peer.disk.synced.parent / "tmp").iterdir()) == []
