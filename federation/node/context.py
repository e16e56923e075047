# SPDX-License-Identifier: MIT
"""What every part of the node works with: store, key, settings, effects."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

from federation import limits
from federation.events import Effect, Instant, Notice, Notify, Publish
from federation.identity.keys import SigningKey
from federation.ports import Files, Randomness, Store
from federation.wire import canonical, envelope, timestamps

Policy = Literal["paired", "ask", "announced"]
Strategy = Literal["auto_merge", "manual", "prefer_local", "prefer_remote"]
#: what this version can do, in every announcement
CAPS = ("ack1", "delta1", "pack1")


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """The part of the configuration that the core needs."""

    policy: Policy = "ask"
    strategy: Strategy = "auto_merge"
    name: str | None = None
    address: str | None = None
    extensions: frozenset[str] | None = None
    heartbeat: float = limits.HEARTBEAT
    max_document: int = limits.DOCUMENT
    max_unknown: int = limits.UNKNOWN_PEERS
    max_held: int = limits.HELD_PER_PEER


@dataclass(slots=True)
class Context:
    """Shared by the parts of one node; ``now`` is set before each event."""

    store: Store
    files: Files
    key: SigningKey
    settings: NodeSettings
    random: Randomness
    session: str
    now: Instant = field(default_factory=lambda: Instant(0, 0.0))
    effects: list[Effect] = field(default_factory=list)
    link_up: bool = False
    #: digests of messages that we published, to know their echoes
    echoes: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self.peer_id = self.key.peer_id

    peer_id: str = field(init=False, default="")

    def timestamp(self) -> str:
        """Now, as messages carry it."""
        return timestamps.format_us(self.now.wall_us)

    def notify(self, event: str, **fields: object) -> None:
        """Tell people."""
        self.effects.append(Notify(Notice(event, fields)))

    def signed(self, message_type: str, **fields: object) -> bytes:
        """A message of ours, signed and encoded."""
        message: dict[str, object] = {
            "type": message_type,
            "peer_id": self.peer_id,
            "timestamp": self.timestamp(),
            **fields,
        }
        return canonical.encode(envelope.sign(message, self.key))

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        about: tuple[str, str] | None = None,
    ) -> None:
        """Hand a message to the broker; while there is none it is not kept.

        What must arrive is repeated by comparison, never by a queue here.
        """
        if not self.link_up:
            return
        self.echoes[envelope.digest(payload)] = None
        while len(self.echoes) > limits.ECHOES:
            self.echoes.popitem(last=False)
        self.effects.append(Publish(topic, payload, qos, retain, about))

    def nonce(self) -> str:
        """32 hex digits that nobody can guess."""
        return self.random(16).hex()
