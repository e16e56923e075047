# SPDX-License-Identifier: MIT
"""What is kept of rows in memory is what the database has, whatever becomes of a turn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from federation import limits
from federation.adapters.store import SqliteStore
from federation.errors import Fault
from federation.replica.records import Document, Peer
from tests.adapters.store.test_conflicts import ONE
from tests.adapters.store.test_documents import revision

OLD, NEW = Document("x.md", "text", "r1"), Document("x.md", "text", "r2", "r1")
PEER = Peer("peer-a", b"k" * 32)


@pytest.fixture
def store() -> SqliteStore:
    store = SqliteStore(":memory:")
    with store.transaction():
        store.add_revision(revision("r1"), b"text")
        store.set_heads("x.md", ["r1"])
        store.put_document(OLD)
        store.put_peer(PEER)
    return store


def _change(store: SqliteStore) -> None:
    """Everything that is remembered becomes something else."""
    store.note_gaps("x.md", "r2", ["r1", "f" * 64])
    store.add_revision(replace(revision("r2", author="new"), parents=("r1",)), b"more")
    store.set_heads("x.md", ["r2"])
    store.put_document(NEW)
    store.put_document(replace(OLD, file="new.md"))
    store.put_peer(replace(PEER, trust="blocked"))
    store.put_conflicts([ONE], standing=True)


def _seen(store: SqliteStore) -> list[object]:
    return [
        [store.revision(one) for one in ("r1", "r2")], store.heads("x.md"),
        store.document("x.md"), store.document("new.md"), store.peer("peer-a"),
        store.gaps("x.md"), store.missing("x.md"), store.open_conflicts(),
    ]  # fmt: skip


def test_what_is_remembered_is_what_is_written(store: SqliteStore) -> None:
    before = _seen(store)
    with store.transaction():
        _change(store)
        remembered = _seen(store)
    store._memory.forget()
    assert _seen(store) == remembered
    assert all(one != other for one, other in zip(before, remembered, strict=True))


@pytest.mark.parametrize("whole", [True, False])
def test_a_turn_or_a_part_of_it_that_is_undone(store: SqliteStore, whole: bool) -> None:
    before = _seen(store)

    def fail() -> None:
        _change(store)
        assert _seen(store) != before
        raise Fault("no")

    if whole:
        with pytest.raises(Fault), store.transaction():
            fail()
    else:
        with store.transaction(), pytest.raises(Fault):
            store.attempt(fail)
    assert _seen(store) == before
    with store.transaction():  # numbers are given again, to others
        store.add_revision(revision("r3", "z.md", "other"), b"other")
        _change(store)
    store._memory.forget()
    found = store.revision("r2")
    assert found is not None
    assert (found.file, found.author, found.parents) == ("x.md", "new", ("r1",))


def test_a_content_that_is_dropped_is_not_remembered(store: SqliteStore) -> None:
    with store.transaction():
        for number in range(2, 9):
            one = replace(revision(f"r{number}", content=b"%d" % number), seq=number)
            store.add_revision(one, b"%d" % number)
        store.set_heads("x.md", ["r8"])
        store.put_document(replace(OLD, current="r8"))
        assert store.compact("x.md", 1, 2**61) > 0
    assert store.revision("r2") is not None
    assert "r2" in store.dropped("x.md")


def test_it_stays_small(store: SqliteStore) -> None:
    with store.transaction():
        for number in range(limits.RECENT_REVISIONS + 10):
            name = f"{number}.md"
            one = revision(f"n{number}", name, f"author {number}")
            store.add_revision(one, b"text")
            store.put_document(Document(name, "text", one.revision))
            store.set_heads(name, [one.revision])
        large = replace(revision("large"), envelope='{"a":"%s"}' % ("x" * limits.RECENT_ENVELOPE))
        store.add_revision(large, b"text")
    memory = store._memory
    with store.transaction():
        assert not memory.documents
        assert not memory.heads
    assert len(memory._revisions) == limits.RECENT_REVISIONS
    assert len(memory._numbers) == len(memory._names) <= limits.RECENT_REVISIONS
    assert memory.revision("large") is None
    assert store.revision("large") == large
    assert store.revision("n0") == revision("n0", "0.md", "author 0")
    assert memory.number("r1") is None
