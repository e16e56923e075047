# SPDX-License-Identifier: MIT
"""Which units (lines, words) two sequences share, in time that does not multiply.

Units that are unique on both sides anchor the rest (patience diff, by Bram
Cohen); what lies between two anchors is aligned in the same way.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from federation import limits


class Region(NamedTuple):
    """A range of one sequence, and the range of the new one that stands for it."""

    start: int
    end: int
    new_start: int
    new_end: int


def gaps(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[Region]:
    """The ranges of units that have no equal on the other side, in order.

    Ranges with nothing unique in common are not looked into again, nor those
    that limits.PATCH_DEPTH rounds have left.
    """
    found: list[Region] = []
    waiting = [(Region(0, len(left), 0, len(right)), 0)]
    while waiting:
        gap, depth = waiting.pop()
        anchors = [] if depth == limits.PATCH_DEPTH else _anchors(left, right, gap)
        if not anchors:
            found.append(gap)
            continue
        parts = _between(left, right, gap, anchors)
        # what is pushed last comes next: the gaps are found in order
        waiting += [(part, depth + 1) for part in reversed(parts)]
    return found


def _anchors(
    left: Sequence[Hashable], right: Sequence[Hashable], gap: Region
) -> list[tuple[int, int]]:
    """Equal units that each side has once, the most that are in the same order."""
    if gap.start == gap.end or gap.new_start == gap.new_end:
        return []
    where = _once(left, gap.start, gap.end)
    other = _once(right, gap.new_start, gap.new_end)
    return _rising([(where[unit], at) for unit, at in other.items() if unit in where])


def _once(units: Sequence[Hashable], start: int, end: int) -> dict[Hashable, int]:
    """Unit -> its place, of those that a range has once, in order."""
    first: dict[Hashable, int] = {}
    again: set[Hashable] = set()
    for at in range(start, end):
        unit = units[at]
        if unit in first:
            again.add(unit)
        else:
            first[unit] = at
    for unit in again:
        del first[unit]
    return first


def _rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """A longest run of pairs that rise on the left as they do on the right."""
    tops: list[int] = []
    chosen: list[int] = []
    before: list[int] = []
    for number, (value, _) in enumerate(pairs):
        place = bisect_left(tops, value)
        before.append(chosen[place - 1] if place else -1)
        if place == len(tops):
            tops.append(value)
            chosen.append(number)
        else:
            tops[place], chosen[place] = value, number
    run: list[tuple[int, int]] = []
    at = chosen[-1] if chosen else -1
    while at >= 0:
        run.append(pairs[at])
        at = before[at]
    return run[::-1]


def _between(
    left: Sequence[Hashable], right: Sequence[Hashable], gap: Region, anchors: list[tuple[int, int]]
) -> list[Region]:
    """The gaps that anchors leave, after each has grown over its equal neighbours."""
    parts: list[Region] = []
    low, new_low = gap.start, gap.new_start
    for one, other in [*anchors, (gap.end, gap.new_end)]:
        while low < one and new_low < other and left[low] == right[new_low]:
            low, new_low = low + 1, new_low + 1
        high, new_high = one, other
        while high > low and new_high > new_low and left[high - 1] == right[new_high - 1]:
            high, new_high = high - 1, new_high - 1
        if high > low or new_high > new_low:
            parts.append(Region(low, high, new_low, new_high))
        low, new_low = one + 1, other + 1
    return parts
