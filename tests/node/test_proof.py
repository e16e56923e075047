# SPDX-License-Identifier: MIT
"""Who asks on hearing us shows that it is there: once, and of our newest announcements only."""

from __future__ import annotations

import json
import random
from collections import Counter

from federation import limits
from federation.node.proof import Proof
from tests.node.network import Client
from tests.node.world import SimPeer, World


def proof(world: World) -> Proof:
    return Proof(world.add(online=False).node.context)


def test_a_question_proves_that_we_were_heard() -> None:
    world = World(1)
    ours, theirs = proof(world), proof(world)
    ours.announced(b"one")
    nonce = theirs.question("one")
    assert len(bytes.fromhex(nonce)) == 16
    assert nonce != theirs.question("one")
    assert not ours.shown("peer-a", theirs.question("another"))
    assert not ours.shown("peer-a", theirs.question(""))
    assert ours.shown("peer-a", nonce)
    assert not ours.shown("peer-a", nonce), "again"
    assert not ours.shown("peer-a", theirs.question("one")), "another one of the same peer"
    assert ours.shown("peer-b", theirs.question("one"))


def test_only_what_we_said_last_counts() -> None:
    world = World(1)
    ours, theirs = proof(world), proof(world)
    for said in (b"1", b"2", b"3"):
        ours.announced(said)
    assert [ours.shown("peer-a", theirs.question(said)) for said in "123"] == [False, True, True]
    ours.offline()
    assert not ours.shown("peer-b", theirs.question("3"))


def test_a_nonce_of_chance_proves_nothing() -> None:
    ours, dice = proof(World(1)), random.Random(1)
    ours.announced(b"one")
    assert not any(ours.shown("peer-a", dice.randbytes(16).hex()) for _ in range(1000))


def _met() -> tuple[World, SimPeer, SimPeer]:
    """Two peers with the same document, of which one has just come back."""
    world = World(1)
    a, b = world.add(), world.add()
    world.run(5)
    a.sync("x.md", b"text")
    world.run(5)
    b.go_offline()
    world.run(60)
    world.broker.log.clear()
    return world, a, b


def _types(world: World) -> Counter[str]:
    return Counter(json.loads(raw)["type"] for _topic, raw in world.broker.log)


def test_two_that_meet_again_exchange_two_messages() -> None:
    world, a, b = _met()
    b.go_online()
    world.run(5)
    assert a.node.book.presence_of(b.peer_id).connected
    assert b.node.book.presence_of(a.peer_id).connected
    assert _types(world)["sync-hello"] == 2
    sent = sum(len(raw) for _topic, raw in world.broker.log if b'"sync-' in raw)
    assert 0 < sent <= 1024
    world.run(limits.ANTI_ENTROPY - 10)
    assert _types(world)["sync-hello"] == 2


def test_one_that_is_heard_of_and_does_not_ask_is_asked() -> None:
    """Its question is lost: then ours goes out a moment later, and proves it as ever."""
    world, a, b = _met()
    deliver, lost = world.deliver, list[bytes]()

    def lose(
        to: Client, topic: str, payload: bytes, delay: float, *, retained: bool = False
    ) -> None:
        if to is b and b"sync-hello" in payload and not lost:
            lost.append(payload)
        else:
            deliver(to, topic, payload, delay, retained=retained)

    world.deliver = lose  # type: ignore[method-assign]
    b.go_online()
    world.run(5)
    assert lost
    assert b.node.book.presence_of(a.peer_id).connected
    assert a.node.book.presence_of(b.peer_id).connected


def test_the_same_question_from_somebody_who_kept_it_proves_nothing() -> None:
    world, a, b = _met()
    b.go_online()
    world.run(2)
    question = next(
        (topic, raw)
        for topic, raw in world.broker.log
        if b"sync-hello" in raw and json.loads(raw)["peer_id"] == a.peer_id
    )
    a.go_offline()
    world.run(200)
    assert not b.node.book.presence_of(a.peer_id).online
    b.take(*question, retained=False)
    world.run(2)
    assert not b.node.book.presence_of(a.peer_id).connected
