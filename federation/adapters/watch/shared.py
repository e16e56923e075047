# SPDX-License-Identifier: MIT
"""Reading, writing and deleting the files of one shared folder.

Everything is done below a handle of the folder, and only in the folder that was
accepted: not in what somebody mounted or moved to its place.  A file is written
beside, fsynced, and exchanged; what was there is compared before and after, so
a change that was not known stays, and the caller gets it.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from federation.adapters.beneath import is_locked, put_back, seen_of, write_file
from federation.adapters.watch import rooted
from federation.adapters.watch.scan import MARKER, list_folder, root_of
from federation.errors import Refusal, io_refusal
from federation.machines.folder import Gone, Known, Listing, Root, Seen

#: Our half-written files: hidden, and so no news for anybody.
_BESIDE, _ENDING = ".meta-log-", ".tmp"
#: Those of a peer that was killed are removed when they are this old (seconds).
_LEFT = 3600.0


@dataclass(frozen=True, slots=True)
class Modified:
    """The file holds something that was not known: it stays.  ``content``: what it holds.

    ``other`` was there for a moment before that, saved over or put aside; None nearly always.
    """

    content: bytes
    other: bytes | None = None


class Shared:
    """The files of one shared folder.  Methods raise Refusal; they block, so call them apart."""

    def __init__(self, path: Path, root: Root | None = None) -> None:
        """``root`` is the folder that was accepted before; ``listing`` works without one."""
        self.path = path
        self._root = root
        self._numbers = itertools.count(1)

    def accept(self, root: Root) -> None:
        """This is the folder: the machine's ``Adopt``."""
        self._root = root

    def listing(self) -> Listing | Gone:
        """What the whole folder looks like."""
        return list_folder(self.path)

    def is_still(self, root: Root) -> bool:
        """Whether it is that folder, without a look into it."""
        found = root_of(self.path)
        return found is not None and found.is_same(root)

    def mark(self, text: str) -> None:
        """Say in the folder itself which one it is, once (a short line)."""
        with self._opened(MARKER) as (folder, name), contextlib.suppress(FileExistsError):
            write_file(folder, name, f"{text}\n".encode(), 0o600)
            os.fsync(folder)

    def tidy(self) -> int:
        """Remove half-written files that a killed peer has left; how many."""
        removed = 0
        for folder, _, names in os.walk(self.path):
            for name in names:
                if name.startswith(_BESIDE) and name.endswith(_ENDING):
                    with contextlib.suppress(Refusal, OSError):
                        removed += self._remove_left(Path(folder, name))
        return removed

    def _remove_left(self, path: Path) -> bool:
        relative = path.relative_to(self.path).as_posix()
        with self._opened(relative) as (folder, name):
            # exchanged files keep the time of their content, but not that of their status
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            old = time.time() - status.st_ctime > _LEFT and stat.S_ISREG(status.st_mode)
            if old:
                os.unlink(name, dir_fd=folder)
            return old

    # --- looking and reading ------------------------------------------------------------
    def look(self, names: Iterable[str]) -> dict[str, Seen | None]:
        """What these files look like; None where there is no regular file."""
        return {name: self._look(name) for name in names}

    def _look(self, file: str) -> Seen | None:
        try:
            with self._opened(file) as (folder, name):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except (OSError, Refusal):
            return None
        return seen_of(status) if stat.S_ISREG(status.st_mode) else None

    def is_locked(self, file: str) -> bool:
        """Whether Emacs has unsaved changes of a file, or what it saved is under way to us."""
        with self._opened(file) as (folder, name):
            return is_locked(folder, name)

    def read(self, file: str) -> tuple[bytes, Known] | None:
        """What a file holds; None when it is gone, or was written to meanwhile: look again."""
        try:
            with self._opened(file) as (folder, name):
                content, before = rooted.read_file(folder, name)
                after = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except Refusal as refusal:
            if refusal.reason == "file-not-found":
                return None
            raise
        seen = seen_of(before)
        if seen_of(after) != seen or len(content) != seen.size:
            return None
        return content, Known(_digest(content), seen)

    # --- writing and deleting -----------------------------------------------------------
    def write(self, file: str, content: bytes, known: str | None) -> Known | Modified:
        """Make a file hold ``content``, if it holds what is ``known`` (None: if there is none).

        Raises ``path-local-modified`` while Emacs has unsaved changes of it.
        """
        with self._opened(file, make=True) as (folder, name):
            busy = is_locked(folder, name)
            present, status = _present(folder, name)
            if status is not None and present == content:
                return Known(_digest(content), seen_of(status))
            # asked again: what an editor is writing at this moment is read half
            if busy or is_locked(folder, name):
                raise Refusal("path-local-modified", file)
            if present is not None and _digest(present) != known:
                return Modified(present)
            mode = 0o600 if status is None else stat.S_IMODE(status.st_mode) & 0o777
            return self._replace(folder, name, content, present, mode)

    def _replace(
        self, folder: int, name: str, content: bytes, present: bytes | None, mode: int
    ) -> Known | Modified:
        with self._beside(folder) as beside:
            # its look now, and not in its place: there somebody may write to it at once
            known = Known(_digest(content), write_file(folder, beside, content, mode))
            try:
                _put(folder, beside, name, new=present is None)
            except FileExistsError:
                return Modified(rooted.read_file(folder, name)[0])
            os.fsync(folder)
            if present is None:
                return known

            def swap() -> bytes | None:
                rooted.exchange(folder, beside, name)
                return _content(folder, beside)

            late = _displaced(folder, beside, lambda: rooted.exchange(folder, beside, name))
            if late is None or late == present:
                return known
            found = Modified(*put_back(swap, content, late))
            os.fsync(folder)
            return found

    def delete(self, file: str, known: str) -> Modified | None:
        """Delete a file, if it holds what is ``known``; folders that are empty then go, too."""
        try:
            with self._opened(file) as (folder, name):
                busy = is_locked(folder, name)
                present, _ = _present(folder, name)
                if present is None:
                    return None
                if busy or is_locked(folder, name):
                    raise Refusal("path-local-modified", file)
                if _digest(present) != known:
                    return Modified(present)
                late = self._take_away(folder, name, present)
        except Refusal as refusal:
            if refusal.reason == "file-not-found":
                return None
            raise
        self._remove_empty(file)
        return late

    def _take_away(self, folder: int, name: str, present: bytes) -> Modified | None:
        with self._beside(folder) as beside:
            try:
                rooted.put(folder, name, beside)
            except FileNotFoundError:
                return None
            late = _displaced(folder, beside, lambda: rooted.put(folder, beside, name))
            if late is not None and late != present:
                try:
                    rooted.put(folder, beside, name)
                except FileExistsError:
                    return Modified(rooted.read_file(folder, name)[0], late)
            os.fsync(folder)
            return None if late in (None, present) else Modified(late)

    def _remove_empty(self, file: str) -> None:
        """Remove the folders of a deleted file, as far as nothing is in them."""
        parts = file.split("/")[:-1]
        with contextlib.suppress(Refusal, OSError):
            while parts:
                with self._opened("/".join(parts)) as (folder, name):
                    os.rmdir(name, dir_fd=folder)
                parts.pop()

    # --- handles ------------------------------------------------------------------------
    @contextlib.contextmanager
    def _opened(self, file: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The folder of a file, and its name there; a failed system call is a Refusal."""
        *parts, name = file.split("/")
        if not {"", ".", ".."}.isdisjoint([*parts, name]):
            raise Refusal("path-traversal", file)
        try:
            root = rooted.open_root(self.path)
            try:
                status, accepted = os.fstat(root), self._root
                here = (status.st_dev, status.st_ino)
                if accepted is None or here != (accepted.device, accepted.inode):
                    raise Refusal("folder-replaced", str(self.path))
                with rooted.folder_below(root, parts, make=make) as folder:
                    yield folder, name
            finally:
                os.close(root)
        except OSError as error:
            raise io_refusal(error, file) from error

    @contextlib.contextmanager
    def _beside(self, folder: int) -> Iterator[str]:
        """A name for a file beside, which is gone afterwards."""
        beside = f"{_BESIDE}{os.getpid()}-{id(self):x}-{next(self._numbers)}{_ENDING}"
        try:
            yield beside
        finally:
            with contextlib.suppress(OSError):
                os.unlink(beside, dir_fd=folder)


def _put(folder: int, beside: str, name: str, *, new: bool) -> None:
    """Put a file in place; a new one, too, when what was to be exchanged is gone by now."""
    if not new:
        try:
            rooted.exchange(folder, beside, name)
        except FileNotFoundError:
            new = True
    if new:
        rooted.put(folder, beside, name)


def _displaced(folder: int, beside: str, undo: Callable[[], None]) -> bytes | None:
    """What was in the place; back in it, if that is nothing to be read."""
    try:
        return _content(folder, beside)
    except (OSError, Refusal):  # a link, a device, a giant: whatever it is, it stays
        undo()
        raise


def _present(folder: int, name: str) -> tuple[bytes | None, os.stat_result | None]:
    """What is there, and its status before it was read; None if nothing is."""
    try:
        return rooted.read_file(folder, name)
    except FileNotFoundError:
        return None, None


def _content(folder: int, name: str) -> bytes | None:
    """What a file beside holds; None if it is gone."""
    try:
        return rooted.read_file(folder, name)[0]
    except FileNotFoundError:
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
