# SPDX-License-Identifier: MIT
"""Damaged and hostile messages: never an exception, never a change by what was refused."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from federation.errors import REASONS, Refusal
from federation.events import Effect, Heard, Notify, Publish, Refused, WriteFile
from federation.wire import canonical, envelope, topics
from tests.fuzz.node_world import KEYS, NAMES, TIME, Fields, NodeWorld, encode, examples, signed

#: What a refusal may still say: "I have it already", or "somebody has your key".
QUIET = ("identity-changed",)
ROUNDS = 400

VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**53 - 1, 2**53, -(2**53), 1.5, -0.0, 1e300, "", "x",
    "0x", "0x" + "0" * 64, "0x" + "f" * 128, "\0", "\u202e", "\U0001f600", "../x.md", "a" * 5000,
    "é", "e\u0301", "%s%n", "peer-" + "a" * 52, TIME, "9999-12-31T23:59:59.999999999Z",
    "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", [], {}, [[]], [None], [1, 2], {"": ""},
    {"a": {"b": [{}]}}, ["a" * 64] * 3, [["a.md", "a" * 64]], [["a.md"]], [[1, 2]],
    {"peer-" + "a" * 52: 0}, {"peer-" + "a" * 52: 2**53 - 1}, {"peer-" + "a" * 52: -1},
    ["ab" * 32] * 17, {f"peer-{'a' * 51}{digit}": 1 for digit in "bcdefg"}, "AAAA", "AAA", "A=",
    "canvasl-sync", "canvasl-piece", "sync-deliver", "peer-announce", "online", "offline",
)  # fmt: skip
NAMES_OF_FIELDS = (
    "type", "v", "seq", "to", "name", "caps", "vector", "parents", "file", "content", "data", "id",
    "index", "count", "size", "payload", "announce", "stored", "held", "messages", "root", "nonce",
    "echo", "heads", "page", "last", "revisions", "kind", "public_key", "address", "session",
    "status", "timestamp", "peer_id", "signature", "x-more", "x-", "X-a", "__proto__", "", "\0",
)  # fmt: skip


def _change_field(fields: Fields, dice: random.Random) -> None:
    fields[dice.choice(list(fields))] = dice.choice(VALUES)


def _add_field(fields: Fields, dice: random.Random) -> None:
    fields[dice.choice(NAMES_OF_FIELDS)] = dice.choice(VALUES)


def _drop_field(fields: Fields, dice: random.Random) -> None:
    fields.pop(dice.choice(list(fields)))


def _bend_text(fields: Fields, dice: random.Random) -> None:
    texts = [name for name, value in fields.items() if isinstance(value, str) and value]
    if texts:
        name = dice.choice(texts)
        place = dice.randrange(len(fields[name]))
        letter = chr(dice.choice((0, 10, 32, 47, 48, 92, 0x7F, 0x202E, 0x2044, 0x1F600)))
        fields[name] = fields[name][:place] + letter + fields[name][place + 1 :]


def _other_author(fields: Fields, dice: random.Random) -> None:
    fields["peer_id"] = KEYS[dice.choice(NAMES)].peer_id


CHANGES: tuple[Callable[[Fields, random.Random], None], ...] = (
    _change_field, _add_field, _drop_field, _bend_text, _other_author,
)  # fmt: skip


def _damage(payload: bytes, dice: random.Random) -> bytes:
    """Bytes that came wrong over the wire."""
    data = bytearray(payload)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(data) + 1)
        match dice.randrange(5):
            case 0:
                data[place:place] = dice.randbytes(dice.randint(1, 3))
            case 1:
                del data[place : place + dice.randint(1, 9)]
            case 2:
                data[place : place + 1] = bytes([dice.choice(b'{}[]",:\\\x00\xff0e-tn')])
            case 3:
                data[place:place] = data[: dice.randint(1, 40)]
            case _:
                del data[place:]
        if not data:
            break
    return bytes(data)


def _hostile(dice: random.Random) -> tuple[str, bytes]:
    """A message made from a right one, and the topic that it comes on."""
    author = dice.choice(NAMES[:4]) if dice.random() < 0.2 else "alice"
    topic, fields = dice.choice(examples(author))
    if dice.random() < 0.3:
        return topic, _damage(encode(fields, author), dice)
    for _ in range(dice.randint(1, 3)):
        dice.choice(CHANGES)(fields, dice)
    if dice.random() < 0.15:
        alice, bob = KEYS["alice"].peer_id, KEYS["bob"].peer_id
        topic = dice.choice((topics.SYNC, topics.ANNOUNCE, topics.inbox(bob),
                             topics.presence(alice), "canvasl/else"))  # fmt: skip
    signer = author if dice.random() < 0.9 else dice.choice(NAMES)
    try:
        value = signed(fields, signer)
    except (Refusal, KeyError, AttributeError, TypeError):
        value = {**fields, "signature": "0x" + "0" * 128}  # what cannot be signed, as it is
    return topic, json.dumps(value, ensure_ascii=dice.random() < 0.5).encode(
        "utf-8", "surrogatepass"
    )


def _check_refused(effects: list[Effect]) -> None:
    """A refusal with a known reason, and at most an acknowledgement or an alarm beside it."""
    for effect in effects:
        if isinstance(effect, Refused):
            assert effect.reason in REASONS
        elif isinstance(effect, Notify):
            assert effect.notice.event in QUIET
        elif isinstance(effect, Publish):
            assert b'"type":"sync-ack"' in effect.payload or b'"sync-want"' in effect.payload
        else:
            raise AssertionError(effect)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("policy", ["ask", "announced", "paired"])
def test_hostile_messages(seed: int, policy: Any) -> None:
    world = NodeWorld(seed)
    world.node.context.settings = type(world.settings)(policy=policy)
    dice = random.Random(f"{policy}-{seed}")
    refused = 0
    for _ in range(ROUNDS):
        topic, payload = _hostile(dice)
        writes, documents = world.writes(), world.store.documents()
        effects = world.send(topic, payload, retained=dice.random() < 0.1)
        if any(isinstance(effect, Refused) for effect in effects):
            refused += 1
            _check_refused(effects)
            assert world.writes() == writes, payload[:300]
            assert world.store.documents() == documents
        if dice.random() < 0.05:
            world.mono += dice.choice((0.5, 20.0, 40.0))
            world.node.handle_timer(world.now())
            world.node.take_effects()
    assert refused > ROUNDS // 2
    # After all of that it still works, and its own document is as it was.
    good = {"type": "canvasl-sync", "peer_id": KEYS["mallory"].peer_id, "file": "good.md",
            "content": "good", "timestamp": TIME}  # fmt: skip
    effects = world.send(topics.SYNC, encode(good, "mallory"))
    assert [effect.file for effect in effects if isinstance(effect, WriteFile)] == ["good.md"]
    own = world.store.document("own.md")
    assert own is not None
    revision = world.store.revision(own.current)
    assert revision is not None
    assert world.node.library.heads.root == _root_again(world)


def _root_again(world: NodeWorld) -> str:
    world.node.library.heads.reload()
    return world.node.library.heads.root


@pytest.mark.parametrize("index", range(len(examples())))
def test_every_example_is_right(index: int) -> None:
    """Were one of them refused, the mutations above would prove little."""
    world = NodeWorld()
    topic, fields = examples()[index]
    effects = world.send(topic, encode(fields, "alice"))
    assert not [effect for effect in effects if isinstance(effect, Refused)]


@pytest.mark.parametrize("index", range(len(examples())))
def test_no_signature_is_worth_anything_for_another_message(index: int) -> None:
    """Each signature on every other message, and each message under another type."""
    topic, fields = examples()[index]
    signature = signed(fields, "alice")["signature"]
    for other_topic, other in examples():
        if other == fields:
            continue
        world = NodeWorld()
        writes = world.writes()
        payload = json.dumps({**other, "signature": signature}).encode()
        effects = world.send(other_topic, payload)
        assert any(isinstance(effect, Refused) for effect in effects)
        assert world.writes() == writes
        renamed = {**fields, "type": other["type"], "signature": signature}
        if renamed["type"] != fields["type"]:
            effects = world.send(topic, json.dumps(renamed).encode())
            assert any(isinstance(effect, Refused) for effect in effects)


@pytest.mark.parametrize("index", range(len(examples())))
def test_every_bit_of_the_signature_counts(index: int) -> None:
    topic, fields = examples()[index]
    value = signed(fields, "alice")
    digits = value["signature"][2:]
    world = NodeWorld()
    writes = world.writes()
    for bit in range(0, 512, 7):
        flipped = f"{int(digits, 16) ^ (1 << bit):0128x}"
        payload = json.dumps({**value, "signature": "0x" + flipped}).encode()
        (effect,) = world.send(topic, payload)
        assert isinstance(effect, Refused)
        assert effect.reason == "bad-signature"
    assert world.writes() == writes


def test_other_peoples_documents_cannot_be_rewritten_on_the_way() -> None:
    """Mallory hands alice's document on: only alice's own words count."""
    world = NodeWorld()
    bob = KEYS["bob"].peer_id
    document = {"type": "canvasl-sync", "peer_id": KEYS["alice"].peer_id, "file": "a.md",
                "content": "alice", "timestamp": TIME}  # fmt: skip
    right = signed(document, "alice")

    def deliver(inner: Fields, **more: object) -> list[Effect]:
        fields = {"type": "sync-deliver", "peer_id": KEYS["mallory"].peer_id, "to": bob,
                  "timestamp": TIME, "payload": json.dumps(inner), **more}  # fmt: skip
        return world.send(topics.inbox(bob), encode(fields, "mallory"))

    writes = world.writes()
    for inner in (
        {**right, "content": "mallory"},
        {**right, "peer_id": KEYS["mallory"].peer_id},
        signed(document, "mallory"),
        signed({**document, "peer_id": KEYS["revoked"].peer_id}, "revoked"),
        signed({**document, "peer_id": KEYS["stranger"].peer_id}, "stranger"),
        signed({**document, "to": KEYS["mallory"].peer_id}, "alice"),
        signed({**document, "peer_id": bob}, "bob"),
    ):
        effects = deliver(inner)
        assert any(isinstance(effect, Refused) for effect in effects), inner
        assert world.writes() == writes
    assert not any(isinstance(effect, Refused) for effect in deliver(right))
    assert world.store.document("a.md") is not None


def test_a_delivery_inside_a_delivery_ends() -> None:
    world = NodeWorld()
    bob = KEYS["bob"].peer_id
    payload = "{}"
    for _ in range(8):
        fields = {"type": "sync-deliver", "peer_id": KEYS["mallory"].peer_id, "to": bob,
                  "timestamp": TIME, "payload": payload}  # fmt: skip
        payload = json.dumps(signed(fields, "mallory"))
    effects = world.send(topics.inbox(bob), payload.encode())
    assert [effect.reason for effect in effects if isinstance(effect, Refused)] == ["wrong-topic"]


@pytest.mark.parametrize("seed", range(6))
def test_plain_versions_in_any_order(seed: int) -> None:
    """The newest by its author's clock is current, every one is kept, whatever came first."""
    dice = random.Random(seed)
    world = NodeWorld(seed)
    count = 12
    rows = [
        encode({"type": "canvasl-sync", "peer_id": KEYS["alice"].peer_id, "file": "a.md",
                "content": f"{number}", "timestamp": f"2025-01-07T12:00:{number:02d}Z"}, "alice")
        for number in range(count)
    ]  # fmt: skip
    sent = rows * 3
    dice.shuffle(sent)
    heard = 0
    for payload in sent:
        heard += sum(isinstance(effect, Heard) for effect in world.send(topics.SYNC, payload))
    assert heard == count
    document = world.store.document("a.md")
    assert document is not None
    current = world.store.revision(document.current)
    assert current is not None
    assert world.store.content(current.content_hash) == str(count - 1).encode()
    assert len(world.store.heads("a.md")) == 1
    assert world.store.count_revisions()["a.md"] == count


@pytest.mark.parametrize("seed", range(6))
def test_counted_versions_in_any_order(seed: int) -> None:
    """Two authors with vectors: the same heads whatever the order, repeated or not."""
    roots = set()
    for order in range(4):
        dice = random.Random(f"{seed}-{order}")
        world = NodeWorld(seed)
        sent = _story(random.Random(seed)) * 2
        dice.shuffle(sent)
        for payload in sent:
            world.send(topics.SYNC, payload)
        heads = world.store.heads("s.md")
        roots.add(frozenset(head.revision for head in heads))
    assert len(roots) == 1


def _story(dice: random.Random) -> list[bytes]:
    """Messages of two authors who sometimes have seen one another's, sometimes not."""
    seen: dict[str, dict[str, int]] = {"alice": {}, "mallory": {}}
    newest: dict[str, dict[str, str]] = {"alice": {}, "mallory": {}}
    made: list[bytes] = []
    for number in range(1, 8):
        name = dice.choice(("alice", "mallory"))
        other = "mallory" if name == "alice" else "alice"
        if dice.random() < 0.4:
            for author, seq in seen[other].items():
                seen[name][author] = max(seen[name].get(author, 0), seq)
            newest[name] |= newest[other] | {name: newest[name].get(name, "")}
        vector = dict(seen[name])
        parents = sorted({one for one in newest[name].values() if one})
        made.append(encode(
            {"type": "canvasl-sync", "peer_id": KEYS[name].peer_id, "file": "s.md",
             "content": f"{number}", "timestamp": TIME, "seq": number, "vector": vector,
             "parents": parents}, name,
        ))  # fmt: skip
        seen[name][KEYS[name].peer_id] = number
        newest[name] = {name: envelope.revision_id(json.loads(made[-1]))}
    return made


def test_the_canonical_form_has_one_reading() -> None:
    """Another spelling of the very same message is the very same message."""
    world = NodeWorld()
    fields = {"type": "canvasl-sync", "peer_id": KEYS["alice"].peer_id, "file": "é.md",
              "content": "é\u2028/\x7f", "timestamp": TIME, "seq": 3}  # fmt: skip
    value = signed(fields, "alice")
    spellings = [
        canonical.encode(value),
        json.dumps(value).encode(),
        json.dumps(dict(reversed(value.items())), indent=2).encode(),
        json.dumps(value).replace("/", "\\/").encode(),
    ]
    effects = world.send(topics.SYNC, spellings[0])
    assert any(isinstance(effect, WriteFile) for effect in effects)
    for payload in spellings[1:]:
        (refused, *_) = [one for one in world.send(topics.SYNC, payload)
                         if isinstance(one, Refused)]  # fmt: skip
        assert refused.reason == "replay"
    assert world.store.count_revisions()["é.md"] == 1
