# SPDX-License-Identifier: MIT
"""Files: only inside, whole or not at all, and never over what somebody else wrote."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import subprocess
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from federation.adapters import beneath
from federation.adapters import disk as module
from federation.adapters.disk import Disk, Modified
from federation.errors import Refusal
from federation.machines.folder import Known


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def disk(state: Path) -> Disk:
    return Disk(state)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def reason_of(call: object, *arguments: object) -> str:
    assert callable(call)
    with pytest.raises(Refusal) as caught:
        call(*arguments)
    return caught.value.reason


def everything(folder: Path) -> set[str]:
    return {one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()}


# --- writing ------------------------------------------------------------------------------
@pytest.mark.parametrize("file", ["x.md", "a/b/c.md", "é/ü.md", "x" * 252 + ".md"])
def test_a_document_is_written_whole_and_private(disk: Disk, file: str) -> None:
    assert isinstance(disk.write_synced(file, b"one", None), Known)
    assert isinstance(disk.write_synced(file, b"two", digest(b"one")), Known)
    path = Path(disk.synced_path(file))
    assert path.read_bytes() == b"two" == disk.read_synced(file)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list((disk.synced.parent / "tmp").iterdir()) == []


def test_what_somebody_else_wrote_stays(disk: Disk) -> None:
    Path(disk.synced_path("y.md")).write_bytes(b"mine")
    assert disk.write_synced("y.md", b"theirs", None) == Modified(b"mine")
    disk.write_synced("x.md", b"one", None)
    path = Path(disk.synced_path("x.md"))
    path.write_bytes(b"edited")
    assert disk.write_synced("x.md", b"two", digest(b"one")) == Modified(b"edited")
    assert disk.write_synced("x.md", b"two", None) == Modified(b"edited")
    assert path.read_bytes() == b"edited"
    assert isinstance(disk.write_synced("x.md", b"edited", digest(b"one")), Known)
    assert isinstance(disk.write_synced("x.md", b"two", digest(b"edited")), Known)


def test_a_deleted_folder_is_made_again(disk: Disk) -> None:
    disk.write_synced("a/x.md", b"one", None)
    shutil.rmtree(disk.synced / "a")
    assert disk.read_synced("a/x.md") is None
    assert isinstance(disk.write_synced("a/x.md", b"two", digest(b"one")), Known)


def test_a_file_that_emacs_has_unsaved_waits(disk: Disk) -> None:
    disk.write_synced("x.md", b"one", None)
    lock = disk.synced / ".#x.md"
    lock.symlink_to("somebody@somewhere.1:2")
    assert reason_of(disk.write_synced, "x.md", b"two", digest(b"one")) == "path-local-modified"
    assert disk.read_synced("x.md") == b"one"
    Path(disk.synced_path("x.md")).write_bytes(b"half of wh")  # it is writing at this moment
    assert reason_of(disk.write_synced, "x.md", b"two", digest(b"one")) == "path-local-modified"
    assert isinstance(disk.write_synced("x.md", b"half of wh", digest(b"one")), Known)
    lock.unlink()
    assert isinstance(disk.write_synced("x.md", b"two", digest(b"half of wh")), Known)


def test_the_lock_of_an_editor_that_is_gone_holds_nothing_back(disk: Disk) -> None:
    disk.write_synced("x.md", b"one", None)
    lock, here = disk.synced / ".#x.md", os.uname().nodename
    lock.symlink_to(f"me@{here}.{os.getpid()}")
    assert reason_of(disk.write_synced, "x.md", b"two", digest(b"one")) == "path-local-modified"
    lock.unlink()
    lock.symlink_to(f"me@{here}.999999999:17")
    assert isinstance(disk.write_synced("x.md", b"two", digest(b"one")), Known)


def test_half_written_files_are_removed_at_the_start(state: Path) -> None:
    Disk(state)
    (state / "tmp" / "1-1").write_bytes(b"half")
    (state / "tmp" / "folder").mkdir()
    Disk(state)
    assert everything(state) == set()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.write_synced("x.md", b"one", None)

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert reason_of(disk.write_synced, "x.md", b"two", digest(b"one")) == "disk-full"
    monkeypatch.undo()
    assert disk.read_synced("x.md") == b"one"
    assert everything(disk.synced.parent) == {"synced/x.md"}


@pytest.mark.parametrize("known", [None, digest(b"zero")])
def test_order_of_durability(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, known: str | None
) -> None:
    if known is not None:
        disk.write_synced("x.md", b"zero", None)
    done: list[str] = []
    fsync, rename = os.fsync, module._rename

    def watched_fsync(handle: int) -> None:
        done.append("fsync folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "fsync file")
        fsync(handle)

    def watched_rename(source: str, folder: int, name: str, flags: int) -> None:
        done.append("rename")
        rename(source, folder, name, flags)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(module, "_rename", watched_rename)
    disk.write_synced("x.md", b"one", known)
    assert done == ["fsync file", "rename", "fsync folder"]


def in_the_moment_of_renaming(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Somebody does something between the last check and the rename."""
    rename = module._rename

    def late(source: str, folder: int, name: str, flags: int) -> None:
        act()
        rename(source, folder, name, flags)

    monkeypatch.setattr(module, "_rename", late)


@pytest.mark.parametrize("before", [None, b"one"])
@pytest.mark.parametrize("late", [b"saved in the last moment", b""])
def test_what_is_saved_in_the_very_moment_is_not_lost(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, before: bytes | None, late: bytes
) -> None:
    if before is not None:
        disk.write_synced("x.md", before, None)
    path = Path(disk.synced_path("x.md"))
    in_the_moment_of_renaming(monkeypatch, lambda: path.write_bytes(late))
    known = digest(before) if before is not None else None
    assert disk.write_synced("x.md", b"theirs", known) == Modified(late)
    assert disk.read_synced("x.md") == late, "it is recorded from there"
    assert list((disk.synced.parent / "tmp").iterdir()) == []


def test_a_file_that_vanishes_in_the_very_moment_is_written(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.write_synced("x.md", b"one", None)
    in_the_moment_of_renaming(monkeypatch, Path(disk.synced_path("x.md")).unlink)
    assert isinstance(disk.write_synced("x.md", b"two", digest(b"one")), Known)
    assert disk.read_synced("x.md") == b"two"


def test_a_system_without_exchange_still_replaces(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = SimpleNamespace(syscall=beneath._LIBC.syscall)  # without renameat2
    monkeypatch.setattr(beneath, "_LIBC", old)
    assert isinstance(disk.write_synced("x.md", b"one", None), Known)
    assert isinstance(disk.write_synced("x.md", b"two", digest(b"one")), Known)
    assert disk.read_synced("x.md") == b"two"
    assert list((disk.synced.parent / "tmp").iterdir()) == []


# --- what is in the way -------------------------------------------------------------------
def test_links_devices_and_folders_are_refused(disk: Disk, tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_bytes(b"outside")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (disk.synced / "link.md").symlink_to(outside)
    (disk.synced / "dangling.md").symlink_to(tmp_path / "nothing")
    (disk.synced / "folder.md").mkdir()
    (disk.synced / "out").symlink_to(elsewhere)
    (disk.synced / "plain").write_bytes(b"")
    os.mkfifo(disk.synced / "fifo.md")
    for file, reason in (
        ("link.md", "path-symlink-escape"),
        ("dangling.md", "path-symlink-escape"),
        ("out/x.md", "path-symlink-escape"),
        ("folder.md", "path-not-regular"),
        ("fifo.md", "path-not-regular"),
        ("plain/x.md", "path-not-directory"),
    ):
        assert reason_of(disk.check, file) == reason, file
        assert reason_of(disk.write_synced, file, b"x", None) == reason, file
        assert reason_of(disk.read_synced, file) == reason, file
    assert outside.read_bytes() == b"outside"
    assert list(elsewhere.iterdir()) == []


def test_a_fifo_that_comes_after_the_check_blocks_nobody(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.write_synced("x.md", b"one", None)
    check = Disk._check_leaf

    def swapped(self: Disk, folder: int, file: str) -> os.stat_result | None:
        found = check(self, folder, file)
        path = Path(self.synced_path(file))
        path.unlink()
        os.mkfifo(path)
        return found

    monkeypatch.setattr(Disk, "_check_leaf", swapped)
    assert reason_of(disk.read_synced, "x.md") == "path-not-regular"


def test_another_spelling_of_a_name_is_refused(disk: Disk) -> None:
    composed, apart = (unicodedata.normalize(form, "é.md") for form in ("NFC", "NFD"))
    (disk.synced / apart).write_bytes(b"there")
    assert reason_of(disk.check, composed) == "path-normalisation-conflict"
    assert reason_of(disk.write_synced, composed, b"x", None) == "path-normalisation-conflict"
    (disk.synced / apart).unlink()
    for number in range(20):
        disk.write_synced(f"{number}.md", b"x", None)
        disk.check(composed)
    disk.write_synced(composed, b"x", None)
    disk.check(composed)


@pytest.fixture
def mounted(disk: Disk) -> Iterator[Path]:
    folder = disk.synced / "mounted"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("old_system", [False, True])
def test_another_file_system_is_refused(
    disk: Disk, mounted: Path, old_system: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old_system:
        _without_openat2(monkeypatch)
    assert reason_of(disk.write_synced, "mounted/x.md", b"x", None) == "path-mount-escape"
    assert list(mounted.iterdir()) == []


def _without_openat2(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_parent: int, name: str) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented", name)

    monkeypatch.setattr(beneath, "_openat2", missing)


def test_a_state_folder_of_somebody_elses_making_is_refused(state: Path, tmp_path: Path) -> None:
    state.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (state / "synced").symlink_to(tmp_path / "elsewhere")
    assert reason_of(Disk, state) == "config-unsafe-sync-dir"
    (state / "synced").unlink()
    (state / "synced").write_bytes(b"")
    assert reason_of(Disk, state) == "path-not-directory"


# --- conflicts ----------------------------------------------------------------------------
REVISIONS = ("a" * 64, "b" * 64, "c" * 64)


@pytest.mark.parametrize("file", ["x.md", "deep/er/x.md", "ü.canvasl", "y" * 252 + ".md",
                                  "é" * 126 + ".md"])  # fmt: skip
def test_concurrent_versions_are_readable_and_dropped(disk: Disk, file: str) -> None:
    paths = [disk.write_conflict(file, one, one.encode()) for one in REVISIONS]
    for path, revision in zip(paths, REVISIONS, strict=True):
        assert path.read_bytes() == revision.encode()
        assert str(path) == disk.conflict_path(file, revision)
        assert revision[:12] in path.name
        assert path.suffix == Path(file).suffix
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert not path.is_relative_to(disk.synced)
    disk.drop_conflicts(file, (REVISIONS[1],))
    assert [path.exists() for path in paths] == [False, True, False]
    disk.drop_conflicts(file, ())
    assert not paths[1].exists()


def test_only_the_owner_may_look_whatever_the_umask(disk: Disk, state: Path) -> None:
    before = os.umask(0)
    try:
        disk.write_conflict("a/b/c/x.md", REVISIONS[0], b"x")
        disk.write_received("x.md", b"x", 5)
        disk.write_synced("d/e/x.md", b"x", None)
    finally:
        os.umask(before)
    assert [path for path in state.rglob("*") if path.stat().st_mode & 0o077] == []


def test_dropping_touches_no_other_documents_versions(disk: Disk) -> None:
    kept = [
        disk.write_conflict(file, REVISIONS[0], b"x")
        for file in ("x.canvasl", "xy.md", "x.y.md", "a/x.md", "x.md.md")
    ]
    gone = disk.write_conflict("x.md", REVISIONS[0], b"x")
    disk.drop_conflicts("x.md", ())
    assert not gone.exists()
    assert all(path.exists() for path in kept)
    disk.drop_conflicts("never/was.md", ())


def test_a_folder_in_the_way_of_dropping_is_a_refusal(disk: Disk) -> None:
    Path(disk.conflict_path("x.md", REVISIONS[0])).mkdir()
    with pytest.raises(Refusal):
        disk.drop_conflicts("x.md", ())


# --- copies and exports -------------------------------------------------------------------
def test_only_the_newest_copies_stay(disk: Disk) -> None:
    for number in range(10):
        path = disk.write_received(f"{number}.txt", b"%d" % number, 3)
        os.utime(path, ns=(number, number))
    names = {path.name for path in (disk.synced.parent / "received").iterdir()}
    assert names == {"7.txt", "8.txt", "9.txt"}


def test_an_export_replaces_nothing(disk: Disk, tmp_path: Path) -> None:
    target = tmp_path / "out.md"
    disk.write_export(target, b"text")
    assert target.read_bytes() == b"text"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert reason_of(disk.write_export, target, b"other") == "file-exists"
    assert target.read_bytes() == b"text"
    assert reason_of(disk.write_export, tmp_path / "no" / "x", b"") == "file-not-found"


# --- removing ----------------------------------------------------------------------------
def test_removing_takes_only_what_is_known(disk: Disk, state: Path) -> None:
    disk.write_synced("a/b/x.md", b"one", None)
    assert disk.remove_synced("a/b/x.md", digest(b"other")) == Modified(b"one")
    (state / "synced/a/b/.#x.md").symlink_to(f"me@{os.uname().nodename}.{os.getpid()}")
    assert reason_of(disk.remove_synced, "a/b/x.md", digest(b"one")) == "path-local-modified"
    (state / "synced/a/b/.#x.md").unlink()
    for _ in range(2):  # what is gone is no error
        assert disk.remove_synced("a/b/x.md", digest(b"one")) is None
    assert not (state / "synced/a/b").exists()
    assert not any((state / "tmp").iterdir())


def test_what_is_saved_in_the_moment_of_removing_stays(
    disk: Disk, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.write_synced("x.md", b"one", None)
    real = os.rename

    def late(source: str, target: object, **handles: int) -> None:
        monkeypatch.setattr(os, "rename", real)
        (state / "synced/x.md").write_bytes(b"late")
        real(source, target, **handles)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", late)
    assert disk.remove_synced("x.md", digest(b"one")) == Modified(b"late")
    assert (state / "synced/x.md").exists()
