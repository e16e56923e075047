# SPDX-License-Identifier: MIT
"""Peers: announcements, replays, wrong clocks, strangers, trust."""

from __future__ import annotations

import json

import pytest

from federation import limits
from federation.errors import Refusal
from federation.identity.keys import to_hex
from federation.node.context import NodeSettings
from federation.wire import canonical, envelope, timestamps, topics
from tests.node.network import EPOCH, YEAR, key_of
from tests.node.world import SimPeer, World


def announcement(world: World, number: int, *, offset: float = 0.0, **fields: object) -> bytes:
    """An announcement of a peer that is nowhere, ``offset`` seconds from now."""
    key = key_of(number)
    moment = EPOCH + round((world.now + offset) * 1e6)
    message = {
        "type": "peer-announce", "peer_id": key.peer_id, "public_key": to_hex(key.public_key),
        "timestamp": timestamps.format_us(moment), **fields,
    }  # fmt: skip
    return canonical.encode(envelope.sign(message, key))


def tell(peer: SimPeer, raw: bytes, *, retained: bool = False) -> None:
    peer.take(topics.ANNOUNCE, raw, retained=retained)


def presence(peer: SimPeer, number: int) -> tuple[bool, bool]:
    live = peer.node.book.presence_of(key_of(number).peer_id)
    return live.online, live.connected


def test_peers_find_each_other_and_answer() -> None:
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    assert [peer.peer_id for peer in a.node.book.online()] == [b.peer_id]
    assert presence(a, 2) == presence(b, 1) == (True, True)
    assert [fields["peer_id"] for fields in a.events("peer-discovered")] == [b.peer_id]
    assert len(a.events("peer-connected")) == 1
    known = a.store.peer(b.peer_id)
    assert known is not None
    assert (known.name, known.trust, known.caps) == (
        "peer 2",
        "unknown",
        ("ack1", "delta1", "pack1"),
    )


def test_who_stops_announcing_is_offline_and_stays_known() -> None:
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    b.go_offline(clean=True)
    world.run(2 * limits.HEARTBEAT + limits.HEARTBEAT_GRACE + limits.HEARTBEAT)
    assert not a.node.book.online()
    assert len(a.events("peer-disconnected")) == 1
    assert a.store.peer(b.peer_id) is not None
    b.go_online()
    world.run(5)
    assert presence(a, 2) == (True, True)
    assert len(a.events("peer-discovered")) == 1


def test_the_will_says_offline_at_once() -> None:
    world = World()
    a, b = world.add(), world.add()
    world.run(40)
    b.crash()
    world.run(0.5)
    assert presence(a, 2)[0] is False
    b.restart()
    b.go_online()
    world.run(5)
    assert presence(a, 2) == (True, True)


def test_the_link_down_makes_all_offline() -> None:
    world = World()
    a, _b = world.add(), world.add()
    world.run(5)
    a.go_offline()
    assert a.node.book.online() == []
    assert a.do(a.node.announce) is False
    a.go_online()
    world.run(5)
    assert presence(a, 2) == (True, True)


def test_what_comes_after_the_link_went_down_does_not_spin() -> None:
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    hello = b.node.context.signed("sync-hello", to=a.peer_id, root="0" * 64, nonce="ab" * 16)
    fresh = b.node.book.announcement()
    a.go_offline()
    tell(a, fresh)
    a.take(topics.inbox(a.peer_id), hello, retained=False)
    turns = a.turns
    world.run(10)
    assert a.turns - turns < 20
    a.go_online()
    a.sync("x.md", b"text")
    world.run(70)
    world.check_converged()


# --- replays and clocks ------------------------------------------------------------------
def test_a_replayed_announcement_keeps_nobody_online() -> None:
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    raw = next(raw for topic, raw in reversed(world.broker.log) if topic == topics.ANNOUNCE
               and json.loads(raw)["peer_id"] == b.peer_id)  # fmt: skip
    b.go_offline()
    for _ in range(40):
        for copy in (raw, json.dumps(json.loads(raw), indent=1).encode()):
            tell(a, copy)
        world.run(2)
    assert presence(a, 2) == (False, False)
    assert a.refused["replay"] == 80


def test_a_stale_announcement_is_known_but_not_online() -> None:
    world = World()
    a = world.add()
    tell(a, announcement(world, 9, offset=-limits.FRESHNESS - 1))
    assert a.store.peer(key_of(9).peer_id) is not None
    assert presence(a, 9) == (False, False)
    tell(a, announcement(world, 9, offset=-limits.FRESHNESS + 1))
    assert presence(a, 9) == (True, False)


@pytest.mark.parametrize("skew", [20 * YEAR, -20 * YEAR, 3600.0])
def test_a_wrong_clock_hides_nobody_who_can_answer(skew: float) -> None:
    world = World()
    a, b = world.add(), world.add(skew=skew)
    world.run(20)
    assert presence(a, 2) == presence(b, 1) == (True, True)
    assert not a.node.book.presence_of(b.peer_id).clock_ok
    world.run(120)
    assert presence(a, 2) == (True, True)
    b.sync("x.md", b"late or early")
    world.run(5)
    a.sync("x.md", b"after it")
    world.run(5)
    world.check_converged()
    assert a.heads("x.md") == {b"after it"}


@pytest.mark.parametrize("was", [20 * YEAR, 3600.0])
def test_a_clock_that_was_put_right_does_not_hide_a_peer(was: float) -> None:
    world = World()
    a = world.add()
    tell(a, announcement(world, 9, offset=was, name="before"))
    assert presence(a, 9)[0] is False
    tell(a, announcement(world, 9, name="after"))
    known = a.store.peer(key_of(9).peer_id)
    assert known is not None
    assert known.name == "after"
    assert presence(a, 9)[0] is True


def test_an_older_announcement_changes_nothing() -> None:
    world = World()
    a = world.add()
    tell(a, announcement(world, 9, name="new"))
    tell(a, announcement(world, 9, offset=-10, name="old"))
    known = a.store.peer(key_of(9).peer_id)
    assert known is not None
    assert known.name == "new"


# --- strangers ----------------------------------------------------------------------------
def test_strangers_are_bounded_and_push_nobody_out() -> None:
    world = World()
    a = world.add(NodeSettings(max_unknown=10))
    friend = world.add()
    world.run(5)
    a.do(lambda: a.node.accept(friend.peer_id))
    for number in range(100, 160):
        tell(a, announcement(world, number))
    assert len(a.store.peers()) == 11
    assert a.refused["peer-limit"] == 50
    tell(a, announcement(world, 100, offset=1))
    assert presence(a, 100)[0] is True
    a.do(lambda: a.node.block(key_of(101).peer_id))
    tell(a, announcement(world, 150, offset=1))
    assert a.store.peer(key_of(150).peer_id) is not None
    world.run(20)
    assert presence(a, 2) == (True, True)


def test_a_forged_announcement_is_refused() -> None:
    world = World()
    a = world.add()
    raw = announcement(world, 9)
    tell(a, raw.replace(b'"peer-announce"', b'"peer-announce","name":"forged"'))
    other = json.loads(announcement(world, 10))
    tell(a, json.dumps({**json.loads(raw), "public_key": other["public_key"]}).encode())
    assert a.store.peers() == []
    assert a.refused == {"bad-signature": 1, "peer-id-mismatch": 1}


# --- decisions ----------------------------------------------------------------------------
def test_accepting_and_blocking() -> None:
    world = World()
    a, b = world.add(NodeSettings(policy="ask")), world.add()
    world.run(5)
    peer = a.node.book.require(b.peer_id)
    assert not a.node.book.may_write(peer)
    a.do(lambda: a.node.accept(b.peer_id))
    assert a.node.book.may_write(a.node.book.require(b.peer_id))
    assert len(a.events("peer-trusted")) == 1
    a.do(lambda: a.node.block(b.peer_id))
    assert not a.node.book.may_write(a.node.book.require(b.peer_id))
    assert a.node.book.online() == []
    world.run(60)
    assert presence(a, 2) == (False, False)
    for verb in (lambda: a.node.hello(b.peer_id),
                 lambda: a.node.send_message(b.peer_id, "note", "x")):  # fmt: skip
        with pytest.raises(Refusal, match="revoked-peer"):
            a.do(verb)


@pytest.mark.parametrize(
    ("peer_id", "reason"),
    [("peer-x", "bad-peer-id"), ("", "bad-peer-id"), (key_of(7).peer_id, "unknown-peer")],
)
def test_who_is_not_known(peer_id: str, reason: str) -> None:
    a = World().add()
    with pytest.raises(Refusal) as caught:
        a.node.book.require(peer_id)
    assert caught.value.reason == reason
    assert a.node.book.name(peer_id) is None


def test_an_empty_name_is_none() -> None:
    world = World()
    a = world.add()
    tell(a, announcement(world, 9, name=""))
    peer = a.store.peer(key_of(9).peer_id)
    assert peer is not None
    assert peer.name is None
    assert a.events("peer-discovered")[-1]["name"] is None
