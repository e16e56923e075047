# SPDX-License-Identifier: MIT
"""What differs between two sequences."""

from __future__ import annotations

import random

import pytest

from federation.replica.alignment import Region
from federation.replica.merge.changes import changes, common, joined
from federation.replica.merge.work import Work


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [("abc", "abc", (3, 0)), ("abc", "abd", (2, 0)), ("abc", "xbc", (0, 2)), ("", "a", (0, 0)),
     ("aa", "a", (1, 0)), ("a" * 5000 + "b", "a" * 5000 + "c", (5000, 0))],
)  # fmt: skip
def test_what_both_begin_and_end_with(old: str, new: str, same: tuple[int, int]) -> None:
    assert common(old, new) == same


@pytest.mark.parametrize("seed", range(60))
def test_the_changes_make_the_new_of_the_old(seed: int) -> None:
    dice = random.Random(seed)
    old = [dice.choice("abcdef") for _ in range(dice.randrange(30))]
    new = [dice.choice("abcdef") for _ in range(dice.randrange(30))]
    made: list[str] = []
    at = 0
    for start, end, new_start, new_end in changes(old, new, Work()):
        assert start >= at
        made += old[at:start] + new[new_start:new_end]
        at = end
    assert made + old[at:] == new


def test_without_means_the_rest_is_one_range() -> None:
    work = Work()
    work.steps = 0
    found = changes("abcabcabc", "cbacbacba", work)
    assert found[0].start == 0
    assert found[-1].end == 9


def test_ranges_that_touch_are_one() -> None:
    assert joined([Region(0, 1, 0, 1), Region(1, 2, 1, 4)]) == [Region(0, 2, 0, 4)]
