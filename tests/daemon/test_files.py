# SPDX-License-Identifier: MIT
"""Many files of one turn: written together, each as safely as one alone."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from federation import limits
from federation.adapters.disk import Disk, Staged
from federation.errors import Refusal
from federation.events import WriteFile
from tests.daemon.running import NOBODY, Row, Running, running, until

NAMES = [f"{number}.md" for number in range(4 * limits.FILES_APART)]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, NOBODY) as made:
        yield made


async def unwritten(here: Running) -> list[WriteFile]:
    """Documents that are recorded, and whose files are gone: what is to be done about them."""
    effects = [WriteFile(name, await here.sync(name, f"text of {name}")) for name in NAMES]
    await until(lambda: all(written(here, name) for name in NAMES))
    for name in NAMES:
        (here.peer.disk.synced / name).unlink()
        # nobody misses them
        here.peer.spaces.places("commons")[0].folder.removed(name)
    return effects


def written(here: Running, name: str) -> bool:
    document = here.peer.store.document(name)
    return document is not None and document.written == document.current


def shown(here: Running, names: Sequence[str] = NAMES) -> bool:
    return all(here.synced(name) == f"text of {name}".encode() for name in names)


async def test_names_are_given_to_what_is_durable_and_their_folder_is_fsynced_once(
    here: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    effects, done = await unwritten(here), list[str]()
    fsync, write = os.fsync, Disk.write_synced

    def watched(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def named(disk: Disk, file: str, content: bytes, known: str | None, staged: Staged) -> object:
        done.append("name")
        return write(disk, file, content, known, staged)

    monkeypatch.setattr(os, "fsync", watched)
    monkeypatch.setattr(Disk, "write_synced", named)
    here.peer.outlet.files.wrote = lambda _file, _known: done.append("told")
    await here.peer.outlet.perform(effects)
    count = len(NAMES)
    assert done == ["file"] * count + ["name"] * count + ["folder"] + ["told"] * count
    assert shown(here)
    assert list((here.peer.disk.synced.parent / "tmp").iterdir()) == []


async def test_what_somebody_wrote_meanwhile_stays_and_the_others_are_written(
    here: Running,
) -> None:
    effects = await unwritten(here)
    (here.peer.disk.synced / NAMES[3]).write_bytes(b"mine")
    await here.peer.outlet.perform(effects)
    assert shown(here, [name for name in NAMES if name != NAMES[3]])
    await until(lambda: len(here.peer.store.revisions(NAMES[3])) > 1)
    assert b"mine" in here.synced(NAMES[3])


@pytest.mark.parametrize("step", ["stage", "fsync_folders"])
async def test_what_the_disk_refuses_is_tried_again_and_said_once(
    here: Running, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(limits, "WRITE_AGAIN", 0.01)
    effects, told, refused = await unwritten(here), list[Row](), list[object]()
    here.peer.outlet.tell = lambda _event, body: told.append(body)
    noted: list[str] = []
    here.peer.outlet.files.wrote = lambda file, _known: noted.append(file)
    real = getattr(Disk, step)

    def full(disk: Disk, *given: object) -> object:
        if not refused and (step == "fsync_folders" or given[0] == NAMES[5]):
            refused.append(given)
            raise Refusal("disk-full", "no room")
        return real(disk, *given)

    monkeypatch.setattr(Disk, step, full)
    await here.peer.outlet.perform(effects)
    late = [NAMES[5]] if step == "stage" else NAMES
    assert not set(late) & set(noted)
    await until(lambda: set(noted) == set(NAMES))
    assert shown(here)
    assert [body["file"] for body in told if body["event"] == "sync-failed"] == late
    assert list((here.peer.disk.synced.parent / "tmp").iterdir()) == []


async def test_large_documents_go_in_portions(
    here: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FOLDER_READ_BYTES", 40)
    effects = await unwritten(here)
    sizes: list[int] = []
    real = here.peer.outlet.files._carry_out

    async def counted(plans: Sequence[object]) -> object:
        sizes.append(len(plans))
        return await real(plans)  # type: ignore[arg-type]

    monkeypatch.setattr(here.peer.outlet.files, "_carry_out", counted)
    await here.peer.outlet.perform(effects)
    assert sum(sizes) == len(NAMES)
    assert max(sizes) <= 4
    assert shown(here)
