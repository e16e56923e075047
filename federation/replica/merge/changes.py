# SPDX-License-Identifier: MIT
"""What differs between two sequences, in bounded time.

Units that are unique on both sides anchor the comparison (patience diff); what
is left between two anchors is compared by Myers' greedy algorithm (1986), as
long as the merge may spend it; the rest is one replaced range.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from math import isqrt
from typing import Final

from federation import limits
from federation.replica.alignment import Region, gaps
from federation.replica.merge.work import Work

#: units that are compared at once, for the speed of C
_CHUNK: Final = 1024


def common(old: Sequence[Hashable], new: Sequence[Hashable]) -> tuple[int, int]:
    """How many units are the same at the beginning, and of the others at the end."""
    most = min(len(old), len(new))
    start = 0
    while start < most and old[start : start + _CHUNK] == new[start : start + _CHUNK]:
        start = min(start + _CHUNK, most)
    while start < most and old[start] == new[start]:
        start += 1
    rest, end = most - start, 0
    a, b = len(old), len(new)
    while (
        end + _CHUNK <= rest and old[a - end - _CHUNK : a - end] == new[b - end - _CHUNK : b - end]
    ):
        end += _CHUNK
    while end < rest and old[a - 1 - end] == new[b - 1 - end]:
        end += 1
    return start, end


def changes(old: Sequence[Hashable], new: Sequence[Hashable], work: Work) -> list[Region]:
    """The ranges of ``old`` that have others in their place in ``new``, in order."""
    start, end = common(old, new)
    if start == len(old) == len(new):
        return []
    middle_old, middle_new = old[start : len(old) - end], new[start : len(new) - end]
    if not middle_old or not middle_new:
        return [Region(start, len(old) - end, start, len(new) - end)]
    found: list[Region] = []
    for gap in gaps(middle_old, middle_new):
        inner = _inside(middle_old, middle_new, gap, work)
        found += (Region(*(place + start for place in one)) for one in inner)
    return joined(found)


def joined(regions: Iterable[Region]) -> list[Region]:
    """Regions in order, those that touch as one."""
    found: list[Region] = []
    for one in regions:
        if found and (found[-1].end, found[-1].new_end) == (one.start, one.new_start):
            found[-1] = Region(found[-1].start, one.end, found[-1].new_start, one.new_end)
        else:
            found.append(one)
    return found


def _inside(
    old: Sequence[Hashable], new: Sequence[Hashable], gap: Region, work: Work
) -> list[Region]:
    """What differs between two anchors."""
    one, other = old[gap.start : gap.end], new[gap.new_start : gap.new_end]
    start, end = common(one, other)
    length, new_length = len(one) - end, len(other) - end
    at, new_at = gap.start, gap.new_start
    whole = Region(at + start, at + length, new_at + start, new_at + new_length)
    if start in (length, new_length):
        return [whole] if start < length or start < new_length else []
    equal = _equal(one[start:length], other[start:new_length], work)
    if equal is None:
        return [whole]
    found: list[Region] = []
    low, new_low = start, start
    for x, y, size in [*equal, (length - start, new_length - start, 0)]:
        if low < x + start or new_low < y + start:
            found.append(Region(at + low, at + x + start, new_at + new_low, new_at + y + start))
        low, new_low = x + start + size, y + start + size
    return found


def _equal(
    old: Sequence[Hashable], new: Sequence[Hashable], work: Work
) -> list[tuple[int, int, int]] | None:
    """Runs (place, new place, length) that a shortest edit keeps; None where it is too long."""
    length, new_length = len(old), len(new)
    most = min(length + new_length, limits.MERGE_EDITS, isqrt(max(2 * work.steps, 0)))
    if most < abs(length - new_length):
        return None
    # far[k]: the furthest place of old on diagonal k = place - new place
    far = [0] * (2 * most + 3)
    trace: list[list[int]] = []
    for edits in range(most + 1):
        trace.append(far[most + 1 - edits : most + 2 + edits])
        for k in range(-edits, edits + 1, 2):
            left, right = far[most + k], far[most + 2 + k]
            x = right if k == -edits or (k != edits and left < right) else left + 1
            y = x - k
            while x < length and y < new_length and old[x] == new[y]:
                x, y = x + 1, y + 1
                work.steps -= 1
            far[most + 1 + k] = x
            if x >= length and y >= new_length:
                work.steps -= edits * (edits + 1) // 2
                return _way_back(trace, length, new_length)
    work.steps -= most * (most + 1) // 2
    return None


def _way_back(trace: list[list[int]], x: int, y: int) -> list[tuple[int, int, int]]:
    """The equal runs of the way that the search took to (x, y)."""
    runs: list[tuple[int, int, int]] = []
    for edits in range(len(trace) - 1, -1, -1):
        before, k = trace[edits], x - y
        start = start_y = old_x = old_k = 0
        if edits:
            # before[edits + j] is diagonal j as the round before left it
            down = k == -edits or (k != edits and before[edits + k - 1] < before[edits + k + 1])
            old_k = k + 1 if down else k - 1
            old_x = before[edits + old_k]
            start = old_x if down else old_x + 1
            start_y = start - k
        if x > start:
            runs.append((start, start_y, x - start))
        if edits:
            x, y = old_x, old_x - old_k
    return runs[::-1]
