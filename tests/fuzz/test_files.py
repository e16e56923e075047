# SPDX-License-Identifier: MIT
"""Turns of many files, while somebody edits these files, locks them and lets go: nothing is lost.

A friend adds lines at the end of its documents, many in one turn; the user puts
lines at the beginning of the files, in the home and in a shared folder, at any
moment, and syncs some of them.  In the end every file holds all lines of both, once.

In a second round the user also saves in place, removes lines, goes back to what
a file held before, switches auto-sync off and on, and stops the peer and starts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federation.adapters import disk
from federation.adapters.watch import Shared, rooted
from federation.events import Instant
from federation.wire import topics
from tests.daemon.folders import holds, quick, shown
from tests.daemon.running import NOBODY, Remote, Row, Running, running, until

__all__ = ["quick"]  # a fixture

NAMES = [f"{folder}{number}.md" for folder in ("", "a/", "b/c/") for number in range(5)]
ROUNDS = 6
#: between an exchange and its undoing, nobody saves: what is there then is not what was saved
MOMENT = threading.RLock()


def mark(number: int) -> str:
    """A line: one character of its own; lines that are alike may count as one that was changed."""
    return chr(0x4E00 + number)


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
        self.past: dict[Path, list[bytes]] = {}
        #: lines that somebody took out or back: they may be there or not
        self.free: set[str] = set()
        self.on = True

    async def remote(self, names: list[str]) -> None:
        """The friend changes these documents, all in one turn."""
        raws: list[bytes] = []

        async def keep(_topic: str, raw: bytes) -> None:
            raws.append(raw)

        say = self.friend.say
        self.friend.say = keep  # type: ignore[method-assign, assignment]
        for name in names:
            self.sent += 1
            self.theirs[name] += f"{mark(self.sent)}\n"
            self.lines[name][mark(self.sent)] += 1
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
            beside.write_bytes(f"{mark(self.sent)}\n".encode() + path.read_bytes())
            beside.rename(path)
        self.lines[name][mark(self.sent)] += 1

    def _change(self, change: Callable[[Path, list[str]], list[str]]) -> None:
        """The user changes a file, and knows what it holds at that moment."""
        name = self.dice.choice(NAMES)
        path = self.dice.choice(self.places) / name
        with MOMENT:
            if not path.exists() or path.with_name(f".#{path.name}").is_symlink():
                return
            self.sent += 1
            before = path.read_bytes()
            old = before.decode().splitlines()
            new = change(path, list(old))
            if new == [mark(self.sent), *old]:
                self.lines[name][new[0]] += 1
            else:
                self.free.update({*old} ^ {*new})
            content = "".join(f"{line}\n" for line in new).encode()
            self.past.setdefault(path, []).append(before)
            if self.dice.random() < 0.5:
                path.write_bytes(content)
                return
            beside = path.with_name(f"{path.name}.new~")
            beside.write_bytes(content)
            beside.rename(path)

    def add(self) -> None:
        """The user adds a line, at any moment but that in which an exchange is undone."""
        self._change(lambda _path, lines: [mark(self.sent), *lines])

    def cut(self) -> None:
        """The user takes a line out."""
        self._change(lambda _path, lines: [*lines[:1], *lines[2:]])

    def back(self) -> None:
        """The user goes back to what the file held before."""
        self._change(
            lambda path, lines: (
                self.dice.choice(self.past[path][-3:]).decode().splitlines()
                if path in self.past
                else lines
            )
        )

    def switch(self) -> None:
        """Auto-sync is switched off, or on."""
        self.on = not self.on
        call = self.front.call("spaces.set", auto_sync=self.on)
        self.asked.append(asyncio.ensure_future(call))

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
            and self.has_all(name, Counter(content.decode().splitlines()))
        )

    def is_done(self) -> bool:
        """Whether all files are settled."""
        return all(map(self.is_settled, NAMES))

    def has_all(self, name: str, found: Counter[str]) -> bool:
        """Whether all lines are there once, or in a conflict that is listed."""
        open_ones = str(self.here.peer.store.open_conflicts(name)) if self.free else ""
        lacking = self.lines[name] - found
        return all(line in self.free or line in open_ones for line in lacking) and not any(
            line not in self.free for line in found - self.lines[name]
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
        await until(world.is_done)
        assert not here.peer.outlet.files.waiting
        assert list((here.peer.disk.synced.parent / "tmp").iterdir()) == []


@pytest.fixture
def moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who saves may do so at any moment, but between an exchange and its undoing."""
    mine = threading.local()

    def begins(real: Callable[..., Any]) -> Callable[..., Any]:
        def exchange(*given: Any) -> Any:
            if not getattr(mine, "held", False):
                MOMENT.acquire()
                mine.held = True
            return real(*given)

        return exchange

    def ends(real: Callable[..., Any]) -> Callable[..., Any]:
        def write(*given: Any) -> Any:
            try:
                return real(*given)
            finally:
                if getattr(mine, "held", False):
                    mine.held = False
                    MOMENT.release()

        return write

    for there, name in ((disk, "_rename"), (rooted, "exchange"), (rooted, "put")):
        monkeypatch.setattr(there, name, begins(getattr(there, name)))
    for cls, name in ((disk.Disk, "write_synced"), (Shared, "write")):
        monkeypatch.setattr(cls, name, ends(getattr(cls, name)))


@pytest.mark.parametrize("seed", range(2))
async def test_nothing_is_lost_whatever_else_the_user_does(
    seed: int, tmp_path: Path, moments: None
) -> None:
    dice = random.Random(seed)
    folder = tmp_path / "mine"
    folder.mkdir()
    world: World | None = None
    for last in (False, True):
        async with running(tmp_path, NOBODY) as here:
            if world is None:
                await here.front().call("spaces.share", path=str(folder))
                world = World(here, await here.known(), folder, dice)
                await world.remote(NAMES)
            world.here, world.friend._running, world.front = here, here, here.front()
            actions = (world.add, world.add, world.cut, world.back, world.switch,
                       world.lock, world.unlock, world.sync)  # fmt: skip
            for _ in range(ROUNDS // 2):
                turn = asyncio.ensure_future(world.remote(dice.sample(NAMES, 8)))
                while not turn.done():
                    dice.choice(actions)()
                    await asyncio.sleep(0)
                await turn
            world.unlock()
            await asyncio.gather(*world.asked)
            world.asked.clear()
            if last:
                await here.front().call("spaces.set", auto_sync=True)
                await until(world.is_done)
