# SPDX-License-Identifier: MIT
"""News of a folder: real files, real notifications."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from federation import limits
from federation.adapters.watch import Watch

DEADLINE = 20.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "shared"
    (path / "a").mkdir(parents=True)
    return path


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WATCH_GATHER", 0.02)
    monkeypatch.setattr(limits, "WATCH_AGAIN", 0.1)


@pytest.fixture
async def watch(folder: Path) -> AsyncIterator[Watch]:
    watch = Watch(folder)
    assert await news(watch) is None  # it is set up
    yield watch
    await watch.close()


async def news(watch: Watch) -> frozenset[str] | None:
    return await asyncio.wait_for(watch.next(), DEADLINE)


async def until(watch: Watch, *names: str) -> set[str]:
    """Wait until these had news; everything that was told."""
    told = set[str]()
    while not told.issuperset(names):
        some = await news(watch)
        assert some is not None
        told |= some
    return told


async def until_all(watch: Watch, problem: str = "") -> None:
    """Wait until anything may have changed, and this is the problem (empty: none is)."""
    told: frozenset[str] | None = frozenset()
    while told is not None or (problem not in watch.problem if problem else watch.problem):
        told = await news(watch)


async def until_told(watch: Watch, folder: Path, name: str) -> None:
    """Write a file, again after each other news, until it is told."""
    told: frozenset[str] | None = frozenset()
    while told is None or name not in told:
        (folder / name).write_bytes(b"again")
        told = await news(watch)


async def test_what_is_written_renamed_and_deleted_is_told(watch: Watch, folder: Path) -> None:
    (folder / "x.md").write_bytes(b"x")
    assert await until(watch, "x.md") == {"x.md"}
    (folder / "a" / "y.md").write_bytes(b"y")
    assert await until(watch, "a/y.md") == {"a/y.md"}
    (folder / "a" / "y.md").rename(folder / "z.md")
    assert await until(watch, "a/y.md", "z.md") == {"a/y.md", "z.md"}
    (folder / "x.md").unlink()
    assert await until(watch, "x.md") == {"x.md"}


async def test_what_is_hidden_or_temporary_is_not_told(watch: Watch, folder: Path) -> None:
    (folder / ".#x.md").symlink_to("me@here.1:2")
    (folder / ".git").mkdir()
    (folder / "x.md~").write_bytes(b"x")
    (folder / "last.md").write_bytes(b"x")
    assert await until(watch, "last.md") == {"last.md"}


async def test_new_folders_are_watched(watch: Watch, folder: Path) -> None:
    (folder / "n" / "m").mkdir(parents=True)
    (folder / "n" / "m" / "early.md").write_bytes(b"x")
    await until_all(watch)
    await until_told(watch, folder, "n/m/late.md")
    (folder / "n").rename(folder / "o")
    await until_told(watch, folder, "o/m/late.md")


async def test_links_are_not_followed(tmp_path: Path, folder: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "deep" / "er").mkdir(parents=True)
    (folder / "out").symlink_to(elsewhere)
    watch = Watch(folder)
    try:
        await until_all(watch)
        (folder / "late").symlink_to(elsewhere)
        (elsewhere / "deep" / "x.md").write_bytes(b"x")
        (elsewhere / "y.md").write_bytes(b"y")
        (folder / "z.md").write_bytes(b"z")
        assert await until(watch, "z.md") == {"late", "z.md"}
        assert _watches() == 2
    finally:
        await watch.close()
    # the kernel forgets them in its own time
    async with asyncio.timeout(DEADLINE):
        while _watches():
            await asyncio.to_thread(os.sched_yield)


def _watches() -> int:
    """How many folders this process watches."""
    count = 0
    for info in Path("/proc/self/fdinfo").iterdir():
        try:
            count += info.read_text().count("inotify wd:")
        except OSError:  # closed meanwhile
            continue
    return count


async def test_a_folder_that_vanishes_is_waited_for(watch: Watch, folder: Path) -> None:
    shutil.rmtree(folder)
    await until_all(watch, "No such file")
    os.mkdir(folder)
    await until_all(watch)
    await until_told(watch, folder, "x.md")


async def test_a_folder_that_is_replaced_is_watched(
    watch: Watch, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    os.rename(folder, tmp_path / "moved")
    os.rename(tmp_path / "other", folder)
    await until_all(watch)
    await until_told(watch, folder, "x.md")


async def test_a_name_that_is_no_text_does_not_end_it(
    watch: Watch, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / os.fsdecode(b"\xff.md")).write_bytes(b"x")
    await until_all(watch)
    assert "decode" in caplog.text
    await until_told(watch, folder, "x.md")


async def test_too_much_news_are_one_whole_look(
    watch: Watch, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WATCH_NAMES", 3)
    for number in range(50):
        (folder / f"{number}.md").write_bytes(b"x")
    await until_all(watch)
    assert len(watch._names) <= 3


async def test_folders_beyond_the_limit_are_left_to_listings(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WATCH_FOLDERS", 1)
    watch = Watch(folder)
    try:
        await until_all(watch)
        (folder / "a" / "y.md").write_bytes(b"y")
        (folder / "x.md").write_bytes(b"x")
        assert await until(watch, "x.md") == {"x.md"}
    finally:
        await watch.close()


async def test_it_ends_while_its_folder_is_missing(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "nothing")
    await until_all(watch, "No such file")
    await asyncio.wait_for(watch.close(), DEADLINE)
    assert not watch._thread.is_alive()
