# SPDX-License-Identifier: MIT
"""An identity that comes to a new store, and one that somebody copied."""

from __future__ import annotations

from federation.adapters.store import SqliteStore
from federation.wire import topics
from tests.node.test_inbox import document, pair
from tests.node.world import MemoryFiles, SimPeer, World


def test_an_identity_from_a_backup_gets_its_own_documents_back() -> None:
    world, a, b = pair()
    a.sync("x.canvasl", b"before\n")
    world.run(5)
    a.crash()
    a.store, a.files = SqliteStore(":memory:"), MemoryFiles()
    world.run(100)
    a.restart()
    a.go_online()
    world.run(30)
    assert a.heads("x.canvasl") == {b"before\n"}
    a.sync("x.canvasl", b"after\n")
    a.sync("y.canvasl", b"new\n")
    world.run(30)
    assert b.heads("x.canvasl") == {b"after\n"}
    assert b.heads("y.canvasl") == {b"new\n"}
    assert not a.events("identity-changed")
    assert not b.refused["fork"]


def test_a_copied_key_is_an_alarm_while_somebody_lives_with_it() -> None:
    world = World()
    old = world.add(number=1)
    world.run(5)
    new = SimPeer(world, 1)
    new.files_again()
    new.go_online()
    assert topics.presence(old.peer_id) in world.broker.retained
    world.run(5)
    # what the broker kept of the old session, and its end, say nothing
    new.take(topics.presence(old.peer_id), old.node.book.announcement(), retained=True)
    assert old.will is not None
    new.take(*old.will, retained=False)
    assert not new.events("identity-changed")
    assert not new.refused
    new.take(topics.ANNOUNCE, old.node.book.announcement(), retained=False)
    assert len(new.events("identity-changed")) == 1
    assert new.refused["self-peer"] == 1


def test_a_document_of_a_copied_key_is_an_alarm() -> None:
    world, a, _b = pair()
    thief = SimPeer(world, 1)
    thief.files_again()
    message = document(thief, "x.canvasl", "stolen", seq=thief.store.seq_floor() + 5, vector={})
    a.take(topics.SYNC, message, retained=False)
    world.run(5)
    assert a.refused["self-peer"] == 1
    assert a.events("identity-changed")
    assert not a.heads("x.canvasl")
