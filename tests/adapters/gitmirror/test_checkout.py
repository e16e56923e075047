# SPDX-License-Identifier: MIT
"""The work tree: it follows, and leaves alone what the user has touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from dulwich.refs import DiskRefsContainer

from federation.adapters.gitmirror.checkout import FOLLOWED
from federation.adapters.gitmirror.history import History
from tests.adapters.gitmirror.plain_git import entry, git


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "space"


@pytest.fixture
def mirror(path: Path) -> History:
    mirror = History(path, bare=False)
    mirror.record([entry(1, "x.md", b"one\n"), entry(2, "a/b/y.md", b"two\r\n")])
    return mirror


def files(path: Path) -> dict[str, bytes]:
    found = (one for one in path.rglob("*") if one.is_file() and ".git" not in one.parts)
    return {one.relative_to(path).as_posix(): one.read_bytes() for one in found}


def status(path: Path) -> list[str]:
    return git(path, "status", "--porcelain").splitlines()


def test_it_follows(mirror: History, path: Path) -> None:
    assert files(path) == {"x.md": b"one\n", "a/b/y.md": b"two\r\n"}
    assert status(path) == []
    mirror.record([entry(3, "x.md", b"three"), entry(4, "a/b/y.md", None), entry(5, "n.md", b"")])
    assert files(path) == {"x.md": b"three", "n.md": b""}
    assert not (path / "a").exists()
    assert status(path) == []
    assert git(path, "branch", "--show-current") == "main\n"


def test_a_file_makes_room_for_a_folder_and_back(mirror: History, path: Path) -> None:
    mirror.record([entry(3, "x.md/deep.md", b"d")])
    assert files(path) == {"x.md/deep.md": b"d", "a/b/y.md": b"two\r\n"}
    mirror.record([entry(4, "x.md", b"file again")])
    assert files(path) == {"x.md": b"file again", "a/b/y.md": b"two\r\n"}
    assert status(path) == []


def test_what_the_user_has_changed_stays_and_shows(mirror: History, path: Path) -> None:
    (path / "x.md").write_bytes(b"my own")
    (path / "a" / "b" / "y.md").unlink()
    (path / "new.md").write_bytes(b"untracked")
    mirror.record([entry(3, "x.md", b"theirs"), entry(4, "a/b/y.md", b"theirs"),
                   entry(5, "new.md", b"theirs")])  # fmt: skip
    assert files(path) == {"x.md": b"my own", "new.md": b"untracked"}
    assert status(path) == [" D a/b/y.md", " M new.md", " M x.md"]
    mirror.record([entry(6, "x.md", None)])
    assert files(path) == {"x.md": b"my own", "new.md": b"untracked"}
    assert status(path) == [" D a/b/y.md", " M new.md", "?? x.md"]


def test_what_the_user_has_staged_stays_staged(mirror: History, path: Path) -> None:
    (path / "x.md").write_bytes(b"staged")
    git(path, "add", "x.md")
    mirror.record([entry(3, "x.md", b"theirs"), entry(4, "n.md", b"n")])
    assert git(path, "show", ":x.md") == "staged"
    assert files(path) == {"x.md": b"staged", "a/b/y.md": b"two\r\n", "n.md": b"n"}
    assert status(path) == ["M  x.md"]


def test_commits_after_it_hold_all_files(mirror: History, path: Path) -> None:
    git(path, "status")  # git writes its index anew, with what it knows of the trees
    (path / "mine.txt").write_bytes(b"m")
    git(path, "add", "mine.txt")
    git(path, "commit", "-q", "-m", "mine")
    mirror.record([entry(3, "x.md", b"three"), entry(4, "late.md", b"l")])
    (path / "mine.txt").write_bytes(b"more")
    git(path, "commit", "-q", "-a", "-m", "mine again")
    assert git(path, "ls-tree", "-r", "--name-only", "main").split() == [
        "a/b/y.md", "late.md", "mine.txt", "x.md",
    ]  # fmt: skip
    assert git(path, "show", "main:x.md") == "three"
    git(path, "fsck", "--strict", "--full")


def test_another_branch_is_left_alone(mirror: History, path: Path) -> None:
    git(path, "checkout", "-q", "-b", "mine")
    mirror.record([entry(3, "x.md", b"three")])
    assert files(path)["x.md"] == b"one\n"
    assert status(path) == []
    git(path, "checkout", "-q", "main")
    mirror.record([entry(4, "x.md", b"four")])
    assert files(path)["x.md"] == b"four"
    assert status(path) == []


def test_while_git_is_at_work_it_waits(mirror: History, path: Path) -> None:
    lock = path / ".git" / "index.lock"
    lock.touch()
    assert mirror.record([entry(3, "x.md", b"three")]) == 1
    assert files(path)["x.md"] == b"one\n"
    lock.unlink()
    assert mirror.record([]) == 0
    assert files(path)["x.md"] == b"three"
    assert status(path) == []


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_links_are_not_followed(mirror: History, path: Path, tmp_path: Path, kind: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "b").mkdir(parents=True)
    for name in ("x.md", "b/y.md"):
        (elsewhere / name).write_bytes(b"two\r\n" if "y" in name else b"one\n")
    if kind == "file":
        (path / "x.md").unlink()
        (path / "x.md").symlink_to(elsewhere / "x.md")
    else:
        (path / "a").rename(tmp_path / "moved")
        (path / "a").symlink_to(elsewhere)
    before = {one: one.read_bytes() for one in elsewhere.rglob("*.md")}
    mirror.record([entry(3, "x.md", b"3"), entry(4, "a/b/y.md", None), entry(5, "a/z.md", b"z")])
    assert {one: one.read_bytes() for one in elsewhere.rglob("*.md")} == before
    git(path, "fsck", "--strict", "--full")


def test_a_crash_before_it_is_noted_changes_nothing(
    mirror: History, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """The process ended here."""

    set_item = DiskRefsContainer.__setitem__

    def killed(self: DiskRefsContainer, name: object, value: object) -> None:
        if name == FOLLOWED:
            raise Killed
        set_item(self, name, value)  # type: ignore[arg-type]

    monkeypatch.setattr(DiskRefsContainer, "__setitem__", killed)
    with pytest.raises(Killed):
        mirror.record([entry(3, "x.md", b"three"), entry(4, "a/b/y.md", None)])
    monkeypatch.undo()
    assert History(path, bare=False).record([entry(5, "n.md", b"n")]) == 1
    assert files(path) == {"x.md": b"three", "n.md": b"n"}
    assert status(path) == []
