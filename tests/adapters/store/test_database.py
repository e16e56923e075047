# SPDX-License-Identifier: MIT
"""Transactions, savepoints, counters, and databases of other versions."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from federation import limits
from federation.adapters.store import SqliteStore
from federation.adapters.store.schema import VERSION
from federation.errors import Refusal
from federation.replica.records import Document


class Stop(Exception):
    """What ends a piece of work in these tests."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def document(file: str) -> Document:
    return Document(file, "text", "r")


def test_what_was_committed_is_there_after_reopening(path: Path) -> None:
    store = SqliteStore(path)
    with store.transaction():
        store.put_document(document("x.md"))
    store.close()
    assert SqliteStore(path).document("x.md") == document("x.md")


def test_the_database_is_private_and_durable(path: Path) -> None:
    store = SqliteStore(path)
    with store.transaction():
        store.set_meta("key", "value")
    for one in path.parent.iterdir():
        assert stat.S_IMODE(one.stat().st_mode) == 0o600, one
    value = {name: store._db.execute(f"PRAGMA {name}").fetchone()[0]
             for name in ("journal_mode", "synchronous", "foreign_keys")}  # fmt: skip
    assert value == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_what_was_not_committed_is_gone(path: Path) -> None:
    store = SqliteStore(path)
    with pytest.raises(Stop), store.transaction():
        store.put_document(document("x.md"))
        raise Stop
    assert store.documents() == []
    with store.transaction():
        store.put_document(document("y.md"))
    assert store.documents() == [document("y.md")]


def test_a_crash_keeps_the_commits_and_nothing_else(path: Path) -> None:
    script = f"""
import os
from federation.adapters.store import SqliteStore
from federation.replica.records import Document
store = SqliteStore({str(path)!r})
for number in range(5):
    with store.transaction():
        store.put_document(Document(f"{{number}}.md", "text", "r"))
        store.next_seq()
        print(number, flush=True)
store._db.execute("BEGIN IMMEDIATE")
store.put_document(Document("lost.md", "text", "r"))
store.next_seq()
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    store = SqliteStore(path)
    assert [one.file for one in store.documents()] == [f"{number}.md" for number in range(5)]
    assert store.next_seq() == 6


def test_a_copy_of_the_files_is_the_state_at_a_commit(path: Path, tmp_path: Path) -> None:
    # what the disk holds between two commits: the database with its log
    store = SqliteStore(path)
    for number in range(3):
        with store.transaction():
            store.put_document(document(f"{number}.md"))
    copy = tmp_path / "copy"
    copy.mkdir()
    for one in tmp_path.glob("store.db*"):
        shutil.copy(one, copy / one.name)
    (copy / "store.db-shm").unlink(missing_ok=True)
    assert len(SqliteStore(copy / "store.db").documents()) == 3


def test_a_failed_attempt_undoes_its_own_changes_only() -> None:
    store = SqliteStore(":memory:")

    def fails() -> None:
        store.put_document(document("lost.md"))
        raise Stop

    with store.transaction():
        store.attempt(lambda: store.put_document(document("a.md")))
        with pytest.raises(Stop):
            store.attempt(fails)
        assert store.attempt(lambda: 7) == 7
        store.put_document(document("b.md"))
    assert [one.file for one in store.documents()] == ["a.md", "b.md"]


def test_a_failed_attempt_in_an_attempt() -> None:
    store = SqliteStore(":memory:")

    def inner() -> None:
        store.put_document(document("inner.md"))
        raise Stop

    def outer() -> None:
        store.put_document(document("outer.md"))
        with pytest.raises(Stop):
            store.attempt(inner)

    with store.transaction():
        store.attempt(outer)
    assert [one.file for one in store.documents()] == ["outer.md"]


def test_counters_never_come_back() -> None:
    store = SqliteStore(":memory:")
    used = []
    for number in range(10):
        try:
            with store.transaction():
                seq = store.next_seq()
                if number % 3 == 0:
                    raise Stop
                used.append(seq)
        except Stop:
            continue
    assert used == sorted(set(used))
    assert used[0] == 1


def test_a_newer_database_is_refused_and_not_touched(path: Path) -> None:
    SqliteStore(path).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version={VERSION + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(Refusal, match="config-state-newer"):
        SqliteStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + b"x" * 500]
)
def test_a_damaged_database_is_refused_and_stays(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(Refusal, match="config-store-corrupt"):
        SqliteStore(path)
    assert path.read_bytes() == content


def test_a_full_disk_refuses_and_then_recovers(path: Path) -> None:
    store = SqliteStore(path)
    with store.transaction():
        store.put_document(document("x.md"))
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"), store.transaction():
        store.set_meta("large", "x" * 100_000)
    assert store.meta("large") is None
    assert store.document("x.md") is not None
    store._db.execute("PRAGMA max_page_count=1000000")
    with store.transaction():
        store.set_meta("large", "x" * 100_000)
    assert store.meta("large") is not None


def test_a_full_disk_in_an_attempt_ends_the_transaction_cleanly(path: Path) -> None:
    store = SqliteStore(path)
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(sqlite3.OperationalError), store.transaction():
        store.attempt(lambda: store.set_meta("large", "x" * 100_000))
    assert not store._db.in_transaction


def test_notes_and_sessions() -> None:
    store = SqliteStore(":memory:")
    assert store.meta("client") is None
    store.set_meta("client", "one")
    store.set_meta("client", "two")
    assert store.meta("client") == "two"
    for number in range(limits.OWN_SESSIONS + 10):
        store.add_own_session(f"{number}")
    sessions = store.own_sessions()
    assert sessions == {f"{number}" for number in range(10, limits.OWN_SESSIONS + 10)}
    (count,) = store._db.execute("SELECT count(*) FROM own_sessions").fetchone()
    assert count == limits.OWN_SESSIONS
