# SPDX-License-Identifier: MIT
"""The commits of a git mirror, on one branch.

    GITDIR/meta-log-mirror   says that the repository is a mirror, then one line
                             a revision: REVISION COMMIT

The branch is what counts.  The file is only there so that nobody has to read
all commits to know which revisions are among them; where the two differ (after
a crash, after a commit of the user) the commits are read, and it is mended.
A commit is made of the revision and its place alone, so making it twice makes
the same one.

The first parent of a commit is always the one before it on the branch; a
revision that was made from several has their commits as further parents, but
not one with the same content: `git log FILE` would leave out the others.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dulwich.errors import FileFormatException, NotGitRepository
from dulwich.file import FileLocked
from dulwich.objects import Commit, ObjectID, ShaFile
from dulwich.refs import Ref
from dulwich.repo import Repo

from federation import limits
from federation.adapters.gitmirror.checkout import FOLLOWED, check_out
from federation.adapters.gitmirror.entry import COMMITTER, MirrorEntry, revision_in
from federation.adapters.gitmirror.trees import Trees
from federation.errors import Refusal, io_refusal

BRANCH = Ref(b"refs/heads/main")
_MARKER = "meta-log-mirror"
_HEADER = "meta-log mirror 1\n"
#: More objects than this are written as one pack.
_LOOSE = 64
#: A branch is locked for an instant; longer than this (seconds) is a crash.
_STALE = 600.0
#: The user's git may move the branch while we do; then it is done anew.
_TRIES = 3


class History:
    """The commits of one mirror, and which revisions they are."""

    def __init__(self, path: Path, *, bare: bool) -> None:
        self._path = path
        #: revision -> its commit
        self._known: dict[str, ObjectID] = {}
        #: the tip of the branch that ``_known`` is about
        self._tip: ObjectID | None = None
        with _refusing(path):
            if not path.is_symlink() and (not path.exists() or _is_empty(path)):
                _create(path, bare=bare)
            self._git = path / ".git" if (path / ".git").is_dir() else path
            self._bare = self._git == path
            if self._git.is_symlink() or not _is_ours(self._git / _MARKER):
                raise Refusal("config-unsafe-sync-dir", f"{path} is not a mirror made here")

    def missing(self, revisions: Iterable[str]) -> set[str]:
        """Those of these revisions that are no commits yet."""
        with _refusing(self._path), contextlib.closing(Repo(self._path)) as repo:
            self._catch_up(repo)
            return {one for one in revisions if one not in self._known}

    def record(self, revisions: Iterable[MirrorEntry]) -> int:
        """Make each new revision a commit; how many were new."""
        count = 0
        with _refusing(self._path), contextlib.closing(Repo(self._path)) as repo:
            _unlock(self._git / BRANCH.decode())
            _unlock(self._git / FOLLOWED.decode())
            self._catch_up(repo)
            for batch in self._batches(revisions):
                count += self._add(repo, batch)
            if not self._bare:
                check_out(repo, self._path, BRANCH)
        return count

    def _batches(self, revisions: Iterable[MirrorEntry]) -> Iterator[list[MirrorEntry]]:
        """New revisions, some at a time: bounded in number and in bytes."""
        batch: dict[str, MirrorEntry] = {}
        size = 0
        for one in revisions:
            if one.revision in self._known or one.revision in batch:
                continue
            one.check()
            batch[one.revision] = one
            size += len(one.content or b"")
            if len(batch) >= limits.MIRROR_BATCH or size >= limits.DOCUMENT:
                yield list(batch.values())
                batch, size = {}, 0
        if batch:
            yield list(batch.values())

    def _add(self, repo: Repo, batch: list[MirrorEntry]) -> int:
        for _ in range(_TRIES):
            tip = self._catch_up(repo)
            new = [one for one in batch if one.revision not in self._known]
            trees, commits = Trees(repo.object_store), list[ObjectID]()
            tree = None if tip is None else _commit(repo, tip).tree
            for one in new:
                tree = trees.change(tree, one.file, one.content)
                before = commits[-1] if commits else tip
                made = dict(zip((each.revision for each in new), commits, strict=False))
                parents = self._parents(repo, trees, one, self._known | made, before)
                commits.append(trees.add(_make(one, tree, parents)))
            if not commits:
                return 0
            self._store(repo, trees)
            moved = (
                repo.refs.add_if_new(BRANCH, commits[-1], COMMITTER, message=b"mirror")
                if tip is None
                else repo.refs.set_if_equals(BRANCH, tip, commits[-1], COMMITTER, message=b"mirror")
            )
            if moved:
                self._note(zip((one.revision for one in new), commits, strict=True), "a")
                self._tip = commits[-1]
                return len(new)
        raise Refusal("path-io-error", f"{self._path}: somebody else moves {BRANCH.decode()}")

    def _parents(
        self, repo: Repo, trees: Trees, one: MirrorEntry, known: Mapping[str, ObjectID],
        before: ObjectID | None,
    ) -> list[ObjectID]:  # fmt: skip
        """What a commit comes after, and what its revision joins."""
        if before is None:
            return []
        found = [before]
        if len(one.parents) > 1:
            for name in filter(None, map(known.get, one.parents)):
                if name not in found and not trees.holds(_tree_of(repo, trees, name), one):
                    found.append(name)
        return found

    def _store(self, repo: Repo, trees: Trees) -> None:
        """Make the objects durable, before a branch names them."""
        if len(trees.objects) > _LOOSE:
            repo.object_store.add_objects([(one, None) for one in trees.objects.values()])
        else:
            for one in trees.objects.values():
                if one.id not in repo.object_store:
                    _write_object(self._git / "objects", one)

    # --- which revisions are there ----------------------------------------------------------
    def _catch_up(self, repo: Repo) -> ObjectID | None:
        """Know the revisions of the branch as it is now; its tip."""
        tip: ObjectID | None = repo.refs.as_dict().get(BRANCH)
        if tip is not None and tip == self._tip:
            return tip
        noted, last = self._noted()
        found, reached = _walk(repo, tip, last)
        if reached:
            self._known = dict(noted)
            self._note(found, "a")
        else:  # the branch is another one now
            self._known.clear()
            self._note(found, "w")
        self._tip = tip
        return tip

    def _noted(self) -> tuple[list[tuple[str, ObjectID]], ObjectID | None]:
        lines = (self._git / _MARKER).read_text(encoding="ascii").splitlines()[1:]
        whole = [line.split(" ") for line in lines if len(line) == 64 + 1 + 40]
        noted = [(revision, ObjectID(commit.encode())) for revision, commit in whole]
        return noted, noted[-1][1] if noted else None

    def _note(self, found: Iterable[tuple[str, ObjectID]], mode: str) -> None:
        """Write down which commits are which revisions: more of them, or all anew."""
        found = list(found)
        self._known.update(found)
        # A line that a crash has cut ends here, and is none.
        head = _HEADER if mode == "w" else "\n"
        lines = "".join(f"{revision} {commit.decode()}\n" for revision, commit in found)
        if not found and mode == "a":
            return
        path = self._git / (f"{_MARKER}.new" if mode == "w" else _MARKER)
        with path.open(mode, encoding="ascii") as stream:
            stream.write(head + lines)
            stream.flush()
            os.fsync(stream.fileno())
        if mode == "w":
            path.replace(self._git / _MARKER)


def _write_object(folder: Path, one: ShaFile) -> None:
    """Write a loose object as git does: whole, or not at all (dulwich would leave a lock)."""
    name = one.id.decode()
    path = folder / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    beside = path.with_name("tmp_obj_meta-log")  # what a crash leaves of these, git removes
    with beside.open("wb") as stream:
        stream.write(one.as_legacy_object())
        stream.flush()
        os.fsync(stream.fileno())
    beside.chmod(0o444)
    beside.replace(path)


def _unlock(path: Path) -> None:
    """Remove the lock of a branch that nobody holds for so long: a crash left it."""
    lock = path.with_name(f"{path.name}.lock")
    with contextlib.suppress(FileNotFoundError):
        if time.time() - lock.stat().st_mtime > _STALE:
            lock.unlink()


def _make(one: MirrorEntry, tree: ObjectID, parents: list[ObjectID]) -> Commit:
    commit = Commit()
    commit.tree = tree
    commit.parents = parents
    commit.author, commit.committer = one.signature, COMMITTER
    commit.author_time = commit.commit_time = one.seconds
    commit.author_timezone = commit.commit_timezone = 0
    commit.message = one.message
    return commit


def _commit(repo: Repo, name: ObjectID) -> Commit:
    found = repo.object_store[name]
    if not isinstance(found, Commit):
        raise KeyError(name)
    return found


def _tree_of(repo: Repo, trees: Trees, name: ObjectID) -> ObjectID:
    made = trees.objects.get(name)
    tree: ObjectID = (made if isinstance(made, Commit) else _commit(repo, name)).tree
    return tree


def _walk(
    repo: Repo, tip: ObjectID | None, last: ObjectID | None
) -> tuple[list[tuple[str, ObjectID]], bool]:
    """Our commits from ``tip`` back to ``last``, oldest first, and whether that was reached."""
    found: list[tuple[str, ObjectID]] = []
    seen, ahead, reached = set[ObjectID](), [tip] if tip is not None else [], False
    while ahead:
        name = ahead.pop()
        if name == last:
            reached = True
            continue
        if name in seen:
            continue
        seen.add(name)
        commit = _commit(repo, name)
        revision = revision_in(commit.message) if commit.committer == COMMITTER else None
        if revision is not None:
            found.append((revision, name))
        # the further parents of ours are all before the first one
        ahead += commit.parents if revision is None else commit.parents[:1]
    return found[::-1], reached


# --- making one, and knowing it -------------------------------------------------------------
def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _is_ours(marker: Path) -> bool:
    try:
        with marker.open(encoding="ascii") as stream:
            return not marker.is_symlink() and stream.readline() == _HEADER
    except (OSError, UnicodeDecodeError):
        return False


def _create(path: Path, *, bare: bool) -> None:
    """Make a mirror beside, and put it in place when it is whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.meta-log-new")
    if beside.is_dir() and not beside.is_symlink():
        shutil.rmtree(beside)  # a crash left it
    beside.mkdir(mode=0o700)
    make = Repo.init_bare if bare else Repo.init
    with contextlib.closing(make(beside, default_branch=b"main")) as repo:
        config = repo.get_config()
        # What is in the files stays as it is, whatever the user's own git does elsewhere.
        for key, value in ((b"autocrlf", False), (b"safecrlf", False), (b"symlinks", False)):
            config.set((b"core",), key, value)
        config.write_to_path()
        (Path(repo.controldir()) / _MARKER).write_text(_HEADER, encoding="ascii")
    beside.rename(path)


@contextlib.contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Say what failed as a Refusal."""
    try:
        yield
    except FileLocked as error:
        raise Refusal("path-io-error", f"{path}: git is at work there") from error
    except OSError as error:
        raise io_refusal(error, path) from error
    except (KeyError, ValueError, NotGitRepository, FileFormatException) as error:
        raise Refusal("path-io-error", f"{path}: the repository is damaged") from error
