# SPDX-License-Identifier: MIT
"""Whether a peer is online, as far as we can tell.

``SEEN`` is the word of a fresh announcement; ``CONNECTED`` is proof: the peer
answered a nonce of ours, so it is there now whatever its clock says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from federation import limits
from federation.machine import Table


class State(Enum):
    """Where a peer is."""

    OFFLINE = auto()
    SEEN = auto()
    CONNECTED = auto()


class Event(Enum):
    """What we learn of it."""

    ANNOUNCED = auto()
    ANSWERED = auto()
    SAID_OFFLINE = auto()
    MISSED_HEARTBEATS = auto()
    BLOCKED = auto()
    LINK_LOST = auto()


TABLE = Table(
    "presence",
    State.OFFLINE,
    {
        (State.OFFLINE, Event.ANNOUNCED): State.SEEN,
        (State.OFFLINE, Event.ANSWERED): State.CONNECTED,
        (State.SEEN, Event.ANNOUNCED): State.SEEN,
        (State.SEEN, Event.ANSWERED): State.CONNECTED,
        (State.SEEN, Event.SAID_OFFLINE): State.OFFLINE,
        (State.SEEN, Event.MISSED_HEARTBEATS): State.OFFLINE,
        (State.SEEN, Event.BLOCKED): State.OFFLINE,
        (State.SEEN, Event.LINK_LOST): State.OFFLINE,
        (State.CONNECTED, Event.ANNOUNCED): State.CONNECTED,
        (State.CONNECTED, Event.ANSWERED): State.CONNECTED,
        (State.CONNECTED, Event.SAID_OFFLINE): State.OFFLINE,
        (State.CONNECTED, Event.MISSED_HEARTBEATS): State.OFFLINE,
        (State.CONNECTED, Event.BLOCKED): State.OFFLINE,
        (State.CONNECTED, Event.LINK_LOST): State.OFFLINE,
    },
)


@dataclass(slots=True)
class Presence:
    """One peer's presence.  Times are monotonic seconds."""

    state: State = State.OFFLINE
    #: the peer's own session, while it names one
    session: str | None = None
    #: offline at this moment unless it announces itself again
    deadline: float = field(default=float("inf"))
    #: False while only its answers, not its clock, say that it is there
    clock_ok: bool = True
    #: how far its clock is ahead of ours, by what it last said live (microseconds)
    clock_us: int | None = None

    @property
    def online(self) -> bool:
        """Whether it counts as online."""
        return self.state is not State.OFFLINE

    @property
    def connected(self) -> bool:
        """Whether it answered in this session."""
        return self.state is State.CONNECTED

    def receive(self, event: Event, mono: float, heartbeat: float = limits.HEARTBEAT) -> bool:
        """Take an event; True when online or offline changed."""
        before = self.online
        self.state = TABLE.step(self.state, event)
        if event in (Event.ANNOUNCED, Event.ANSWERED):
            self.deadline = mono + 2 * heartbeat + limits.HEARTBEAT_GRACE
        if not self.online:
            self.deadline = float("inf")
        return before != self.online

    def receive_session(self, session: str | None, mono: float) -> bool:
        """A new session is a new start of that peer: its answers are void."""
        if session == self.session:
            return False
        self.session = session
        if self.state is State.CONNECTED:
            self.state = State.SEEN
        return True

    def handle_timer(self, mono: float) -> bool:
        """True when the peer just went offline for want of heartbeats."""
        return mono >= self.deadline and self.receive(Event.MISSED_HEARTBEATS, mono)
