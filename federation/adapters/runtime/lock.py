# SPDX-License-Identifier: MIT
"""The lock of a state directory, and where its control socket is."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path

from federation import limits
from federation.adapters.runtime.folders import (
    LOCK_NAME,
    SOCKET_NAME,
    runtime_dir,
    short_name,
    short_runtime_dir,
    write_private_text,
)
from federation.errors import Refusal, io_refusal


class StateLock:
    """The lock of a state directory, held until :meth:`release` or the end of the process."""

    def __init__(self, state_dir: Path, descriptor: int) -> None:
        self.state_dir = state_dir
        self._descriptor = descriptor
        self._entry: Path | None = None

    @classmethod
    def acquire(cls, state_dir: Path) -> StateLock:
        """Take the lock, or raise :class:`Refusal` ``config-state-locked`` at once."""
        path = state_dir / LOCK_NAME
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise io_refusal(error, path) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whatever the last owner wrote is not true any more.
            os.ftruncate(descriptor, 0)
        except BlockingIOError:
            os.close(descriptor)
            raise Refusal("config-state-locked", str(state_dir)) from None
        except OSError as error:
            os.close(descriptor)
            raise io_refusal(error, path) from None
        return cls(state_dir, descriptor)

    def publish(self, socket_path: Path) -> None:
        """Say where the control socket is, once it listens; also in the list of running peers."""
        record = {"pid": os.getpid(), "socket": str(socket_path), "state_dir": str(self.state_dir)}
        line = json.dumps(record).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, line + b"\n", 0)
        # The list is a comfort: without a runtime directory the peer runs all the same.
        with contextlib.suppress(OSError, Refusal):
            entry = runtime_dir() / f"{short_name(self.state_dir)}.json"
            write_private_text(entry, line.decode())
            self._entry = entry

    def release(self) -> None:
        """Give the lock back; a second call does nothing."""
        if self._descriptor < 0:
            return
        if self._entry is not None:
            self._entry.unlink(missing_ok=True)
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = -1


def is_locked(state_dir: Path) -> bool:
    """Whether a process holds the lock of a state directory; nothing is changed."""
    try:
        descriptor = os.open(state_dir / LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def socket_path(state_dir: Path) -> Path:
    """Where the control socket of a new peer on ``state_dir`` is to be made."""
    near = state_dir / SOCKET_NAME
    if len(os.fsencode(near)) <= limits.SOCKET_PATH:
        return near
    name = f"{short_name(state_dir)}.sock"
    far = runtime_dir() / name
    if len(os.fsencode(far)) > limits.SOCKET_PATH:
        far = short_runtime_dir() / name
    return far
