# SPDX-License-Identifier: MIT
"""What SQLite's errors mean to whoever asked for something."""

from __future__ import annotations

import sqlite3
from typing import Final

from federation.errors import Refusal

#: no room: for the database, and for its index in memory
_FULL: Final = frozenset({"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"})
#: what says something of a disk or a lock, not of what was to be written
_PASSING: Final = ("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_CANTOPEN")


def _is_full(error: sqlite3.Error) -> bool:
    name = getattr(error, "sqlite_errorname", "")
    return name in _FULL or "full" in str(error)


def refusal_of(error: sqlite3.Error) -> Refusal:
    """``disk-full``, or ``path-io-error`` for everything else that the store met."""
    return Refusal("disk-full" if _is_full(error) else "path-io-error", f"the store: {error}")


def is_passing(error: sqlite3.Error) -> bool:
    """Whether the same may succeed later: there was no room, or the disk failed."""
    name = getattr(error, "sqlite_errorname", "")
    return _is_full(error) or name.startswith(_PASSING)
