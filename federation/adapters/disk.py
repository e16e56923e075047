# SPDX-License-Identifier: MIT
"""Files below the state directory: synced documents, conflicts, copies for hooks.

    STATE/synced/NAME                 the documents of `commons`, and nothing else
    STATE/conflicts/NAME.REVISION.EXT concurrent versions, readable
    STATE/received/                   copies handed to hooks and exports
    STATE/tmp/                        half-written files; emptied at start

A document's path is opened component by component below a directory handle,
never through a symbolic link and never into another file system, so what a
name means cannot be changed between the check and the use.  A file is written
beside, fsynced, and renamed: a reader sees the old one or the new one.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from federation import limits
from federation.errors import Refusal, io_refusal

_OPENAT2 = 437
#: RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH (openat2(2))
_RESOLVE = 0x01 | 0x04 | 0x08
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

#: RENAME_NOREPLACE, RENAME_EXCHANGE (renameat2(2)), and AT_FDCWD
_NOREPLACE, _EXCHANGE, _HERE = 1, 2, -100
_LIBC = ctypes.CDLL(None, use_errno=True)

#: where an editor's lock leads: USER@HOST.PID, or USER@HOST.PID:BOOT
_OWNER = re.compile(r".*@(.+)\.([0-9]{1,9})(?::[0-9]+)?", re.DOTALL)


class _OpenHow(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("flags", "mode", "resolve"))


@dataclass(frozen=True, slots=True)
class Modified:
    """The file on disk holds something that was never recorded."""

    content: bytes


def _openat2(parent: int, name: str) -> int:
    """Open a directory below another; OSError(ENOSYS) where the system has no openat2."""
    how = _OpenHow(_DIRECTORY, 0, _RESOLVE)
    call = (_OPENAT2, parent, os.fsencode(name), ctypes.byref(how), ctypes.sizeof(how))
    result = _LIBC.syscall(*call)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)
    return int(result)


def _rename(source: Path, folder: int, name: str, flags: int) -> None:
    """Put a file in place; a system without renameat2 replaces what is there."""
    call = getattr(_LIBC, "renameat2", None)
    if call and call(_HERE, os.fsencode(source), folder, os.fsencode(name), flags) == 0:
        return
    code = ctypes.get_errno() if call else errno.ENOSYS
    if code not in (errno.ENOSYS, errno.EINVAL, errno.ENOENT):
        raise OSError(code, os.strerror(code), name)
    os.rename(source, name, dst_dir_fd=folder)


def _open_directory(parent: int, name: str) -> int:
    try:
        return _open_beneath(parent, name)
    except NotADirectoryError:
        # O_DIRECTORY speaks before O_NOFOLLOW: say what it is.
        if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None
        raise


def _open_beneath(parent: int, name: str) -> int:
    try:
        return _openat2(parent, name)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EINVAL):
            raise
    found = os.open(name, _DIRECTORY, dir_fd=parent)
    if os.fstat(found).st_dev != os.fstat(parent).st_dev:
        os.close(found)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
    return found


class Disk:
    """The files of one state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._state = state_dir
        self.synced = state_dir / "synced"
        self.is_new = not self.synced.exists()
        for name in ("synced", "conflicts", "received", "tmp"):
            _make_folder(state_dir / name)
        for left in (state_dir / "tmp").iterdir():
            with contextlib.suppress(OSError):  # a folder is none of ours
                left.unlink()
        #: directory -> (mtime_ns, NFC name -> name as it is)
        self._looks: dict[str, tuple[int, dict[str, str]]] = {}
        self._number = 0

    # --- where things are ------------------------------------------------------
    def synced_path(self, file: str) -> str:
        """The absolute path of a document's file."""
        return str(self.synced / file)

    def conflict_path(self, file: str, revision: str) -> str:
        """The absolute path of a concurrent version."""
        path = PurePosixPath(file)
        name = f"{_conflict_stem(path)}.{revision[:12]}{path.suffix}"
        return str(self._state / "conflicts" / path.parent / name)

    def document_of(self, path: Path) -> str:
        """The document name that a local file has: relative below ``synced``, else its base."""
        for root in {self.synced, Path(os.path.realpath(self.synced))}:
            for one in (path, Path(os.path.realpath(path.parent)) / path.name):
                if one.is_relative_to(root):
                    return one.relative_to(root).as_posix()
        return path.name

    # --- checking ----------------------------------------------------------------
    @contextlib.contextmanager
    def _folder(self, file: str, *, make: bool) -> Iterator[int | None]:
        """A handle of the folder that a document lies in; None while there is none."""
        parts = file.split("/")[:-1]
        with contextlib.ExitStack() as stack:
            try:
                state = os.open(self._state, _DIRECTORY & ~os.O_NOFOLLOW)
                stack.callback(os.close, state)
                here = _open_directory(state, "synced")
                stack.callback(os.close, here)
                for part in parts:
                    try:
                        here = _open_directory(here, part)
                    except FileNotFoundError:
                        if not make:
                            yield None
                            return
                        os.mkdir(part, 0o700, dir_fd=here)
                        os.fsync(here)
                        here = _open_directory(here, part)
                    stack.callback(os.close, here)
            except OSError as error:
                raise io_refusal(error, file) from error
            yield here

    def check(self, file: str) -> None:
        """Raise the Refusal that writing this document would meet now."""
        with self._folder(file, make=False) as folder:
            if folder is not None:
                self._check_leaf(folder, file)

    def _check_leaf(self, folder: int, file: str) -> os.stat_result | None:
        name = file.rsplit("/", 1)[-1]
        if not os.fstat(folder).st_mode & stat.S_IWUSR:
            raise Refusal("path-io-error", f"{file}: the folder is not writable")
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            self._check_look(folder, file, name)
            return None
        except OSError as error:
            raise io_refusal(error, file) from error
        if stat.S_ISLNK(found.st_mode):
            raise Refusal("path-symlink-escape", file)
        if not stat.S_ISREG(found.st_mode):
            raise Refusal("path-not-regular", file)
        return found

    def _check_look(self, folder: int, file: str, name: str) -> None:
        """A new name may not be one that is there already in another spelling."""
        key = file.rpartition("/")[0]
        mtime = os.fstat(folder).st_mtime_ns
        cached = self._looks.get(key)
        if cached is None or cached[0] != mtime:
            looks = {unicodedata.normalize("NFC", one): one for one in os.listdir(folder)}
            cached = self._looks[key] = (mtime, looks)
        there = cached[1].get(unicodedata.normalize("NFC", name))
        if there is not None and there != name:
            raise Refusal("path-normalisation-conflict", file)

    def _remember(self, folder: int, file: str) -> None:
        key, _, name = file.rpartition("/")
        cached = self._looks.get(key)
        if cached is not None:
            cached[1][unicodedata.normalize("NFC", name)] = name
            self._looks[key] = (os.fstat(folder).st_mtime_ns, cached[1])

    # --- writing -------------------------------------------------------------------
    def write_synced(self, file: str, content: bytes, known: str | None) -> Modified | None:
        """Make a document's file hold ``content``.

        ``known`` is the hash of what was last written there.  A file that
        holds anything else was edited meanwhile: it stays, and is returned.
        So is what somebody wrote in the very moment of the exchange.
        Raises Refusal; ``path-local-modified`` while an editor has it locked.
        """
        name, present = file.rsplit("/", 1)[-1], None
        with self._folder(file, make=True) as folder:
            if folder is None:
                raise Refusal("file-not-found", file)
            busy, found = _locked(folder, name), self._check_leaf(folder, file)
            if found is not None:
                present = self._read(folder, name, file)
                if present == content:
                    return None
            # asked again: what an editor is writing at this moment is read half
            if busy or _locked(folder, name):
                raise Refusal("path-local-modified", file)
            if present is not None and hashlib.sha256(present).hexdigest() != known:
                return Modified(present)
            flags = _NOREPLACE if present is None else _EXCHANGE
            displaced = self._replace(folder, name, content, file, flags)
            self._remember(folder, file)
        return None if displaced is None or displaced == present else Modified(displaced)

    @staticmethod
    def _read(folder: int, name: str, file: str) -> bytes:
        try:
            # without waiting: a FIFO may have come between the check and here
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    raise Refusal("path-not-regular", file)
                return stream.read()
        except OSError as error:
            raise io_refusal(error, file) from error

    def _replace(
        self, folder: int, name: str, content: bytes, file: str, flags: int = 0
    ) -> bytes | None:
        """Write beside, fsync, rename, fsync the folder; what that displaced, if asked for."""
        self._number += 1
        beside = self._state / "tmp" / f"{os.getpid()}-{self._number}"
        try:
            _write_new(beside, content)
            _rename(beside, folder, name, flags)
            os.fsync(folder)
            # after an exchange, what was there lies beside
            there = os.path.lexists(beside) and stat.S_ISREG(beside.lstat().st_mode)
            return beside.read_bytes() if there else None
        except FileExistsError:
            return self._read(folder, name, file)
        except OSError as error:
            raise io_refusal(error, file) from error
        finally:
            with contextlib.suppress(OSError):
                beside.unlink()

    def remove_synced(self, file: str, known: str | None) -> Modified | None:
        """Remove a document's file, as ``write_synced``; folders left empty go, too."""
        name = file.rsplit("/", 1)[-1]
        with self._folder(file, make=False) as folder:
            if folder is None or self._check_leaf(folder, file) is None:
                return None
            if _locked(folder, name):
                raise Refusal("path-local-modified", file)
            present = self._read(folder, name, file)
            if hashlib.sha256(present).hexdigest() != known:
                return Modified(present)
            late = self._take_away(folder, name, present)
        *parts, _ = file.split("/")
        with contextlib.suppress(Refusal, OSError):
            while parts:
                with self._folder("/".join(parts), make=False) as above:
                    os.rmdir(parts.pop(), dir_fd=above)
        return late

    def _take_away(self, folder: int, name: str, present: bytes) -> Modified | None:
        """Move a file aside and remove it there; what somebody saved in that moment comes back."""
        self._number += 1
        beside = self._state / "tmp" / f"{os.getpid()}-{self._number}"
        try:
            os.rename(name, beside, src_dir_fd=folder)
            late = beside.read_bytes()
            if late == present:
                beside.unlink()
            else:
                _rename(beside, folder, name, _NOREPLACE)
            os.fsync(folder)
        except OSError as error:
            raise io_refusal(error, name) from error
        return None if late == present else Modified(late)

    def read_synced(self, file: str) -> bytes | None:
        """What a document's file holds; None where there is none."""
        with self._folder(file, make=False) as folder:
            if folder is None or self._check_leaf(folder, file) is None:
                return None
            return self._read(folder, file.rsplit("/", 1)[-1], file)

    def write_conflict(self, file: str, revision: str, content: bytes) -> Path:
        """Make a concurrent version readable; its path."""
        path = Path(self.conflict_path(file, revision))
        self._write_plain(path, content)
        return path

    def drop_conflicts(self, file: str, keep: tuple[str, ...]) -> None:
        """Remove the readable copies of versions that are settled."""
        kept = {self.conflict_path(file, revision) for revision in keep}
        folder = Path(self.conflict_path(file, "")).parent
        stem, suffix = _conflict_stem(PurePosixPath(file)), PurePosixPath(file).suffix
        if not folder.is_dir():
            return
        try:
            for path in folder.iterdir():
                middle = path.name[len(stem) + 1 : len(path.name) - len(suffix)]
                ours = path.name == f"{stem}.{middle}{suffix}" and len(middle) == 12
                if ours and str(path) not in kept:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise io_refusal(error, file) from error

    def write_received(self, name: str, content: bytes, keep: int) -> Path:
        """A copy for hooks or an export; only the newest ``keep`` stay."""
        path = self._state / "received" / name
        self._write_plain(path, content)
        with contextlib.suppress(OSError):  # the copy is there; others are removed next time
            copies = sorted(path.parent.iterdir(), key=lambda one: one.stat().st_mtime_ns)
            for old in copies[: max(len(copies) - keep, 0)]:
                old.unlink(missing_ok=True)
        return path

    def write_export(self, path: Path, content: bytes) -> None:
        """Write a new file that the user named; an existing one is refused."""
        try:
            _write_new(path, content)
        except OSError as error:
            raise io_refusal(error, path, exists="file-exists") from error

    def _write_plain(self, path: Path, content: bytes) -> None:
        """Write below the state directory, outside of ``synced``."""
        try:
            # one by one: mkdir gives its mode to the last folder only
            for one in [*reversed(path.parent.relative_to(self._state).parents), path.parent]:
                (self._state / one).mkdir(mode=0o700, exist_ok=True)
            folder = os.open(path.parent, _DIRECTORY)
        except OSError as error:
            raise io_refusal(error, path.name) from error
        try:
            self._replace(folder, path.name, content, path.name)
        finally:
            os.close(folder)


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet; durable when this returns."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _make_folder(path: Path) -> None:
    """A folder of ours; one that leads elsewhere, or is none, is refused."""
    if path.is_symlink():
        raise Refusal("config-unsafe-sync-dir", f"{path} is a symbolic link")
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise Refusal("path-not-directory", str(path)) from None
    except OSError as error:
        raise io_refusal(error, path) from error


def _conflict_stem(path: PurePosixPath) -> str:
    """The beginning of the names of a document's conflicts; a long one is cut to fit."""
    room = limits.NAME_PART - 13 - len(path.suffix.encode())
    stem = path.stem.encode()
    if len(stem) <= room:
        return path.stem
    mark = hashlib.sha256(stem).hexdigest()[:8]
    return stem[: room - 8].decode(errors="ignore") + mark


def _locked(folder: int, name: str) -> bool:
    """Whether an editor has unsaved changes; one of this machine that is gone has none."""
    try:
        owner = _OWNER.fullmatch(os.readlink(f".#{name}", dir_fd=folder))
        if owner is not None and owner[1] == os.uname().nodename:
            os.kill(int(owner[2]), 0)
    except OSError as error:
        return error.errno in (errno.EINVAL, errno.EPERM)  # a file; another user's process
    return True
