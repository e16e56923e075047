# SPDX-License-Identifier: MIT
"""Work that is undone as a whole where it fails, inside of a transaction or without one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def attempt(
    db: sqlite3.Connection, work: Callable[[], T], undone: Callable[[], None] = lambda: None
) -> T:
    """Run ``work`` so that its failure undoes its own changes only; ``undone`` is called then."""
    db.execute("SAVEPOINT attempt")
    try:
        result = work()
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK TO attempt")
            db.execute("RELEASE attempt")
        undone()
        raise
    db.execute("RELEASE attempt")
    return result
