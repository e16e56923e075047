# SPDX-License-Identifier: MIT
"""A node in memory that an attacker sends to, and right messages of every type."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from federation.adapters.store import SqliteStore
from federation.events import Effect, Instant
from federation.identity import keys
from federation.identity.keys import SigningKey
from federation.node.context import NodeSettings
from federation.node.router import Node
from federation.wire import envelope, topics

Fields = dict[str, Any]
NAMES = ("bob", "alice", "mallory", "revoked", "stranger")
KEYS: Mapping[str, SigningKey] = {
    name: SigningKey.from_seed(hashlib.sha256(name.encode()).digest()) for name in NAMES
}
#: 2025-01-07T12:00:00Z
START_US = 1_736_251_200_000_000
TIME = "2025-01-07T12:00:00Z"


class AnyFiles:
    """A synced folder in which every name may be written."""

    def check(self, file: str) -> None:
        """Nothing is in the way."""

    def synced_path(self, file: str) -> str:
        """A path that is never opened."""
        return f"/synced/{file}"

    def conflict_path(self, file: str, revision: str) -> str:
        """A path that is never opened."""
        return f"/conflicts/{file}.{revision}"


@dataclass
class NodeWorld:
    """Bob's node (or ``owner``'s); the others are accepted, ``revoked`` is blocked."""

    seed: int = 0
    owner: str = "bob"
    settings: NodeSettings = field(default_factory=NodeSettings)
    mono: float = 1000.0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.store = SqliteStore(":memory:")
        self.node = Node(
            self.store, AnyFiles(), KEYS[self.owner], self.settings, self.random.randbytes
        )
        self.node.receive_link_up(self.now())
        for name in NAMES[:4]:
            if name == self.owner:
                continue
            self.send(topics.ANNOUNCE, self.announcement(name))
            decide = self.node.block if name == "revoked" else self.node.accept
            self.node.at(self.now(), partial(decide, KEYS[name].peer_id))
        self.node.sync_content("own.md", b"own", None)
        self.node.take_effects()

    def now(self) -> Instant:
        """The clock, which only :meth:`send` moves."""
        return Instant(START_US + int(self.mono * 1e6) - 1_000_000_000, self.mono)

    def send(self, topic: str, payload: bytes, *, retained: bool = False) -> list[Effect]:
        """One message from the broker; its effects."""
        self.mono += 0.01
        self.node.receive_message(topic, payload, retained=retained, now=self.now())
        return list(self.node.take_effects())

    def writes(self) -> int:
        """Rows that the store has changed so far."""
        return self.store._db.total_changes

    def announcement(self, name: str, **more: object) -> bytes:
        """A peer's announcement, signed."""
        key = KEYS[name]
        return encode(
            {"type": "peer-announce", "peer_id": key.peer_id,
             "public_key": keys.to_hex(key.public_key), "timestamp": TIME, "caps": ["ack1"],
             **more}, name,
        )  # fmt: skip


def signed(fields: Fields, name: str) -> Fields:
    """A message under a peer's signature, as that peer would sign it."""
    return envelope.sign(fields, KEYS[name])


def encode(fields: Fields, name: str) -> bytes:
    """A signed message as bytes."""
    return json.dumps(signed(fields, name), ensure_ascii=False).encode()


def examples(author: str = "alice") -> list[tuple[str, Fields]]:
    """A right message of every type with its topic, unsigned; ``seq`` is far from any other."""
    bob, key = KEYS["bob"].peer_id, KEYS[author]
    inbox = topics.inbox(bob)
    document: Fields = {"type": "canvasl-sync", "file": "a/b.canvasl", "content": "téxt\n"}
    inner = {**document, "file": "inner.md", "peer_id": key.peer_id, "timestamp": TIME}
    whole = encode(inner, author)
    one = hashlib.sha256(b"one").hexdigest()
    rows: list[tuple[str, Fields]] = [
        (topics.ANNOUNCE, {"type": "peer-announce", "public_key": keys.to_hex(key.public_key),
                           "name": "Zoë", "caps": ["ack1"], "session": "ab" * 16,
                           "status": "online", "address": "mqtt://h:1"}),
        (topics.SYNC, document),
        (topics.SYNC, {**document, "seq": 9, "vector": {bob: 1}, "parents": [one]}),
        (topics.SYNC, {"type": "canvasl-binary", "file": "b.json", "seq": 10, "vector": {},
                       "parents": [], "data": base64.b64encode(b"\0\xff").decode()}),
        (topics.SYNC, {"type": "canvasl-piece", "id": hashlib.sha256(whole).hexdigest(),
                       "index": 0, "count": 1, "size": len(whole),
                       "data": base64.b64encode(whole).decode()}),
        (inbox, {"type": "sync-deliver", "to": bob, "payload": whole.decode()}),
        (topics.SYNC, {"type": "canvasl-delta", "file": "inner.md", "revision": one, "base": one,
                       "payload": whole.decode(), "patch": "AAAA"}),
        (topics.live("inner.md"), {"type": "canvasl-edit", "file": "inner.md", "base": one,
                                   "start": 0, "changes": [[0, 0, "x"], [1, 1, ""]]}),
        (inbox, {"type": "edit-want", "to": bob, "file": "inner.md", "base": one, "start": 0}),
        (inbox, {"type": "sync-ack", "to": bob, "stored": [one], "held": [], "messages": [one]}),
        (inbox, {"type": "sync-hello", "to": bob, "root": one, "nonce": "cd" * 16}),
        (inbox, {"type": "sync-hello", "to": bob, "root": one, "nonce": "cd" * 16,
                 "echo": "ef" * 16}),
        (inbox, {"type": "sync-heads", "to": bob, "heads": [["x.md", one]], "page": 0,
                 "last": True, "root": one}),
        (inbox, {"type": "sync-want", "to": bob, "revisions": [one]}),
        (inbox, {"type": "peer-message", "to": bob, "kind": "chat", "content": "hello"}),
    ]  # fmt: skip
    return [
        (topic, {"peer_id": key.peer_id, "timestamp": TIME, **fields}) for topic, fields in rows
    ]
