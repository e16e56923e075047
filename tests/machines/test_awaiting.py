# SPDX-License-Identifier: MIT
"""Acknowledgements that are owed: expected, given, forgotten, reported late once."""

from __future__ import annotations

from federation import limits
from federation.machines.awaiting import Awaiting


def test_the_last_peer_completes_a_document() -> None:
    awaiting = Awaiting()
    awaiting.expect("x.md", "r1", {"a", "b"}, 0.0)
    assert awaiting.missing("r1") == ["a", "b"]
    assert awaiting.acknowledged("a", "r1") is None
    assert awaiting.acknowledged("a", "r1") is None
    assert not awaiting.owes("a")
    assert awaiting.owes("b")
    assert awaiting.acknowledged("b", "r1") == "x.md"
    assert awaiting.acknowledged("b", "r1") is None
    assert awaiting.missing("r1") == []


def test_only_the_newest_revision_of_a_document_is_awaited() -> None:
    awaiting = Awaiting()
    awaiting.expect("x.md", "r1", {"a"}, 0.0)
    awaiting.expect("y.md", "s1", {"a"}, 0.0)
    awaiting.expect("x.md", "r2", {"a"}, 0.0)
    assert awaiting.acknowledged("a", "r1") is None
    assert awaiting.missing("r1") == []
    assert awaiting.owes("a")
    assert awaiting.acknowledged("a", "r2") == "x.md"
    assert awaiting.acknowledged("a", "s1") == "y.md"
    assert not awaiting.owes("a")


def test_nobody_to_await() -> None:
    awaiting = Awaiting()
    awaiting.expect("x.md", "r1", {"a"}, 0.0)
    awaiting.expect("x.md", "r2", (), 0.0)
    assert awaiting.missing("r1") == awaiting.missing("r2") == []
    assert awaiting.overdue(1e9) == []


def test_who_leaves_owes_nothing() -> None:
    awaiting = Awaiting()
    awaiting.expect("x.md", "r1", {"a"}, 0.0)
    awaiting.expect("y.md", "s1", {"a", "b"}, 0.0)
    assert awaiting.forget("a") == [("x.md", "r1")]
    assert awaiting.missing("s1") == ["b"]
    assert awaiting.forget("a") == []
    assert awaiting.forget("nobody") == []
    assert awaiting.acknowledged("a", "s1") is None
    assert awaiting.acknowledged("b", "s1") == "y.md"


def test_what_is_late_is_told_once() -> None:
    awaiting = Awaiting()
    awaiting.expect("x.md", "r1", {"b", "a"}, 10.0)
    assert awaiting.overdue(10.0 + limits.UNACKNOWLEDGED - 0.1) == []
    assert awaiting.overdue(10.0 + limits.UNACKNOWLEDGED) == [("x.md", "r1", ["a", "b"])]
    assert awaiting.overdue(1e9) == []
    assert awaiting.acknowledged("a", "r1") is None
    assert awaiting.acknowledged("b", "r1") == "x.md"
