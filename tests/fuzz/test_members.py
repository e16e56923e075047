# SPDX-License-Identifier: MIT
"""Rogue members: accepted peers whose messages are well formed, rightly signed, and lies."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import random
from typing import Any

import pytest

from federation import limits
from federation.events import Effect, Publish, Refused
from federation.replica import patch
from federation.replica.patch import Splice
from federation.wire import topics
from tests.fuzz.node_world import KEYS, TIME, Fields, NodeWorld, encode, signed

FILES = ("own.md", "s.md", "a/b.canvasl", "a", "A.md", "é.txt", "../x.md", "x.exe")
SEQS = (0, 1, 2, 7, 1000, 2**31, 2**52, 2**53 - 1)
BOB = KEYS["bob"].peer_id


def _revisions(world: NodeWorld) -> list[str]:
    known = [one.revision for file in world.store.count_revisions()
             for one in world.store.revisions(file)]  # fmt: skip
    return [*known, "ab" * 32, hashlib.sha256(bytes(str(len(known)), "ascii")).hexdigest()]


def _document(world: NodeWorld, author: str, dice: random.Random) -> Fields:
    fields: Fields = {"type": "canvasl-sync", "file": dice.choice(FILES),
                      "content": dice.choice(("", "x", "own", "é" * 50, '{"id":"n","x":1}\n',
                                          '{"id":"n","x":2}\n', '{"x":[{"id":"n"}]}')),
                      "timestamp": dice.choice((TIME, "0001-01-01T00:00:00Z",
                                                "9999-12-31T23:59:59Z"))}  # fmt: skip
    if dice.random() < 0.7:
        people = [key.peer_id for key in KEYS.values()]
        chosen = dice.sample(people, dice.randint(0, 4))
        fields |= {"seq": dice.choice(SEQS),
                   "vector": {one: dice.choice(SEQS) for one in chosen},
                   "parents": dice.sample(_revisions(world), 1)}  # fmt: skip
        if dice.random() < 0.3:
            open_ones = [one.number for one in world.store.open_conflicts()]
            fields["resolves"] = [*open_ones[:2], "cd" * 32]
    return {**fields, "peer_id": KEYS[author].peer_id}


def _change(world: NodeWorld, author: str, dice: random.Random) -> tuple[str, Fields]:
    """What somebody types, or a revision as a change of another one."""
    known = _revisions(world)
    if dice.random() < 0.5:
        file = dice.choice(FILES)
        return topics.live(file), {
            "type": "canvasl-edit", "file": file, "base": dice.choice(known),
            "start": dice.randrange(3),
            "changes": [[dice.randrange(9), dice.randrange(9), "x" * dice.randrange(3)]],
        }  # fmt: skip
    inner = _document(world, author, dice)
    del inner["content"]
    splices = [Splice(dice.randrange(4), dice.randrange(4), b"x" * dice.randrange(3))]
    return topics.SYNC, {
        "type": "canvasl-delta", "file": inner["file"], "revision": dice.choice(known),
        "base": dice.choice(known), "payload": json.dumps(inner),
        "patch": base64.b64encode(patch.encode(splices)).decode(),
    }  # fmt: skip


def _member_message(world: NodeWorld, dice: random.Random) -> tuple[str, bytes]:
    """A well-formed message of any type, by alice or mallory."""
    author = dice.choice(("alice", "mallory"))
    inbox = topics.inbox(BOB)
    known = _revisions(world)
    some = dice.sample(known, dice.randint(0, len(known)))
    row: Fields
    topic = inbox
    match dice.randrange(12):
        case 0 | 1 | 2:
            topic, row = topics.SYNC, _document(world, author, dice)
        case 3:
            inner = _document(world, dice.choice(("alice", "mallory", "stranger", "bob")), dice)
            name = next(name for name, key in KEYS.items() if key.peer_id == inner["peer_id"])
            row = {"type": "sync-deliver", "payload": json.dumps(signed({**inner}, name))}
            if dice.random() < 0.5:
                row["announce"] = world.announcement(dice.choice(("stranger", name))).decode()
        case 4:
            row = {"type": "sync-heads", "page": dice.randrange(3), "last": dice.random() < 0.5,
                   "root": "ab" * 32,
                   "heads": [[dice.choice(FILES), one] for one in some]}  # fmt: skip
        case 5:
            row = {"type": "sync-want", "revisions": some * dice.choice((1, 3)),
                   **dice.choice(({}, {"have": some[::2]}))}  # fmt: skip
        case 6:
            row = {"type": "sync-ack", "stored": some, "held": some, "messages": some}
        case 7:
            root = dice.choice(("ab" * 32, world.node.library.heads.root))
            row = {"type": "sync-hello", "root": root, "nonce": dice.randbytes(16).hex()}
            if dice.random() < 0.5:
                row["echo"] = dice.randbytes(16).hex()
        case 8:
            data = dice.randbytes(dice.choice((1, limits.PIECE)))
            count = 1 if len(data) == 1 else 3
            size = len(data) * count
            topic = dice.choice((topics.SYNC, inbox))
            row = {"type": "canvasl-piece", "id": dice.choice(known), "count": count,
                   "index": dice.randrange(count), "size": size,
                   "data": base64.b64encode(data).decode()}  # fmt: skip
        case 9 | 10:
            topic, row = _change(world, author, dice)
        case _:
            status = dice.choice(("online", "offline"))
            return topics.ANNOUNCE, world.announcement(
                author, session=dice.randbytes(16).hex(), status=status,
                timestamp=dice.choice((TIME, "2025-01-07T12:00:09Z", "9999-12-31T00:00:00Z")),
                caps=dice.choice((["ack1"], [], ["x"])),
            )  # fmt: skip
    if topic == inbox:
        row["to"] = BOB
    return topic, encode({"peer_id": KEYS[author].peer_id, "timestamp": TIME, **row}, author)


def _check(world: NodeWorld, effects: list[Effect]) -> None:
    """What holds whatever members say."""
    store = world.store
    heads: dict[str, list[str]] = {}
    for file, revision in store.all_heads():
        heads.setdefault(file, []).append(revision)
    for document in store.documents():
        shown = store.revision(document.current)
        assert shown is not None
        # one of the versions, or what all of them make together
        together = not shown.author and sorted(shown.parents) == sorted(heads[document.file])
        assert together or document.current in heads[document.file]
        assert len(heads[document.file]) <= limits.HEADS
    sent = sum(len(one.payload) for one in effects if isinstance(one, Publish))
    assert sent < limits.DELIVERY


@pytest.mark.parametrize("seed", range(12))
def test_members_that_lie(seed: int) -> None:
    world = NodeWorld(seed)
    dice = random.Random(seed)
    own = hashlib.sha256(b"own").hexdigest()
    for step in range(250):
        topic, payload = _member_message(world, dice)
        writes = world.writes()
        effects = world.send(topic, payload)
        refused = [one for one in effects if isinstance(one, Refused)]
        if refused and b'"announce"' not in payload:
            assert world.writes() == writes, refused
        _check(world, effects)
        if dice.random() < 0.1:
            world.mono += dice.choice((1.0, 20.0, 70.0))
            world.node.handle_timer(world.now())
            _check(world, list(world.node.take_effects()))
        if step % 50 == 49:
            root = world.node.library.heads.root
            world.node.library.heads.reload()
            assert world.node.library.heads.root == root
    # Our own work is in the history, and can be made the newest again.
    first = world.store.revisions("own.md")[0]
    assert first.content_hash == own
    restored = world.node.restore("own.md", first.revision)
    assert restored.place == "current"
    document = world.store.document("own.md")
    assert document is not None
    assert document.current == restored.revision.revision
    assert len(world.store.heads("own.md")) == 1


def _claim(world: NodeWorld, author: str, vector: Fields, seq: int = 1) -> list[Effect]:
    fields: dict[str, Any] = {
        "type": "canvasl-sync", "peer_id": KEYS[author].peer_id, "file": "own.md",
        "content": "claimed", "timestamp": TIME, "seq": seq, "vector": vector, "parents": [],
    }  # fmt: skip
    return world.send(topics.SYNC, encode(fields, author))


def test_nobody_can_say_that_our_next_edits_are_old() -> None:
    """A vector that claims to have seen edits we have not made yet hides none of them."""
    world = NodeWorld()
    _claim(world, "alice", {BOB: 2**53 - 1, KEYS["mallory"].peer_id: 2**53 - 1})
    for text in (b"next", b"and next"):
        recorded = world.node.sync_content("own.md", text, None)
        assert recorded.place == "current"
        document = world.store.document("own.md")
        assert document is not None
        assert document.current == recorded.revision.revision
    assert len(world.store.heads("own.md")) == 1


def test_an_edit_made_from_a_claim_succeeds_it_elsewhere() -> None:
    """The same at a third peer: mallory's edit names alice's claim as its parent."""
    world = NodeWorld()
    _claim(world, "alice", {KEYS["mallory"].peer_id: 2**53 - 1, BOB: 2**53 - 1})
    (claimed,) = [one for one in world.store.heads("own.md")
                  if one.author == KEYS["alice"].peer_id]  # fmt: skip
    fields = {"type": "canvasl-sync", "peer_id": KEYS["mallory"].peer_id, "file": "own.md",
              "content": "mallory's", "timestamp": TIME, "seq": 5, "parents": [claimed.revision],
              "vector": {**claimed.vector, claimed.author: claimed.seq}}  # fmt: skip
    world.send(topics.SYNC, encode(fields, "mallory"))
    # and what the claim has not seen, whatever it says, stands beside it
    heads = {head.author for head in world.store.heads("own.md")}
    assert heads == {KEYS["mallory"].peer_id, BOB}


def test_peers_agree_in_any_order_whatever_is_claimed() -> None:
    """Alice's claim, three edits of bob on top of it, and one of mallory beside them."""
    bob = NodeWorld()
    claim = encode(
        {"type": "canvasl-sync", "peer_id": KEYS["alice"].peer_id, "file": "s.md", "seq": 1,
         "content": "claimed", "timestamp": TIME, "parents": [],
         "vector": {BOB: 2**53 - 1, KEYS["mallory"].peer_id: 2**53 - 1}}, "alice",
    )  # fmt: skip
    beside = encode(
        {"type": "canvasl-sync", "peer_id": KEYS["mallory"].peer_id, "file": "s.md", "seq": 5,
         "content": "beside", "timestamp": TIME, "parents": [], "vector": {}}, "mallory",
    )  # fmt: skip
    bob.send(topics.SYNC, claim)
    made = [bob.node.sync_content("s.md", text, None) for text in (b"1", b"2", b"3")]
    sent = [claim, beside, *(bob.node.library.packing.message_of(one.revision) for one in made)]
    found = set()
    for order in itertools.permutations(sent):
        third = NodeWorld(owner="stranger")
        for payload in order:
            third.send(topics.SYNC, payload)
        heads = third.store.heads("s.md")
        found.add(frozenset(head.revision for head in heads))
        assert made[-1].revision.revision in {head.revision for head in heads}
    assert len(found) == 1


def test_one_member_cannot_fill_the_heads_for_others() -> None:
    """Concurrent versions without end are refused; our own edit still takes its place."""
    world = NodeWorld()
    for seq in range(1, 3 * limits.HEADS):
        _claim(world, "alice", {}, seq=seq)
    assert len(world.store.heads("own.md")) <= limits.HEADS
    recorded = world.node.sync_content("own.md", b"mine again", None)
    assert recorded.place == "current"
    effects = _claim(world, "mallory", {}, seq=1)
    assert not [one for one in effects if isinstance(one, Refused)]
