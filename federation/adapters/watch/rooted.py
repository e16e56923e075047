# SPDX-License-Identifier: MIT
"""Opening and exchanging files below the handle of a folder, never through a link.

A path is walked component by component, each opened below the one before
without following a symbolic link and without leaving the file system.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from federation import limits
from federation.errors import Refusal
from federation.machines.folder import Seen

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

#: RENAME_NOREPLACE, RENAME_EXCHANGE (renameat2(2))
_NOREPLACE, _EXCHANGE = 1, 2
_LIBC = ctypes.CDLL(None, use_errno=True)
_UNABLE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)

#: where an editor's lock leads: USER@HOST.PID, or USER@HOST.PID:BOOT
_OWNER = re.compile(r".*@(.+)\.([0-9]{1,9})(?::[0-9]+)?", re.DOTALL)


def seen_of(status: os.stat_result) -> Seen:
    """What a file looks like."""
    return Seen(status.st_size, status.st_mtime_ns, status.st_ino)


def open_root(path: Path) -> int:
    """A handle of the folder itself, which may not be a link; raises OSError."""
    try:
        return os.open(path, DIRECTORY)
    except NotADirectoryError:
        _say_link(os.lstat(path), str(path))
        raise


def open_below(parent: int, name: str) -> int:
    """A handle of the folder ``name`` in ``parent``; raises OSError, EXDEV for another system."""
    try:
        found = os.open(name, DIRECTORY, dir_fd=parent)
    except NotADirectoryError:
        # O_DIRECTORY speaks before O_NOFOLLOW: say what it is.
        _say_link(os.stat(name, dir_fd=parent, follow_symlinks=False), name)
        raise
    if os.fstat(found).st_dev != os.fstat(parent).st_dev:
        os.close(found)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
    return found


def _say_link(status: os.stat_result, name: str) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None


@contextlib.contextmanager
def folder_below(root: int, parts: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """A handle of a folder some levels down; with ``make`` those that lack are made (0700)."""
    with contextlib.ExitStack() as stack:
        here = root
        for part in parts:
            try:
                inner = open_below(here, part)
            except FileNotFoundError:
                if not make:
                    raise
                os.mkdir(part, 0o700, dir_fd=here)
                os.fsync(here)
                inner = open_below(here, part)
            stack.callback(os.close, inner)
            here = inner
        yield here


def read_file(folder: int, name: str, limit: int = limits.DOCUMENT) -> tuple[bytes, os.stat_result]:
    """What a regular file holds, and its status before it was read; raises OSError, Refusal."""
    # without waiting: it may be a FIFO
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Refusal("path-not-regular", name)
        content = stream.read(limit + 1)
        if len(content) > limit:
            raise Refusal("file-too-large", name)
        return content, status


def write_file(folder: int, name: str, content: bytes, mode: int) -> None:
    """Write a file that is not there yet; durable when this returns."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _rename(folder: int, old: str, new: str, flags: int) -> bool:
    """renameat2 within one folder; False where the system or its disk cannot do that."""
    call = getattr(_LIBC, "renameat2", None)
    if call is None:
        return False
    if call(folder, os.fsencode(old), folder, os.fsencode(new), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNABLE:
        return False
    raise OSError(code, os.strerror(code), new)


def put(folder: int, beside: str, name: str) -> None:
    """Give a file a name that is free; raises FileExistsError."""
    if not _rename(folder, beside, name, _NOREPLACE):
        os.link(beside, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        os.unlink(beside, dir_fd=folder)


def exchange(folder: int, beside: str, name: str) -> None:
    """Let two files change places.

    Where the system cannot do that at once, ``beside`` takes the place, and
    what was there a moment before is ``beside`` afterwards.
    """
    if _rename(folder, beside, name, _EXCHANGE):
        return
    kept = f"{beside}.old"
    os.link(name, kept, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.rename(kept, beside, src_dir_fd=folder, dst_dir_fd=folder)


def is_locked(folder: int, name: str) -> bool:
    """Whether Emacs has unsaved changes of a file; one of this machine that is gone has none."""
    try:
        owner = _OWNER.fullmatch(os.readlink(f".#{name}", dir_fd=folder))
        if owner is not None and owner[1] == os.uname().nodename:
            os.kill(int(owner[2]), 0)
    except OSError as error:
        return error.errno in (errno.EINVAL, errno.EPERM)  # a file; another user's process
    return True
