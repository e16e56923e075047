# SPDX-License-Identifier: MIT
"""Anti-entropy: every state with every event, timers, wants and nonces."""

from __future__ import annotations

import itertools

import pytest

from federation import limits
from federation.machines.comparison import TABLE, Comparison, Event, State

PAIRS = list(itertools.product(State, Event))


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_every_pair(state: State, event: Event) -> None:
    after = TABLE.step(state, event)
    if event is Event.OFFLINE:
        assert after is State.IDLE
    if state is State.IDLE:
        assert after is (State.DUE if event is Event.ONLINE else State.IDLE)
    if event is Event.ROOTS_EQUAL and state in (State.DUE, State.ASKED):
        assert after is State.IN_STEP
    if event is Event.MISSING_FOUND and state is not State.IDLE:
        assert after is State.FETCHING
    if event is Event.TIMER and state is not State.IDLE:
        assert after is State.DUE


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_no_state_waits_for_ever(state: State, event: Event) -> None:
    # from any state and event, a peer that is online is compared with again
    comparison = Comparison(state, due=100.0 if state is not State.IDLE else float("inf"))
    comparison.receive(event, 100.0)
    if comparison.state is State.IDLE:
        assert comparison.due == float("inf")
    else:
        assert comparison.due <= 100.0 + max(limits.ANTI_ENTROPY, limits.RESEND_MAX)


def test_every_state_is_in_the_diagram() -> None:
    picture = TABLE.diagram()
    assert all(f"--> {state.name}" in picture for state in State)


def test_asking_backs_off_and_starts_afresh() -> None:
    comparison = Comparison()
    comparison.receive(Event.ONLINE, 0.0)
    assert comparison.due == 0.0
    pauses = []
    now = 0.0
    for _ in range(8):
        comparison.receive(Event.HELLO_SENT, now)
        pauses.append(comparison.due - now)
        now = comparison.due
        comparison.receive(Event.TIMER, now)
        assert comparison.due == now
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    comparison.receive(Event.ROOTS_EQUAL, now)
    assert comparison.due == now + limits.ANTI_ENTROPY
    comparison.receive(Event.TIMER, comparison.due)
    comparison.receive(Event.HELLO_SENT, now)
    assert comparison.due - now == limits.RESEND_FIRST


def test_a_change_is_checked_soon() -> None:
    comparison = Comparison(State.IN_STEP)
    comparison.receive(Event.CHANGED, 10.0)
    assert (comparison.state, comparison.due) == (State.ASKED, 10.0 + limits.RESEND_FIRST)


def test_wants_come_in_portions_and_progress_waits() -> None:
    comparison = Comparison(State.ASKED)
    for number in range(limits.WANTS + 6):
        comparison.lacks(f"r{number}", "x.md")
    comparison.receive(Event.MISSING_FOUND, 0.0)
    wants = comparison.next_wants(0.0)
    assert wants == [f"r{number}" for number in range(limits.WANTS)]
    assert comparison.next_wants(0.0) == []
    comparison.progress(50.0)
    assert comparison.due == 50.0 + 2 * limits.RESEND_FIRST
    for want in wants:
        comparison.fetched(want)
    assert len(comparison.next_wants(0.0)) == 6
    comparison.ask_again()
    assert len(comparison.next_wants(0.0)) == 6
    comparison.fetched("never asked for")


def test_what_a_peer_claims_to_have_is_bounded() -> None:
    comparison = Comparison(State.ASKED)
    for number in range(limits.MISSING + 50):
        comparison.lacks(f"r{number}", "x.md")
    assert len(comparison.missing) == limits.MISSING


def test_progress_counts_only_while_fetching() -> None:
    comparison = Comparison(State.IN_STEP, due=7.0)
    comparison.progress(50.0)
    assert comparison.due == 7.0


def test_offline_forgets_what_was_asked() -> None:
    comparison = Comparison(State.FETCHING, due=5.0)
    comparison.lacks("r", "x.md")
    comparison.next_wants(0.0)
    comparison.receive(Event.OFFLINE, 1.0)
    assert (comparison.missing, comparison.asked) == ({}, set())
    assert comparison.next_wants(0.0) == []


def ask(comparison: Comparison, revision: str, mono: float) -> bool:
    """Ask for one revision, in vain, if it may be asked for."""
    if not comparison.may_try(revision, mono):
        return False
    comparison.lacks(revision, "x.md")
    assert comparison.next_wants(mono) == [revision]
    comparison.ask_again()
    comparison.missing.clear()
    return True


def test_old_revisions_are_asked_for_some_times_and_then_now_and_then() -> None:
    comparison = Comparison(State.IN_STEP)
    moments = [float(second) for second in range(limits.HISTORY_TRIES + 5)]
    tries = [ask(comparison, "r", moment) for moment in moments]
    assert tries == [True] * limits.HISTORY_TRIES + [False] * 5
    assert comparison.tries("r") == limits.HISTORY_TRIES
    assert comparison.may_try("other", 5.0)
    again = limits.HISTORY_TRIES - 1 + limits.HISTORY_AGAIN
    assert not ask(comparison, "r", again - 1)
    assert ask(comparison, "r", again)
    assert not ask(comparison, "r", again + 1)
    # what is asked for already is not asked for again, and a new session begins anew
    comparison.lacks("more", "x.md")
    assert not comparison.may_try("more", 0.0)
    comparison.receive(Event.OFFLINE, again)
    assert ask(comparison, "r", again + 2)


def test_only_what_was_asked_for_counts_as_tried() -> None:
    """What waits behind many others is not given up for that."""
    comparison = Comparison(State.IN_STEP)
    for number in range(limits.WANTS + 1):
        comparison.lacks(f"r{number:03}", "x.md")
    assert "r064" not in comparison.next_wants(1.0)
    assert comparison.tries("r000") == 1
    assert comparison.tries("r064") == 0


def test_a_nonce_counts_once_and_few_are_kept() -> None:
    comparison = Comparison()
    for number in range(limits.NONCES + 2):
        comparison.remember_nonce(f"{number}", 0.0)
    assert not comparison.take_nonce("0")
    assert not comparison.take_nonce("1")
    assert comparison.take_nonce("2")
    assert not comparison.take_nonce("2")
    assert len(comparison.nonces) == limits.NONCES - 1
