# SPDX-License-Identifier: MIT
"""What the parts of a node share: signing, publishing, echoes."""

from __future__ import annotations

import json

from federation import limits
from federation.events import Instant, Notify, Publish
from federation.wire import envelope, topics
from federation.wire.messages import parse
from tests.node.network import EPOCH
from tests.node.world import SimPeer, World


def peer() -> SimPeer:
    return World().add(online=False)


def test_messages_are_signed_and_of_now() -> None:
    one = peer()
    context = one.node.context
    context.now = Instant(EPOCH + 1_500_000, 0.0)
    raw = context.signed("sync-ack", to=one.peer_id, stored=[])
    message = parse(raw, topics.inbox(one.peer_id))
    envelope.verify(message, one.key.public_key)
    assert json.loads(raw)["timestamp"] == "2026-01-01T00:00:01.500Z"
    assert context.peer_id == one.peer_id == one.key.peer_id


def test_nothing_is_published_while_there_is_no_broker() -> None:
    context = peer().node.context
    context.publish("t", b"lost")
    assert context.effects == []
    assert context.echoes == {}
    context.link_up = True
    context.publish("t", b"sent", retain=True, about=("x.md", "r"))
    assert context.effects == [Publish("t", b"sent", 1, True, ("x.md", "r"))]


def test_echoes_are_remembered_within_bounds() -> None:
    context = peer().node.context
    context.link_up = True
    for number in range(limits.ECHOES + 5):
        context.publish("t", str(number).encode())
    assert len(context.echoes) == limits.ECHOES
    assert envelope.digest(b"4") not in context.echoes
    assert envelope.digest(b"5") in context.echoes


def test_notices_and_nonces() -> None:
    one = peer()
    context = one.node.context
    context.notify("ready", peer_id="x")
    (effect,) = context.effects
    assert isinstance(effect, Notify)
    assert effect.notice.fields == {"peer_id": "x"}
    assert len(context.nonce()) == 32
    assert context.nonce() != context.nonce()
