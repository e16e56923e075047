# SPDX-License-Identifier: MIT
"""Anti-entropy with one peer: compare, ask for what is missing, again.

Nothing is ever resent on a guess.  A publish that was not acknowledged, a
broker that lost its queue, a peer that was away: all end in the same two
messages, a root hash each way, and then lists only where the roots differ.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum, auto

from federation import limits
from federation.machine import Table


class State(Enum):
    """Where the comparison stands."""

    IDLE = auto()
    DUE = auto()
    ASKED = auto()
    FETCHING = auto()
    IN_STEP = auto()


class Event(Enum):
    """What moves it."""

    ONLINE = auto()
    OFFLINE = auto()
    CHANGED = auto()
    HELLO_SENT = auto()
    ROOTS_EQUAL = auto()
    LISTS_COMPARED = auto()
    MISSING_FOUND = auto()
    ALL_FETCHED = auto()
    TIMER = auto()


TABLE = Table(
    "comparison",
    State.IDLE,
    {
        (State.IDLE, Event.ONLINE): State.DUE,
        (State.DUE, Event.HELLO_SENT): State.ASKED,
        (State.DUE, Event.ROOTS_EQUAL): State.IN_STEP,
        (State.DUE, Event.MISSING_FOUND): State.FETCHING,
        (State.DUE, Event.OFFLINE): State.IDLE,
        (State.ASKED, Event.ROOTS_EQUAL): State.IN_STEP,
        (State.ASKED, Event.LISTS_COMPARED): State.IN_STEP,
        (State.ASKED, Event.MISSING_FOUND): State.FETCHING,
        (State.ASKED, Event.TIMER): State.DUE,
        (State.ASKED, Event.OFFLINE): State.IDLE,
        (State.FETCHING, Event.ALL_FETCHED): State.DUE,
        (State.FETCHING, Event.TIMER): State.DUE,
        (State.FETCHING, Event.OFFLINE): State.IDLE,
        (State.IN_STEP, Event.CHANGED): State.ASKED,
        (State.IN_STEP, Event.MISSING_FOUND): State.FETCHING,
        (State.IN_STEP, Event.ONLINE): State.DUE,
        (State.IN_STEP, Event.TIMER): State.DUE,
        (State.IN_STEP, Event.OFFLINE): State.IDLE,
    },
)


@dataclass(slots=True)
class Comparison:
    """The comparison with one peer.  Times are monotonic seconds."""

    state: State = State.IDLE
    due: float = field(default=float("inf"))
    backoff: float = limits.RESEND_FIRST
    #: nonces sent and not yet echoed, oldest first
    nonces: OrderedDict[str, float] = field(default_factory=OrderedDict)
    #: revisions it has and we lack: (file, revision) in the order it named them
    missing: OrderedDict[str, str] = field(default_factory=OrderedDict)
    #: those of them that were asked for
    asked: set[str] = field(default_factory=set)
    #: how often, and when last, it was asked for a revision that it may not have
    tried: dict[str, tuple[int, float]] = field(default_factory=dict)

    def receive(self, event: Event, mono: float) -> None:
        """Move by the table and set the next moment to act."""
        before, self.state = self.state, TABLE.step(self.state, event)
        if self.state is State.IDLE:
            self.due = float("inf")
            self.backoff = limits.RESEND_FIRST
            self.missing.clear()
            self.asked.clear()
            self.tried.clear()
        elif self.state is State.DUE:
            self.due = mono
            if before is State.IN_STEP:
                self.tried.clear()
        elif self.state is State.IN_STEP:
            self.backoff = limits.RESEND_FIRST
            self.due = mono + limits.ANTI_ENTROPY
        elif before is State.IN_STEP and self.state is State.ASKED:
            self.due = mono + limits.RESEND_FIRST
        elif event in (Event.HELLO_SENT, Event.MISSING_FOUND):
            self.due = mono + self.backoff
            self.backoff = min(2 * self.backoff, limits.RESEND_MAX)

    def progress(self, mono: float) -> None:
        """Something asked for has come: wait again from now."""
        if self.state is State.FETCHING:
            self.backoff = limits.RESEND_FIRST
            self.due = mono + 2 * limits.RESEND_FIRST

    def remember_nonce(self, nonce: str, mono: float) -> None:
        """Keep a nonce that we sent; the newest few count."""
        self.nonces[nonce] = mono
        while len(self.nonces) > limits.NONCES:
            self.nonces.popitem(last=False)

    def take_nonce(self, nonce: str) -> bool:
        """Whether this answers a nonce of ours; each counts once."""
        return self.nonces.pop(nonce, None) is not None

    def lacks(self, revision: str, file: str) -> None:
        """Note that the peer has a revision which we lack, within bounds."""
        if len(self.missing) < limits.MISSING:
            self.missing[revision] = file

    def may_try(self, revision: str, mono: float) -> bool:
        """Whether to ask this peer for an old revision now: some times, then now and then."""
        tries, last = self.tried.get(revision, (0, mono))
        spent = tries >= limits.HISTORY_TRIES and mono - last < limits.HISTORY_AGAIN
        return not spent and revision not in self.missing

    def tries(self, revision: str) -> int:
        """How often this peer was asked for a revision: those asked for less come first."""
        return self.tried.get(revision, (0, 0.0))[0]

    def next_wants(self, mono: float) -> list[str]:
        """Revisions to ask for now, which counts as a try; empty while enough is under way."""
        if self.asked:
            return []
        wants = list(self.missing)[: limits.WANTS]
        self.asked.update(wants)
        for revision in wants:
            self.tried[revision] = (self.tries(revision) + 1, mono)
        return wants

    def fetched(self, revision: str) -> None:
        """A revision is here (or refused for good): no need to ask again."""
        self.missing.pop(revision, None)
        self.asked.discard(revision)

    def ask_again(self) -> None:
        """What was asked for did not come: it may be asked for again."""
        self.asked.clear()
