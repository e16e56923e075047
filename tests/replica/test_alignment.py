# SPDX-License-Identifier: MIT
"""What two sequences share: in order, as much as anchors find, without squares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation import limits
from federation.replica.alignment import Region, gaps

UNITS = st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f"]), max_size=30)


@given(UNITS, UNITS)
def test_what_lies_between_the_gaps_is_equal(left: list[bytes], right: list[bytes]) -> None:
    at = new_at = 0
    for gap in gaps(left, right):
        assert left[at : gap.start] == right[new_at : gap.new_start]
        assert at <= gap.start <= gap.end
        assert new_at <= gap.new_start <= gap.new_end
        at, new_at = gap.end, gap.new_end
    assert left[at:] == right[new_at:]


def test_equal_sequences_have_no_gap() -> None:
    units = [b"%d" % number for number in range(100)]
    assert gaps(units, list(units)) == []


def test_each_change_is_a_gap_of_its_own() -> None:
    left = [b"%d" % number for number in range(100)]
    right = [*left[:10], b"new", *left[10:50], *left[52:90], b"other", *left[91:]]
    assert gaps(left, right) == [
        Region(10, 10, 10, 11), Region(50, 52, 51, 51), Region(90, 91, 89, 90),
    ]  # fmt: skip


def test_repeated_units_are_matched_beside_unique_ones() -> None:
    left = [b"{", b"one", b"}", b"{", b"two", b"}", b"{", b"three", b"}"]
    right = [b"{", b"one", b"}", b"{", b"2", b"}", b"{", b"three", b"}"]
    assert gaps(left, right) == [Region(4, 5, 4, 5)]


def test_a_move_leaves_the_longer_run_in_place() -> None:
    left = [b"%d" % number for number in range(10)]
    right = [*left[1:], left[0]]
    assert gaps(left, right) == [Region(0, 1, 0, 0), Region(10, 10, 9, 10)]


def test_inside_of_a_gap_other_units_may_be_unique() -> None:
    # "x" is there twice on either side, once on either side of the anchor
    left = [b"x", b"1", b"anchor", b"x", b"2"]
    right = [b"0", b"x", b"anchor", b"3", b"x"]
    assert gaps(left, right) == [
        Region(0, 0, 0, 1), Region(1, 2, 2, 2), Region(3, 3, 3, 4), Region(4, 5, 5, 5),
    ]  # fmt: skip


def test_rounds_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PATCH_DEPTH", 0)
    assert gaps([b"a", b"b"], [b"a", b"c"]) == [Region(0, 2, 0, 2)]
