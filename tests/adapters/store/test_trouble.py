# SPDX-License-Identifier: MIT
"""What SQLite's errors mean."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from federation.adapters.store import SqliteStore, is_passing, refusal_of
from federation.errors import Refusal


def full(db: sqlite3.Connection) -> sqlite3.Error:
    """The error of a database that may not grow."""
    db.execute("CREATE TABLE t (v)")
    db.execute("PRAGMA max_page_count=2")
    with pytest.raises(sqlite3.Error) as caught:
        db.execute("INSERT INTO t VALUES (zeroblob(100000))")
    return caught.value


def test_a_full_database_and_a_failing_disk_pass() -> None:
    error = full(sqlite3.connect(":memory:"))
    assert refusal_of(error).reason == "disk-full"
    assert is_passing(error)


def test_what_is_wrong_with_the_statement_does_not() -> None:
    with pytest.raises(sqlite3.Error) as caught:
        sqlite3.connect(":memory:").execute("nonsense")
    assert refusal_of(caught.value).reason == "path-io-error"
    assert not is_passing(caught.value)


def test_a_store_that_finds_no_room_when_it_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = full(sqlite3.connect(":memory:"))

    def no_room(_store: SqliteStore) -> None:
        raise error

    monkeypatch.setattr(SqliteStore, "_migrate", no_room)
    with pytest.raises(Refusal) as caught:
        SqliteStore(tmp_path / "store.db")
    assert caught.value.reason == "disk-full"
    (tmp_path / "broken.db").write_bytes(b"no database" * 1000)
    with pytest.raises(Refusal) as caught:
        SqliteStore(tmp_path / "broken.db")
    assert caught.value.reason == "config-store-corrupt"
