# SPDX-License-Identifier: MIT
"""Sending: whole or in pieces, and never more than a message may be."""

from __future__ import annotations

import json

import pytest

from federation import limits
from federation.events import Publish
from federation.machines.assembly import Assembler, Piece
from federation.node.post import send, send_to
from federation.wire import envelope, topics
from federation.wire.forms import decode_base64
from federation.wire.messages import parse
from tests.node.network import key_of
from tests.node.world import SimPeer, World


def sender() -> SimPeer:
    one = World().add(online=False)
    one.node.context.link_up = True
    return one


def published(one: SimPeer) -> list[Publish]:
    return [effect for effect in one.node.context.effects if isinstance(effect, Publish)]


def test_what_fits_goes_whole() -> None:
    one = sender()
    message = b"x" * limits.WIRE_MESSAGE
    send(one.node.context, topics.SYNC, message, about=("x.md", "r"))
    assert published(one) == [Publish(topics.SYNC, message, about=("x.md", "r"))]


@pytest.mark.parametrize("to", [None, key_of(9).peer_id])
def test_what_does_not_fit_goes_in_pieces(to: str | None) -> None:
    one = sender()
    message = bytes(range(256)) * (3 * limits.MIB // 256) + b"end"
    topic = topics.inbox(to) if to else topics.SYNC
    send(one.node.context, topic, message, to=to, about=("x.md", "r"))
    effects = published(one)
    assert [effect.about for effect in effects[:-1]] == [None] * (len(effects) - 1)
    assert effects[-1].about == ("x.md", "r")
    assembler, whole = Assembler(), None
    for effect in effects:
        piece = parse(effect.payload, topic)
        envelope.verify(piece, one.key.public_key)
        assert piece.fields.get("to") == to
        fields = json.loads(effect.payload)
        whole = assembler.receive(
            "p",
            Piece(fields["id"], fields["index"], fields["count"], fields["size"],
                  decode_base64(fields["data"])),
            0.0,
        )  # fmt: skip
    assert whole == message


def test_a_message_for_one_peer_is_addressed_and_signed() -> None:
    one, to = sender(), key_of(9).peer_id
    send_to(one.node.context, to, "sync-want", revisions=["0" * 64])
    (effect,) = published(one)
    assert effect.topic == topics.inbox(to)
    message = parse(effect.payload, effect.topic)
    envelope.verify(message, one.key.public_key)
    assert message.fields["to"] == to
