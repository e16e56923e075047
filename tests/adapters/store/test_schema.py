# SPDX-License-Identifier: MIT
"""The schema: made once, in steps, each table reachable by an index."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from federation.adapters.store import SqliteStore, database
from federation.adapters.store.schema import MIGRATIONS, VERSION
from federation.errors import Fault


def tables(db: sqlite3.Connection) -> set[str]:
    rows = db.execute("SELECT name FROM sqlite_master WHERE type='table'")
    return {str(row[0]) for row in rows}


def test_a_new_database_has_the_present_version() -> None:
    store = SqliteStore(":memory:")
    assert store._db.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert tables(store._db) >= {
        "meta", "own_sessions", "peers", "contents", "revisions", "documents", "heads", "paths",
        "stamps", "acknowledged", "pins", "held", "outgoing", "seen",
    }  # fmt: skip


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    SqliteStore(path).close()
    before = path.read_bytes()
    SqliteStore(path).close()
    assert path.read_bytes() == before


def test_an_older_database_is_brought_forward_from_every_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = (*MIGRATIONS, "CREATE TABLE later (x);")  # as the next version will be
    monkeypatch.setattr(database, "MIGRATIONS", scripts)
    monkeypatch.setattr(database, "VERSION", VERSION + 1)
    for version in range(VERSION + 1):
        path = tmp_path / f"{version}.db"
        db = sqlite3.connect(path)
        for number in range(version):
            db.executescript(scripts[number])
        db.execute(f"PRAGMA user_version={version}")
        db.close()
        store = SqliteStore(path)
        assert store._db.execute("PRAGMA user_version").fetchone() == (VERSION + 1,)
        assert tables(store._db) >= {"documents", "later"}
        store.close()


def test_a_step_that_fails_leaves_the_old_version(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE revisions (something)")  # in the way
    db.close()
    with pytest.raises(Fault):
        SqliteStore(path)
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (0,)
    assert tables(db) == {"revisions"}


def test_no_question_of_every_turn_scans_a_table() -> None:
    store = SqliteStore(":memory:")
    for question in (
        "SELECT * FROM documents WHERE file=?",
        "SELECT revision FROM heads WHERE file=?",
        "SELECT * FROM revisions WHERE revision=?",
        "SELECT * FROM revisions WHERE file=? AND author=? ORDER BY seq DESC LIMIT 1",
        "SELECT max(seq) FROM revisions WHERE author=? AND counted=1",
        "SELECT revision FROM revisions WHERE author=? AND counted=1 AND seq=?",
        (
            "SELECT revision FROM revisions "
            "WHERE author=? AND counted=0 AND json_extract(envelope, '$.seq')=?"
        ),
        "SELECT 1 FROM revisions WHERE content_hash=? AND file=?",
        "SELECT * FROM revisions WHERE file=? AND number<? ORDER BY number DESC LIMIT ?",
        "SELECT number FROM contents WHERE base=?",
        "SELECT revision FROM pins WHERE file=?",
        "SELECT * FROM held WHERE revision=?",
        "SELECT * FROM held WHERE peer_id=?",
        "SELECT * FROM outgoing WHERE recipient=?",
        "SELECT revision FROM acknowledged WHERE peer_id=? AND file=?",
        "SELECT file FROM paths WHERE path=?",
    ):
        values = ("x",) * question.count("?")
        plan = store._db.execute("EXPLAIN QUERY PLAN " + question, values).fetchall()
        assert all("SCAN" not in row[3] for row in plan), (question, plan)
    plan = store._db.execute(
        "EXPLAIN QUERY PLAN SELECT * FROM revisions WHERE file=? ORDER BY number DESC", ("x",)
    ).fetchall()
    assert all("TEMP B-TREE" not in row[3] for row in plan), plan
