# SPDX-License-Identifier: MIT
"""Peers and what they acknowledged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from federation.adapters.store import SqliteStore
from federation.replica.records import Document, Peer

PEER = Peer("peer-b", b"\0\xff" * 16, "né", None, ("ack1", "x"), "unknown", -1, 2**60, '{"a":1}', 7)


@pytest.fixture
def store() -> SqliteStore:
    return SqliteStore(":memory:")


def test_a_peer_comes_back_as_it_was(store: SqliteStore) -> None:
    store.put_peer(PEER)
    assert store.peer("peer-b") == PEER
    changed = replace(PEER, trust="accepted", address="mqtt://h")
    store.put_peer(changed)
    store.put_peer(Peer("peer-a", b"k" * 32))
    assert store.peers() == [Peer("peer-a", b"k" * 32), changed]
    assert store.peer("peer-") is None


def test_only_undecided_peers_count_as_unknown(store: SqliteStore) -> None:
    for number, trust in enumerate(("unknown", "accepted", "blocked", "unknown")):
        store.put_peer(replace(PEER, peer_id=f"p{number}", trust=trust))  # type: ignore[arg-type]
    assert store.count_unknown() == 2


def test_what_was_acknowledged(store: SqliteStore) -> None:
    assert store.acknowledged("p", "x.md") is None
    store.acknowledge("p", "x.md", "r1")
    store.acknowledge("p", "x.md", "r2")
    store.acknowledge("q", "x.md", "r1")
    assert store.acknowledged("p", "x.md") == "r2"
    assert store.acknowledgements() == {"x.md": {"p": "r2", "q": "r1"}}
    assert store.acknowledgements_of("x.md") == {"p": "r2", "q": "r1"}
    assert store.acknowledgements_of("y.md") == {}


def test_all_at_once(store: SqliteStore) -> None:
    for number in range(3):
        store.put_document(Document(f"{number}.md", "text", f"r{number}"))
    store.acknowledge("p", "0.md", "old")
    store.acknowledge("p", "1.md", "r1")
    before = store._db.total_changes
    store.acknowledge_all("p")
    assert store._db.total_changes - before == 2
    assert all(store.acknowledged("p", f"{number}.md") == f"r{number}" for number in range(3))
    assert store.acknowledged("q", "0.md") is None
