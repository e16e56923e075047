# SPDX-License-Identifier: MIT
"""Strings merge by what people see as characters."""

from __future__ import annotations

import pytest

from federation.replica.merge.strings import clusters, merge_value, weave


@pytest.mark.parametrize(
    ("base", "a", "b", "merged"),
    [("one two three", "One two three", "one two Three", "One two Three"),
     ("words", "words of a", "words of b", None),
     ("same", "same!", "same!", "same!"),
     ("a b c", "a c", "a b c d", "a c d"),
     ("x=1", "x=25", "x=37", None)],
)  # fmt: skip
def test_two_changes(base: str, a: str, b: str, merged: str | None) -> None:
    found = merge_value(base, a, b)
    if base == "words":
        assert found is None or ("of a" in found and "of b" in found)
    else:
        assert found == merged


def test_no_cluster_is_taken_apart() -> None:
    family, flag = "👩‍👩‍👧", "🇩🇪"
    merged = merge_value(f"x {family} y {flag}", f"x {family}! y {flag}", f"x {family} y {flag}?")
    assert merged == f"x {family}! y {flag}?"
    assert list(clusters(f"{family}e\u0301\r\n")) == [family, "e\u0301", "\r\n"]


def test_ascii_is_its_own_clusters() -> None:
    assert clusters("plain") == "plain"


def test_what_overlaps_is_told() -> None:
    assert weave("abc def", "abX def", "abY def").overlap
    assert not weave("abc def", "Xbc def", "abc deY").overlap
