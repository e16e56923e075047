# SPDX-License-Identifier: MIT
"""Copies of a message for several filters, on brokers that send them and on those that do not."""

from __future__ import annotations

import pytest

from federation import limits
from federation.daemon.copies import Copies

SOON = limits.COPY / 2
LATE = limits.COPY * 2


def test_one_for_each_filter_is_one_message() -> None:
    copies = Copies()
    for moment in (0.0, SOON):  # the same message, sent twice
        found = [copies.is_copy("t", b"x", 3, moment) for _ in range(3)]
        assert found == [False, True, True]


def test_what_one_filter_matches_is_never_a_copy() -> None:
    copies = Copies()
    assert [copies.is_copy("t", b"x", 1, 0.0) for _ in range(3)] == [False] * 3


def test_other_messages_in_between_do_not_matter() -> None:
    copies = Copies()
    order = [("t", b"x"), ("t", b"y"), ("u", b"x"), ("t", b"x"), ("u", b"x"), ("t", b"y")]
    found = [copies.is_copy(topic, payload, 2, 0.0) for topic, payload in order]
    assert found == [False, False, False, True, True, True]


def test_a_broker_that_sends_one_for_all_loses_nothing() -> None:
    copies = Copies()
    assert not copies.is_copy("t", b"first", 2, 0.0)
    found = [copies.is_copy("t", b"ping", 2, LATE + number) for number in range(4)]
    found += [copies.is_copy("t", b"ping", 2, LATE + 9) for _ in range(4)]
    assert not any(found)
    copies.reset()  # another broker, maybe
    assert [copies.is_copy("t", b"x", 2, 100.0) for _ in range(2)] == [False, True]


def test_a_copy_that_was_lost_is_not_waited_for() -> None:
    copies = Copies()
    assert [copies.is_copy("t", b"x", 3, 0.0) for _ in range(2)] == [False, True]
    assert not copies.is_copy("t", b"x", 3, LATE)
    assert copies.is_copy("t", b"x", 3, LATE)


def test_a_flood_is_watched_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "COPIES", 10)
    copies = Copies()
    for number in range(50):
        assert not copies.is_copy("t", b"%d" % number, 2, 0.0)
    assert len(copies._expected) == 10
