# SPDX-License-Identifier: MIT
"""Live edits between nodes: small messages at once, a revision in the pause."""

from __future__ import annotations

import json
from typing import Any

import pytest

from federation import limits
from federation.errors import Refusal
from federation.node.context import NodeSettings
from federation.replica.edits import Change, from_json
from federation.wire import topics
from tests.node.world import SimPeer, World

TEXT = b'{"id":"a","text":"pond"}\n{"id":"b","text":"frog"}\n'
FILE = "garden.canvasl"


def opened(world: World, *peers: SimPeer) -> None:
    for peer in peers:
        peer.do(lambda peer=peer: peer.node.live.open(FILE, None))  # type: ignore[misc]
    world.run(0.1)


def typed(peer: SimPeer, start: int, *changes: tuple[int, int, str]) -> Any:
    made = [Change(*one) for one in changes]
    return peer.do(lambda: peer.node.live.edit(FILE, start, made))


def heard(peer: SimPeer) -> list[dict[str, object]]:
    return peer.events("document-edited")


def text_of(peer: SimPeer) -> bytes:
    return peer.files.synced[FILE]


def pair(seed: int = 0) -> tuple[World, SimPeer, SimPeer]:
    world = World(seed)
    a, b = world.add(), world.add()
    world.run(3)
    a.sync(FILE, TEXT)
    world.run(3)
    opened(world, a, b)
    return world, a, b


def test_what_is_typed_is_heard_at_once_and_is_a_revision_after_the_pause() -> None:
    world, a, b = pair()
    before = len(a.store.revisions(FILE))
    for number, letter in enumerate("lily "):
        answer = typed(a, number, (18 + number, 0, letter))
        assert answer["start"] == number + 1
        world.run(0.1)
    assert [one["changes"] for one in heard(b)] == [
        [[18 + number, 0, letter]] for number, letter in enumerate("lily ")
    ]
    assert {one["peer_id"] for one in heard(b)} == {a.peer_id}
    assert heard(a) == []
    assert text_of(b) == text_of(a) == TEXT
    world.run(limits.EDIT_PAUSE + 1)
    assert len(a.store.revisions(FILE)) == before + 1
    assert text_of(a) == text_of(b) == TEXT.replace(b"pond", b"lily pond")
    assert b.do(lambda: b.node.live.drafts(FILE)) == []
    world.check_converged()


def test_who_types_without_a_pause_makes_revisions_now_and_then() -> None:
    world, a, b = pair()
    before = len(a.store.revisions(FILE))
    for number in range(60):
        typed(a, number, (18, 0, "x"))
        world.run(0.5)
    made = len(a.store.revisions(FILE)) - before
    assert made == pytest.approx(30 / limits.EDIT_LONGEST, abs=1)
    world.run(5)
    assert text_of(b) == TEXT.replace(b"pond", b"x" * 60 + b"pond")
    # the numbers of the messages begin again with each revision; nothing was missed
    assert sum(len(one["changes"]) for one in heard(b)) == 60  # type: ignore[arg-type, misc]
    assert "edit-want" not in {json.loads(raw)["type"] for _topic, raw in world.broker.log}


def test_the_message_is_small_whatever_the_size_of_the_document() -> None:
    world, a, _b = pair()
    a.sync(FILE, TEXT * 20_000)
    world.run(3)
    a.do(lambda: a.node.live.open(FILE, None))
    world.broker.log.clear()
    typed(a, 0, (18, 0, "x"))
    world.run(0.1)
    ((topic, raw),) = [one for one in world.broker.log if one[0].startswith("canvasl/live/")]
    assert topic == topics.live(FILE)
    assert len(raw) < 500
    world.run(limits.EDIT_PAUSE + 1)
    # and the revision goes out as what changed, too
    assert sum(len(raw) for _topic, raw in world.broker.log) < 20_000


def test_a_lost_message_is_asked_for() -> None:
    world, a, b = pair()
    typed(a, 0, (0, 0, "1"))
    world.run(0.1)
    world.broker.partitions.add(frozenset({a.peer_id, b.peer_id}))
    typed(a, 1, (0, 0, "2"))
    world.run(0.1)
    world.broker.partitions.clear()
    typed(a, 2, (0, 0, "3"))
    world.run(0.1)
    changes = [change for one in heard(b) for change in one["changes"]]  # type: ignore[attr-defined]
    assert changes == [[0, 0, "1"], [0, 0, "2"], [0, 0, "3"]]


def test_who_asks_again_and_again_is_answered_now_and_then() -> None:
    world, a, b = pair()
    typed(a, 0, (0, 0, "x" * 1000))
    world.run(0.1)
    want = b.node.context.signed(
        "edit-want", to=a.peer_id, file=FILE, base=a.store.heads(FILE)[0].revision, start=0
    )
    world.broker.log.clear()
    for _ in range(20):
        a.take(topics.inbox(a.peer_id), want, retained=False)
    assert len(world.broker.log) == 1
    world.run(limits.EDIT_ASK)
    a.take(topics.inbox(a.peer_id), want, retained=False)
    assert b"x" * 1000 in world.broker.log[-1][1]


def test_two_who_type_at_once_are_merged() -> None:
    world, a, b = pair()
    typed(a, 0, (18, 0, "lily "))
    typed(b, 0, (43, 0, "tree "))
    world.run(0.1)
    assert len(heard(a)) == len(heard(b)) == 1
    world.run(10)
    expected = TEXT.replace(b"pond", b"lily pond").replace(b"frog", b"tree frog")
    assert text_of(a) == text_of(b) == expected
    world.check_converged()


def test_only_who_has_it_open_hears_it() -> None:
    world, a, b = pair()
    c = world.add()
    world.run(5)
    b.do(lambda: b.node.live.close(FILE))
    typed(a, 0, (0, 0, "x"))
    world.run(0.2)
    assert heard(b) == heard(c) == []
    world.run(5)
    assert text_of(b) == text_of(c) == b"x" + TEXT


def test_what_was_typed_survives_a_crash() -> None:
    world, a, b = pair()
    for number in range(3):
        typed(a, number, (0, 0, f"{number}"))
        world.run(limits.LAZY * 2)
    a.crash()
    world.run(30)
    a.restart()
    a.go_online()
    world.run(30)
    assert text_of(a) == text_of(b) == b"210" + TEXT
    assert a.store.drafts() == []


def test_what_a_failed_turn_undid_is_typed_text_again() -> None:
    world, a, b = pair()
    typed(a, 0, (0, 0, "x"))

    def fails() -> None:
        a.node.live.checkpoint(FILE)
        raise Refusal("disk-full")

    with pytest.raises(Refusal):
        a.do(fails)
    typed(a, 1, (0, 0, "y"))
    world.run(10)
    assert text_of(a) == text_of(b) == b"yx" + TEXT


def test_edits_are_refused_with_their_reasons() -> None:
    world, a, _b = pair()
    cases: list[tuple[str, int, tuple[int, int, str]]] = [
        ("edit-out-of-step", 1, (0, 0, "x")),
        ("edit-out-of-range", 0, (len(TEXT) + 1, 0, "x")),
    ]
    for reason, start, change in cases:
        with pytest.raises(Refusal) as caught:
            typed(a, start, change)
        assert caught.value.reason == reason
    with pytest.raises(Refusal) as caught:
        a.do(lambda: a.node.live.edit("none.canvasl", 0, []))
    assert caught.value.reason == "document-not-open"
    with pytest.raises(Refusal) as caught:
        a.do(lambda: a.node.live.open(FILE, "0" * 64))
    assert caught.value.reason == "unknown-base"
    a.sync("picture.md", b"\xff\xfe")
    with pytest.raises(Refusal) as caught:
        a.do(lambda: a.node.live.open("picture.md", None))
    assert caught.value.reason == "not-text"
    world.run(5)
    assert text_of(a) == TEXT


def test_nothing_typed_in_a_local_space_leaves() -> None:
    world, a, _b = pair()
    a.sync("~box/diary.md", b"secret")
    world.broker.log.clear()
    a.do(lambda: a.node.live.open("~box/diary.md", None))
    a.do(lambda: a.node.live.edit("~box/diary.md", 0, [Change(0, 0, "my ")]))
    assert a.followed == {topics.live(FILE)}
    world.run(5)
    assert a.files.synced["~box/diary.md"] == b"my secret"
    assert not [raw for _topic, raw in world.broker.log if b"diary" in raw or b"edit" in raw]
    a.do(lambda: a.node.live.close("~box/diary.md"))


def test_drafts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    world, a, b = pair()
    monkeypatch.setattr(limits, "DRAFT_TEXT", 100)
    key = (FILE, a.peer_id)
    for number in range(3):
        message = a.node.context.signed(
            "canvasl-edit", file=FILE, base=a.store.heads(FILE)[0].revision, start=2 * number,
            changes=[[0, 0, "x" * 40], [0, 40, ""]],
        )  # fmt: skip
        b.take(topics.live(FILE), message, retained=False)
        assert (key in b.node.live._others) is (number < 2)
    typed(a, 0, (0, 0, "x" * 60))
    assert len(a.store.revisions(FILE)) == 2, "it is a revision before the pause"
    world.run(3)
    assert text_of(b) == b"x" * 60 + TEXT


def test_nobody_hears_whether_there_is_a_document_of_a_local_space() -> None:
    world = World()
    a, b = world.add(), world.add()
    world.run(3)
    file = "~diary/x.md"
    a.sync(file, b"secret")
    (head,) = a.store.heads(file)
    a.do(lambda: a.node.live.open(file, None))
    inbox = topics.inbox(a.peer_id)
    seen: list[str] = []
    real = b.take

    def listening(topic: str, payload: bytes, *, retained: bool) -> None:
        seen.append(payload.decode())
        real(topic, payload, retained=retained)

    b.take = listening  # type: ignore[method-assign]
    edit = {"to": a.peer_id, "file": file, "base": head.revision, "start": 3}
    for fields in ({"changes": [[0, 0, "x"]], **edit}, {**edit, "base": "0" * 64, "changes": []}):
        a.take(inbox, b.node.context.signed("canvasl-edit", **fields), retained=False)
    a.take(inbox, b.node.context.signed("edit-want", **edit), retained=False)
    world.run(5)
    assert heard(a) == []
    assert not any("diary" in one or head.revision in one for one in seen)


def test_strangers_type_nothing_here() -> None:
    world = World()
    a = world.add()
    b = world.add(NodeSettings(policy="ask"))
    world.run(3)
    a.sync(FILE, TEXT)
    b.sync(FILE, TEXT)
    world.run(3)
    opened(world, a, b)
    typed(a, 0, (0, 0, "x"))
    world.run(0.5)
    assert heard(b) == []
    assert b.refused["untrusted-peer"] == 1


def test_saving_what_was_typed_makes_one_revision() -> None:
    world, a, b = pair()
    before = len(a.store.revisions(FILE))
    typed(a, 0, (0, 0, "x"))
    recorded = a.sync(FILE, b"x" + TEXT)
    assert recorded.place == "unchanged"
    world.run(5)
    assert len(a.store.revisions(FILE)) == before + 1
    assert text_of(b) == b"x" + TEXT


def test_two_front_ends_of_one_peer_hear_each_other_and_keep_step() -> None:
    world, a, b = pair()
    answer = a.do(lambda: a.node.live.open(FILE, None))
    assert isinstance(answer, dict)
    assert answer["start"] == 0
    typed(a, 0, (0, 0, "x"))
    assert [one["peer_id"] for one in heard(a)] == [a.peer_id]
    with pytest.raises(Refusal) as caught:
        typed(a, 0, (0, 0, "y"))
    assert caught.value.reason == "edit-out-of-step"
    a.do(lambda: a.node.live.close(FILE))
    typed(a, 1, (0, 0, "z"))
    a.do(lambda: a.node.live.close(FILE))
    world.run(1)
    assert text_of(b) == b"zx" + TEXT


def test_who_opens_later_is_told_what_is_being_typed() -> None:
    world, a, b = pair()
    typed(a, 0, (0, 0, "x"))
    world.run(0.1)
    found = b.do(lambda: b.node.live.open(FILE, None))
    assert isinstance(found, dict)
    ((draft),) = found["drafts"]
    assert draft["peer_id"] == a.peer_id
    assert from_json(draft["changes"]) == [Change(0, 0, "x")]


@pytest.mark.parametrize("seed", range(5))
def test_loss_and_crashes_lose_nothing_typed(seed: int) -> None:
    world, a, b = pair(seed)
    world.broker.faults.loss = 0.2
    world.broker.faults.delay = 0.2
    expected = {a: "", b: ""}
    count = {a: 0, b: 0}
    for number in range(60):
        peer = world.random.choice([a, b])
        if world.random.random() < 0.05:
            world.run(limits.LAZY * 2)  # durable by then
            peer.restart()
            peer.do(lambda peer=peer: peer.node.live.open(FILE, None))  # type: ignore[misc]
            count[peer] = 0
        letter = f"<{'a' if peer is a else 'b'}{number}>"
        # each at the end of an entry of its own
        shown = peer.node.live.text(FILE)
        at = shown.index('"pond' if peer is a else '"frog') + 5
        typed(peer, count[peer], (at, 0, letter))
        count[peer] += 1
        expected[peer] = letter + expected[peer]
        world.run(world.random.random())
    world.settle()
    world.check_converged()
    for peer, word in ((a, "pond"), (b, "frog")):
        assert word[0:] + expected[peer] in text_of(a).decode()
