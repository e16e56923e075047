# SPDX-License-Identifier: MIT
"""Many deletions by others wait for a yes, where that is wanted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from federation import limits
from federation.daemon.removals import Removals
from federation.replica.records import Document
from tests.daemon.folders import holds, quick, shown
from tests.daemon.running import Remote, Running, running, until

__all__ = ["quick"]  # a fixture

NAMES = [f"{number:02}.md" for number in range(12)]


async def shared(here: Running) -> tuple[Path, Remote]:
    """Twelve documents of ours, in a folder; and a friend who may do anything."""
    folder = here.folder / "mine"
    folder.mkdir()
    await here.front().call("spaces.share", path=str(folder))
    for name in NAMES:
        await here.sync(name, f"words of {name}")
    await until(lambda: all((folder / name).exists() for name in NAMES))
    return folder, await here.known(name="Friend")


async def delete(here: Running, friend: Remote, names: list[str]) -> None:
    for name in names:
        (head,) = here.peer.store.heads(name)
        seen = {"vector": {head.author: head.seq}, "parents": [head.revision]}
        await friend.sync(name, "", deleted=True, **seen)
    await until(lambda: not any(shown(here, name) for name in names))


@pytest.mark.parametrize("agreed", [True, False])
async def test_the_files_stay_until_somebody_decides(tmp_path: Path, *, agreed: bool) -> None:
    async with running(tmp_path) as here:
        folder, friend = await shared(here)
        await delete(here, friend, NAMES)
        left = [name for name in NAMES if (here.peer.disk.synced / name).exists()]
        assert 0 < len(left) < limits.MASS_DELETE
        assert here.peer.spaces.held == len(left)
        await until(lambda: [name for name in NAMES if (folder / name).exists()] == left)
    async with running(tmp_path) as here:
        front = here.front()
        (row,) = (await front.call("spaces.list"))["spaces"]
        assert row["held_documents"] == left
        assert all((here.peer.disk.synced / name).exists() for name in left)
        if agreed:
            assert (await front.call("spaces.confirm", space="commons"))["count"] == len(left)
            await until(lambda: not any((folder / name).exists() for name in left))
            assert not any((here.peer.disk.synced / name).exists() for name in left)
        else:
            assert (await front.call("spaces.restore", space="commons"))["count"] == len(left)
            for name in left:
                await until(lambda name=name: holds(folder / name, f"words of {name}".encode()))  # type: ignore[misc]
                assert shown(here, name) == f"words of {name}".encode()
        assert here.peer.spaces.held == 0


async def comes_back(here: Running, folder: Path) -> None:
    """All of it comes back, also what was removed before the rest was held."""
    await here.front().call("spaces.restore", space="commons")
    for place in (folder, here.peer.disk.synced):
        await until(
            lambda place=place: all(  # type: ignore[misc]
                holds(place / name, f"words of {name}".encode()) for name in NAMES
            )
        )


async def test_who_restores_gets_back_what_went_before(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        folder, friend = await shared(here)
        await delete(here, friend, NAMES)
        await comes_back(here, folder)


async def test_who_restores_later_gets_it_back_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody deletes slowly once some of it is held, and then the peer starts again."""
    async with running(tmp_path) as here:
        folder, friend = await shared(here)
        await delete(here, friend, NAMES[:-1])
        assert here.peer.spaces.held > 0
        monkeypatch.setattr(limits, "MASS_DELETE_WINDOW", 0.0)
        await delete(here, friend, NAMES[-1:])
    async with running(tmp_path) as here:
        await comes_back(here, folder)


async def test_a_held_file_that_is_edited_is_kept(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        folder, friend = await shared(here)
        await delete(here, friend, NAMES)
        (folder / NAMES[-1]).write_text("edited")
        await until(lambda: shown(here, NAMES[-1]) == b"edited")
        assert (
            NAMES[-1] not in (await here.front().call("spaces.list"))["spaces"][0]["held_documents"]
        )


async def test_otherwise_they_are_believed(tmp_path: Path) -> None:
    async with running(tmp_path, hold_all=False) as here:
        folder, friend = await shared(here)
        await delete(here, friend, NAMES)
        await until(lambda: not any((folder / name).exists() for name in NAMES))
        assert here.peer.spaces.held == 0


async def test_thousands_cost_no_square_of_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each that is held is looked at a few times, and all of them are noted together."""
    async with running(tmp_path) as here:
        friend = await here.known(name="Friend")
        await friend.sync("theirs.md", "words")
        await until(lambda: shown(here, "theirs.md") == b"words")
        store, disk, many = here.peer.store, here.peer.disk, 2000
        (theirs,) = store.heads("theirs.md")
        looks: list[str] = []

        def path(file: str) -> str:
            looks.append(file)
            return str(tmp_path)

        def gone(file: str) -> Document:
            return Document(file, "text", theirs.revision, None, deleted=True)

        removals = Removals(here.peer)
        monkeypatch.setattr(disk, "synced_path", path)
        monkeypatch.setattr(store, "document", gone)
        assert sum(not removals.may_remove(f"{at}.md") for at in range(many)) > many / 2
        assert len(looks) < 4 * many
        monkeypatch.undo()
        await until(lambda: len(json.loads(store.meta("held removals") or "[]")) > many / 2)
