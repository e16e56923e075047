# SPDX-License-Identifier: MIT
"""The commits: each revision once, whatever crashed or whoever else commits."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from dulwich.refs import DiskRefsContainer

from federation import limits
from federation.adapters.gitmirror import history as module
from federation.adapters.gitmirror.history import History
from federation.errors import Refusal
from tests.adapters.gitmirror.plain_git import ADA, BOB, entry, git

MARKER = "meta-log-mirror"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mirrors" / "space"


@pytest.fixture
def mirror(path: Path) -> History:
    return History(path, bare=True)


def log(path: Path, form: str = "%s") -> list[str]:
    return git(path, "log", "--reverse", f"--format={form}", "main").splitlines()


def reason_of(path: Path, *, bare: bool = True) -> str:
    with pytest.raises(Refusal) as caught:
        History(path, bare=bare)
    return caught.value.reason


def test_plain_git_reads_it(mirror: History, path: Path) -> None:
    entries = [
        entry(1, "x.md", b"one\n"),
        entry(2, "a/y.canvasl", b'{"id":1}\r\n', author="Bob <b@example.com>", peer=BOB),
        replace(entry(3, "x.md", None, author=""), parents=(entry(1).revision,)),
    ]
    assert mirror.record(entries) == 3
    git(path, "fsck", "--strict", "--full")
    assert log(path) == [
        f"x.md: revision {entries[0].revision[:12]}",
        f"a/y.canvasl: revision {entries[1].revision[:12]}",
        "x.md: deleted",
    ]
    assert log(path, "%an|%ae|%at|%cn") == [
        f"Ada|{ADA}@peers.invalid|1700000001|meta-log-peer-sync",
        f"Bob b@example.com|{BOB}@peers.invalid|1700000002|meta-log-peer-sync",
        f"{ADA[:13]}|{ADA}@peers.invalid|1700000003|meta-log-peer-sync",
    ]
    trailers = log(path, "%(trailers:key=Revision,valueonly,separator=%x2C)")
    assert trailers == [one.revision for one in entries]
    assert log(path, "%(trailers:key=Parent,valueonly,separator=)")[-1] == entries[0].revision
    assert git(path, "ls-tree", "-r", "main").split() == [
        "100644", "blob", git(path, "rev-parse", "main:a/y.canvasl").strip(), "a/y.canvasl",
    ]  # fmt: skip
    assert git(path, "cat-file", "blob", "main:a/y.canvasl") == '{"id":1}\n'  # text=True: \r\n
    assert git(path, "log", "--format=%s", "main", "--", "x.md").count("\n") == 2


def test_a_revision_is_recorded_once(mirror: History, path: Path) -> None:
    entries = [entry(number) for number in range(5)]
    assert mirror.record([*entries[:3], entries[0]]) == 3
    assert mirror.record(entries) == 2
    assert mirror.record(entries) == 0
    assert History(path, bare=True).record(entries) == 0
    assert len(log(path)) == 5


def test_two_of_the_same_content_are_two_commits(mirror: History, path: Path) -> None:
    mirror.record([entry(1, content=b"same"), entry(2, content=b"same"), entry(3, "n.md", None)])
    assert len(log(path)) == 3


def test_many_are_recorded_in_some_packs(mirror: History, path: Path) -> None:
    entries = [entry(number, f"{number % 7}/x.md") for number in range(2 * limits.MIRROR_BATCH + 9)]
    assert mirror.record(iter(entries)) == len(entries)
    git(path, "fsck", "--strict", "--full")
    assert len(log(path)) == len(entries)
    assert len(list((path / "objects" / "pack").glob("*.pack"))) == 2
    assert History(path, bare=True).record(entries) == 0


def test_bytes_of_a_batch_are_bounded(
    mirror: History, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DOCUMENT", 1000)
    batches: list[int] = []
    add = History._add

    def counted(self: History, *given: object) -> int:
        count = add(self, *given)  # type: ignore[arg-type]
        batches.append(count)
        return count

    monkeypatch.setattr(History, "_add", counted)
    mirror.record([entry(number, content=b"x" * 400) for number in range(7)])
    assert batches == [3, 3, 1]


def test_what_joins_several_has_them_as_parents(mirror: History, path: Path) -> None:
    base, one, other = entry(1, "d/x.md"), entry(2, "d/x.md"), entry(3, "d/x.md", peer=BOB)
    both = replace(entry(4, "d/x.md"), parents=(one.revision, other.revision, "f" * 64))
    mirror.record([base, one, other])
    mirror.record([entry(9, "z.md"), both])
    commits = log(path, "%H")
    assert log(path, "%P")[-1].split() == [commits[3], commits[1], commits[2]]
    # every commit is found again by its first parents alone, and none twice
    (path / MARKER).write_text("meta-log mirror 1\n")
    again = History(path, bare=True)
    assert again.missing([base.revision, both.revision, "e" * 64]) == {"e" * 64}
    assert again.record([base, one, other, both, entry(9, "z.md")]) == 0
    lines = (path / MARKER).read_text().splitlines()
    assert len(lines) == len(set(lines)) == 1 + 5
    assert len(log(path, "%s")) == 5


def test_no_version_is_hidden_by_one_with_the_same_text(mirror: History, path: Path) -> None:
    one, other = entry(1, content=b"same"), entry(2, content=b"else")
    both = replace(entry(3, content=b"same"), parents=(one.revision, other.revision))
    gone = replace(entry(4, content=None), parents=(both.revision, other.revision))
    mirror.record([one, other, both, gone])
    assert [len(line.split()) for line in log(path, "%P")] == [0, 1, 1, 2]
    assert len(git(path, "log", "--format=%s", "main", "--", "x.md").splitlines()) == 4


# --- crashes ------------------------------------------------------------------------------
class Killed(BaseException):
    """The process ended here."""


@pytest.mark.parametrize("where", ["objects", "branch", "note", "half a note"])
def test_a_crash_anywhere_leaves_each_revision_once(
    mirror: History, path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    entries = [entry(number) for number in range(10)]
    mirror.record(entries[:4])

    def killed(*_given: object, **_named: object) -> bool:
        raise Killed

    if where == "objects":
        monkeypatch.setattr(DiskRefsContainer, "set_if_equals", killed)
    elif where == "branch":
        monkeypatch.setattr(History, "_note", killed)
    elif where == "note":
        monkeypatch.setattr(os, "fsync", lambda _handle: None)
    try:
        mirror.record(entries[:8])
    except Killed:
        assert where in ("objects", "branch")
    monkeypatch.undo()
    if where == "half a note":
        whole = (path / MARKER).read_bytes()
        (path / MARKER).write_bytes(whole[:-150])
    tips = log(path, "%H")
    again = History(path, bare=True)
    assert again.record(entries) == (6 if where == "objects" else 2)
    assert log(path, "%H")[: len(tips)] == tips
    assert log(path, "%(trailers:key=Revision,valueonly,separator=)") == [
        one.revision for one in entries
    ]
    assert History(path, bare=True).record(entries) == 0
    git(path, "fsck", "--strict", "--full")


def test_doing_it_again_makes_the_same_commits(tmp_path: Path) -> None:
    entries = [entry(number, f"{number % 3}.md") for number in range(20)]
    one, other = tmp_path / "one", tmp_path / "other"
    History(one, bare=True).record(entries)
    for each in entries:
        History(other, bare=True).record([each])
    assert log(one, "%H") == log(other, "%H")


def test_a_lost_branch_is_made_again(mirror: History, path: Path) -> None:
    entries = [entry(number) for number in range(5)]
    mirror.record(entries)
    tip = log(path, "%H")[-1]
    git(path, "update-ref", "-d", "refs/heads/main")
    assert History(path, bare=True).record(entries) == 5
    assert log(path, "%H")[-1] == tip
    git(path, "update-ref", "refs/heads/main", f"{tip}~2")
    assert mirror.record(entries) == 2
    assert log(path, "%H")[-1] == tip


def test_a_full_disk_is_a_refusal_and_nothing_is_lost(
    mirror: History, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [entry(number) for number in range(4)]
    mirror.record(entries[:2])

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refusal) as caught:
        mirror.record(entries)
    assert caught.value.reason == "disk-full"
    monkeypatch.undo()
    assert mirror.record(entries) == 2
    assert len(log(path)) == 4


# --- the user's git -----------------------------------------------------------------------
def test_commits_of_the_user_stay(tmp_path: Path) -> None:
    path = tmp_path / "space"
    mirror = History(path, bare=False)
    mirror.record([entry(1)])
    (path / "mine.txt").write_text("mine")
    git(path, "add", "mine.txt")
    # A message that looks like ours is no revision: we have not made it.
    git(path, "commit", "-q", "-m", f"mine\n\nRevision: {entry(2).revision}")
    assert mirror.record([entry(1), entry(2)]) == 1
    assert History(path, bare=False).record([entry(1), entry(2), entry(3)]) == 1
    assert log(path, "%an") == ["Ada", "User", "Ada", "Ada"]
    assert git(path, "show", "main:mine.txt") == "mine"
    assert git(path, "status", "--porcelain") == ""


def test_a_branch_that_moves_meanwhile_is_taken_up(
    mirror: History, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.record([entry(1)])
    store, times = History._store, list[int]()

    def moving(self: History, repo: object, trees: object) -> None:
        store(self, repo, trees)  # type: ignore[arg-type]
        if not times:
            times.append(1)
            new = git(path, "commit-tree", "main^{tree}", "-p", "main", "-m", "mine").strip()
            git(path, "update-ref", "refs/heads/main", new)

    monkeypatch.setattr(History, "_store", moving)
    assert mirror.record([entry(2)]) == 1
    assert log(path, "%an") == ["Ada", "User", "Ada"]


def test_while_git_holds_the_branch_it_is_refused(mirror: History, path: Path) -> None:
    mirror.record([entry(1)])
    lock = path / "refs" / "heads" / "main.lock"
    lock.touch()
    with pytest.raises(Refusal) as caught:
        mirror.record([entry(2)])
    assert caught.value.reason == "path-io-error"
    os.utime(lock, (1, 1))  # no git takes that long: a crash left it
    assert mirror.record([entry(2)]) == 1


def test_it_goes_on_after_garbage_collection(mirror: History, path: Path) -> None:
    mirror.record([entry(number) for number in range(5)])
    git(path, "gc", "-q", "--prune=now")
    assert mirror.record([entry(number) for number in range(7)]) == 2
    git(path, "fsck", "--strict", "--full")


def test_a_damaged_repository_is_a_refusal(mirror: History, path: Path) -> None:
    mirror.record([entry(1)])
    for one in (path / "objects").glob("??/*"):
        one.unlink()
    with pytest.raises(Refusal) as caught:
        History(path, bare=True).record([entry(2)])
    assert caught.value.reason == "path-io-error"


def test_no_hook_runs(mirror: History, path: Path, tmp_path: Path) -> None:
    (path / "hooks").mkdir(exist_ok=True)
    for name in ("pre-commit", "commit-msg", "post-commit", "reference-transaction", "update"):
        hook = path / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
        hook.chmod(0o700)
    assert mirror.record([entry(1)]) == 1
    assert not (tmp_path / "ran").exists()


def test_a_bad_name_stops_it_before_anything_is_written(mirror: History, path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        mirror.record([entry(1), entry(2, ".git/config.md")])
    assert caught.value.reason == "path-forbidden-name"
    assert not list((path / "objects").glob("??/*"))


# --- where it is ----------------------------------------------------------------------------
def test_only_what_was_made_here_is_taken(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    git(tmp_path, "init", "-q", str(foreign))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nothing")
    pointer = tmp_path / "pointer"
    pointer.mkdir()
    (pointer / ".git").write_text(f"gitdir: {foreign}/.git\n")
    (foreign / ".git" / "hooks").mkdir(exist_ok=True)
    for path in (foreign, folder, link, pointer, foreign / ".git"):
        for bare in (True, False):
            assert reason_of(path, bare=bare) == "config-unsafe-sync-dir", path
    (folder / "file").rename(folder / MARKER)
    (folder / MARKER).write_bytes(b"\xff")
    assert reason_of(folder) == "config-unsafe-sync-dir"
    assert not (tmp_path / "nothing").exists()


def test_an_empty_folder_becomes_one_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.mkdir()
    assert History(path, bare=True).record([entry(1)]) == 1
    assert path.stat().st_mode & 0o777 == 0o700
    assert sorted(one.name for one in tmp_path.iterdir()) == ["empty"]
    assert History(path, bare=False).record([entry(1)]) == 0  # it stays what it is


def test_what_a_crash_left_of_its_making_is_removed(path: Path) -> None:
    left = path.with_name(f".{path.name}.meta-log-new")
    left.mkdir(parents=True)
    (left / "half").write_text("half")
    assert History(path, bare=True).record([entry(1)]) == 1
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_place_that_cannot_be_made_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert reason_of(tmp_path / "file" / "space") == "path-io-error"
    assert module.BRANCH == b"refs/heads/main"
