# SPDX-License-Identifier: MIT
from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation import limits
from federation.errors import Refusal
from federation.identity import keys
from federation.identity.peer_id import peer_id_of
from federation.wire import envelope, forms, topics
from federation.wire.canonical import encode
from federation.wire.messages import OPTIONAL, REQUIRED, TYPES, Message, parse
from tests.conformance import badinputs

ALICE = keys.SigningKey.from_seed(bytes(range(32)))
BOB = keys.SigningKey.from_seed(bytes(range(1, 33)))
HASH = "ab" * 32
TOKEN = "cd" * 16
TIME = "2025-01-07T12:00:00Z"

#: What follows the fields of a packed piece.
BODY = b"\0\xff"
#: A right message of every type, without the fields that all have.
EXAMPLES: dict[str, dict[str, Any]] = {
    "peer-announce": {"public_key": keys.to_hex(ALICE.public_key), "address": "mqtt://h:1883",
                      "session": TOKEN, "status": "offline", "name": "Zoë", "caps": ["ack1"]},
    "canvasl-sync": {"file": "a.canvasl", "content": "", "vector": {BOB.peer_id: 0}, "seq": 7,
                     "parents": [HASH]},
    "canvasl-binary": {"file": "a.canvasl", "data": "AP8=", "vector": {}},
    "canvasl-delta": {"file": "a.canvasl", "revision": HASH, "base": HASH, "payload": "{}",
                      "patch": "AP8="},
    "canvasl-edit": {"file": "a.canvasl", "base": HASH, "start": 0, "changes": [[0, 1, "é"]]},
    "edit-want": {"to": BOB.peer_id, "file": "a.canvasl", "base": HASH, "start": 2},
    "canvasl-piece": {"id": HASH, "index": 0, "count": 1, "size": 2, "data": "AP8="},
    "packed-piece": {"to": BOB.peer_id, "id": HASH, "index": 0, "count": 1, "size": 2, "whole": 9,
                     "hash": hashlib.sha256(BODY).hexdigest()},
    "sync-deliver": {"to": BOB.peer_id, "payload": "{}", "announce": "{}"},
    "sync-ack": {"to": BOB.peer_id, "stored": [HASH], "held": [], "messages": [HASH, HASH]},
    "sync-hello": {"to": BOB.peer_id, "root": HASH, "nonce": TOKEN, "echo": TOKEN, "count": 0},
    "sync-heads": {"to": BOB.peer_id, "heads": [["a.md", HASH]], "page": 0, "last": True,
                   "root": HASH},
    "sync-want": {"to": BOB.peer_id, "revisions": [HASH]},
    "peer-message": {"to": BOB.peer_id, "kind": "chat.text", "content": "héllo\n"},
}  # fmt: skip
HOME = {
    topics.TopicKind.ANNOUNCE: topics.ANNOUNCE,
    topics.TopicKind.PRESENCE: topics.presence(ALICE.peer_id),
    topics.TopicKind.INBOX: topics.inbox(BOB.peer_id),
    topics.TopicKind.SYNC: topics.SYNC,
    topics.TopicKind.LIVE: topics.live("a.canvasl"),
    topics.TopicKind.OTHER: "some/other",
}


def message(type_: str, **changes: Any) -> dict[str, Any]:
    fields = {"type": type_, "peer_id": ALICE.peer_id, "timestamp": TIME, **EXAMPLES[type_]}
    return envelope.sign({**fields, **changes}, ALICE)


def topic_of(type_: str) -> str:
    kinds = TYPES[type_].topics
    return HOME[max(kinds, key=lambda kind: kind.name)]


def behind(fields: Any) -> bytes:
    """The bytes behind the fields of a message."""
    packed = isinstance(fields, dict) and fields.get("type") == "packed-piece"
    return b"\0" + BODY if packed else b""


def take(fields: Any, topic: str | None = None, **options: Any) -> Message:
    if topic is None:
        topic = topic_of(fields["type"])
    return parse(encode(fields) + behind(fields), topic, **options)


def refusal(fields: Any, topic: str = topics.SYNC, **options: Any) -> tuple[str, str]:
    with pytest.raises(Refusal) as caught:
        take(fields, topic, **options)
    return caught.value.reason, caught.value.detail


def reason(fields: Any, topic: str = topics.SYNC, **options: Any) -> str:
    return refusal(fields, topic, **options)[0]


@pytest.mark.parametrize("type_", TYPES)
def test_every_type_is_taken_as_it_is(type_: str) -> None:
    fields = message(type_)
    raw = encode(fields)
    for kind in TYPES[type_].topics - {topics.TopicKind.INBOX}:
        assert parse(raw, HOME[kind]).fields == fields
    got = take(fields)
    assert (got.type, got.peer_id, got.raw) == (type_, ALICE.peer_id, raw + behind(fields))
    assert got.timestamp_us == 1_736_251_200_000_000
    envelope.verify(got, ALICE.public_key)
    with pytest.raises(dataclasses.FrozenInstanceError):
        got.type = "other"  # type: ignore[misc]


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("kind", HOME)
def test_only_the_types_own_topics(type_: str, kind: topics.TopicKind) -> None:
    if kind not in TYPES[type_].topics:
        assert reason(message(type_, to=BOB.peer_id), HOME[kind]) == "wrong-topic"


@pytest.mark.parametrize("type_", TYPES)
def test_required_fields(type_: str) -> None:
    for name in {**REQUIRED, **TYPES[type_].required}:
        fields = message(type_)
        del fields[name]
        assert refusal(fields, topic_of(type_)) == ("missing-field", name)


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("value", [None, 1, 1.5, True, "x", [], {}])
def test_types_of_fields(type_: str, value: object) -> None:
    known = {**REQUIRED, **OPTIONAL, **TYPES[type_].optional, **TYPES[type_].required}
    for name, form in known.items():
        if type(value) is not form.kind:
            got = refusal(message(type_) | {name: value}, topic_of(type_))
            assert got == ("wrong-type", name)


@given(st.sampled_from(sorted(TYPES)), st.data())
def test_wild_values_are_refused_or_taken_never_a_crash(type_: str, data: st.DataObject) -> None:
    known = {**REQUIRED, **OPTIONAL, **TYPES[type_].optional, **TYPES[type_].required}
    name = data.draw(st.sampled_from(sorted(known)))
    form = known[name]
    leaf = st.text() | st.integers(-(2**53) + 1, 2**53 - 1) | st.booleans() | st.none()
    by_kind: dict[type, st.SearchStrategy[Any]] = {
        str: st.text(), int: st.integers(-(2**53) + 1, 2**53 - 1), bool: st.booleans(),
        list: st.lists(leaf | st.lists(leaf)), dict: st.dictionaries(st.text(), leaf),
    }  # fmt: skip
    fields = message(type_) | {name: data.draw(by_kind[form.kind])}
    try:
        assert take(fields, topic_of(type_)).fields == fields
    except Refusal as refused:
        assert refused.reason != "internal-error"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"v": 2}, "unsupported-version"),
        ({"v": 0}, "unsupported-version"),
        ({"v": True}, "wrong-type"),
        ({"v": 1.0}, "wrong-type"),
        ({"v": "1"}, "wrong-type"),
        ({"seq": -1}, "number-range"),
        ({"seq": 1.5}, "wrong-type"),
        ({"seq": True}, "wrong-type"),
        ({"seq": 1.0}, "wrong-type"),
        ({"to": "peer-x"}, "bad-peer-id"),
        ({"peer_id": ALICE.peer_id.upper()}, "bad-peer-id"),
        ({"peer_id": ALICE.peer_id + "\n"}, "bad-peer-id"),
        ({"peer_id": ALICE.peer_id[:-1] + "b"}, "bad-peer-id"),
        ({"name": " "}, "bad-display-name"),
        ({"name": "x" * 65}, "bad-display-name"),
        ({"name": "100%"}, "format-string"),
        ({"name": BOB.peer_id}, "name-collision"),
        ({"caps": ["a"] * 2}, "bad-field"),
        ({"caps": [f"c{number}" for number in range(limits.CAPS + 1)]}, "bad-field"),
        ({"caps": ["a" * (limits.CAP_LENGTH + 1)]}, "bad-field"),
        ({"caps": ["a b"]}, "bad-field"),
        ({"caps": [1]}, "wrong-type"),
        ({"content": "a\0b"}, "nul-in-text"),
        ({"x-a": ["\0"]}, "nul-in-text"),
        ({"x-a": {"\0": 1}}, "nul-in-text"),
        ({"extra": 1}, "unknown-field"),
        ({"public_key": "0x"}, "unknown-field"),
        ({"x-": 1}, "unknown-field"),
        ({"x-a\0": 1}, "unknown-field"),
        ({"x-é": 1}, "unknown-field"),
        ({"X-a": 1}, "unknown-field"),
        ({"x-" + "a" * limits.FIELD_NAME: 1}, "unknown-field"),
        ({f"x-{number}": 1 for number in range(limits.EXTENSION_FIELDS + 1)}, "unknown-field"),
        ({"vector": {"peer-x": 1}}, "bad-peer-id"),
        ({"vector": {BOB.peer_id: -1}}, "number-range"),
        ({"vector": {BOB.peer_id: True}}, "wrong-type"),
        ({"parents": [HASH] * (limits.PARENTS + 1)}, "bad-field"),
        ({"parents": ["ab"]}, "bad-field"),
        ({"timestamp": "now"}, "bad-timestamp"),
        ({"type": "canvasl-exec"}, "unknown-type"),
        ({"type": 1}, "wrong-type"),
        ({"type": "canvasl-exec", "v": 2}, "unsupported-version"),
    ],
)
def test_values(changes: dict[str, Any], expected: str) -> None:
    assert reason(message("canvasl-sync") | changes) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 1}, {"seq": 0}, {"seq": 2**53 - 1}, {"to": BOB.peer_id}, {"name": "山田 太郎"},
        {"caps": []}, {"x-a": {"b": [1.5, None]}}, {"x-" + "a" * (limits.FIELD_NAME - 2): 1},
        {"content": "\\u0000 \u2028 \U0001f600"}, {"file": "anything\0"}, {"vector": {}},
    ],
)  # fmt: skip
def test_values_that_are_taken(changes: dict[str, Any]) -> None:
    assert take(message("canvasl-sync", **changes)).fields["type"] == "canvasl-sync"


def test_the_vector_is_bounded() -> None:
    ids = [peer_id_of(bytes([number % 256, number // 256])) for number in range(257)]
    take(message("canvasl-sync", vector=dict.fromkeys(ids[:256], 1)))
    assert reason(message("canvasl-sync", vector=dict.fromkeys(ids, 1))) == "bad-field"


@pytest.mark.parametrize(
    ("type_", "changes", "expected"),
    [
        ("peer-announce", {"address": "x" * 513}, "bad-field"),
        ("peer-announce", {"address": "a\x1b[2J"}, "bad-field"),
        ("peer-announce", {"address": "a\u202eb"}, "bad-field"),
        ("peer-announce", {"session": TOKEN.upper()}, "bad-field"),
        ("peer-announce", {"status": "away"}, "bad-field"),
        ("peer-announce", {"peer_id": BOB.peer_id}, "peer-id-mismatch"),
        ("peer-announce", {"public_key": "0x" + "00" * 32}, "weak-key"),
        ("peer-announce", {"public_key": "0x02" + "00" * 31}, "bad-public-key"),
        ("peer-announce", {"endpoint": "http://x"}, "unknown-field"),
        ("canvasl-binary", {"data": "AP9="}, "bad-field"),
        ("canvasl-piece", {"id": "xy"}, "bad-field"),
        ("canvasl-piece", {"index": 1}, "bad-field"),
        ("canvasl-piece", {"count": 2}, "bad-field"),
        ("canvasl-piece", {"count": 0}, "number-range"),
        ("canvasl-piece", {"size": 3}, "bad-field"),
        ("canvasl-piece", {"size": limits.ASSEMBLED_MESSAGE + 1}, "number-range"),
        ("sync-ack", {"stored": ["x"]}, "bad-field"),
        ("sync-ack", {"stored": [HASH] * 1001}, "bad-field"),
        ("sync-hello", {"root": HASH[:-1]}, "bad-field"),
        ("sync-hello", {"nonce": HASH}, "bad-field"),
        ("sync-hello", {"count": -1}, "number-range"),
        ("sync-heads", {"heads": [["a", HASH, "b"]]}, "bad-field"),
        ("sync-heads", {"heads": [["a", "b"]]}, "bad-field"),
        ("sync-heads", {"heads": [[1, HASH]]}, "wrong-type"),
        ("sync-heads", {"heads": ["a"]}, "wrong-type"),
        ("sync-heads", {"last": 1}, "wrong-type"),
        ("sync-want", {"revisions": [None]}, "wrong-type"),
        ("peer-message", {"kind": "a b"}, "bad-field"),
        ("peer-message", {"kind": ""}, "bad-field"),
        ("peer-message", {"content": "\0"}, "nul-in-text"),
        ("peer-message", {"content": "é" * (limits.PEER_MESSAGE // 2 + 1)}, "oversize"),
    ],
)
def test_values_of_the_other_types(type_: str, changes: dict[str, Any], expected: str) -> None:
    fields = message(type_) | changes
    assert reason(fields, topic_of(type_)) == expected


def test_pieces() -> None:
    size = limits.PIECE + 1
    first = forms.encode_base64(bytes(limits.PIECE))
    whole = {"size": size, "count": 2}
    take(message("canvasl-piece", **whole, index=0, data=first), topics.SYNC)
    take(message("canvasl-piece", **whole, index=1, data="AA=="), topics.SYNC)
    assert reason(message("canvasl-piece", **whole, index=1, data="AAA=")) == "bad-field"
    assert reason(message("canvasl-piece", **whole, index=0, data="AA==")) == "bad-field"


def test_the_recipient_and_the_topic() -> None:
    inbox = topics.inbox(BOB.peer_id)
    piece = message("canvasl-piece")
    assert refusal(piece, inbox) == ("missing-field", "to")
    take(message("canvasl-piece", to=BOB.peer_id), inbox)
    assert reason(message("sync-want", to=ALICE.peer_id), inbox) == "wrong-topic"
    other = topics.presence(BOB.peer_id)
    assert reason(message("peer-announce"), other) == "wrong-topic"


def test_size() -> None:
    fields = message("canvasl-sync", content="a" * limits.WIRE_MESSAGE)
    assert reason(fields) == "oversize"
    take(fields, topics.SYNC, limit=limits.ASSEMBLED_MESSAGE)
    raw = encode(message("canvasl-sync"))
    parse(raw, topics.SYNC, limit=len(raw))
    with pytest.raises(Refusal, match="oversize"):
        parse(raw, topics.SYNC, limit=len(raw) - 1)


def test_what_is_no_object() -> None:
    for value in ([], "x", 42, None, True, [message("canvasl-sync")]):
        assert reason(value) == "not-object"


def test_the_order_of_checks() -> None:
    """Each step repairs the defect that was named; the next one shows then."""
    fields: dict[str, Any] = message("peer-announce") | {
        "v": 2, "bogus": 1, "timestamp": 5, "public_key": "0x", "signature": "0x",
        "peer_id": "peer-x", "status": "x",
    }  # fmt: skip
    steps: list[tuple[str, dict[str, Any]]] = [
        ("unsupported-version", {"v": 1}),
        ("wrong-type", {"timestamp": "now"}),
        ("unknown-field", {"bogus": None}),
        ("bad-peer-id", {"peer_id": BOB.peer_id}),
        ("bad-public-key", {"public_key": "0x" + "00" * 32}),
        ("bad-signature-encoding", {"signature": "0x" + "00" * 64}),
        ("weak-key", {"public_key": keys.to_hex(ALICE.public_key)}),
        ("peer-id-mismatch", {"peer_id": ALICE.peer_id}),
        ("bad-timestamp", {"timestamp": TIME}),
        ("bad-field", {"status": "online"}),
        ("wrong-topic", {}),
    ]
    for expected, repair in steps:
        assert reason(fields) == expected
        fields |= repair
        fields = {name: value for name, value in fields.items() if value is not None}


#: Reasons that need to know peers, the past, or other parts: the node's to give.
LATER = frozenset(
    {"unknown-peer", "revoked-peer", "self-peer", "replay", "fork", "seq-jump", "downgrade",
     "wrong-recipient"}
)  # fmt: skip
#: A type that the data made up; ours says offline in an announcement.
MAPPED = {"ann-will-forged-offline": "unknown-type"}
CASES = list(badinputs.cases("mqtt-sync", "mqtt-announce"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_inputs_and_controls(case: badinputs.Case) -> None:
    by_id = {key.peer_id: key.public_key for key in badinputs.identities().values()}
    try:
        got = parse(case.payload, case.topic)
        envelope.verify(got, by_id[got.peer_id])
    except Refusal as refused:
        assert refused.reason == MAPPED.get(case.name, case.reason)
    else:
        assert case.accepted or case.reason in LATER


CONTENTS = [case for case in badinputs.cases("canvasl") if "canvasl-ops" not in str(case.row)
            and not case.name.startswith("crdt-")]  # fmt: skip


@pytest.mark.parametrize("case", CONTENTS, ids=lambda case: case.name)
def test_contents_come_through_unchanged(case: badinputs.Case) -> None:
    try:
        got = parse(case.payload, case.topic)
    except Refusal as refused:
        assert refused.reason == case.reason
    else:
        assert case.accepted or case.reason == "evaluation"
        assert got.fields["content"] == case.row["payload"]["content"]
        envelope.verify(got, badinputs.identities()["alice"].public_key)


# --- bytes behind the fields ----------------------------------------------------------------
def test_the_bytes_behind_the_fields_are_those_that_were_signed_for() -> None:
    got = take(message("packed-piece"))
    assert got.body == BODY
    assert take(message("sync-want")).body == b""
    inbox, fields = topics.inbox(BOB.peer_id), message("packed-piece")
    for after, expected in (
        (b"", "content-mismatch"), (b"\0", "content-mismatch"), (b"\0\0\xfe", "content-mismatch"),
        (b"\0" + BODY + b"\0", "content-mismatch"),
    ):  # fmt: skip
        with pytest.raises(Refusal) as caught:
            parse(encode(fields) + after, inbox)
        assert caught.value.reason == expected
    for changes in ({"size": 3}, {"count": 2}, {"index": 1}, {"id": "xy"}):
        assert reason(message("packed-piece", **changes), inbox) == "bad-field"


@pytest.mark.parametrize("type_", sorted(set(TYPES) - {"packed-piece"}))
def test_nothing_may_follow_the_fields_of_another_type(type_: str) -> None:
    for after in (b"\0", b"\0" + BODY, b"\0{}"):
        with pytest.raises(Refusal) as caught:
            parse(encode(message(type_)) + after, topic_of(type_))
        assert caught.value.reason in ("bad-json", "bad-utf8")


def test_a_large_message_is_one_text_and_not_many_values() -> None:
    text = "[],{" * limits.MIB
    whole = message("canvasl-sync", content=text + '\\"[,')
    assert take(whole, limit=limits.ASSEMBLED_MESSAGE).fields == whole
    many = message("canvasl-sync", **{"x-a": [[]] * limits.MIB})
    assert reason(many, limit=limits.ASSEMBLED_MESSAGE) == "oversize"


def test_extensions_are_small() -> None:
    most = message("canvasl-sync", **{"x-a": "a" * (limits.EXTENSION_TEXT - 1), "x-b": "b"})
    assert take(most).fields == most
    for name in ("x-a", "x-b"):
        assert reason(message("canvasl-sync", **{**most, name: "c" * limits.EXTENSION_TEXT})) == (
            "oversize"
        )
