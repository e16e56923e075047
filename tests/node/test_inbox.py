# SPDX-License-Identifier: MIT
"""The receive pipeline: what a stranger, a thief and a copying machine can do to it."""

from __future__ import annotations

import json

import pytest

from federation import limits
from federation.node.context import NodeSettings
from federation.wire import canonical, envelope, topics
from tests.node.network import key_of
from tests.node.world import SimPeer, World

ASK = NodeSettings(policy="ask")


def pair(**settings: NodeSettings) -> tuple[World, SimPeer, SimPeer]:
    """Two peers that know each other; ``a`` and ``b`` may have settings of their own."""
    world = World()
    first, second = world.add(settings.get("a")), world.add(settings.get("b"))
    world.run(5)
    return world, first, second


def say(to: SimPeer, author: SimPeer, message_type: str, **fields: object) -> bytes:
    """Hand ``to`` a message of another peer."""
    message = author.node.context.signed(message_type, to=to.peer_id, **fields)
    to.take(topics.inbox(to.peer_id), message, retained=False)
    return message


def document(author: SimPeer, file: str, content: str, **fields: object) -> bytes:
    """A document message that its author never recorded."""
    return author.node.context.signed("canvasl-sync", file=file, content=content, **fields)


def revision_of(message: bytes) -> str:
    return envelope.revision_id(json.loads(message))


# --- exactly once -------------------------------------------------------------------------
def test_a_message_is_heard_once_in_whatever_spelling_it_comes() -> None:
    world, a, b = pair()
    a.do(lambda: a.node.send_message(b.peer_id, "note", "once"))
    world.run(5)
    raw = next(
        one for topic, one in world.broker.log if topic == topics.inbox(b.peer_id)
        and json.loads(one)["type"] == "peer-message"
    )  # fmt: skip
    for copy in (raw, raw + b" ", json.dumps(json.loads(raw), indent=1).encode()):
        b.take(topics.inbox(b.peer_id), copy, retained=False)
    assert b.messages == ["once"]
    assert a.store.count_queued() == {}


def test_a_document_is_heard_once_by_whatever_road_it_comes() -> None:
    world, a, b = pair()
    c = world.add()
    world.run(5)
    a.sync("x.md", b"text")
    world.run(5)
    message = a.node.library.packing.message_of(a.store.revisions("x.md")[0])
    b.take(topics.SYNC, message, retained=False)
    say(b, c, "sync-deliver", payload=message.decode())
    b.restart()
    b.take(topics.SYNC, json.dumps(json.loads(message), indent=2).encode(), retained=True)
    assert list(b.heard.values()) == [1]
    assert b.refused["replay"] >= 3
    assert a.heard.total() == 0


def test_messages_survive_loss_and_come_once() -> None:
    world, a, b = pair()
    world.broker.faults.loss, world.broker.faults.twice = 0.5, 0.5
    for number in range(20):
        a.do(lambda number=number: a.node.send_message(b.peer_id, "note", f"{number}"))  # type: ignore[misc]
        world.run(1)
    a.crash()
    world.run(5)
    world.settle()
    assert sorted(b.messages, key=int) == [str(number) for number in range(20)]
    assert a.store.count_queued() == {}


# --- trust --------------------------------------------------------------------------------
def test_a_stranger_is_held_then_taken_when_accepted() -> None:
    world, a, b = pair(b=ASK)
    a.sync("x.md", b"one")
    a.sync("x.md", b"two")
    a.sync("y.md", b"other")
    world.run(5)
    assert b.store.documents() == []
    assert b.store.held_counts()[a.peer_id][0] == 2
    assert [fields["held"] for fields in b.events("document-held")] == [1, 1, 2]
    assert a.store.acknowledged(b.peer_id, "x.md") is not None
    assert b.do(lambda: b.node.accept(a.peer_id)) == 2
    assert b.heads("x.md") == {b"two"}
    world.settle(100)
    world.check_converged()
    assert set(b.heard.values()) == {1}


def test_what_is_held_is_dropped_by_block_and_nothing_comes_after_it() -> None:
    world, a, b = pair(b=ASK)
    a.sync("x.md", b"one")
    world.run(5)
    assert b.do(lambda: b.node.block(a.peer_id)) == 1
    a.sync("x.md", b"two")
    a.sync("y.md", b"three")
    world.run(200)
    assert b.store.held(a.peer_id) == []
    assert b.store.documents() == []
    assert b.refused["revoked-peer"] > 0
    b.do(lambda: b.node.accept(a.peer_id))
    world.run(60)
    world.check_converged()


@pytest.mark.parametrize("policy", ["paired", "ask"])
def test_what_is_not_taken_is_not_fetched_again_and_again(policy: str) -> None:
    # c is accepted and has what b does not take from a
    world = World()
    settings = NodeSettings(policy="paired" if policy == "paired" else "ask", max_held=100)
    a, b, c = world.add(), world.add(settings), world.add()
    world.run(5)
    b.do(lambda: b.node.accept(c.peer_id))
    a.sync("x.md", b"x" * 1000)
    world.run(20)
    world.broker.log.clear()
    world.run(600)
    carried = [
        raw for topic, raw in world.broker.log
        if topic == topics.inbox(b.peer_id) and json.loads(raw)["type"] == "sync-deliver"
    ]  # fmt: skip
    assert len(carried) <= 1
    b.settings = NodeSettings(policy="announced")
    b.do(lambda: b.node.accept(a.peer_id))
    world.run(20)
    world.check_converged()


def test_policy_paired_takes_no_message_of_a_stranger() -> None:
    world, a, b = pair(b=NodeSettings(policy="paired"))
    a.do(lambda: a.node.send_message(b.peer_id, "note", "hello"))
    world.run(100)
    assert b.messages == []
    b.do(lambda: b.node.accept(a.peer_id))
    world.run(100)
    assert b.messages == ["hello"]


def test_a_policy_that_became_open_takes_what_was_held() -> None:
    world, a, b = pair(b=ASK)
    a.sync("x.md", b"one")
    world.run(5)
    b.settings = NodeSettings(policy="announced")
    b.restart()
    world.run(100)
    world.check_converged()
    assert b.store.held(a.peer_id) == []
    assert list(b.heard.values()) == [1]


def test_held_documents_are_bounded() -> None:
    world, a, b = pair(b=NodeSettings(policy="ask", max_held=5000))
    for number in range(50):
        a.sync(f"{number}.md", b"x" * 500)
    world.run(100)
    assert b.store.held_counts()[a.peer_id][1] <= 5000
    assert b.refused["held-limit"] > 0
    b.do(lambda: b.node.accept(a.peer_id))
    world.run(200)
    world.check_converged()


@pytest.mark.parametrize("restart", [False, True])
def test_many_held_documents_are_taken_turn_by_turn(
    restart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a file to write: all at once would keep everybody waiting."""
    monkeypatch.setattr(limits, "RELEASE", 8)
    world, a, b = pair(b=ASK)
    for number in range(30):
        a.sync(f"{number}.md", b"x")
    world.run(20)
    assert b.store.held_from(a.peer_id)[0] == 30
    assert b.do(lambda: b.node.accept(a.peer_id)) == 30
    assert len(b.store.documents()) == 16
    assert b.node.next_timer() <= world.now
    if restart:
        b.restart()
    world.run(60)
    world.check_converged()
    assert b.store.held(a.peer_id) == []
    assert set(b.heard.values()) == {1}


def test_held_forks_are_released_once() -> None:
    _world, a, b = pair(b=ASK)
    for content in ("one", "two"):
        b.take(topics.SYNC, document(a, "x.md", content, seq=5, vector={}), retained=False)
    assert b.do(lambda: b.node.accept(a.peer_id)) == 1
    assert b.heads("x.md") == {b"one"}


# --- attackers ----------------------------------------------------------------------------
def test_a_forged_copy_does_not_keep_the_true_one_away() -> None:
    world, a, b = pair()
    mallory = world.add()
    world.run(5)
    b.go_offline()
    a.sync("x.md", b"true")
    world.broker.wipe()
    true = a.node.library.packing.message_of(a.store.revisions("x.md")[0])
    forged = {**json.loads(true), "signature": "0x" + "ab" * 64}
    b.go_online()
    say(b, mallory, "sync-deliver", payload=json.dumps(forged))
    assert b.refused["bad-signature"] == 1
    world.run(30)
    assert b.heads("x.md") == {b"true"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"content": "forged"}, "bad-signature"),
        ({"seq": 1}, "bad-signature"),
        ({"file": "other.md"}, "bad-signature"),
        ({"file": "../x.md"}, "bad-signature"),
    ],
)
def test_a_changed_message_is_refused(change: dict[str, object], reason: str) -> None:
    _world, a, b = pair()
    message = {**json.loads(document(a, "x.md", "text", seq=9)), **change}
    b.take(topics.SYNC, canonical.encode(message), retained=False)
    assert b.refused == {reason: 1}
    assert b.store.documents() == []


@pytest.mark.parametrize(
    ("file", "reason"),
    [("../x.md", "path-traversal"), ("/x.md", "path-absolute"), ("x.sh", "path-forbidden-ext")],
)
def test_names_are_checked_and_asked_for_once(file: str, reason: str) -> None:
    world, a, b = pair()
    message = document(a, file, "text", seq=9, vector={})
    b.take(topics.SYNC, message, retained=False)
    assert b.refused == {reason: 1}
    heads = [[file, revision_of(message)]]
    world.broker.log.clear()
    say(b, a, "sync-heads", heads=heads, page=0, last=True, root="0" * 64)
    say(b, a, "sync-deliver", payload=message.decode())
    say(b, a, "sync-heads", heads=heads, page=0, last=True, root="0" * 64)
    wants = [raw for _topic, raw in world.broker.log if json.loads(raw)["type"] == "sync-want"]
    assert len(wants) == 1


def test_one_counter_is_one_message_and_jumps_are_bounded() -> None:
    _world, a, b = pair()
    for content, seq, reason in (
        ("one", 5, None),
        ("two", 5, "fork"),
        ("far", limits.SEQ_JUMP + 6, "seq-jump"),
        ("three", limits.SEQ_JUMP + 5, None),
    ):
        before = b.refused.total()
        message = document(a, f"{content}.md", content, seq=seq, vector={})
        b.take(topics.SYNC, message, retained=False)
        assert b.refused.total() - before == (reason is not None)
        assert reason is None or b.refused[reason] == 1
        assert (b.store.document(f"{content}.md") is None) == (reason is not None)


def test_a_message_for_somebody_else_is_refused() -> None:
    _world, a, b = pair()
    message = document(a, "x.md", "text", to=key_of(77).peer_id)
    b.take(topics.SYNC, message, retained=False)
    assert b.refused == {"wrong-recipient": 1}
    b.take(topics.inbox(a.peer_id), message, retained=False)
    assert b.refused["wrong-topic"] == 1


def test_a_stranger_that_was_never_announced_is_refused() -> None:
    world, _a, b = pair()
    stranger = SimPeer(world, 50)
    b.take(topics.SYNC, document(stranger, "x.md", "text"), retained=False)
    assert b.refused == {"unknown-peer": 1}


def test_a_relayed_document_introduces_its_author() -> None:
    world, _a, b = pair()
    stranger, absent = SimPeer(world, 50), SimPeer(world, 51)
    announce = stranger.node.book.announcement().decode()
    payload = document(stranger, "x.md", "text").decode()
    say(b, world.peers[0], "sync-deliver", payload=payload, announce=announce)
    assert b.heads("x.md") == {b"text"}
    payload = document(absent, "y.md", "text").decode()
    say(b, world.peers[0], "sync-deliver", payload=payload, announce=announce)
    assert b.refused == {"unknown-peer": 1}
    assert b.store.document("y.md") is None


def test_only_documents_are_relayed() -> None:
    _world, a, b = pair()
    inner = a.node.book.announcement().decode()
    say(b, a, "sync-deliver", payload=inner)
    assert b.refused.total() == 1


# --- our own words ------------------------------------------------------------------------
def test_our_own_echo_is_nothing() -> None:
    _world, a, _b = pair()
    a.sync("x.md", b"text")
    for topic, raw in list(a.world.broker.log):
        if json.loads(raw)["peer_id"] == a.peer_id and topic.endswith(("/sync", "announce")):
            a.take(topic, raw, retained=False)
    a.restart()
    message = a.node.library.packing.message_of(a.store.revisions("x.md")[0])
    a.take(topics.SYNC, message, retained=False)
    assert a.refused["self-peer"] == 0
    assert a.heard.total() == 0
    assert a.events("identity-changed") == []


def test_a_copied_identity_is_told() -> None:
    world = World()
    a = world.add(number=1)
    clone = world.add(number=1)
    world.run(5)
    message = document(clone, "x.md", "not ours", seq=1, vector={})
    a.take(topics.SYNC, message, retained=False)
    assert a.refused["self-peer"] == 1
    assert a.store.documents() == []
    a.take(topics.ANNOUNCE, clone.node.book.announcement(), retained=False)
    assert len(a.events("identity-changed")) == 2


# --- pieces -------------------------------------------------------------------------------
@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_a_large_document_comes_in_pieces(loss: float) -> None:
    world, a, b = pair()
    world.broker.faults.loss, world.broker.faults.twice = loss, loss
    content = bytes(range(32, 127)) * (4 * limits.MIB // 95)
    a.sync("large.canvas", content)
    world.run(240)
    assert b.heads("large.canvas") == {content}
    assert list(b.heard.values()) == [1]
    assert b.node.inbox.assembler.pending == 0
    assert a.store.acknowledged(b.peer_id, "large.canvas") is not None


def test_bytes_that_are_not_text_come_as_they_are() -> None:
    world, a, b = pair()
    for number, content in enumerate((b"\xff\xfe", b"a\0b", b"", "é".encode())):
        a.sync(f"{number}.canvasl", content)
        world.run(5)
        assert b.heads(f"{number}.canvasl") == {content}


def test_a_piece_made_of_pieces_is_refused() -> None:
    _world, a, b = pair()
    data = "eA=="
    inner = a.node.context.signed(
        "canvasl-piece", id="0" * 64, index=0, count=1, size=1, data=data, to=b.peer_id
    )
    digest = envelope.digest(inner)
    from federation.wire.forms import encode_base64

    say(b, a, "canvasl-piece", id=digest, index=0, count=1, size=len(inner),
        data=encode_base64(inner))  # fmt: skip
    assert b.refused == {"wrong-type": 1}


def test_a_file_that_cannot_be_written_now_is_asked_for_again() -> None:
    world, a, b = pair()
    b.files.broken["x.md"] = "path-io-error"
    a.sync("x.md", b"text")
    world.run(100)
    assert b.store.documents() == []
    b.files.broken.clear()
    world.run(100)
    assert b.heads("x.md") == {b"text"}
    assert a.store.acknowledged(b.peer_id, "x.md") is not None
