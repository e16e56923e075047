# SPDX-License-Identifier: MIT
"""Revisions as rows: small, and the same when they come back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from federation.adapters.store import SqliteStore
from federation.errors import Fault
from federation.wire import canonical, envelope, timestamps
from tests.adapters.store.test_documents import revision
from tests.adapters.store.test_packing import KEY, NOW, made


@pytest.fixture
def store() -> SqliteStore:
    return SqliteStore(":memory:")


def test_a_chain_of_signed_revisions(store: SqliteStore) -> None:
    parents: list[str] = []
    wanted = []
    for number in range(1, 50):
        one = made(b"%d" % number, parents=parents, seq=7)
        wanted.append(one)
        store.add_revision(one, b"%d" % number)
        parents = [one.revision]
    store._memory.forget()  # what is on the disk, not what was written
    assert store.revisions("x.md") == wanted
    assert [store.revision(one.revision) for one in wanted] == wanted
    sizes = "length(revision)+length(content_hash)+length(vector)+length(parents)+length(envelope)"
    (weight,) = store._db.execute(f"SELECT max({sizes}) FROM revisions").fetchone()  # noqa: S608
    assert weight <= 32 + 32 + 2 * 10 + 4 + 65


def test_a_parent_that_comes_later_or_never(store: SqliteStore) -> None:
    first = made(b"1", parents=["f" * 64])
    second = made(b"2", parents=[first.revision, "e" * 64])
    store.add_revision(second, b"2")
    store.add_revision(first, b"1")
    store._memory.forget()
    assert store.revision(second.revision) == second
    assert store.revision(first.revision) == first


def test_two_ids_that_begin_alike(store: SqliteStore) -> None:
    """The indexes have the beginnings of ids only."""
    alike = ["a" * 16 + last * 48 for last in "123"]
    for name in alike[:2]:
        store.add_revision(revision(name, content=name.encode()), name.encode())
    for name in alike[:2]:
        found = store.revision(name)
        assert found is not None
        assert found.revision == name
    assert store.revision(alike[2]) is None
    assert len(store.find_revisions("x.md", "a" * 16)) == 2
    assert [one.revision for one in store.find_revisions("x.md", alike[1][:17])] == [alike[1]]
    same = replace(revision("r", content=b"x"), content_hash=alike[0])
    other = replace(revision("s", content=b"y"), content_hash=alike[1])
    store.add_revision(same, b"x")
    assert not store.has_content("x.md", alike[1])
    store.add_revision(other, b"y")
    assert store.has_content("x.md", alike[1])


def test_names_of_a_turn_that_failed_are_forgotten(store: SqliteStore) -> None:
    def fail() -> None:
        store.add_revision(revision("r1", "lost.md", "lost"), b"text")
        raise Fault("no")

    with store.transaction(), pytest.raises(Fault):
        store.attempt(fail)
    with store.transaction():
        store.add_revision(revision("r1", "kept.md", "kept"), b"text")
    found = store.revision("r1")
    assert found is not None
    assert (found.file, found.author) == ("kept.md", "kept")


def test_a_row_that_leads_nowhere_is_a_fault(store: SqliteStore) -> None:
    one = revision("r1")
    store.add_revision(one, b"text")
    store.add_revision(replace(revision("r2"), parents=("r1",)), b"text")
    store._memory.forget()
    store._db.execute("UPDATE revisions SET number=99 WHERE number=1")
    with pytest.raises(Fault):
        store.revision("r2")
    store._db.execute("UPDATE revisions SET vector=x'7f02' WHERE revision='r2'")
    with pytest.raises(Fault):
        store.revision("r2")


def test_a_counter_that_was_said_by_one_whose_clock_counts(store: SqliteStore) -> None:
    message = {"type": "canvasl-sync", "peer_id": KEY.peer_id, "file": "x.md", "seq": 3,
               "timestamp": timestamps.format_us(NOW)}  # fmt: skip
    signed, name = envelope.sign_revision(message, KEY)
    text = canonical.encode(signed).decode()
    one = replace(made(), revision=name, plain=True, counted=False, envelope=text, vector={})
    store.add_revision(one, b"text")
    store._memory.forget()
    assert store.revision_at(KEY.peer_id, 3) == name
    assert store.revision_at(KEY.peer_id, one.seq) is None
    assert store.revision(name) == one
