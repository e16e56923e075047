# SPDX-License-Identifier: MIT
"""A shared folder on a real disk: other programs edit it, and peers are killed in it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from federation import limits
from federation.adapters.watch import Shared, Watch
from federation.machines.folder import (
    Adopt,
    Away,
    Delete,
    Effect,
    Folder,
    Held,
    Look,
    Move,
    Read,
    Seen,
    Take,
)

DEADLINE = 30.0


class Driver:
    """Does what the machine of a folder asks for, and keeps what is for others."""

    def __init__(self, path: Path) -> None:
        self.shared = Shared(path)
        self.folder = Folder({}, None, time.monotonic(), interval=2.0)
        self.effects: list[Effect] = []
        self.changed = asyncio.Event()
        self.watch = Watch(path)
        self._tasks = [asyncio.create_task(one) for one in (self._timers(), self._news())]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.watch.close()

    async def _timers(self) -> None:
        while True:
            await asyncio.sleep(min(max(self.folder.next_timer() - time.monotonic(), 0.01), 0.05))
            await self.do(self.folder.handle_timer(time.monotonic()))

    async def _news(self) -> None:
        while True:
            names = await self.watch.next()
            if names is None:
                await self.do(self.folder.look(time.monotonic()))
            else:
                seen = await asyncio.to_thread(self.shared.look, names)
                await self.do(self.folder.receive_paths(seen, time.monotonic()))

    async def do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Look):
                listing = await asyncio.to_thread(self.shared.listing)
                await self.do(self.folder.receive_listing(listing, time.monotonic()))
            elif isinstance(effect, Read):
                await self._read(effect.name)
            else:
                if isinstance(effect, Adopt):
                    self.shared.accept(effect.root)
                self.effects.append(effect)
        self.changed.set()

    async def _read(self, name: str) -> None:
        found = await asyncio.to_thread(self.shared.read, name)
        if found is None:
            seen: dict[str, Seen | None] = await asyncio.to_thread(self.shared.look, [name])
            await self.do(self.folder.receive_paths(seen, time.monotonic()))
        else:
            await self.do(self.folder.receive_read(name, found[1], time.monotonic()))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def taken(self, kind: type[Effect]) -> set[str]:
        return {getattr(one, "name", "") for one in self.effects if isinstance(one, kind)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.fixture
async def driver(path: Path) -> AsyncIterator[Driver]:
    driver = Driver(path)
    await driver.until(lambda: driver.folder.root is not None)
    yield driver
    await driver.close()


async def test_any_program_edits_and_it_is_noticed(driver: Driver, path: Path) -> None:
    script = """
    mkdir -p old; for n in 1 2 3 4 5 6; do echo "$n" >"old/$n.md"; done
    echo half >slow.md; sleep 0.2; echo more >>slow.md; sleep 0.2; echo end >>slow.md
    echo saved >x.md~; mv x.md~ x.md; ln -s /etc/passwd link.md
    """
    await asyncio.to_thread(subprocess.run, ["sh", "-c", script], cwd=path, check=True)
    names = {f"old/{number}.md" for number in range(1, 7)} | {"slow.md", "x.md"}
    await driver.until(lambda: driver.taken(Take) >= names)
    assert driver.taken(Take) == names
    slow = [one for one in driver.effects if isinstance(one, Take) and one.name == "slow.md"]
    whole = hashlib.sha256(b"half\nmore\nend\n").hexdigest()
    assert [one.known.digest for one in slow] == [whole]
    await driver.until(lambda: driver.folder.refused == {"link.md": "path-symlink-escape"})
    os.rename(path / "old", path / "new")
    await driver.until(lambda: len(driver.taken(Move)) == 6)
    os.unlink(path / "x.md")
    await driver.until(lambda: bool(driver.taken(Delete)))
    assert driver.taken(Delete) == {"x.md"}


async def test_a_folder_that_goes_away_deletes_nothing(
    driver: Driver, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FOLDER_AWAY", 0.2)
    monkeypatch.setattr(limits, "WATCH_AGAIN", 0.2)
    for number in range(20):
        (path / f"{number}.md").write_text(str(number))
    await driver.until(lambda: len(driver.taken(Take)) == 20)
    os.rename(path, tmp_path / "elsewhere")
    await driver.until(lambda: Away("file-not-found") in driver.effects)
    os.mkdir(path)
    os.rmdir(path)
    os.rename(tmp_path / "elsewhere", path)
    await driver.until(lambda: Away("") in driver.effects)
    (path / "0.md").write_text("edited after")
    await driver.until(lambda: sum(isinstance(one, Take) for one in driver.effects) == 21)
    assert driver.taken(Delete) == set()


async def test_a_mass_delete_waits(driver: Driver, path: Path) -> None:
    for number in range(20):
        (path / f"{number}.md").write_text(str(number))
    await driver.until(lambda: len(driver.taken(Take)) == 20)
    for number in range(20):
        (path / f"{number}.md").unlink()
    await driver.until(lambda: driver.taken(Held) != set() and len(driver.folder.held) == 20)
    assert driver.taken(Delete) == set()
    await driver.do(driver.folder.confirm(time.monotonic()))
    await driver.until(lambda: len(driver.taken(Delete)) == 20)


_CHANGE = """
import hashlib, sys
from pathlib import Path
from federation.adapters.watch import Shared
shared = Shared(Path(sys.argv[1]))
shared.accept(shared.listing().root)
known = hashlib.sha256(b"old" * 5000).hexdigest()
if sys.argv[2] == "write":
    shared.write("a/x.md", b"new" * 5000, known)
else:
    shared.delete("a/x.md", known)
"""


@pytest.mark.slow
@pytest.mark.parametrize("change", ["write", "delete"])
@pytest.mark.parametrize("call", ["write", "fsync", "renameat2", "unlinkat"])
def test_killed_at_any_call_a_file_is_old_or_new(
    path: Path, repository: Path, call: str, change: str
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    old, new = b"old" * 5000, b"new" * 5000
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    for count in range(1, 20):
        shutil.rmtree(path)
        (path / "a").mkdir(parents=True)
        (path / "a" / "x.md").write_bytes(old)
        inject = f"inject={call}:signal=KILL:when={count}"
        command = ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject,
                   sys.executable, "-c", _CHANGE, str(path), change]  # fmt: skip
        done = subprocess.run(command, cwd=repository, env=environment, timeout=60, check=False)
        left = [one.read_bytes() for one in path.rglob("*") if one.is_file()]
        documents = [one.read_bytes() for one in (path / "a").glob("*.md")]
        if done.returncode == 0:
            assert documents == ([new] if change == "write" else [])
            assert left == documents
            break
        assert documents in ([[old], [new]] if change == "write" else [[old], []])
        assert len(left) <= 2
    else:
        pytest.fail("it never came to its end")
    # what was left is hidden, and the next look is as good as ever
    assert subprocess.run([sys.executable, "-c", _CHANGE, str(path), change], cwd=repository,
                          timeout=60, check=False).returncode == 0  # fmt: skip
