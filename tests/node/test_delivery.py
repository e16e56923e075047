# SPDX-License-Identifier: MIT
"""Who gets what: acknowledgements, comparison, bounds, plain peers, messages."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from federation import limits
from federation.machines.comparison import State
from federation.wire import envelope, topics
from tests.node.world import SimPeer, World


def pair() -> tuple[World, SimPeer, SimPeer]:
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    return world, a, b


def sent(world: World, message_type: str, to: SimPeer | None = None) -> list[dict[str, object]]:
    """The messages of a type since the log was cleared."""
    found: list[dict[str, object]] = []
    for topic, raw in world.broker.log:
        fields = json.loads(raw)
        if fields["type"] == message_type and (to is None or topic == topics.inbox(to.peer_id)):
            found.append(fields)
    return found


def say(to: SimPeer, author: SimPeer, message_type: str, **fields: object) -> None:
    message = author.node.context.signed(message_type, to=to.peer_id, **fields)
    to.take(topics.inbox(to.peer_id), message, retained=False)


def state(of: SimPeer, other: SimPeer) -> State:
    return of.node.delivery.comparison(other.peer_id).state


# --- acknowledging ------------------------------------------------------------------------
def test_a_document_is_complete_when_every_online_peer_has_it() -> None:
    world, a, b = pair()
    c = world.add()
    world.run(5)
    world.broker.partitions.add(frozenset({a.peer_id, c.peer_id}))
    revision = a.sync("x.md", b"text").revision.revision
    world.run(0.5)
    assert a.node.delivery.missing(revision) == [c.peer_id]
    assert a.events("sync-completed") == []
    world.broker.partitions.clear()
    world.run(5)
    assert a.node.delivery.missing(revision) == []
    (told,) = a.events("sync-completed")
    assert told["revision"] == revision
    assert set(told["peers"]) == {b.peer_id, c.peer_id}  # type: ignore[call-overload]
    assert [fields["file"] for fields in a.events("sync-started")] == ["x.md"]


def test_nothing_is_acknowledged_before_it_is_durable() -> None:
    world, a, b = pair()
    b.lose_effects = True
    world.broker.log.clear()
    a.sync("x.md", b"text")
    world.run(0.1)
    # b has committed, but nothing of that turn left it: it says so by its root, afterwards
    assert sent(world, "sync-ack", a) == []
    assert len(sent(world, "sync-hello", a)) > 0
    world.run(10)
    assert a.store.acknowledged(b.peer_id, "x.md") is not None


def test_many_acknowledgements_of_one_turn_all_leave() -> None:
    world, a, b = pair()
    world.broker.log.clear()
    ids = [f"{number:064x}" for number in range(2500)]

    def acknowledge(_now: object) -> None:
        for one in ids:
            b.node.delivery.acknowledge([a.peer_id], "held", one)

    b.turn(acknowledge)
    b.turn(lambda _now: b.node.delivery.acknowledge([b.peer_id], "stored", ids[0]))
    acks = sent(world, "sync-ack", a)
    assert [one for ack in acks for one in ack["held"]] == ids  # type: ignore[attr-defined]
    assert len(acks) == 3
    assert all("stored" not in ack for ack in acks)


def test_a_foreign_acknowledgement_counts_for_its_author_only() -> None:
    world, a, b = pair()
    c = world.add()
    world.run(5)
    for peer in (b, c):
        peer.go_offline()
    revision = a.sync("x.md", b"text").revision.revision
    say(a, c, "sync-ack", stored=[revision, "0" * 64])
    assert a.store.acknowledged(c.peer_id, "x.md") == revision
    assert a.store.acknowledged(b.peer_id, "x.md") is None


def test_an_acknowledgement_of_an_old_revision_says_nothing_of_the_new_one() -> None:
    world, a, b = pair()
    b.go_offline()
    old = a.sync("x.md", b"one").revision.revision
    a.sync("x.md", b"two")
    say(a, b, "sync-ack", stored=[old])
    assert a.store.acknowledged(b.peer_id, "x.md") is None
    world.settle(30)
    world.check_converged()


def test_what_the_broker_refuses_is_told() -> None:
    _world, a, _b = pair()
    a.turn(lambda now: a.node.receive_published(("x.md", "r"), "refused:135", now))
    (told,) = a.events("sync-failed")
    assert "135" in str(told["reason"])
    a.turn(lambda now: a.node.receive_published(("x.md", "r"), "lost", now))
    assert len(a.events("sync-failed")) == 1


# --- comparing ----------------------------------------------------------------------------
def test_a_lost_publish_is_fetched_soon() -> None:
    world, a, b = pair()
    world.broker.faults.loss = 1.0
    a.sync("x.md", b"text")
    world.run(1)
    world.broker.faults.loss = 0.0
    world.run(8)
    assert b.heads("x.md") == {b"text"}
    assert state(a, b) is state(b, a) is State.IN_STEP


def test_a_peer_that_was_away_for_long_gets_the_newest_first_then_the_history() -> None:
    world, a, b = pair()
    b.go_offline()
    world.broker.faults.sessions = False
    texts = {f"{number % 5}.md": f"{number}".encode() for number in range(200)}
    for number in range(200):
        a.sync(f"{number % 5}.md", f"{number}".encode())
    world.run(3600)
    world.broker.wipe()
    world.broker.log.clear()
    b.go_online()
    world.run(20)
    world.check_converged()
    delivered = sent(world, "sync-deliver", b)
    newest = [json.loads(str(one["payload"])) for one in delivered[:5]]
    assert {one["file"]: one["content"].encode() for one in newest} == texts
    # what each was made from follows, every revision once
    assert len(delivered) == 200
    for file in texts:
        ours = {one.revision for one in a.store.revisions(file)}
        assert {one.revision for one in b.store.revisions(file)} == ours


@pytest.mark.parametrize("documents", [2500])
def test_many_documents_come_in_pages_and_portions(documents: int) -> None:
    world = World()
    a = world.add()
    for number in range(documents):
        a.sync(f"{number}.md", f"{number}".encode())
    b = world.add()
    world.run(100)
    world.check_converged()
    assert len(b.store.documents()) == documents
    pages = sent(world, "sync-heads", b)
    assert {page["page"] for page in pages} == {0, 1, 2}
    assert max(len(want["revisions"]) for want in sent(world, "sync-want", a)) == limits.WANTS  # type: ignore[arg-type]
    assert len(a.store.acknowledgements()) == documents


def test_a_quiet_link_stays_quiet() -> None:
    world, a, b = pair()
    a.sync("x.md", b"text")
    world.run(70)
    world.broker.log.clear()
    world.run(600)
    counted = {kind: len(sent(world, kind)) for kind in ("sync-hello", "sync-heads", "sync-want")}
    assert counted["sync-heads"] == counted["sync-want"] == 0
    assert counted["sync-hello"] <= 2 * 2 * 600 / limits.ANTI_ENTROPY + 4
    assert a.turns + b.turns < 2000


def test_claims_of_a_peer_are_bounded() -> None:
    _world, a, b = pair()
    root = "0" * 64
    for page in range(30):
        heads = [["x.md", f"{page:04x}{number:060x}"] for number in range(1000)]
        say(b, a, "sync-heads", heads=heads, page=page, last=False, root=root)
    assert len(b.node.delivery.comparison(a.peer_id).missing) <= limits.MISSING


def test_a_peer_that_claims_what_it_does_not_give_is_asked_ever_more_rarely() -> None:
    world, a, b = pair()
    a.crash()  # its process; we speak for it
    world.broker.log.clear()
    for _ in range(100):
        say(b, a, "sync-heads", heads=[["x.md", "ab" * 32]], page=0, last=True, root="0" * 64)
        world.run(1)
    assert len(sent(world, "sync-want", a)) < 12


@pytest.mark.parametrize("size", [10_000, 90_000, 200_000])
def test_what_is_asked_for_is_given_once_and_within_bounds(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DELIVERY", 100_000)
    world, a, b = pair()
    big = [a.sync(f"{number}.canvas", str(number).encode() * size).revision.revision
           for number in range(4)]  # fmt: skip
    world.broker.log.clear()
    say(a, b, "sync-want", revisions=big * 50)
    assert len(sent(world, "sync-deliver", b)) == min(-(-100_000 // size), 4)
    world.broker.log.clear()
    say(a, b, "sync-want", revisions=["0" * 64, "1" * 64])
    assert world.broker.log == []


def test_a_hello_cannot_be_replayed() -> None:
    world, a, b = pair()
    hello = next(raw for topic, raw in reversed(world.broker.log)
                 if topic == topics.inbox(a.peer_id) and b'"echo"' in raw)  # fmt: skip
    b.go_offline()
    world.run(60)
    a.take(topics.inbox(a.peer_id), hello, retained=False)
    assert not a.node.book.presence_of(b.peer_id).online


def test_queued_announcements_are_one_question_and_its_answer_counts() -> None:
    world, a, b = pair()
    b.go_offline()
    world.run(1200)
    world.broker.log.clear()
    b.go_online()
    world.run(3)
    assert len(sent(world, "sync-hello")) <= 6
    for peer, other in ((a, b), (b, a)):
        assert peer.node.book.presence_of(other.peer_id).connected


def test_a_flood_of_questions_does_not_push_out_an_answer() -> None:
    world, a, b = pair()
    world.broker.faults.delay = 5.0
    a.do(lambda: a.node.hello(b.peer_id))
    for number in range(50):
        say(a, b, "sync-hello", root="0" * 64, nonce=f"{number:032x}")
    comparison = a.node.delivery.comparison(b.peer_id)
    assert 0 < len(comparison.nonces) <= limits.NONCES
    nonce = next(iter(comparison.nonces))
    world.run(10)
    assert nonce not in comparison.nonces


def test_a_wish_to_compare() -> None:
    world, a, b = pair()
    world.broker.log.clear()
    a.do(lambda: a.node.hello(b.peer_id))
    assert len(sent(world, "sync-hello", b)) == 1
    assert a.do(a.node.compare_all) == [b.peer_id]
    a.go_offline()
    a.do(lambda: a.node.hello(b.peer_id))
    assert a.do(a.node.compare_all) == []
    assert state(a, b) is State.IDLE


# --- peers without acknowledgements -------------------------------------------------------
def newest(got: Sequence[str]) -> str | None:
    return got[-1] if got else None


def test_a_plain_peer_is_served_and_served_again_when_it_comes_back() -> None:
    world, a, b = pair()
    plain = world.add_plain()
    world.run(2)
    a.sync("x.md", b"one")
    b.sync("y.md", b"hers")
    world.run(2)
    assert (newest(plain.got["x.md"]), newest(plain.got["y.md"])) == ("one", "hers")
    world.broker.disconnect(plain)
    world.broker.faults.sessions = False
    world.run(100)
    a.sync("x.md", b"two")
    world.run(2)
    plain.go_online()
    world.run(2)
    assert plain.got["x.md"] == ["one", "two"]
    assert plain.got["y.md"] == ["hers"]


def test_a_plain_peer_gets_what_its_author_cannot_give_any_more() -> None:
    world, a, b = pair()
    a.sync("x.md", b"text")
    world.run(5)
    a.crash()
    world.run(100)
    plain = world.add_plain()
    world.run(5)
    assert plain.got["x.md"] == ["text"]
    assert b.store.acknowledged(plain.peer_id, "x.md") is not None


def test_what_a_plain_peer_says_reaches_who_was_away() -> None:
    world, _a, b = pair()
    plain = world.add_plain()
    world.run(2)
    b.go_offline()
    world.broker.faults.sessions = False
    message = plain.sync("p.md", "text")
    world.run(2)
    b.go_online()
    world.run(30)
    assert b.heads("p.md") == {b"text"}
    assert b.has(envelope.revision_id(json.loads(message)))
    assert list(b.heard.values()) == [1]
    world.check_converged()
