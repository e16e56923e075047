# SPDX-License-Identifier: MIT
"""A whole look at a folder: everything that is there, and nothing that is elsewhere."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from federation import limits
from federation.adapters.watch.scan import MARKER, list_folder, scan
from federation.machines.folder import Gone, Listing


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "x.md").write_bytes(b"x")
    (folder / "a" / "b" / "y.md").write_bytes(b"yy")
    return folder


def look(folder: Path) -> Listing:
    found = list_folder(folder)
    assert isinstance(found, Listing)
    return found


def test_files_and_folders_are_found(shared: Path) -> None:
    found, root = scan(shared)
    status = (shared / "a" / "b" / "y.md").stat()
    assert set(found.files) == {"x.md", "a/b/y.md"}
    seen = found.files["a/b/y.md"]
    assert (seen.size, seen.mtime_ns, seen.inode) == (2, status.st_mtime_ns, status.st_ino)
    assert found.folders == ["", "a", "a/b"]
    assert (root.device, root.inode, root.marker) == (status.st_dev, shared.stat().st_ino, "")
    assert (found.odd, found.complete) == ({}, True)


def test_the_marker_says_which_folder_it_is(shared: Path, tmp_path: Path) -> None:
    (shared / MARKER).write_text("the space\n")
    assert look(shared).root.marker == "the space"
    assert set(look(shared).files) == {"x.md", "a/b/y.md"}
    for content in (b"\xff", b"x" * 1000):
        (shared / MARKER).write_bytes(content)
        assert look(shared).root.marker == ""
    (shared / MARKER).unlink()
    (tmp_path / "m").write_text("elsewhere")
    (shared / MARKER).symlink_to(tmp_path / "m")
    assert look(shared).root.marker == ""


def test_links_devices_and_hidden_folders_are_not_looked_into(shared: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.md").write_bytes(b"s")
    (shared / "out").symlink_to(elsewhere)
    (shared / "a" / "up").symlink_to("..")
    (shared / "l.md").symlink_to(elsewhere / "secret.md")
    os.mkfifo(shared / "fifo.md")
    (shared / ".git").mkdir()
    (shared / ".git" / "config.md").write_bytes(b"c")
    (shared / ".#x.md").symlink_to("me@here.1:2")
    found, _ = scan(shared)
    assert set(found.files) == {"x.md", "a/b/y.md"}
    assert found.folders == ["", "a", "a/b"]
    link = "path-symlink-escape"
    assert found.odd == {"out": link, "a/up": link, "l.md": link, "fifo.md": "path-not-regular"}


def test_a_name_that_is_no_text_is_odd(shared: Path) -> None:
    (shared / os.fsdecode(b"caf\xe9.md")).write_bytes(b"x")
    (shared / os.fsdecode(b"\xff")).mkdir()
    found, _ = scan(shared)
    assert found.odd == {"caf\\udce9.md": "path-unassigned", "\\udcff": "path-unassigned"}


def test_depth_and_number_are_bounded(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = shared.joinpath(*["d"] * (limits.NAME_DEPTH + 5))
    deep.mkdir(parents=True)
    found = look(shared)
    assert found.odd == {"/".join(["d"] * limits.NAME_DEPTH): "path-too-long"}
    assert found.complete
    monkeypatch.setattr(limits, "FOLDER_FILES", 20)
    assert not look(shared).complete


def test_a_folder_that_cannot_be_read_is_odd(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir, inode = os.scandir, (shared / "a").stat().st_ino

    def failing(handle: int) -> object:
        if os.fstat(handle).st_ino == inode:
            raise PermissionError(13, "Permission denied")
        return scandir(handle)

    monkeypatch.setattr(os, "scandir", failing)
    found = look(shared)
    assert (set(found.files), found.odd) == ({"x.md"}, {"a": "path-io-error"})


def test_what_is_no_folder_is_gone(shared: Path, tmp_path: Path) -> None:
    assert list_folder(tmp_path / "nothing") == Gone("file-not-found")
    assert list_folder(shared / "x.md") == Gone("path-not-directory")
    (tmp_path / "link").symlink_to(shared)
    assert list_folder(tmp_path / "link") == Gone("path-symlink-escape")


def test_a_folder_that_is_replaced_meanwhile_is_gone(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def replaced(handle: int) -> object:
        if shared.exists() and not (tmp_path / "moved").exists():
            shared.rename(tmp_path / "moved")
            shared.mkdir()
        return scandir(handle)

    monkeypatch.setattr(os, "scandir", replaced)
    assert list_folder(shared) == Gone("file-not-found")
    assert isinstance(list_folder(shared), Listing)


@pytest.fixture
def mounted(shared: Path) -> Iterator[Path]:
    folder = shared / "mounted"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_another_file_system_is_not_looked_into(shared: Path, mounted: Path) -> None:
    (mounted / "z.md").write_bytes(b"z")
    found, _ = scan(shared)
    assert found.odd == {"mounted": "path-mount-escape"}
    assert "mounted" not in found.folders
    assert "mounted/z.md" not in found.files
