# SPDX-License-Identifier: MIT
"""Opening the database, its transactions, and counters that never repeat.

WAL with ``synchronous=FULL``: a commit returns after its fsync, so what was
committed before a reply or an acknowledgement survives a crash.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from federation import limits
from federation.adapters.store.conflicts import ConflictTables
from federation.adapters.store.contents import Contents
from federation.adapters.store.gaps import GapTables
from federation.adapters.store.history import HistoryTables
from federation.adapters.store.memory import Memory
from federation.adapters.store.messages import MessageTables
from federation.adapters.store.peers import PeerTables
from federation.adapters.store.rows import Rows
from federation.adapters.store.savepoint import attempt
from federation.adapters.store.schema import VERSION, migrate
from federation.adapters.store.spaces import SpaceTables
from federation.adapters.store.trouble import is_passing, refusal_of
from federation.errors import Fault, Refusal

T = TypeVar("T")
#: more than there are in this package: to prepare one takes longer than to run it
_STATEMENTS = 512


class SqliteStore(PeerTables, HistoryTables, ConflictTables, GapTables, MessageTables, SpaceTables):
    """The store of one peer.  Not thread-safe: one loop owns it."""

    def __init__(self, path: Path | str) -> None:
        if str(path) != ":memory:":
            _make_private(path)
        self._db = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False,
                                   cached_statements=_STATEMENTS)  # fmt: skip
        self._contents = Contents(self._db)
        self._memory = Memory(self._db)
        self._rows = Rows(self._db, self._memory)
        try:
            self._configure()
            self._migrate()
        except sqlite3.DatabaseError as error:
            self._db.close()
            if is_passing(error):
                raise refusal_of(error) from error
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise Refusal("config-store-corrupt", f"{path}: {error}") from error
            raise Fault(f"the store {path} cannot be opened: {error}") from error
        except Refusal:
            self._db.close()
            raise

    def _configure(self) -> None:
        """Durability first; the cache is small because rows are read by key."""
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA foreign_keys=ON")
        self._db.execute("PRAGMA busy_timeout=2000")
        self._db.execute("PRAGMA cache_size=-8000")
        # what a savepoint may have to undo: within memory, and nowhere below /var/tmp
        self._db.execute("PRAGMA temp_store=MEMORY")
        self._db.execute(f"PRAGMA journal_size_limit={64 * limits.MIB}")

    def _migrate(self) -> None:
        """Bring an older schema forward; refuse a newer one untouched."""
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found > VERSION:
            raise Refusal("config-state-newer", f"schema {found}, this version knows {VERSION}")
        migrate(self._db, found)

    def close(self) -> None:
        """Close the database; what was committed is durable."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One unit of work: committed and fsynced at the end, or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        self._memory.bound()
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._memory.forget()
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def attempt(self, work: Callable[[], T]) -> T:
        """Run ``work`` so that its failure undoes its own changes only."""
        return attempt(self._db, work, self._memory.forget)

    def meta(self, key: str) -> str | None:
        """A value of the peer's own notes."""
        row = self._db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Write one of the peer's own notes."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (key, value))

    def next_seq(self) -> int:
        """The next counter: used in the transaction that records its message."""
        seq = int(self.meta("seq") or "0") + 1
        self.set_meta("seq", str(seq))
        return seq

    def start_counting(self, at_least: int) -> None:
        """Count on from here or from where we are, whichever is higher.

        An identity may come to a new store, or to an old copy of its store;
        counters that it used elsewhere must not be used again.  What it signed
        below the first counter of a store was written before that store began.
        """
        counted = self.meta("seq")
        if self.meta("seq_floor") is None:
            self.set_meta("seq_floor", str(at_least) if counted is None else "0")
        self.set_meta("seq", str(max(int(counted or "0"), at_least)))

    def seq_floor(self) -> int:
        """The first counter of this store; 0 while it has not started counting."""
        return int(self.meta("seq_floor") or "0")

    def own_sessions(self) -> set[str]:
        """The newest sessions of this peer, limits.OWN_SESSIONS of them."""
        rows = self._db.execute(
            "SELECT session FROM own_sessions ORDER BY number DESC LIMIT ?", (limits.OWN_SESSIONS,)
        )
        return {str(row[0]) for row in rows}

    def add_own_session(self, session: str) -> None:
        """Remember a session of this peer; the oldest ones are forgotten."""
        cursor = self._db.execute("INSERT INTO own_sessions (session) VALUES (?)", (session,))
        newest = cursor.lastrowid or 0
        self._db.execute(
            "DELETE FROM own_sessions WHERE number<=?", (newest - limits.OWN_SESSIONS,)
        )


def _make_private(path: Path | str) -> None:
    """A database that only we may read; SQLite gives its other files the same mode."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o600)
        try:
            os.fchmod(handle, 0o600)
        finally:
            os.close(handle)
    except OSError as error:
        raise Fault(f"the store {path} cannot be opened: {error}") from error
