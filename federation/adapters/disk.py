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
import hashlib
import itertools
import os
import stat
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from federation import limits
from federation.adapters.beneath import (
    DIRECTORY,
    EXCHANGE,
    HERE,
    NOREPLACE,
    is_locked,
    make_folder,
    open_below,
    put_back,
    rename,
    seen_of,
    write_file,
)
from federation.errors import Refusal, io_refusal
from federation.machines.folder import Known, Seen


@dataclass(frozen=True, slots=True)
class Modified:
    """The file on disk holds something that was never recorded."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that lies beside, durable, and what it will look like in its place."""

    path: str
    seen: Seen


class Disk:
    """The files of one state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._state = state_dir
        self.synced = state_dir / "synced"
        self.is_new = not self.synced.exists()
        for name in ("synced", "conflicts", "received", "tmp"):
            make_folder(state_dir / name)
        for left in (state_dir / "tmp").iterdir():
            with contextlib.suppress(OSError):  # a folder is none of ours
                left.unlink()
        #: directory -> (mtime_ns, NFC name -> name as it is)
        self._looks: dict[str, tuple[int, dict[str, str]]] = {}
        self._tmp = str(state_dir / "tmp")
        self._numbers = itertools.count(1)
        #: one name at a time is checked and put in place
        self._lock = threading.Lock()

    # --- where things are ------------------------------------------------------
    def synced_path(self, file: str) -> str:
        """The absolute path of a document's file."""
        return str(self.synced / file)

    def conflict_path(self, file: str, revision: str) -> str:
        """The absolute path of a concurrent version."""
        path = PurePosixPath(file)
        name = f"{_conflict_stem(path)}.{revision[:12]}{path.suffix}"
        return str(self._state / "conflicts" / path.parent / name)

    # --- checking ----------------------------------------------------------------
    @contextlib.contextmanager
    def _folder(self, file: str, *, make: bool) -> Iterator[int | None]:
        """A handle of the folder that a document lies in; None while there is none."""
        parts = file.split("/")[:-1]
        with contextlib.ExitStack() as stack:
            try:
                state = os.open(self._state, DIRECTORY & ~os.O_NOFOLLOW)
                stack.callback(os.close, state)
                here = open_below(state, "synced")
                stack.callback(os.close, here)
                for part in parts:
                    try:
                        here = open_below(here, part)
                    except FileNotFoundError:
                        if not make:
                            yield None
                            return
                        os.mkdir(part, 0o700, dir_fd=here)
                        os.fsync(here)
                        here = open_below(here, part)
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
    def write_synced(
        self, file: str, content: bytes, known: str | None, staged: Staged | None = None
    ) -> Known | Modified:
        """Make a document's file hold ``content``.

        ``known`` is the hash of what was last written there.  A file that
        holds anything else was edited meanwhile: it stays, and is returned.
        So does what somebody wrote in the very moment of the exchange.
        What is ``staged`` already is only put in place: durable once its
        folder is (``fsync_folders``).
        Raises Refusal; ``path-local-modified`` while an editor has it locked.
        """
        with self._lock, self._beside(staged) as beside, self._folder(file, make=True) as folder:
            if folder is None:
                raise Refusal("file-not-found", file)
            name, digest = file.rsplit("/", 1)[-1], hashlib.sha256(content).hexdigest()
            busy, found = is_locked(folder, name), self._check_leaf(folder, file)
            present = None if found is None else self._read(folder, name, file)
            if found is not None and present == content:
                return Known(digest, seen_of(found))
            # asked again: what an editor is writing at this moment is read half
            if busy or is_locked(folder, name):
                raise Refusal("path-local-modified", file)
            if present is not None and hashlib.sha256(present).hexdigest() != known:
                return Modified(present)
            flags = NOREPLACE if present is None else EXCHANGE
            seen = staged.seen if staged is not None else _stage(beside, content, file)
            late = self._put(beside, folder, file, flags, wait=staged is None)
            self._remember(folder, file)
            if late is None or late == present:
                return Known(digest, seen)
            if flags == EXCHANGE:
                late, *_ = put_back(lambda: self._put(beside, folder, file, flags), content, late)
        return Modified(late)

    def stage(self, file: str, content: bytes) -> Staged:
        """Write what a file is to hold beside it; some threads may do that at a time."""
        path = self._name_beside()
        try:
            return Staged(path, _stage(path, content, file))
        except Refusal:
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise

    def fsync_folders(self, files: Iterable[str]) -> None:
        """Make the names of documents durable that were staged before they were put in place."""
        for folder in {file.rpartition("/")[0] for file in files}:
            with self._folder(f"{folder}/x" if folder else "x", make=False) as handle:
                if handle is not None:
                    os.fsync(handle)

    def _name_beside(self) -> str:
        return f"{self._tmp}/{os.getpid()}-{next(self._numbers)}"

    @contextlib.contextmanager
    def _beside(self, staged: Staged | None = None) -> Iterator[str]:
        """Where a file is written beside; nothing is there afterwards."""
        path = self._name_beside() if staged is None else staged.path
        try:
            yield path
        finally:
            with contextlib.suppress(OSError):
                os.unlink(path)

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

    def _put(
        self, beside: str, folder: int, file: str, flags: int = 0, *, wait: bool = True
    ) -> bytes | None:
        """Rename, fsync the folder; what that displaced, if asked for."""
        name = file.rsplit("/", 1)[-1]
        try:
            _rename(beside, folder, name, flags)
            if wait:
                os.fsync(folder)
            # after an exchange, what was there lies beside
            there = flags == EXCHANGE and os.path.lexists(beside)
            regular = there and stat.S_ISREG(os.lstat(beside).st_mode)
            return Path(beside).read_bytes() if regular else None
        except FileExistsError:
            return self._read(folder, name, file)
        except OSError as error:
            raise io_refusal(error, file) from error

    def remove_synced(self, file: str, known: str | None) -> Modified | None:
        """Remove a document's file, as ``write_synced``; folders left empty go, too."""
        name = file.rsplit("/", 1)[-1]
        with self._lock, self._folder(file, make=False) as folder:
            if folder is None or self._check_leaf(folder, file) is None:
                return None
            if is_locked(folder, name):
                raise Refusal("path-local-modified", file)
            present = self._read(folder, name, file)
            if hashlib.sha256(present).hexdigest() != known:
                return Modified(present)
            late = self._take_away(folder, name, present)
        *parts, _ = file.split("/")
        with self._lock, contextlib.suppress(Refusal, OSError):  # nobody writes into it meanwhile
            while parts:
                with self._folder("/".join(parts), make=False) as above:
                    os.rmdir(parts.pop(), dir_fd=above)
        return late

    def _take_away(self, folder: int, name: str, present: bytes) -> Modified | None:
        """Move a file aside and remove it there; what somebody saved in that moment comes back."""
        beside = self._name_beside()
        try:
            os.rename(name, beside, src_dir_fd=folder)
            late = Path(beside).read_bytes()
            if late == present:
                os.unlink(beside)
            else:
                _rename(beside, folder, name, NOREPLACE)
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
            write_file(None, path, content, 0o600)
        except OSError as error:
            raise io_refusal(error, path, exists="file-exists") from error

    def _write_plain(self, path: Path, content: bytes) -> None:
        """Write below the state directory, outside of ``synced``."""
        try:
            # one by one: mkdir gives its mode to the last folder only
            for one in [*reversed(path.parent.relative_to(self._state).parents), path.parent]:
                (self._state / one).mkdir(mode=0o700, exist_ok=True)
            folder = os.open(path.parent, DIRECTORY)
        except OSError as error:
            raise io_refusal(error, path.name) from error
        try:
            with self._beside() as beside:
                _stage(beside, content, path.name)
                self._put(beside, folder, path.name)
        finally:
            os.close(folder)


def _stage(path: str, content: bytes, file: str) -> Seen:
    try:
        return write_file(None, path, content, 0o600)
    except OSError as error:
        raise io_refusal(error, file) from error


def _rename(source: str, folder: int, name: str, flags: int) -> None:
    """Put a file in place; where that cannot be done at once, what is there is replaced."""
    with contextlib.suppress(FileNotFoundError):  # what was to be exchanged is gone
        if rename(HERE, source, folder, name, flags):
            return
    os.rename(source, name, dst_dir_fd=folder)


def _conflict_stem(path: PurePosixPath) -> str:
    """The beginning of the names of a document's conflicts; a long one is cut to fit."""
    room = limits.NAME_PART - 13 - len(path.suffix.encode())
    stem = path.stem.encode()
    if len(stem) <= room:
        return path.stem
    mark = hashlib.sha256(stem).hexdigest()[:8]
    return stem[: room - 8].decode(errors="ignore") + mark
