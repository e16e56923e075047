# SPDX-License-Identifier: MIT
"""Work that fails leaves nothing, with and without a transaction around it."""

from __future__ import annotations

import sqlite3

import pytest

from federation.adapters.store.savepoint import attempt


@pytest.fixture
def db() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("CREATE TABLE t (v)")
    return db


def rows(db: sqlite3.Connection) -> list[int]:
    return [value for (value,) in db.execute("SELECT v FROM t ORDER BY v")]


def _failing(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO t VALUES (9)")
    raise KeyboardInterrupt


def test_without_a_transaction_it_is_one(db: sqlite3.Connection) -> None:
    assert attempt(db, lambda: db.execute("INSERT INTO t VALUES (1)").rowcount) == 1
    assert not db.in_transaction
    with pytest.raises(KeyboardInterrupt):
        attempt(db, lambda: _failing(db))
    assert not db.in_transaction
    assert rows(db) == [1]


def test_in_a_transaction_the_rest_of_it_stays(db: sqlite3.Connection) -> None:
    db.execute("BEGIN")
    db.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(KeyboardInterrupt):
        attempt(db, lambda: _failing(db))
    attempt(db, lambda: db.execute("INSERT INTO t VALUES (2)"))
    assert db.in_transaction
    db.execute("COMMIT")
    assert rows(db) == [1, 2]
