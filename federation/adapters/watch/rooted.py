# SPDX-License-Identifier: MIT
"""Opening and exchanging files below the handle of a folder, never through a link.

A path is walked component by component, each opened below the one before
without following a symbolic link and without leaving the file system.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from federation import limits
from federation.adapters.beneath import (
    DIRECTORY,
    EXCHANGE,
    NOREPLACE,
    open_below,
    rename,
    say_link,
)
from federation.errors import Refusal


def open_root(path: Path) -> int:
    """A handle of the folder itself, which may not be a link; raises OSError."""
    try:
        return os.open(path, DIRECTORY)
    except NotADirectoryError:
        say_link(os.lstat(path), str(path))
        raise


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
                with contextlib.suppress(FileExistsError):  # another thread was faster
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


def put(folder: int, beside: str, name: str) -> None:
    """Give a file a name that is free; raises FileExistsError."""
    if not rename(folder, beside, folder, name, NOREPLACE):
        os.link(beside, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        os.unlink(beside, dir_fd=folder)


def exchange(folder: int, beside: str, name: str) -> None:
    """Let two files change places.

    Where the system cannot do that at once, ``beside`` takes the place, and
    what was there a moment before is ``beside`` afterwards.
    """
    if rename(folder, beside, folder, name, EXCHANGE):
        return
    kept = f"{beside}.old"
    os.link(name, kept, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.rename(kept, beside, src_dir_fd=folder, dst_dir_fd=folder)
