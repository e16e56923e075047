# SPDX-License-Identifier: MIT
"""The work tree of a git mirror: it follows the branch where nobody has touched it.

A file is written, below folders that are opened one by one and never through a
link, only if it holds what the last followed commit says; what the user has
changed, staged or deleted stays, and `git status` shows it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from dulwich.diff_tree import tree_changes
from dulwich.file import FileLocked, GitFile
from dulwich.index import ConflictedIndexEntry, Index, IndexEntry, write_index_dict
from dulwich.objects import Blob, Commit, ObjectID
from dulwich.pack import SHA1Writer
from dulwich.refs import HEADREF, Ref
from dulwich.repo import Repo

log = logging.getLogger(__name__)
#: The commit that the work tree was last made to follow.
FOLLOWED = Ref(b"refs/meta-log/checkout")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BESIDE = b".meta-log-checkout.tmp"
_Entries = dict[bytes, IndexEntry | ConflictedIndexEntry]


def check_out(repo: Repo, path: Path, branch: Ref) -> None:
    """Let the work tree follow the branch, unless it is on another or git is at work."""
    refs = repo.refs.as_dict()
    tip, before = refs.get(branch), refs.get(FOLLOWED)
    if tip is None or tip == before:
        return
    if repo.refs.read_ref(HEADREF) != b"ref: " + branch:
        # The user is on another branch; whoever comes back gets the tip from git.
        repo.refs[FOLLOWED] = tip
        return
    try:
        with GitFile(repo.index_path(), "wb") as index:
            entries = dict(Index(repo.index_path()).items())
            _follow(repo, path, entries, (_tree(repo, before), _tree(repo, tip)))
            writer = SHA1Writer(index)
            # Without extensions: they would speak of what was there before.
            write_index_dict(writer, entries)
            writer.write_sha()
    except FileLocked:
        log.info("the work tree of a mirror is left alone: git is at work there")
        return
    repo.refs[FOLLOWED] = tip


def _tree(repo: Repo, name: ObjectID | None) -> ObjectID | None:
    commit = None if name is None else repo.object_store[name]
    return commit.tree if isinstance(commit, Commit) else None


def _follow(
    repo: Repo, path: Path, entries: _Entries, trees: tuple[ObjectID | None, ObjectID | None]
) -> None:
    """Make the files and the index of the first tree those of the second."""
    root = os.open(path, _DIRECTORY)
    try:
        changes = tree_changes(repo.object_store, *trees)
        # What goes away first: a file may make room for a folder.
        for change in sorted(changes, key=lambda one: one.new is not None):
            sides = [one for one in (change.new, change.old) if one is not None]
            if sides and all(stat.S_ISREG(one.mode) for one in sides):
                was = None if change.old is None else change.old.sha
                now = None if change.new is None else change.new.sha
                _follow_file(repo, root, entries, sides[0].path, (was, now))
    finally:
        os.close(root)


def _follow_file(
    repo: Repo,
    root: int,
    entries: _Entries,
    file: bytes,
    change: tuple[ObjectID | None, ObjectID | None],
) -> None:
    """One file, from what it was to what it is now (None: there is none)."""
    was, now = change
    entry = entries.get(file)
    staged = entry.sha if isinstance(entry, IndexEntry) else None
    if isinstance(entry, ConflictedIndexEntry) or staged not in (was, now):
        return
    status: os.stat_result | None = None
    try:
        content = repo.object_store[now].as_raw_string() if now is not None else None
        status = _change(root, file.split(b"/"), was, content)
    except OSError as error:
        log.warning("a file of a mirror's work tree stays as it is: %s", error.strerror)
    if now is None:
        entries.pop(file, None)
    elif status is None:  # git looks itself, and shows what differs
        entries[file] = IndexEntry(0, 0, 0, 0, 0o100644, 0, 0, 0, now)
    else:
        entries[file] = IndexEntry(
            divmod(status.st_ctime_ns, 10**9), divmod(status.st_mtime_ns, 10**9),
            status.st_dev & 0xFFFFFFFF, status.st_ino & 0xFFFFFFFF, 0o100644,
            status.st_uid, status.st_gid, status.st_size & 0xFFFFFFFF, now,
        )  # fmt: skip


def _change(
    root: int, parts: Sequence[bytes], was: ObjectID | None, content: bytes | None
) -> os.stat_result | None:
    """Write or delete a file that is as it was; its status if it holds ``content`` then."""
    if not {b"", b".", b"..", b".git"}.isdisjoint(part.lower() for part in parts):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    with _folder(root, parts[:-1], make=content is not None) as folder:
        name = parts[-1]
        present = _read(folder, name)
        if present != content:
            if (None if present is None else Blob.from_string(present).id) != was:
                return None
            if content is None:
                os.unlink(name, dir_fd=folder)
            else:
                _write(folder, name, content)
        status = os.stat(name, dir_fd=folder) if content is not None else None
    if content is None:
        _remove_empty(root, parts[:-1])
    return status


@contextlib.contextmanager
def _folder(root: int, parts: Sequence[bytes], *, make: bool) -> Iterator[int]:
    with contextlib.ExitStack() as stack:
        here = root
        for part in parts:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o777, dir_fd=here)
            here = os.open(part, _DIRECTORY, dir_fd=here)
            stack.callback(os.close, here)
        yield here


def _read(folder: int, name: bytes) -> bytes | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def _write(folder: int, name: bytes, content: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_BESIDE, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(_BESIDE, flags, 0o666, dir_fd=folder), "wb") as stream:
        stream.write(content)
    os.rename(_BESIDE, name, src_dir_fd=folder, dst_dir_fd=folder)


def _remove_empty(root: int, parts: Sequence[bytes]) -> None:
    with contextlib.suppress(OSError):
        for count in range(len(parts), 0, -1):
            with _folder(root, parts[: count - 1], make=False) as folder:
                os.rmdir(parts[count - 1], dir_fd=folder)
