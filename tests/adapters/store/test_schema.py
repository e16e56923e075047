# SPDX-License-Identifier: MIT
"""The schema: made once, in steps, each table reachable by an index."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from federation.adapters.store import SqliteStore
from federation.adapters.store.rows import Rows
from federation.adapters.store.schema import MIGRATIONS, VERSION, Step, migrate
from federation.errors import Fault
from federation.wire import canonical, envelope
from tests.adapters.store.test_documents import revision
from tests.node.network import key_of

KEY = key_of(1)
HASH = "a" * 64


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


def test_an_older_database_is_brought_forward_from_every_version(tmp_path: Path) -> None:
    steps = (*MIGRATIONS, Step("CREATE TABLE later (x);"))  # as the next version will be
    for version in range(VERSION + 1):
        db = sqlite3.connect(tmp_path / f"{version}.db", isolation_level=None)
        migrate(db, 0, steps[:version])
        assert db.execute("PRAGMA user_version").fetchone() == (version,)
        Rows(db)
        migrate(db, version, steps)
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION + 1,)
        assert tables(db) >= {"documents", "later"}
        db.close()


def _signed(number: int, parents: list[str], **more: object) -> tuple[dict[str, object], str]:
    """A signed message without its content, and its revision."""
    message: dict[str, object] = {
        "type": "canvasl-sync", "peer_id": KEY.peer_id, "file": "x.md",
        "timestamp": "2026-01-01T00:00:00.000Z", "seq": number,
        "vector": {KEY.peer_id: number - 1}, "parents": parents, **more, "content": f"{number}",
    }  # fmt: skip
    signed, name = envelope.sign_revision(message, KEY)
    del signed["content"]
    return signed, name


def _insert_as_in_1(db: sqlite3.Connection, fields: dict[str, object], name: str) -> None:
    """A row as the first version of the schema had it."""
    content = str(fields["seq"]).encode()
    number = db.execute(
        "INSERT INTO contents (base, step, data) VALUES (NULL, 0, ?)", (b"\0" + content,)
    ).lastrowid
    row = (
        name, "x.md", fields["peer_id"], fields["seq"], fields["timestamp"], 1_767_225_600_000_000,
        1_767_225_600_000_007, hashlib.sha256(content).hexdigest(), len(content), 0, 0, 1,
        json.dumps(fields["vector"]), json.dumps(fields["parents"]),
        canonical.encode(fields).decode(), number,
    )  # fmt: skip
    db.execute(
        "INSERT INTO revisions (revision, file, author, seq, timestamp, timestamp_us, received_us, "
        "content_hash, size, binary, plain, counted, vector, parents, envelope, content) "
        "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        row,
    )


def test_a_history_of_the_first_version_is_packed_and_stays_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, 0, MIGRATIONS[:1])
    first, second = _signed(1, []), _signed(2, [])
    second = _signed(2, [first[1]])
    gone = "f" * 64
    third = _signed(3, [second[1], gone], resolves=["c" * 64])
    # the second came after the third, which names it
    for fields, name in (first, third, second):
        _insert_as_in_1(db, fields, name)
    db.execute("INSERT INTO gaps VALUES ('x.md', ?)", (gone,))
    db.close()
    store = SqliteStore(path)
    history = store.revisions("x.md")
    assert [one.revision for one in history] == [first[1], third[1], second[1]]
    for one, fields in zip(history, (first[0], third[0], second[0]), strict=True):
        assert one.envelope == canonical.encode(fields).decode()
        assert (one.author, one.seq, one.file) == (KEY.peer_id, fields["seq"], "x.md")
        assert (list(one.parents), dict(one.vector)) == (fields["parents"], fields["vector"])
        assert (one.received_us, one.timestamp) == (1_767_225_600_000_007, fields["timestamp"])
        assert store.content(one.content_hash) == str(one.seq).encode()
    assert store.joins("x.md", 5) == [history[1]]
    assert store.newest("x.md", 5) == [third[1], second[1], first[1]]
    assert store.gaps("x.md") == [gone]
    assert "revisions_1" not in tables(store._db)
    store.close()


def test_a_migration_that_is_killed_leaves_the_old_version(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, 0, MIGRATIONS[:1])
    for number in range(1, 4):
        _insert_as_in_1(db, *_signed(number, []))
    db.execute("UPDATE revisions SET vector='no JSON' WHERE number=3")
    with pytest.raises(json.JSONDecodeError):
        migrate(db, 1)
    assert db.execute("PRAGMA user_version").fetchone() == (1,)
    assert db.execute(
        "SELECT count(*) FROM revisions WHERE typeof(revision)='text'"
    ).fetchone() == (3,)
    assert not tables(db) & {"revisions_1", "names"}
    db.close()


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


#: what a turn may ask the store, and must not cost more the longer the history is
QUESTIONS: tuple[Callable[[SqliteStore], object], ...] = (
    lambda store: store.document("x.md"),
    lambda store: store.heads("x.md"),
    lambda store: store.set_heads("x.md", ["r"]),
    lambda store: store.revision(HASH),
    lambda store: store.joins("x.md", 5),
    lambda store: store.find_revisions("x.md", "aa"),
    lambda store: store.with_content("x.md", HASH),
    lambda store: store.has_content("x.md", HASH),
    lambda store: store.revisions("x.md", 5),
    lambda store: store.newest("x.md", 5),
    lambda store: store.last_of_author("x.md", "a"),
    lambda store: store.last_seq("a"),
    lambda store: store.revision_at("a", 5),
    lambda store: store.note_gaps("x.md", HASH, [HASH]),
    lambda store: store.gaps("x.md"),
    lambda store: store.missing("x.md"),
    lambda store: store.tried("x.md", [HASH]),
    lambda store: store.drop_merge("x.md", "v"),
    lambda store: store.ends("x.md", 5),
    lambda store: store.open_conflicts("x.md"),
    lambda store: store.settled("x.md"),
    lambda store: store.instances("x.md", [HASH]),
    lambda store: store.settle("x.md", [HASH], "r"),
    lambda store: store.drop_passing("x.md"),
    lambda store: store.add_revision(replace(revision(HASH), parents=(HASH[::-1],)), b"text"),
    lambda store: store.is_folder("x"),
    lambda store: store.synced_from("/x.md"),
    lambda store: store.acknowledged("p", "x.md"),
    lambda store: store.acknowledgements_of("x.md"),
    lambda store: store.pinned("x.md"),
    lambda store: store.is_held(HASH),
    lambda store: store.held("p"),
    lambda store: store.queued_messages("p"),
    lambda store: store.first_time("p", "m"),
)


def test_no_question_of_every_turn_scans_a_table() -> None:
    store = SqliteStore(":memory:")
    store.add_revision(revision("b" * 64), b"text")  # else some questions are not asked
    asked: list[str] = []
    store._db.set_trace_callback(asked.append)
    for question in QUESTIONS:
        question(store)
    store._db.set_trace_callback(None)
    statements = [one for one in asked if not one.startswith("SAVEPOINT")]
    assert len(statements) > len(QUESTIONS)
    for statement in statements:
        plan = [row[3] for row in store._db.execute(f"EXPLAIN QUERY PLAN {statement}")]
        scans = [row for row in plan if row.startswith("SCAN") and row != "SCAN CONSTANT ROW"]
        assert not scans, (statement, plan)
        # where an id is known, it leads to the row, and not the document's whole history
        if "substr(" in statement:
            assert any("USING INDEX revisions_by_" in row and "<expr>" in row for row in plan), plan
            assert not any("revisions_in_order" in row for row in plan), (statement, plan)
            assert not any("revisions_by_file" in row for row in plan), (statement, plan)


def test_the_order_of_a_history_needs_no_sorting() -> None:
    store = SqliteStore(":memory:")
    asked: list[str] = []
    store._db.set_trace_callback(asked.append)
    store.revisions("x.md", 5)
    store.newest("x.md", 5)
    store._db.set_trace_callback(None)
    for statement in asked:
        plan = [row[3] for row in store._db.execute(f"EXPLAIN QUERY PLAN {statement}")]
        assert not any("TEMP B-TREE" in row for row in plan), (statement, plan)
