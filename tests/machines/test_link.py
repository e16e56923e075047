# SPDX-License-Identifier: MIT
"""The link to the broker: every state with every event, and who hosts when."""

from __future__ import annotations

import itertools

import pytest

from federation import limits
from federation.machines.link import TABLE, Event, Link, State


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair(state: State, event: Event) -> None:
    after = TABLE.step(state, event)
    if event is Event.STOPPED:
        assert after is State.OFFLINE
    elif state is State.OFFLINE:
        assert after is (State.CONNECTING if event is Event.STARTED else State.OFFLINE)
    elif state is State.UP:
        assert after is (State.CONNECTING if event is Event.LOST else State.UP)
    elif event is Event.CONNECTED:
        assert after is State.UP
    else:
        assert after in (State.CONNECTING, State.HOSTING)


def test_every_state_is_reached_and_left() -> None:
    entered = {after for (before, _event), after in TABLE.moves.items() if before is not after}
    left = {before for (before, _event), after in TABLE.moves.items() if before is not after}
    assert entered == left == set(State)
    assert "CONNECTING --> HOSTING: hosted" in TABLE.diagram()


def connecting(*, may_host: bool = True) -> Link:
    link = Link(may_host)
    link.receive(Event.STARTED, 0.0)
    return link


def test_the_first_failure_decides_when_to_host() -> None:
    link = connecting()
    assert not link.should_host(1e9)
    link.receive(Event.UNREACHABLE, 10.0, 0.5)
    link.receive(Event.UNREACHABLE, 10.05, 0.9)
    assert link.host_at == 10.0 + 0.5 * limits.HOST_PAUSE
    assert not link.should_host(10.1)
    assert link.should_host(10.15)


def test_rivals_are_spread_apart() -> None:
    moments = set()
    for chance in (0.0, 0.3, 0.99):
        link = connecting()
        link.receive(Event.UNREACHABLE, 0.0, chance)
        moments.add(link.host_at)
    assert len(moments) == 3
    assert max(moments) < limits.HOST_PAUSE


def test_who_may_not_host_never_does() -> None:
    link = connecting(may_host=False)
    for event in (Event.UNREACHABLE, Event.HOST_FAILED, Event.UNREACHABLE):
        link.receive(event, 0.0)
        assert not link.should_host(1e9)


def test_a_broker_that_answers_ends_the_wish_to_host() -> None:
    link = connecting()
    link.receive(Event.UNREACHABLE, 0.0)
    link.receive(Event.CONNECTED, 0.1)
    assert not link.should_host(1e9)
    link.receive(Event.LOST, 5.0)
    assert link.state is State.CONNECTING
    link.receive(Event.UNREACHABLE, 5.1, 0.0)
    assert link.should_host(5.1)


def test_a_failed_start_is_tried_again_later() -> None:
    link = connecting()
    link.receive(Event.UNREACHABLE, 0.0)
    link.receive(Event.HOST_FAILED, 1.0, 0.25)
    link.receive(Event.UNREACHABLE, 1.1)
    assert not link.should_host(1.0 + limits.HOST_AGAIN)
    assert link.should_host(1.25 + limits.HOST_AGAIN)


def test_a_hosted_broker_that_vanishes_is_hosted_again() -> None:
    link = connecting()
    link.receive(Event.UNREACHABLE, 0.0)
    link.receive(Event.HOSTED, 1.0)
    assert not link.should_host(1e9)
    link.receive(Event.UNREACHABLE, 2.0, 0.0)
    assert link.should_host(2.0)
    link.receive(Event.STOPPED, 3.0)
    assert not link.should_host(1e9)
