# SPDX-License-Identifier: MIT
"""Who is online: every state with every event, deadlines, sessions."""

from __future__ import annotations

import itertools

import pytest

from federation import limits
from federation.machines.presence import TABLE, Event, Presence, State

OFFLINE_EVENTS = {
    Event.SAID_OFFLINE, Event.MISSED_HEARTBEATS, Event.BLOCKED, Event.LINK_LOST
}  # fmt: skip


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair(state: State, event: Event) -> None:
    after = TABLE.step(state, event)
    if event in OFFLINE_EVENTS:
        assert after is State.OFFLINE
    elif event is Event.ANSWERED or state is State.CONNECTED:
        assert after is State.CONNECTED
    else:
        assert after is State.SEEN


def test_the_diagram() -> None:
    assert TABLE.diagram().startswith("stateDiagram-v2\n    [*] --> OFFLINE")
    assert TABLE.diagram().count("-->") == 1 + len(TABLE.moves)


@pytest.mark.parametrize("event", [Event.ANNOUNCED, Event.ANSWERED])
def test_two_missed_heartbeats_make_offline(event: Event) -> None:
    presence = Presence()
    assert presence.receive(event, 100.0, 15.0)
    assert not presence.receive(event, 110.0, 15.0)
    assert not presence.handle_timer(110 + 30 + limits.HEARTBEAT_GRACE - 0.1)
    assert presence.handle_timer(presence.deadline)
    assert (presence.state, presence.deadline) == (State.OFFLINE, float("inf"))
    assert not presence.handle_timer(1e9)


def test_a_new_session_must_answer_again() -> None:
    presence = Presence()
    assert presence.receive_session("one", 0.0)
    presence.receive(Event.ANSWERED, 0.0)
    assert presence.connected
    assert not presence.receive_session("one", 1.0)
    assert presence.connected
    assert presence.receive_session("two", 1.0)
    assert presence.state is State.SEEN
    assert presence.receive_session(None, 2.0)


def test_going_offline_is_told_once() -> None:
    presence = Presence()
    assert not presence.receive(Event.SAID_OFFLINE, 0.0)
    assert presence.receive(Event.ANNOUNCED, 0.0)
    assert presence.receive(Event.LINK_LOST, 1.0)
    assert not presence.receive(Event.MISSED_HEARTBEATS, 2.0)
