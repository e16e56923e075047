# SPDX-License-Identifier: MIT
"""The link to the broker, and when this peer starts a broker of its own.

An embedded broker is started only while no broker is configured and none
answers at the default address.  When its owner leaves, every other peer sees
the link break; a random pause decides who starts the next one, and the ones
that come too late find it answering and connect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from federation import limits
from federation.machine import Table


class State(Enum):
    """Where the link is."""

    OFFLINE = auto()
    CONNECTING = auto()
    UP = auto()
    HOSTING = auto()


class Event(Enum):
    """What happens to it."""

    STARTED = auto()
    CONNECTED = auto()
    UNREACHABLE = auto()
    LOST = auto()
    HOSTED = auto()
    HOST_FAILED = auto()
    STOPPED = auto()


TABLE = Table(
    "link",
    State.OFFLINE,
    {
        (State.OFFLINE, Event.STARTED): State.CONNECTING,
        (State.CONNECTING, Event.CONNECTED): State.UP,
        (State.CONNECTING, Event.UNREACHABLE): State.CONNECTING,
        (State.CONNECTING, Event.HOSTED): State.HOSTING,
        (State.CONNECTING, Event.HOST_FAILED): State.CONNECTING,
        (State.CONNECTING, Event.STOPPED): State.OFFLINE,
        (State.HOSTING, Event.CONNECTED): State.UP,
        (State.HOSTING, Event.UNREACHABLE): State.CONNECTING,
        (State.HOSTING, Event.STOPPED): State.OFFLINE,
        (State.UP, Event.LOST): State.CONNECTING,
        (State.UP, Event.STOPPED): State.OFFLINE,
    },
)


@dataclass(slots=True)
class Link:
    """The link of one peer.  Times are monotonic seconds."""

    may_host: bool
    state: State = State.OFFLINE
    host_at: float = field(default=float("inf"))

    def receive(self, event: Event, mono: float, chance: float = 0.0) -> None:
        """Move by the table; ``chance`` in [0, 1) spreads rival hosts apart."""
        self.state = TABLE.step(self.state, event)
        if self.state is not State.CONNECTING or not self.may_host:
            self.host_at = float("inf")
        elif event is Event.HOST_FAILED:
            self.host_at = mono + limits.HOST_AGAIN + chance
        elif event is Event.UNREACHABLE and self.host_at == float("inf"):
            self.host_at = mono + chance * limits.HOST_PAUSE

    def should_host(self, mono: float) -> bool:
        """Whether to start a broker now."""
        return self.state is State.CONNECTING and mono >= self.host_at
