# SPDX-License-Identifier: MIT
"""Pins and compaction: what may go goes, all else stays readable, at every moment."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation import limits
from federation.adapters.store import SqliteStore
from federation.errors import Refusal
from federation.replica.records import Document, Revision

NEVER = 2**62


def text(number: int) -> bytes:
    lines = [b"line %d\n" % line for line in range(40)]
    lines[number % 40] = b"revision %d\n" % number
    return b"".join(lines)


def add(store: SqliteStore, name: str, *parents: str, file: str = "x.md",
        content: bytes | None = None, seq: int = 1) -> Revision:  # fmt: skip
    """A revision of an author of its own, who had seen all that its parents had."""
    vector = {f"peer-{name}": seq}
    for parent in parents:
        known = store.revision(parent)
        vector |= {} if known is None else known.vector
    content = text(int(name[1:])) if content is None else content
    revision = Revision(
        revision=name, file=file, author=f"peer-{name}", seq=seq, timestamp="", timestamp_us=0,
        received_us=int(name[1:]), content_hash=hashlib.sha256(content).hexdigest(),
        size=len(content), binary=False, envelope="{}", vector=vector, parents=parents,
    )  # fmt: skip
    store.add_revision(revision, content)
    return revision


def line_of(store: SqliteStore, count: int, file: str = "x.md") -> None:
    """Revisions r0, r1, … one made from the other; the last is the head."""
    for number in range(count):
        add(store, f"r{number}", *([f"r{number - 1}"] if number else []), file=file)
    store.set_heads(file, [f"r{count - 1}"])
    store.put_document(Document(file, "text", f"r{count - 1}", f"r{count - 1}"))


def left(store: SqliteStore, file: str = "x.md") -> list[str]:
    gone = store.dropped(file)
    return [one.revision for one in store.revisions(file) if one.revision not in gone]


def check(store: SqliteStore, file: str = "x.md") -> None:
    """What is left is readable, from the disk, and what is gone says so."""
    store._contents._recent.__init__()  # type: ignore[misc]
    gone = store.dropped(file)
    for one in store.revisions(file):
        if one.revision in gone:
            with pytest.raises(Refusal, match="content-dropped"):
                store.content(one.content_hash)
        else:
            assert hashlib.sha256(store.content(one.content_hash)).hexdigest() == one.content_hash


@pytest.fixture
def store() -> SqliteStore:
    return SqliteStore(":memory:")


# --- pins -------------------------------------------------------------------------------
def test_pins(store: SqliteStore) -> None:
    line_of(store, 3)
    assert store.pinned("x.md") == set()
    for name in ("r0", "r1", "r1"):
        store.pin("x.md", name, on=True)
    store.pin("x.md", "r0", on=False)
    store.pin("x.md", "r2", on=False)
    assert store.pinned("x.md") == {"r1"}
    assert store.pinned("y.md") == set()


def test_only_what_is_there_can_be_pinned(store: SqliteStore) -> None:
    line_of(store, 3)
    for file, revision in (("x.md", "r9"), ("y.md", "r1")):
        with pytest.raises(Refusal, match="unknown-revision"):
            store.pin(file, revision, on=True)
    assert store.compact("x.md", 1, NEVER) == 1
    with pytest.raises(Refusal, match="content-dropped"):
        store.pin("x.md", "r0", on=True)


# --- what goes ---------------------------------------------------------------------------
def test_old_contents_go_and_the_history_stays(store: SqliteStore) -> None:
    line_of(store, 30)
    before = store.revisions("x.md")
    assert store.compact("x.md", 10, NEVER) == 20
    assert store.compact("x.md", 10, NEVER) == 0
    assert store.revisions("x.md") == before
    assert left(store) == [f"r{number}" for number in range(20, 30)]
    assert store.has_content("x.md", before[0].content_hash)
    check(store)


def test_what_came_lately_stays(store: SqliteStore) -> None:
    line_of(store, 30)
    store.compact("x.md", 1, 25)
    assert left(store) == [f"r{number}" for number in range(25, 30)]


def test_too_many_bytes_take_recent_ones(store: SqliteStore) -> None:
    line_of(store, 60)
    (total,) = store._db.execute("SELECT sum(length(data)) FROM contents").fetchone()
    assert store.compact("x.md", 100, 0, total) == 0
    assert store.compact("x.md", 100, 0, total - 1) > 0
    assert 2 <= len(left(store)) < 60
    check(store)


def test_everything_that_somebody_needs_stays(store: SqliteStore) -> None:
    line_of(store, 30)
    store.put_document(Document("x.md", "text", "r12", "r9"))
    store.pin("x.md", "r3", on=True)
    store.set_synced_from("/home/x.md", "x.md", "r5")
    store.acknowledge("peer-b", "x.md", "r7")
    store.set_synced_from("/home/y.md", "y.md", "r6")
    store.acknowledge("peer-b", "y.md", "r8")
    store.compact("x.md", 0, NEVER)
    # the current and the written one with their parents, pinned, synced, acknowledged, the head
    assert left(store) == ["r3", "r5", "r7", "r8", "r9", "r11", "r12", "r28", "r29"]
    check(store)


def test_what_a_merge_looks_at_stays(store: SqliteStore) -> None:
    line_of(store, 10)
    names = []
    for side in (100, 200):
        last = "r4"
        for number in range(side, side + 5):
            last = add(store, f"r{number}", last).revision
        names.append(last)
    store.set_heads("x.md", names)
    store.put_document(Document("x.md", "text", names[0], names[0]))
    store.compact("x.md", 0, NEVER)
    assert left(store) == ["r4", "r103", "r104", "r203", "r204"]
    check(store)


def test_what_the_merge_of_a_next_edit_looks_at_stays(store: SqliteStore) -> None:
    """Somebody who has the same may edit it, too: both were made from two that had one base."""
    line_of(store, 10)
    for name in ("r100", "r200"):
        add(store, name, "r4")
    add(store, "r300", "r100", "r200")
    add(store, "r301", "r300")
    add(store, "r302", "r301")
    store.set_heads("x.md", ["r302"])
    store.put_document(Document("x.md", "text", "r302", "r302"))
    store.acknowledge("peer-b", "x.md", "r300")
    store.compact("x.md", 0, NEVER)
    assert left(store) == ["r4", "r100", "r200", "r300", "r301", "r302"]
    check(store)


def test_a_content_that_another_revision_needs_stays(store: SqliteStore) -> None:
    line_of(store, 10)
    add(store, "r10", "r9", content=text(0))
    add(store, "r11", file="y.md", content=text(1))
    store.set_heads("x.md", ["r10"])
    store.put_document(Document("x.md", "text", "r10", "r10"))
    store.compact("x.md", 0, NEVER)
    assert left(store) == ["r0", "r1", "r9", "r10"]
    check(store)
    check(store, "y.md")


def test_a_dropped_content_that_comes_again_is_there_for_all(store: SqliteStore) -> None:
    line_of(store, 10)
    store.compact("x.md", 1, NEVER)
    assert "r0" in store.dropped("x.md")
    add(store, "r10", "r9", content=text(0))
    assert "r0" not in store.dropped("x.md")
    check(store)


def test_numbers_of_dropped_contents_are_not_mistaken(store: SqliteStore) -> None:
    # the newest row goes, and its number is used again
    line_of(store, 5)
    add(store, "r5", "r4", file="y.md", content=b"another document")
    store.compact("y.md", 0, NEVER)
    add(store, "r6", "r4")
    assert store.dropped("y.md") == {"r5"}
    check(store)
    check(store, "y.md")


def test_one_call_drops_a_bounded_number(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HISTORY_DROPPED", 7)
    line_of(store, 30)
    found: list[int] = []
    while not found or found[-1]:
        with store.transaction():
            found.append(store.compact("x.md", 10, NEVER))
        check(store)
    assert found == [7, 7, 6, 0]


def test_documents_that_are_to_be_compacted(store: SqliteStore) -> None:
    line_of(store, 4)
    add(store, "r4", file="a.md", content=b"x" * 100_000)
    add(store, "r5", file="b.md", content=hashlib.shake_128(b"").digest(5000))
    assert store.crowded(3, 4000) == ["b.md", "x.md"]
    assert store.crowded(4, 6000) == []
    store.compact("x.md", 2, NEVER)
    assert store.crowded(3, 4000) == ["b.md"]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_history_and_any_compaction(data: st.DataObject) -> None:
    store = SqliteStore(":memory:")
    count = data.draw(st.integers(1, 40))
    for number in range(count):
        known = [f"r{one}" for one in range(max(0, number - 6), number)]
        parents = (
            data.draw(st.lists(st.sampled_from(known), max_size=2, unique=True)) if known else []
        )
        add(store, f"r{number}", *parents, content=text(data.draw(st.integers(0, number))))
    names = [f"r{number}" for number in range(count)]
    heads = data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    store.set_heads("x.md", heads)
    store.put_document(Document("x.md", "text", heads[0], None))
    pinned = data.draw(st.sets(st.sampled_from(names), max_size=3))
    for name in pinned:
        store.pin("x.md", name, on=True)
    bounds = data.draw(st.lists(st.integers(0, count), min_size=1, max_size=3))
    for bound in sorted(bounds, reverse=True):
        store.compact("x.md", bound, NEVER)
        check(store)
        assert {*heads, *pinned} <= set(left(store))
        assert set(names[count - bound :]) <= set(left(store))


# --- a crash, a full disk -------------------------------------------------------------------
def test_a_crash_between_any_two_statements_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    with store.transaction():
        line_of(store, 60)
        store.pin("x.md", "r7", on=True)
    store.close()
    script = """
import os, sys
from federation.adapters.store import SqliteStore
store, left = SqliteStore(sys.argv[1]), [int(sys.argv[2])]
def statement(text):
    if text.startswith(("UPDATE", "DELETE", "RELEASE")):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), 9)
store._db.set_trace_callback(statement)
print(store.compact("x.md", 20, 2**62))
"""
    killed = 0
    for number in (1, 2, 3, 5, 20, 60, 78, 79, 80, 200):
        done = subprocess.run(
            [sys.executable, "-c", script, str(path), str(number)], capture_output=True, check=False
        )
        store = SqliteStore(path)
        if done.returncode == -9:
            killed += 1
            assert store.dropped("x.md") == set()
        else:
            assert done.returncode == 0, done.stderr
        check(store)
        store.close()
    assert 5 <= killed < 10
    assert len(SqliteStore(path).dropped("x.md")) == 39


def test_a_full_disk_keeps_everything(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    with store.transaction():
        line_of(store, 10)
        for number in range(10, 20):
            # what is whole when its base goes takes more room than before
            content = text(9) + hashlib.shake_128(b"x").digest(100_000) + b"%d" % number
            add(store, f"r{number}", f"r{number - 1}", content=content)
        store.set_heads("x.md", ["r19"])
        store.put_document(Document("x.md", "text", "r19", "r19"))
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.compact("x.md", 1, NEVER)
    assert store.dropped("x.md") == set()
    check(store)
    store._db.execute("PRAGMA max_page_count=1000000")
    assert store.compact("x.md", 1, NEVER) == 18
    check(store)


def test_all_signed_revisions_in_order() -> None:
    store = SqliteStore(":memory:")
    assert (store.last_recorded(), store.recorded(0, 9)) == (0, [])
    line_of(store, 2)
    line_of_other = add(store, "r7", file="y.md")
    view = replace(line_of_other, revision="view", author="")
    store.add_revision(view, store.content(view.content_hash))
    found = store.recorded(0, 9)
    assert [one.revision for _number, one in found] == ["r0", "r1", "r7"]
    assert store.last_recorded() == found[-1][0]
    assert store.recorded(found[0][0], 1) == found[1:2]
    assert [store.count_recorded(number) for number in (0, found[1][0], found[2][0])] == [3, 1, 0]
    store.close()
