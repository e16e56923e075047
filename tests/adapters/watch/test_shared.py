# SPDX-License-Identifier: MIT
"""Reading, writing and deleting in a shared folder: never over what was not known."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from federation import limits
from federation.adapters import beneath
from federation.adapters.watch import Modified, Shared, rooted
from federation.adapters.watch.scan import MARKER
from federation.errors import Refusal
from federation.machines.folder import Known, Listing


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def reason_of(call: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(Refusal) as caught:
        call(*arguments)
    return caught.value.reason


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "shared"
    path.mkdir(mode=0o755)
    return path


@pytest.fixture
def shared(folder: Path) -> Shared:
    shared = Shared(folder)
    listing = shared.listing()
    assert isinstance(listing, Listing)
    shared.accept(listing.root)
    return shared


@pytest.fixture(params=["exchange", "old system"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With and without renameat2."""
    if request.param == "old system":
        old = SimpleNamespace(syscall=beneath._LIBC.syscall)
        monkeypatch.setattr(beneath, "_LIBC", old)
    return str(request.param)


def write(shared: Shared, name: str, content: bytes, known: bytes | None = None) -> Known:
    written = shared.write(name, content, None if known is None else digest(known))
    assert isinstance(written, Known)
    return written


def everything(folder: Path) -> dict[str, bytes]:
    files = [one for one in folder.rglob("*") if one.is_file() and not one.is_symlink()]
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in files}


# --- writing ------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["x.md", "a/b/c.md", "é/ü.md", "x" * 252 + ".md"])
def test_a_file_is_written_whole(shared: Shared, folder: Path, system: str, name: str) -> None:
    write(shared, name, b"one")
    written = write(shared, name, b"two", known=b"one")
    path = folder / name
    assert everything(folder) == {name: b"two"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert written == Known(digest(b"two"), beneath.seen_of(path.stat()))
    assert shared.read(name) == (b"two", written)
    assert shared.look([name, "none.md"]) == {name: written.seen, "none.md": None}


def test_the_mode_of_a_file_stays(shared: Shared, folder: Path, system: str) -> None:
    (folder / "x.md").write_bytes(b"one")
    (folder / "x.md").chmod(0o4664)
    write(shared, "x.md", b"two", known=b"one")
    assert stat.S_IMODE((folder / "x.md").stat().st_mode) == 0o664


def test_what_is_not_known_stays(shared: Shared, folder: Path, system: str) -> None:
    (folder / "x.md").write_bytes(b"mine")
    assert shared.write("x.md", b"theirs", None) == Modified(b"mine")
    assert shared.write("x.md", b"theirs", digest(b"other")) == Modified(b"mine")
    assert shared.delete("x.md", digest(b"other")) == Modified(b"mine")
    assert everything(folder) == {"x.md": b"mine"}
    write(shared, "x.md", b"mine")  # it is there already
    write(shared, "x.md", b"theirs", known=b"mine")


def in_the_moment(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], which: str = "exchange"
) -> None:
    """Somebody does something between the last check and the change, once."""
    real, done = getattr(rooted, which), list[bool]()

    def late(folder: int, beside: str, name: str) -> None:
        if not done:
            done.append(True)
            act()
        real(folder, beside, name)

    monkeypatch.setattr(rooted, which, late)


def replace(path: Path, content: bytes) -> None:
    """As editors save."""
    path.with_name("new").write_bytes(content)
    path.with_name("new").rename(path)


@pytest.mark.parametrize("save", [Path.write_bytes, replace])
def test_what_is_saved_in_the_very_moment_stays(
    shared: Shared, folder: Path, system: str, monkeypatch: pytest.MonkeyPatch,
    save: Callable[[Path, bytes], object],
) -> None:  # fmt: skip
    write(shared, "x.md", b"one")
    in_the_moment(monkeypatch, lambda: save(folder / "x.md", b"saved"))
    assert shared.write("x.md", b"theirs", digest(b"one")) == Modified(b"saved")
    assert everything(folder) == {"x.md": b"saved"}


def test_what_is_written_at_once_afterwards_looks_different(
    shared: Shared, folder: Path, system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def late(handle: int) -> None:
        real(handle)
        if stat.S_ISDIR(os.fstat(handle).st_mode) and (folder / "x.md").exists():
            (folder / "x.md").write_bytes(b"late")  # as long as what was written

    monkeypatch.setattr(os, "fsync", late)
    known = shared.write("x.md", b"ours", None)
    assert isinstance(known, Known)
    assert known.digest == digest(b"ours")
    assert shared.look(["x.md"])["x.md"] != known.seen


def test_what_appears_in_the_very_moment_stays(
    shared: Shared, folder: Path, system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_moment(monkeypatch, lambda: (folder / "x.md").write_bytes(b"mine"), "put")
    assert shared.write("x.md", b"theirs", None) == Modified(b"mine")
    assert everything(folder) == {"x.md": b"mine"}


def test_what_vanishes_in_the_very_moment_is_written(
    shared: Shared, folder: Path, system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(shared, "x.md", b"one")
    in_the_moment(monkeypatch, (folder / "x.md").unlink)
    write(shared, "x.md", b"two", known=b"one")
    assert everything(folder) == {"x.md": b"two"}


def test_a_link_that_comes_in_the_very_moment_stays(
    shared: Shared, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(shared, "x.md", b"one")
    (tmp_path / "secret").write_bytes(b"secret")

    def swap() -> None:
        (folder / "x.md").unlink()
        (folder / "x.md").symlink_to(tmp_path / "secret")

    in_the_moment(monkeypatch, swap)
    assert reason_of(shared.write, "x.md", b"two", digest(b"one")) == "path-symlink-escape"
    assert (folder / "x.md").is_symlink()
    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert len(list(folder.iterdir())) == 1


def test_two_who_save_in_the_very_moment_lose_nothing(
    shared: Shared, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(shared, "x.md", b"one")
    real, saves = rooted.exchange, [b"first", b"second"]

    def late(handle: int, beside: str, name: str) -> None:
        if saves:
            replace(folder / "x.md", saves.pop(0))
        real(handle, beside, name)

    monkeypatch.setattr(rooted, "exchange", late)
    answer = shared.write("x.md", b"theirs", digest(b"one"))
    assert answer == Modified(b"second", b"first")
    assert everything(folder) == {"x.md": b"second"}, "what was saved last is meant"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    shared: Shared, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(shared, "x.md", b"one")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert reason_of(shared.write, "x.md", b"two", digest(b"one")) == "disk-full"
    assert everything(folder) == {"x.md": b"one"}


def test_durable_before_it_is_in_place(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    write(shared, "x.md", b"one")
    done: list[str] = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    in_the_moment(monkeypatch, lambda: done.append("exchange"))
    write(shared, "x.md", b"two", known=b"one")
    assert done == ["file", "exchange", "folder"]


def test_a_file_that_emacs_has_unsaved_waits(shared: Shared, folder: Path) -> None:
    write(shared, "x.md", b"one")
    (folder / ".#x.md").symlink_to("somebody@somewhere.1:2")
    assert reason_of(shared.write, "x.md", b"two", digest(b"one")) == "path-local-modified"
    assert reason_of(shared.delete, "x.md", digest(b"one")) == "path-local-modified"
    (folder / ".#x.md").unlink()
    (folder / ".#x.md").symlink_to(f"me@{os.uname().nodename}.999999999:17")
    write(shared, "x.md", b"two", known=b"one")


# --- deleting -----------------------------------------------------------------------------
def test_a_file_is_deleted_with_the_folders_that_are_empty_then(
    shared: Shared, folder: Path, system: str
) -> None:
    write(shared, "a/b/c/x.md", b"one")
    write(shared, "a/y.md", b"two")
    assert shared.delete("a/b/c/x.md", digest(b"one")) is None
    assert sorted(one.name for one in folder.rglob("*")) == ["a", "y.md"]
    assert shared.delete("a/b/c/x.md", digest(b"one")) is None
    assert shared.delete("a/y.md", digest(b"two")) is None
    assert list(folder.iterdir()) == []


def test_what_is_saved_while_it_is_deleted_stays(
    shared: Shared, folder: Path, system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(shared, "x.md", b"one")
    in_the_moment(monkeypatch, lambda: (folder / "x.md").write_bytes(b"saved"), "put")
    assert shared.delete("x.md", digest(b"one")) == Modified(b"saved")
    assert everything(folder) == {"x.md": b"saved"}


def test_what_is_saved_twice_while_it_is_deleted_is_handed_over(
    shared: Shared, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(shared, "x.md", b"one")
    real, saves = rooted.put, [b"first", b"second"]

    def late(handle: int, one: str, other: str) -> None:
        (folder / "x.md").write_bytes(saves.pop(0))
        real(handle, one, other)

    monkeypatch.setattr(rooted, "put", late)
    assert shared.delete("x.md", digest(b"one")) == Modified(b"second", b"first")
    assert everything(folder) == {"x.md": b"second"}


# --- reading, and what is in the way --------------------------------------------------------
def test_a_file_that_changes_while_it_is_read_is_not_taken(
    shared: Shared, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(shared, "x.md", b"one")
    real = rooted.read_file

    def slow(handle: int, name: str) -> tuple[bytes, os.stat_result]:
        found = real(handle, name)
        (folder / "x.md").write_bytes(b"longer")
        return found

    monkeypatch.setattr(rooted, "read_file", slow)
    assert shared.read("x.md") is None
    monkeypatch.undo()
    assert shared.read("none.md") is None
    assert shared.read("no/folder/none.md") is None


def test_links_devices_and_folders_are_refused(
    shared: Shared, folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.md").write_bytes(b"secret")
    (folder / "out").symlink_to(elsewhere)
    (folder / "link.md").symlink_to(elsewhere / "x.md")
    (folder / "dangling.md").symlink_to(tmp_path / "nothing")
    (folder / "folder.md").mkdir()
    (folder / "plain").write_bytes(b"")
    os.mkfifo(folder / "fifo.md")
    known = digest(b"secret")
    for name, reason in (
        ("out/x.md", "path-symlink-escape"),
        ("link.md", "path-symlink-escape"),
        ("dangling.md", "path-symlink-escape"),
        ("fifo.md", "path-not-regular"),
        ("folder.md", "path-not-regular"),
        ("plain/x.md", "path-not-directory"),
        ("../elsewhere/x.md", "path-traversal"),
        ("/etc/x.md", "path-traversal"),
    ):
        assert reason_of(shared.read, name) == reason, name
        assert reason_of(shared.write, name, b"x", known) == reason, name
        assert reason_of(shared.delete, name, known) == reason, name
        assert shared.look([name]) == {name: None}
    assert everything(elsewhere) == {"x.md": b"secret"}


def test_a_giant_is_refused(shared: Shared, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DOCUMENT", 10)
    monkeypatch.setattr(rooted.read_file, "__defaults__", (10,))
    (folder / "x.md").write_bytes(b"x" * 11)
    assert reason_of(shared.read, "x.md") == "file-too-large"
    assert reason_of(shared.write, "x.md", b"y", None) == "file-too-large"


def test_in_another_folder_nothing_is_done(shared: Shared, folder: Path, tmp_path: Path) -> None:
    write(shared, "x.md", b"one")
    folder.rename(tmp_path / "moved")
    assert reason_of(shared.write, "x.md", b"two", digest(b"one")) == "file-not-found"
    folder.mkdir()
    (folder / "x.md").write_bytes(b"one")
    assert reason_of(shared.read, "x.md") == "folder-replaced"
    assert reason_of(shared.write, "x.md", b"two", digest(b"one")) == "folder-replaced"
    assert reason_of(shared.delete, "x.md", digest(b"one")) == "folder-replaced"
    assert reason_of(Shared(folder).read, "x.md") == "folder-replaced"
    assert everything(folder) == {"x.md": b"one"}


def test_a_folder_is_marked_once(shared: Shared, folder: Path) -> None:
    shared.mark("space one")
    shared.mark("space two")
    listing = shared.listing()
    assert isinstance(listing, Listing)
    assert (listing.root.marker, listing.files) == ("space one", {})
    assert (folder / MARKER).read_text() == "space one\n"


def test_what_a_killed_peer_left_is_removed_when_it_is_old(
    shared: Shared, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(shared, "a/x.md", b"one")
    (folder / "a" / ".meta-log-1-2-3.tmp").write_bytes(b"half")
    (folder / "a" / ".meta-log-1-2-4.tmp").symlink_to(folder / "a" / "x.md")
    assert shared.tidy() == 0
    monkeypatch.setattr("federation.adapters.watch.shared._LEFT", -1.0)
    assert shared.tidy() == 1
    assert everything(folder) == {"a/x.md": b"one"}
