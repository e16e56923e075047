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


@pytest.mark.parametrize(
    ("base", "a", "b", "settled"),
    [("one two three four", "ONE two tree four", "one two trois four", "ONE two trois four"),
     ("one two three four", "one 22 three 4", "one two three four five", "one 22 three 4 five"),
     ("a b c d e f g", "a X c d e f g", "a c d e f G", "a c d e f G")],
)  # fmt: skip
def test_only_the_place_of_an_overlap_yields(base: str, a: str, b: str, settled: str) -> None:
    assert weave(base, a, b).settled == settled


def test_who_aligns_a_table_does_not_rewrite_it() -> None:
    rows = [f"| name {number} | value {number} |" for number in range(9)]
    base = "\n".join(rows)
    wide = base.replace(" |", "                  |")
    edited = "\n".join([*rows, "| name 9 | value 9 |"])
    assert merge_value(base, wide, edited) == f"{wide}\n| name 9 | value 9 |"


def test_words_stay_whole() -> None:
    assert merge_value("say wide", "say wild wide", "say wipe") == "say wild wipe"
