# SPDX-License-Identifier: MIT
"""Files that resist, edits from outside, crashes; and many files of one turn, each as safe."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from federation import limits
from federation.adapters.disk import Disk, Modified, Staged
from federation.errors import Fault, Refusal
from federation.events import Publish, WriteFile
from federation.machines.folder import Known
from tests.daemon.running import Row, Running, running, until
from tests.daemon.told import here, of, read, told, written

__all__ = ["here", "told"]  # fixtures

NAMES = [f"{number}.md" for number in range(4 * limits.FILES_APART)]


async def unwritten(here: Running) -> list[WriteFile]:
    """Documents that are recorded, and whose files are gone: what is to be done about them."""
    effects = [WriteFile(name, await here.sync(name, f"text of {name}")) for name in NAMES]
    await until(lambda: all(written(here, name) for name in NAMES))
    for name in NAMES:
        (here.peer.disk.synced / name).unlink()
        # nobody misses them
        here.peer.spaces.places("commons")[0].folder.removed(name)
    return effects


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


async def test_what_could_not_be_written_is_tried_again_in_portions(
    here: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WRITE_AGAIN", 0.01)
    monkeypatch.setattr(limits, "TURN", 0)
    effects, turns, full, locked = await unwritten(here), [0], [True], {NAMES[1]}
    real, again = Disk.write_synced, here.peer.outlet.files._write_again

    def write(disk: Disk, file: str, *given: Any) -> Known | Modified:
        if full or file in locked:
            raise Refusal("disk-full" if full else "path-local-modified", file)
        return real(disk, file, *given)

    def counted() -> None:
        turns[0] += 1
        again()

    monkeypatch.setattr(Disk, "write_synced", write)
    monkeypatch.setattr(here.peer.outlet.files, "_write_again", counted)
    await here.peer.outlet.perform(effects)
    await until(lambda: turns[0] > 3)
    assert here.peer.outlet.files.waiting == len(NAMES)
    full.clear()
    turns[0] = 0
    await until(lambda: here.peer.outlet.files.waiting == 1)
    assert turns[0] >= len(NAMES) - 1, "one at a time, as a turn has no time at all"
    locked.clear()
    await until(lambda: not here.peer.outlet.files.waiting)
    assert shown(here)


async def test_a_folder_that_becomes_a_link_meanwhile_concerns_its_own_files(
    here: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WRITE_AGAIN", 0.01)
    friend, synced = await here.known(), here.peer.disk.synced
    effects, told = await unwritten(here), list[Row]()
    await friend.sync("a/x.md", "one")
    await until(lambda: written(here, "a/x.md"))
    (synced / "a/x.md").unlink()
    here.peer.spaces.places("commons")[0].folder.removed("a/x.md")
    document = here.peer.store.document("a/x.md")
    assert document is not None
    here.peer.outlet.tell = lambda _event, body: told.append(body)
    real = Disk.fsync_folders

    def swapped(disk: Disk, files: Sequence[str]) -> None:
        if not (synced / "b").exists():
            (synced / "a").rename(synced / "b")
            (synced / "a").symlink_to("b")
        real(disk, files)

    monkeypatch.setattr(Disk, "fsync_folders", swapped)
    await here.peer.outlet.perform([*effects, WriteFile("a/x.md", document.current)])
    assert shown(here)
    assert [body["file"] for body in told if body["event"] == "sync-failed"] == ["a/x.md"]
    (synced / "a").unlink()
    await until(lambda: not here.peer.outlet.files.waiting)
    assert here.synced("a/x.md") == b"one"
    assert list((synced.parent / "tmp").iterdir()) == []


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


# --- files that cannot be written now ----------------------------------------------------------


async def test_a_file_that_an_editor_has_is_written_when_it_is_free(
    here: Running, told: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WRITE_AGAIN", 0.01)
    friend = await here.known()
    await friend.sync("a.md", "one")
    await until(lambda: written(here, "a.md"))
    lock = here.peer.disk.synced / ".#a.md"
    lock.symlink_to("somebody@here.1:2")
    attempts = []
    write = here.peer.disk.write_synced

    def counted(*given: Any) -> Known | Modified:
        attempts.append(given)
        return write(*given)

    monkeypatch.setattr(here.peer.disk, "write_synced", counted)
    await friend.sync("a.md", "two", vector={friend.peer_id: 1})
    await until(lambda: len(attempts) > 2)
    await friend.sync("a.md", "three", vector={friend.peer_id: 2})
    assert here.synced("a.md") == b"one"
    assert not of(told, "sync-failed"), "an open buffer is no failure"
    lock.unlink()
    await until(lambda: written(here, "a.md"))
    assert here.synced("a.md") == b"three"
    count = len(attempts)
    assert not here.peer.outlet.files.waiting
    await here.turn()
    assert len(attempts) == count, "it is not written again"


async def test_another_refusal_is_told_once_and_tried_again(
    here: Running, told: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WRITE_AGAIN", 0.01)
    refusals = [Refusal("disk-full", "a.md")] * 3
    write = here.peer.disk.write_synced

    def full(*given: Any) -> Known | Modified:
        if refusals:
            raise refusals.pop()
        return write(*given)

    monkeypatch.setattr(here.peer.disk, "write_synced", full)
    await here.sync("a.md", "text")
    await until(lambda: written(here, "a.md"))
    assert here.synced("a.md") == b"text"
    (failed,) = of(told, "sync-failed")
    assert failed["file"] == "a.md"
    assert failed["reason"].startswith("the disk is full")


async def test_a_conflict_copy_that_cannot_be_written_stops_nothing(
    here: Running, told: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object) -> Path:
        raise Refusal("disk-full", "a.md")

    monkeypatch.setattr(here.peer.disk, "write_conflict", full)
    friend = await here.known()
    await here.sync("a.md", b"mine\xff")
    await friend.sync("a.md", "theirs")
    assert len(here.peer.store.heads("a.md")) == 2
    assert of(told, "conflict-detected")
    assert here.synced("a.md") == b"mine\xff"


async def test_a_content_that_is_gone_is_a_fault_of_ours_and_stops_nothing(
    here: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await here.sync("a.md", "text")

    def lost(_hash: str) -> bytes:
        raise Fault("no such content")

    monkeypatch.setattr(here.peer.store, "content", lost)
    revision = here.peer.store.document("a.md").current  # type: ignore[union-attr]
    published: list[Publish] = []
    here.peer.outlet.publish = published.append
    await here.peer.outlet.perform([WriteFile("a.md", revision), Publish("t", b"")])
    assert len(published) == 1
    assert "no such content" in caplog.text
    assert await here.fronts[0].reason("documents.export", file="a.md") == "internal-error"


# --- edited outside, and crashes ---------------------------------------------------------------


@pytest.mark.parametrize("mark", [b"", b"\xff"])
async def test_what_somebody_wrote_meanwhile_is_merged_or_a_version_of_its_own(
    here: Running, told: list[Row], mark: bytes
) -> None:
    friend = await here.known()
    await friend.sync("a.md", "one\ntwo\nthree\n")
    await until(lambda: written(here, "a.md"))
    edited, newer = b"edited\ntwo\nthree\n" + mark, b"one\ntwo\nnewer\n"
    (here.peer.disk.synced / "a.md").write_bytes(edited)
    await friend.sync("a.md", newer.decode(), vector={friend.peer_id: 1})
    await until(lambda: len(here.peer.store.heads("a.md")) == 2 and written(here, "a.md"))
    heads = {here.peer.store.content(one.content_hash) for one in here.peer.store.heads("a.md")}
    assert heads == {edited, newer}
    assert here.synced("a.md") == (edited if mark else b"edited\ntwo\nnewer\n")
    assert len(of(told, "conflict-detected")) == len(mark)
    found = (await here.front().call("conflicts.list"))["conflicts"]
    assert {read(one["path"]) for row in found for one in row["versions"]} == (
        heads if mark else set()
    )


async def test_what_was_found_a_while_ago_undoes_nothing_newer(here: Running) -> None:
    friend, files = await here.known(), here.peer.outlet.files
    await friend.sync("a.md", "one\n")
    await until(lambda: written(here, "a.md"))
    path = here.peer.disk.synced / "a.md"
    path.write_bytes(b"newer\nfound\none\n")
    await here.front().call("sync.file", path=str(path))
    await friend.sync("a.md", "one\ntwo\n", vector={friend.peer_id: 1})
    await until(lambda: written(here, "a.md"))
    document = here.peer.store.document("a.md")
    assert document is not None
    plan = files._plan(WriteFile("a.md", document.current))
    assert plan is not None
    files._ended(plan, Modified(b"found\none\n"))
    await here.turn()
    await until(lambda: written(here, "a.md"))
    assert here.synced("a.md") == b"newer\nfound\none\ntwo\n"


async def test_an_edit_that_cannot_be_recorded_is_not_overwritten(
    here: Running, told: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WRITE_AGAIN", 0.01)
    friend, path = await here.known(), here.peer.disk.synced / "a.md"
    await friend.sync("a.md", "one\ntwo\nthree\n")
    await until(lambda: written(here, "a.md"))
    record = here.peer.node.import_changed

    def refuse(*_given: object, **_named: object) -> Any:
        raise Refusal("file-too-large", "a.md")

    monkeypatch.setattr(here.peer.node, "import_changed", refuse)
    path.write_text("edited\ntwo\nthree\n")
    await friend.sync("a.md", "one\ntwo\nnewer\n", vector={friend.peer_id: 1})
    await until(lambda: of(told, "sync-failed"))
    assert here.synced("a.md") == b"edited\ntwo\nthree\n"
    monkeypatch.setattr(here.peer.node, "import_changed", record)
    path.write_text("edited, too\ntwo\nthree\n")
    await until(lambda: len(here.peer.store.heads("a.md")) == 2 and written(here, "a.md"))
    assert here.synced("a.md") == b"edited, too\ntwo\nnewer\n"


async def test_a_crash_between_writing_and_noting_makes_no_conflict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as here:
        friend = await here.known()
        await friend.sync("a.md", "one")
        await until(lambda: written(here, "a.md"))
        # the note is lost
        monkeypatch.setattr(here.peer.turns, "post_lazily", lambda _run: None)
        await friend.sync("a.md", "two", vector={friend.peer_id: 1})
        assert here.synced("a.md") == b"two"
        assert not written(here, "a.md")
    async with running(tmp_path) as here:
        friend._running = here
        await friend.sync("a.md", "three", vector={friend.peer_id: 2})
        await until(lambda: written(here, "a.md"))
        assert here.synced("a.md") == b"three"
        assert len(here.peer.store.heads("a.md")) == 1
        assert len(here.peer.store.revisions("a.md")) == 3
        assert not (await here.front().call("conflicts.list"))["conflicts"]


async def test_what_was_recorded_and_not_written_is_written_at_the_next_start(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as here:
        here.peer.disk.write_synced = lambda *_given: Modified(b"")  # type: ignore[method-assign]
        await here.sync("a.md", "text")
        assert not (here.peer.disk.synced / "a.md").exists()
    async with running(tmp_path) as here:
        assert here.synced("a.md") == b"text"
        await until(lambda: written(here, "a.md"))
