# SPDX-License-Identifier: MIT
"""What is handed on leaves in portions: no question makes others wait, and none is lost."""

from __future__ import annotations

from functools import partial

import pytest

from federation import limits
from federation.events import Instant
from federation.node.context import NodeSettings
from federation.wire import topics
from tests.node.test_delivery import sent
from tests.node.world import SimPeer, World


def publishers(*documents: bytes, policy: str = "announced") -> tuple[World, SimPeer, SimPeer]:
    """A world with a peer that has these documents, and another one that has them from it."""
    world = World()
    a = world.add(NodeSettings(policy=policy))  # type: ignore[arg-type]
    for number, content in enumerate(documents):
        a.sync(f"{number}.md", content)
    b = world.add()
    world.run(20)
    world.broker.log.clear()
    return world, a, b


def _receive(to: SimPeer, topic: str, raw: bytes, now: Instant) -> None:
    to.node.receive_message(topic, raw, retained=False, now=now)


def ask(to: SimPeer, author: SimPeer, message_type: str, *all_fields: dict[str, object]) -> int:
    """Messages that arrive in one turn; how many bytes leave in it."""
    before = len(to.world.broker.log)
    inbox = topics.inbox(to.peer_id)
    messages = [
        author.node.context.signed(message_type, to=to.peer_id, **fields) for fields in all_fields
    ]
    for raw in messages:
        to.later.append(partial(_receive, to, inbox, raw))
    to.turn()
    return sum(len(raw) for _topic, raw in to.world.broker.log[before:])


def test_a_flood_of_wants_is_one_portion_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DELIVERY", 100_000)
    monkeypatch.setattr(limits, "DELIVERY_RATE", 100_000)
    world, a, b = publishers(*(b"%d" % number * 20_000 for number in range(20)))
    every = [document.current for document in a.store.documents()]
    b.running = False
    assert ask(a, b, "sync-want", *({"revisions": every, "x-n": n} for n in range(100))) < 200_000
    assert 0 < len(sent(world, "sync-deliver", b)) < 20
    world.run(10)
    delivered = [str(one["payload"]) for one in sent(world, "sync-deliver", b)]
    assert len(set(delivered)) == 20
    # those of the first portion were asked for again meanwhile, and nothing else was
    assert len(delivered) < 20 + 6


def test_who_is_gone_gets_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DELIVERY", 1)
    world, a, b = publishers(b"one", b"two", b"three")
    every = [document.current for document in a.store.documents()]
    ask(a, b, "sync-want", {"revisions": every})
    b.go_offline()
    world.run(10)
    assert len(sent(world, "sync-deliver", b)) < 3


def test_strangers_wait_for_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DELIVERY", 1)
    world, a, b = publishers(b"one", b"two", b"three", policy="ask")
    c = world.add()
    world.run(5)
    a.do(lambda: a.node.accept(b.peer_id))
    world.run(5)
    every = [document.current for document in a.store.documents()]
    b.running = c.running = False
    world.broker.log.clear()
    ask(a, c, "sync-want", {"revisions": every})
    ask(a, b, "sync-want", {"revisions": every})
    world.run(5)
    order = [topic for topic, raw in world.broker.log if b'"sync-deliver"' in raw]
    member, stranger = topics.inbox(b.peer_id), topics.inbox(c.peer_id)
    assert order == [stranger, member, member, member, stranger, stranger]


def test_a_flood_of_hellos_is_one_list() -> None:
    world, a, b = publishers(*(b"%d" % number for number in range(50)))
    b.running = False
    hellos: list[dict[str, object]] = [
        {"root": f"{n:064x}", "nonce": f"{n:032x}"} for n in range(50)
    ]
    ask(a, b, "sync-hello", *hellos)
    assert len(sent(world, "sync-heads", b)) == 1
    world.run(5)
    assert len(sent(world, "sync-heads", b)) == 2


def test_a_peer_that_cannot_ask_gets_everything_in_portions() -> None:
    """More than fits the queue to the broker: what it has no room for goes out later."""
    count = limits.OUTBOUND + 500
    world, a, _b = publishers(*(b"%d" % number for number in range(count)))
    most = 0
    before = a.turn

    def turn(*works: object) -> list[object]:
        nonlocal most
        start = len(world.broker.log)
        result = before(*works)  # type: ignore[arg-type]
        most = max(most, len(world.broker.log) - start)
        return result

    a.turn = turn  # type: ignore[method-assign]
    plain = world.add_plain()
    world.run(20)
    assert {file: got for file, got in plain.got.items() if len(got) != 1} == {}
    assert len(plain.got) == count
    assert most <= limits.OUTBOUND // 4 + 10


def test_what_found_the_queue_full_is_published_again() -> None:
    world, a, _b = publishers(b"one", b"two")
    results = iter(["full", "full"])
    before = a.node.receive_published
    a.node.receive_published = (  # type: ignore[method-assign]
        lambda about, result, now: before(about, next(results, result), now)
    )
    plain = world.add_plain()
    world.run(1)
    assert a.store.acknowledged(plain.peer_id, "0.md") is None
    world.run(10)
    assert {len(got) for got in plain.got.values()} == {2}
    assert a.store.acknowledged(plain.peer_id, "0.md") is not None
    assert a.store.acknowledged(plain.peer_id, "1.md") is not None


def test_a_result_that_never_comes_stops_nothing() -> None:
    world, a, _b = publishers(b"one")
    a.node.receive_published = lambda *_: None  # type: ignore[method-assign]
    plain = world.add_plain()
    world.run(5)
    a.sync("later.md", b"x")
    plain.announce_at = float("inf")
    world.run(60)
    plain.announce()
    world.run(limits.UNACKNOWLEDGED + 10)
    assert len(plain.got["later.md"]) >= 2


def test_nothing_is_due_without_a_broker() -> None:
    world, a, b = publishers(b"one")
    a.go_offline()
    ask(a, b, "sync-want", {"revisions": [a.store.documents()[0].current]})
    assert a.node.delivery._handing.next_timer() == float("inf")
    world.run(10)


def test_what_was_dropped_is_not_handed_on_and_holds_up_nothing() -> None:
    world, a, b = publishers()
    for number in range(4):
        a.sync("x.md", b"text %d" % number)
        world.run(3)
    old = [one.revision for one in a.store.revisions("x.md")]
    assert a.store.compact("x.md", 1, 2**62) == 2
    world.broker.log.clear()
    ask(a, b, "sync-want", {"revisions": old})
    world.run(3)
    delivered = [str(one["payload"]) for one in sent(world, "sync-deliver", b)]
    assert len(delivered) == 2
    assert "text 3" in delivered[-1] or sent(world, "sync-deliver", b)[-1].get("patch")


def test_an_author_is_introduced_once_in_an_answer() -> None:
    """Who asks again may have lost the first answer, and gets the announcement again."""
    world, a, b = publishers(*(b"%d" % number for number in range(3)))
    heads = [revision for _file, revision in a.store.all_heads()]
    for _answer in range(2):
        world.broker.log.clear()
        ask(b, a, "sync-want", {"revisions": heads})
        world.run(3)
        delivered = sent(world, "sync-deliver", a)
        assert [("announce" in one) for one in delivered] == [True, False, False]
