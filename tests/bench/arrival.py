# SPDX-License-Identifier: MIT
"""Seeing a file appear in a folder the moment it does (inotify, through libc)."""

from __future__ import annotations

import ctypes
import os
import select
import struct
import time
from pathlib import Path
from typing import Self

_MOVED_TO, _CLOSE_WRITE = 0x80, 0x08
_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """What is renamed into one folder, or closed there after writing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._descriptor = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if _libc.inotify_add_watch(self._descriptor, bytes(folder), _MOVED_TO | _CLOSE_WRITE) < 0:
            raise OSError(ctypes.get_errno(), "inotify", str(folder))

    def wait(self, name: str, content: bytes, limit: float = 10.0) -> float:
        """When ``name`` has ``content`` (performance counter); TimeoutError after ``limit``."""
        deadline = time.monotonic() + limit
        while True:
            ready, _, _ = select.select([self._descriptor], [], [], deadline - time.monotonic())
            if not ready:
                raise TimeoutError(f"{name} did not arrive")
            names = self._names()
            if name in names and (self.folder / name).read_bytes() == content:
                return time.perf_counter()

    def _names(self) -> set[str]:
        data, at, found = os.read(self._descriptor, 1 << 16), 0, set()
        while at < len(data):
            size = _EVENT.unpack_from(data, at)[3]
            at += _EVENT.size
            found.add(data[at : at + size].rstrip(b"\0").decode())
            at += size
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
