# SPDX-License-Identifier: MIT
"""The message types as one table, and the stages that make a message of bytes.

:func:`parse` refuses in this order: size, UTF-8, JSON (``strictjson``), a value
that is no object, ``type``, ``v``, missing fields, types of fields, unknown
fields, encodings of ids, keys and signature, a key that is weak or not the
id's, values of the other fields, topic.  It does **not** verify the signature:
that needs the author's key (``envelope.verify``).
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from federation import limits
from federation.errors import Refusal
from federation.identity import keys
from federation.identity.peer_id import peer_id_of
from federation.wire import envelope, forms, strictjson, timestamps, topics
from federation.wire.forms import Form
from federation.wire.topics import TopicKind


@dataclass(frozen=True)
class Message:
    """A message that has the form of its type; its signature is not verified yet."""

    type: str
    #: decoded, ``signature`` and all
    fields: dict[str, object] = field(compare=False)
    #: as it came
    raw: bytes
    peer_id: str
    timestamp_us: int
    #: the bytes behind the fields, of a type that has them; their hash is one of the fields
    body: bytes = b""

    @property
    def signing_input(self) -> bytes:
        """What its signature covers; made once, then kept."""
        return self._signing_input

    @cached_property
    def _signing_input(self) -> bytes:
        return envelope.signing_input(self.type, self.fields)


@dataclass(frozen=True, slots=True)
class MessageType:
    """One type: its own fields beside :data:`REQUIRED` and :data:`OPTIONAL`, and its topics."""

    summary: str
    required: Mapping[str, Form]
    optional: Mapping[str, Form]
    topics: frozenset[TopicKind]
    #: bytes follow the fields, behind a NUL; `hash` is their SHA-256
    body: bool = False


#: Fields of every message.
REQUIRED: Final[dict[str, Form]] = {
    "type": forms.TEXT,
    "peer_id": forms.PEER_ID,
    "timestamp": forms.TIMESTAMP,
    "signature": forms.SIGNATURE,
}
#: Fields that every message may have; names with ``x-`` come on top.
OPTIONAL: Final[dict[str, Form]] = {
    "v": forms.VERSION,
    "seq": forms.SEQ,
    "to": forms.PEER_ID,
    "name": forms.NAME,
    "caps": forms.CAPS,
}

_SYNC: Final = frozenset({TopicKind.SYNC})
_INBOX: Final = frozenset({TopicKind.INBOX})
_LIVE: Final = frozenset({TopicKind.LIVE})
_TO: Final = {"to": forms.PEER_ID}
_HISTORY: Final = {
    "vector": forms.VECTOR,
    "parents": forms.PARENTS,
    "resolves": forms.HASHES,
}

#: type -> its form
TYPES: Final[dict[str, MessageType]] = {
    "peer-announce": MessageType(
        "A peer says who it is, that it is there, or that it leaves.",
        {"public_key": forms.PUBLIC_KEY},
        {"address": forms.ADDRESS, "session": forms.TOKEN, "status": forms.STATUS},
        frozenset({TopicKind.ANNOUNCE, TopicKind.PRESENCE}),
    ),
    "canvasl-sync": MessageType(
        "The whole text of a document.  With `deleted`, and then without any text: "
        "the document is deleted.",
        {"file": forms.FILE, "content": forms.TEXT},
        {**_HISTORY, "deleted": forms.FLAG},
        _SYNC,
    ),
    "canvasl-binary": MessageType(
        "The bytes of a document that is not text.",
        {"file": forms.FILE, "data": forms.BASE64},
        _HISTORY,
        _SYNC,
    ),
    "canvasl-delta": MessageType(
        "A revision as a change of another one: `payload` is the author's signed message without "
        "its content, which `patch` makes of the content of the revision `base`; `revision` is its "
        "id, to ask for it where that is not there.",
        {
            "file": forms.FILE,
            "revision": forms.HASH,
            "base": forms.HASH,
            "payload": forms.TEXT,
            "patch": forms.BASE64,
        },
        {},
        _SYNC,
    ),
    "canvasl-edit": MessageType(
        "What its author types, on top of a revision; `start` counts the changes before.",
        {
            "file": forms.FILE,
            "base": forms.HASH,
            "start": forms.COUNT,
            "changes": forms.CHANGES,
        },
        {},
        _LIVE | _INBOX,
    ),
    "edit-want": MessageType(
        "Asks an author for the changes from number `start` on.",
        {**_TO, "file": forms.FILE, "base": forms.HASH, "start": forms.COUNT},
        {},
        _INBOX,
    ),
    "canvasl-piece": MessageType(
        "A part of a message that does not fit one; `id` is the SHA-256 of all of its bytes.",
        {
            "id": forms.HASH,
            "index": forms.COUNT,
            "count": forms.SIZE,
            "size": forms.SIZE,
            "data": forms.BASE64,
        },
        {},
        _SYNC | _INBOX,
    ),
    "packed-piece": MessageType(
        "A part of a message packed with Zstandard, for a peer with `pack1`: its bytes follow the "
        "fields, behind a NUL, and `hash` is their SHA-256; `size` and `id` are of all packed "
        "bytes, `whole` is the size of the message.",
        {
            **_TO,
            "id": forms.HASH,
            "index": forms.COUNT,
            "count": forms.SIZE,
            "size": forms.SIZE,
            "whole": forms.SIZE,
            "hash": forms.HASH,
        },
        {},
        _INBOX,
        body=True,
    ),
    "sync-deliver": MessageType(
        "A message that the receiver lacks, as its author signed it, and the author's "
        "announcement.  With `base` and `patch`, the payload is without its content, which "
        "the patch makes of the content of the revision `base`.",
        {**_TO, "payload": forms.TEXT},
        {"announce": forms.TEXT, "base": forms.HASH, "patch": forms.BASE64},
        _INBOX,
    ),
    "sync-ack": MessageType(
        "What arrived: revisions stored or held back, and messages.",
        _TO,
        {"stored": forms.HASHES, "held": forms.HASHES, "messages": forms.HASHES},
        _INBOX,
    ),
    "sync-hello": MessageType(
        "Asks for an answer, or gives it (`echo`), with the hash over all heads.",
        {**_TO, "root": forms.HASH, "nonce": forms.TOKEN},
        {"echo": forms.TOKEN, "count": forms.COUNT},
        _INBOX,
    ),
    "sync-heads": MessageType(
        "A page of the sender's heads.",
        {
            **_TO,
            "heads": forms.HEADS,
            "page": forms.COUNT,
            "last": forms.FLAG,
            "root": forms.HASH,
        },
        {},
        _INBOX,
    ),
    "sync-want": MessageType(
        "Asks for revisions; with `have`, also for what these were made from, "
        "back to the revisions that it names.",
        {**_TO, "revisions": forms.HASHES},
        {"have": forms.HASHES},
        _INBOX,
    ),
    "peer-message": MessageType(
        "A message from one peer's user to another's.",
        {**_TO, "kind": forms.KIND, "content": forms.SHORT_TEXT},
        {},
        _INBOX,
    ),
}

_FIELDS: Final = {
    name: (
        {**REQUIRED, **entry.required},
        {**REQUIRED, **OPTIONAL, **entry.optional, **entry.required},
    )
    for name, entry in TYPES.items()
}
_EXTENSION: Final = re.compile(rf"x-[A-Za-z0-9_.-]{{1,{limits.FIELD_NAME - 2}}}")
#: a JSON string; what it has begun with, it keeps, so that no text is gone over twice
_STRINGS: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_ENCODINGS: Final = ("peer_id", "to", "public_key", "signature")
#: what has been looked at when the turn of the other fields comes
_CHECKED: Final = frozenset({*_ENCODINGS, "timestamp"})


def parse(payload: bytes, topic: str, *, limit: int = limits.WIRE_MESSAGE) -> Message:
    """The message that came as ``payload`` on ``topic``; ``Refusal`` says what is wrong.

    ``limit`` is its largest size in bytes: ``limits.ASSEMBLED_MESSAGE`` for one
    put together from pieces.
    """
    if len(payload) > limit:
        raise Refusal("oversize", f"{len(payload)} bytes")
    if len(payload) > limits.WIRE_MESSAGE:
        _check_values(payload)
    value, body = _apart(payload)
    if not isinstance(value, dict):
        raise Refusal("not-object")
    type_ = _type_of(value)
    known = _check_fields(type_, value)
    for name in _ENCODINGS:
        if name in value:
            known[name].check(name, value[name])
    if "public_key" in value:
        _check_key(value["public_key"], value["peer_id"])
    timestamp_us = timestamps.parse(value["timestamp"])
    for name, item in value.items():
        if name in known and name not in _CHECKED:
            known[name].check(name, item)
    _check_together(type_, value, body)
    if b"\\u0000" in payload:
        _check_nul(value)
    message = Message(type_, value, payload, value["peer_id"], timestamp_us, body)
    _check_topic(message, topic)
    return message


def _check_together(type_: str, value: dict[str, object], body: bytes) -> None:
    """What the fields of a type say of each other."""
    if type_ == "canvasl-piece":
        _check_piece(value, forms.decode_base64(str(value["data"])))
    elif TYPES[type_].body:
        if hashlib.sha256(body).hexdigest() != value["hash"]:
            raise Refusal("content-mismatch", "hash")
        _check_piece(value, body)
    if value.get("deleted") is True and value.get("content"):
        raise Refusal("bad-field", "deleted, with a content")


def _apart(payload: bytes) -> tuple[object, bytes]:
    """The decoded fields of a message, and the bytes behind them where its type has some.

    JSON has no NUL: in a message of any other type it is refused as before.
    """
    head, separator, body = payload.partition(b"\0")
    if separator:
        with contextlib.suppress(Refusal):
            value = strictjson.decode(head)
            entry = TYPES.get(str(value.get("type"))) if isinstance(value, dict) else None
            if entry is not None and entry.body:
                return value, body
    return strictjson.decode(payload), b""


def _check_values(payload: bytes) -> None:
    """A message from pieces is large by one text, not by many values: these take room."""
    bare = _STRINGS.sub(b"", payload)
    if sum(map(bare.count, (b",", b"[", b"{"))) > limits.MESSAGE_VALUES:
        raise Refusal("oversize", f"more than {limits.MESSAGE_VALUES} values")


def _type_of(value: dict[str, object]) -> str:
    """The type, if it and the version are known."""
    if "type" not in value:
        raise Refusal("missing-field", "type")
    type_ = value["type"]
    if not isinstance(type_, str):
        raise Refusal("wrong-type", "type")
    # Before the type: a later version may have types of its own.
    if "v" in value:
        forms.VERSION.check_type("v", value["v"])
        if value["v"] != 1:
            raise Refusal("unsupported-version")
    if type_ not in TYPES:
        raise Refusal("unknown-type")
    return type_


def _check_fields(type_: str, value: dict[str, object]) -> dict[str, Form]:
    """Missing, wrongly typed, then unknown fields; the forms of the known ones."""
    required, known = _FIELDS[type_]
    for name in required:
        if name not in value:
            raise Refusal("missing-field", name)
    for name, item in value.items():
        if name in known:
            known[name].check_type(name, item)
    extensions = [name for name in value if name not in known]
    for name in extensions:
        if _EXTENSION.fullmatch(name) is None:
            raise Refusal("unknown-field")
    if sum(len(str(value[name])) for name in extensions) > limits.EXTENSION_TEXT:
        raise Refusal("oversize", f"x- fields of more than {limits.EXTENSION_TEXT} characters")
    if len(extensions) > limits.EXTENSION_FIELDS:
        raise Refusal("unknown-field", f"more than {limits.EXTENSION_FIELDS} x- fields")
    return known


def _check_key(text: str, peer_id: str) -> None:
    """A key is a strong one, and the id is its hash."""
    public_key = keys.parse_public_key(text)
    keys.admit(public_key)
    if peer_id_of(public_key) != peer_id:
        raise Refusal("peer-id-mismatch")


def _check_piece(value: dict[str, object], data: bytes) -> None:
    """Pieces are all of the full size but the last one."""
    index, count, size = (int(str(value[name])) for name in ("index", "count", "size"))
    if count != -(-size // limits.PIECE) or index >= count:
        raise Refusal("bad-field", "index or count")
    expected = size - index * limits.PIECE if index == count - 1 else limits.PIECE
    if len(data) != expected:
        raise Refusal("bad-field", "data")


def _check_nul(value: dict[str, object]) -> None:
    """No NUL in any text: Emacs cannot read it.  That of a file's name has its own reason."""
    waiting = [item for name, item in value.items() if name != "file"]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if "\0" in item:
                raise Refusal("nul-in-text")
        elif isinstance(item, dict):
            waiting += item.keys()
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _check_topic(message: Message, topic: str) -> None:
    """The type belongs on the topic, and the topic to the author or the recipient."""
    kind, owner = topics.classify(topic)
    if kind is TopicKind.LIVE and topic != topics.live(str(message.fields.get("file", ""))):
        raise Refusal("wrong-topic", "the live edits of another document")
    if kind not in TYPES[message.type].topics:
        raise Refusal("wrong-topic", message.type)
    if kind is TopicKind.PRESENCE and owner != message.peer_id:
        raise Refusal("wrong-topic", "the presence of another peer")
    if kind is TopicKind.INBOX:
        if "to" not in message.fields:
            raise Refusal("missing-field", "to")
        if message.fields["to"] != owner:
            raise Refusal("wrong-topic", "the inbox of another peer")
