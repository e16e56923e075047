# SPDX-License-Identifier: MIT
"""Handles below a folder, and files that change places."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from federation.adapters import beneath
from federation.adapters.watch import rooted
from federation.errors import Refusal


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    handle = rooted.open_root(tmp_path)
    yield handle
    os.close(handle)


@pytest.fixture(params=["renameat2", "not in the library", "not on the disk"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "not in the library":
        old = SimpleNamespace(syscall=beneath._LIBC.syscall)
        monkeypatch.setattr(beneath, "_LIBC", old)
    elif request.param == "not on the disk":
        monkeypatch.setattr(rooted, "NOREPLACE", 1 << 20)  # the kernel knows no such flag
        monkeypatch.setattr(rooted, "EXCHANGE", 1 << 20)


def contents(path: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in path.iterdir()}


@pytest.mark.usefixtures("system")
def test_two_files_change_places(root: int, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "x.md").write_bytes(b"old")
    rooted.exchange(root, "new", "x.md")
    assert contents(tmp_path) == {"new": b"old", "x.md": b"new"}


@pytest.mark.usefixtures("system")
def test_a_name_that_is_taken_stays(root: int, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new")
    rooted.put(root, "new", "x.md")
    assert contents(tmp_path) == {"x.md": b"new"}
    (tmp_path / "new").write_bytes(b"newer")
    with pytest.raises(FileExistsError):
        rooted.put(root, "new", "x.md")
    assert contents(tmp_path) == {"new": b"newer", "x.md": b"new"}


@pytest.mark.usefixtures("system")
def test_nothing_changes_places_with_nothing(root: int, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new")
    with pytest.raises(FileNotFoundError):
        rooted.exchange(root, "new", "x.md")
    assert contents(tmp_path) == {"new": b"new"}


def test_folders_are_made_one_below_the_other(root: int, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), rooted.folder_below(root, ["a", "b"]):
        pass
    with rooted.folder_below(root, ["a", "b"], make=True) as folder:
        beneath.write_file(folder, "x.md", b"x", 0o640)
        with pytest.raises(FileExistsError):
            beneath.write_file(folder, "x.md", b"y", 0o640)
    assert (tmp_path / "a" / "b" / "x.md").read_bytes() == b"x"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a" / "b" / "x.md").stat().st_mode & 0o777 == 0o640


def test_a_link_is_not_walked_through(root: int, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for make in (False, True):
        with (
            pytest.raises(OSError, match="symbolic") as caught,
            rooted.folder_below(root, ["link"], make=make),
        ):
            pass
        assert caught.value.errno == errno.ELOOP
    with pytest.raises(OSError, match="symbolic"):
        rooted.open_root(tmp_path / "link")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        rooted.open_root(tmp_path / "file")


def test_no_handle_stays_open(root: int, tmp_path: Path) -> None:
    def handles() -> int:
        """Those of this folder: others come and go with what earlier tests have left."""
        found = 0
        for one in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):
                found += os.readlink(f"/proc/self/fd/{one}").startswith(str(tmp_path))
        return found

    before = handles()
    (tmp_path / "file").write_bytes(b"x" * 11)
    os.mkfifo(tmp_path / "fifo")
    with rooted.folder_below(root, ["a", "b", "c"], make=True):
        assert handles() == before + 3
    for parts in (["a", "none"], ["file"], ["a", "b", "c", "none"]):
        with pytest.raises(OSError, match=r"."), rooted.folder_below(root, parts):
            pass
    for name in ("fifo", "file"):
        with pytest.raises(Refusal):
            rooted.read_file(root, name, 10)
    assert handles() == before
