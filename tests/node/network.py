# SPDX-License-Identifier: MIT
"""A broker in memory, and whoever is connected to it: topics, wills, sessions, faults."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import zstandard

from federation.identity.keys import SigningKey, to_hex
from federation.wire import canonical, envelope, timestamps, topics

if TYPE_CHECKING:
    from tests.node.world import World


#: 2026-01-01T00:00:00Z in microseconds.
EPOCH = 1_767_225_600_000_000
YEAR = 365 * 24 * 3600.0


def key_of(number: int) -> SigningKey:
    """The key of the peer of this number: always the same."""
    return SigningKey(number.to_bytes(32, "big"))


@dataclass
class Faults:
    """What the network does to each message."""

    loss: float = 0.0
    twice: float = 0.0
    #: seconds, at most: different for each message, so they overtake one another
    delay: float = 0.0
    #: keep messages for subscribers that are away
    sessions: bool = True


class Client:
    """Somebody at the broker."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.key = key_of(number)
        self.peer_id = self.key.peer_id
        self.connected = False
        self.will: tuple[str, bytes] | None = None
        self.waiting: list[tuple[str, bytes]] = []
        #: topics beside those of every peer
        self.followed: set[str] = set()
        self._listens: dict[str, bool] = {}

    def listens(self, topic: str) -> bool:
        if topic not in self._listens:
            filters = topics.subscriptions(self.peer_id)
            self._listens[topic] = any(topics.matches(one, topic) for one in filters)
        return self._listens[topic] or topic in self.followed

    def take(self, topic: str, payload: bytes, *, retained: bool) -> None:
        """A message arrives."""
        raise NotImplementedError

    def next_timer(self) -> float:
        return float("inf")

    def handle_timer(self) -> None:
        """Nothing to do."""


class Broker:
    """Topics, retained messages, wills, and faults."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clients: list[Client] = []
        self.retained: dict[str, bytes] = {}
        self.faults = Faults()
        self.partitions: set[frozenset[str]] = set()
        #: what was published; packed pieces as the message that they make
        self.log: list[tuple[str, bytes]] = []
        self._pieces: dict[str, dict[int, bytes]] = defaultdict(dict)
        #: how many bytes each peer has published
        self.sent: Counter[str] = Counter()

    def publish(self, author: str, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.sent[author] += len(payload)
        self._note(topic, payload)
        if retain:
            self.retained[topic] = payload
        for client in self.clients:
            if client.peer_id != author and client.listens(topic):
                self._send(author, client, topic, payload)

    def _note(self, topic: str, payload: bytes) -> None:
        head, packed, body = payload.partition(b"\0")
        if not packed:
            self.log.append((topic, payload))
            return
        piece = json.loads(head)
        parts = self._pieces[piece["id"]]
        parts[piece["index"]] = body
        if len(parts) == piece["count"]:
            data = b"".join(parts[index] for index in range(piece["count"]))
            self.log.append((topic, zstandard.ZstdDecompressor().decompress(data)))
            del self._pieces[piece["id"]]

    def _send(self, author: str, client: Client, topic: str, payload: bytes) -> None:
        chance = self.world.random
        if frozenset({author, client.peer_id}) in self.partitions:
            return
        if not client.connected:
            if self.faults.sessions:
                client.waiting.append((topic, payload))
            return
        for _ in range(2 if chance.random() < self.faults.twice else 1):
            if chance.random() >= self.faults.loss:
                self.world.deliver(client, topic, payload, chance.random() * self.faults.delay)

    def connect(self, client: Client) -> None:
        client.connected = True
        for topic, payload in self.retained.items():
            if client.listens(topic):
                self.world.deliver(client, topic, payload, 0.0, retained=True)
        for topic, payload in client.waiting:
            self.world.deliver(client, topic, payload, 0.0)
        client.waiting.clear()

    def disconnect(self, client: Client, *, clean: bool = False) -> None:
        client.connected = False
        if not clean and client.will is not None:
            topic, payload = client.will
            self.publish(client.peer_id, topic, payload, retain=True)

    def wipe(self) -> None:
        """The broker forgets everything and everybody."""
        self.retained.clear()
        for client in self.clients:
            client.waiting.clear()


class PlainPeer(Client):
    """Another implementation: announces without ``caps``, acknowledges nothing."""

    def __init__(self, world: World, number: int, skew: float = 0.0) -> None:
        super().__init__(world, number)
        self.skew = skew
        self.got: dict[str, list[str]] = defaultdict(list)
        self.announce_at = float("inf")

    def _signed(self, **fields: object) -> bytes:
        moment = EPOCH + round((self.world.now + self.skew) * 1e6)
        message = {
            "peer_id": self.peer_id, "timestamp": timestamps.format_us(moment), **fields
        }  # fmt: skip
        return canonical.encode(envelope.sign(message, self.key))

    def take(self, topic: str, payload: bytes, *, retained: bool) -> None:
        fields = json.loads(payload)
        if fields["type"] == "canvasl-sync":
            self.got[fields["file"]].append(fields["content"])

    def go_online(self) -> None:
        self.world.broker.connect(self)
        self.announce()

    def announce(self) -> None:
        self.announce_at = self.world.now + 15.0
        message = self._signed(type="peer-announce", public_key=to_hex(self.key.public_key))
        self.world.broker.publish(self.peer_id, topics.ANNOUNCE, message)

    def sync(self, file: str, content: str) -> bytes:
        message = self._signed(type="canvasl-sync", file=file, content=content)
        self.world.broker.publish(self.peer_id, topics.SYNC, message)
        return message

    def next_timer(self) -> float:
        return self.announce_at if self.connected else float("inf")

    def handle_timer(self) -> None:
        self.announce()
