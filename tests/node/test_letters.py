# SPDX-License-Identifier: MIT
"""Messages between people: kept until their recipient has acknowledged them."""

from __future__ import annotations

import pytest

from federation import limits
from federation.errors import Refusal
from federation.wire import topics
from tests.node.world import SimPeer, World


def pair() -> tuple[World, SimPeer, SimPeer]:
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    return world, a, b


def test_a_message_waits_for_its_recipient() -> None:
    world, a, b = pair()
    b.crash()
    world.run(60)
    message_id = a.do(lambda: a.node.send_message(b.peer_id, "note", "hello"))
    assert a.store.count_queued() == {b.peer_id: 1}
    a.restart()
    world.run(60)
    world.settle(30)
    assert b.messages == ["hello"]
    assert a.store.count_queued() == {}
    assert len(str(message_id)) == 64


def test_the_outbox_is_bounded() -> None:
    _world, a, b = pair()
    b.crash()
    for _ in range(limits.OUTBOX_PER_PEER):
        a.do(lambda: a.node.send_message(b.peer_id, "note", "x"))
    with pytest.raises(Refusal, match="queue-full"):
        a.do(lambda: a.node.send_message(b.peer_id, "note", "x"))
    assert a.store.count_queued() == {b.peer_id: limits.OUTBOX_PER_PEER}


def test_somebody_else_cannot_acknowledge_a_message() -> None:
    world, a, b = pair()
    c = world.add()
    world.run(5)
    b.crash()
    message_id = str(a.do(lambda: a.node.send_message(b.peer_id, "note", "x")))
    forged = c.node.context.signed("sync-ack", to=a.peer_id, messages=[message_id])
    a.take(topics.inbox(a.peer_id), forged, retained=False)
    assert a.store.count_queued() == {b.peer_id: 1}
    assert a.store.queued_messages(b.peer_id)[0].message_id == message_id
