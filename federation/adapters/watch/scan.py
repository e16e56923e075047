# SPDX-License-Identifier: MIT
"""A whole look at a shared folder: its files, its folders, and what is neither."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from federation import limits
from federation.adapters.beneath import open_below, seen_of
from federation.adapters.watch.rooted import open_root, read_file
from federation.errors import Refusal, io_refusal
from federation.machines.folder import Gone, Listing, Root, Seen, is_aside

#: Says which shared folder this is; hidden, so it is no document.
MARKER = ".meta-log-space"
_MARKER_SIZE = 256


@dataclass(slots=True)
class Scan:
    """What was found.  ``folders``: relative names, the root as the empty one."""

    device: int
    files: dict[str, Seen] = field(default_factory=dict)
    odd: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    complete: bool = True

    def walk(self, handle: int, prefix: str, depth: int) -> None:
        """Look through one folder and those in it, which are opened below it."""
        self.folders.append(prefix.rstrip("/"))
        inner: list[str] = []
        with os.scandir(handle) as entries:
            for entry in entries:
                if is_aside(entry.name):
                    continue
                if len(self.files) + len(self.odd) + len(self.folders) > limits.FOLDER_FILES:
                    self.complete = False
                    return
                if self._enter(entry, prefix):
                    inner.append(entry.name)
        for name in sorted(inner):
            if self.complete:
                self._descend(handle, prefix, name, depth)

    def _enter(self, entry: os.DirEntry[str], prefix: str) -> bool:
        """Note one entry; whether it is a folder."""
        name = prefix + entry.name
        try:
            name.encode()
        except UnicodeEncodeError:  # no other machine could write that name
            shown = name.encode("utf-8", "backslashreplace").decode()
            self.odd[shown] = "path-unassigned"
            return False
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return False
        except OSError as error:
            self.odd[name] = io_refusal(error, name).reason
            return False
        if stat.S_ISREG(status.st_mode):
            self.files[name] = seen_of(status)
        elif not stat.S_ISDIR(status.st_mode):
            link = stat.S_ISLNK(status.st_mode)
            self.odd[name] = "path-symlink-escape" if link else "path-not-regular"
        return stat.S_ISDIR(status.st_mode)

    def _descend(self, handle: int, prefix: str, name: str, depth: int) -> None:
        if depth >= limits.NAME_DEPTH:
            self.odd[prefix + name] = "path-too-long"
            return
        try:
            below = open_below(handle, name)
        except FileNotFoundError:
            return
        except OSError as error:
            self.odd[prefix + name] = io_refusal(error, name).reason
            return
        try:
            self.walk(below, f"{prefix}{name}/", depth + 1)
        except OSError as error:
            self.odd[prefix + name] = io_refusal(error, name).reason
        finally:
            os.close(below)


def scan(path: Path) -> tuple[Scan, Root]:
    """Look through the folder ``path``; raises OSError when that cannot be done."""
    handle = open_root(path)
    try:
        found = Scan(os.fstat(handle).st_dev)
        found.walk(handle, "", 1)
        status, marker = os.fstat(handle), _marker(handle)
        # It may have been moved or unmounted meanwhile: then what was found says nothing.
        after = os.lstat(path)
        if (after.st_dev, after.st_ino) != (status.st_dev, status.st_ino):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return found, Root(status.st_dev, status.st_ino, marker)
    finally:
        os.close(handle)


def root_of(path: Path) -> Root | None:
    """Which folder is there, without a look into it; None where there is none."""
    try:
        handle = open_root(path)
    except OSError:
        return None
    try:
        status = os.fstat(handle)
        return Root(status.st_dev, status.st_ino, _marker(handle))
    finally:
        os.close(handle)


def list_folder(path: Path) -> Listing | Gone:
    """The same for the machine of the folder."""
    try:
        found, root = scan(path)
    except OSError as error:
        return Gone(io_refusal(error, path).reason)
    return Listing(root, found.files, found.odd, found.complete)


def _marker(handle: int) -> str:
    try:
        content, _ = read_file(handle, MARKER, _MARKER_SIZE)
        return content.decode().strip()
    except (OSError, UnicodeDecodeError, Refusal):
        return ""
