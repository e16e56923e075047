# SPDX-License-Identifier: MIT
"""Opening folders and renaming files below the handle of a folder, never through a link.

What a name means is settled by the handle, so nobody can change it between the
check and the use.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from federation.errors import Refusal, io_refusal
from federation.machines.folder import Seen

#: a folder itself, and not what a link leads to
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: RENAME_NOREPLACE, RENAME_EXCHANGE (renameat2(2))
NOREPLACE, EXCHANGE = 1, 2
#: AT_FDCWD: names are as for everybody
HERE = -100

_OPENAT2 = 437
#: RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH (openat2(2))
_RESOLVE = 0x01 | 0x04 | 0x08
_LIBC = ctypes.CDLL(None, use_errno=True)
_UNABLE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)

#: where an editor's lock leads: USER@HOST.PID, or USER@HOST.PID:BOOT
_OWNER = re.compile(r".*@(.+)\.([0-9]{1,9})(?::[0-9]+)?", re.DOTALL)


def seen_of(status: os.stat_result) -> Seen:
    """What a file looks like."""
    return Seen(status.st_size, status.st_mtime_ns, status.st_ino)


class _OpenHow(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("flags", "mode", "resolve"))


def _openat2(parent: int, name: str) -> int:
    """Open a directory below another; OSError(ENOSYS) where the system has no openat2."""
    how = _OpenHow(DIRECTORY, 0, _RESOLVE)
    call = (_OPENAT2, parent, os.fsencode(name), ctypes.byref(how), ctypes.sizeof(how))
    result = _LIBC.syscall(*call)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)
    return int(result)


def open_below(parent: int, name: str) -> int:
    """A handle of the folder ``name`` in ``parent``.

    Raises OSError: ELOOP for a link, EXDEV for another file system.
    """
    try:
        return _open_beneath(parent, name)
    except NotADirectoryError:
        # O_DIRECTORY speaks before O_NOFOLLOW: say what it is.
        say_link(os.stat(name, dir_fd=parent, follow_symlinks=False), name)
        raise


def _open_beneath(parent: int, name: str) -> int:
    try:
        return _openat2(parent, name)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EINVAL):
            raise
    found = os.open(name, DIRECTORY, dir_fd=parent)
    if os.fstat(found).st_dev != os.fstat(parent).st_dev:
        os.close(found)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
    return found


def say_link(status: os.stat_result, name: str) -> None:
    """Raise OSError (ELOOP) if what was found is a symbolic link."""
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None


def write_file(folder: int | None, name: str | Path, content: bytes, mode: int) -> Seen:
    """Write a file that is not there yet, and its look; durable when this returns.

    Without a ``folder`` the name is as for everybody.  Raises OSError.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        os.fchmod(handle, mode)
        left = memoryview(content)
        while left:
            left = left[os.write(handle, left) :]
        os.fsync(handle)
        return seen_of(os.fstat(handle))
    finally:
        os.close(handle)


def rename(old_folder: int, old: str, folder: int, name: str, flags: int) -> bool:
    """renameat2(2); False where the system or its disk cannot do that.  Raises OSError."""
    call = getattr(_LIBC, "renameat2", None)
    if call is None:
        return False
    if call(old_folder, os.fsencode(old), folder, os.fsencode(name), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNABLE:
        return False
    raise OSError(code, os.strerror(code), name)


def put_back(swap: Callable[[], bytes | None], ours: bytes, theirs: bytes) -> tuple[bytes, ...]:
    """Exchange what was displaced (``theirs``) with ``ours`` again, until that is what comes out.

    ``swap`` exchanges, and says what lies beside then (None: nothing).  Who saved
    once more meanwhile meant what was saved last: that stays in place, and is the
    first of the answer; the second is what it was saved over, if it was.
    """
    answer: tuple[bytes, ...] = (theirs,)
    found = swap()
    while found is not None and found != ours:
        ours, answer = answer[0], (found, answer[0])
        found = swap()
    return answer


def is_locked(folder: int, name: str) -> bool:
    """Whether an editor has unsaved changes; one of this machine that is gone has none."""
    try:
        owner = _OWNER.fullmatch(os.readlink(f".#{name}", dir_fd=folder))
        if owner is not None and owner[1] == os.uname().nodename:
            os.kill(int(owner[2]), 0)
    except OSError as error:
        return error.errno in (errno.EINVAL, errno.EPERM)  # a file; another user's process
    return True


def make_folder(path: Path) -> None:
    """A folder of ours; one that leads elsewhere, or is none, is refused."""
    if path.is_symlink():
        raise Refusal("config-unsafe-sync-dir", f"{path} is a symbolic link")
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise Refusal("path-not-directory", str(path)) from None
    except OSError as error:
        raise io_refusal(error, path) from error
