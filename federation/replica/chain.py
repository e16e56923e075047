# SPDX-License-Identifier: MIT
"""Where in a chain of deltas a content has its place.

A chain begins with a whole content, step 0.  Step n is kept as what changed
since the step that n is with its lowest digit other than zero set to zero, in
digits to the base of limits.HISTORY_FAN (skip deltas, as in Subversion's file
system).  With three digits of 16 a chain of 4,096 contents is read in 45 deltas
at most, and a change is written again in two of the longer deltas only:

    0 -> 16 -> 32 -> 33 -> 34      the deltas that lead to step 34
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from federation import limits


@dataclass(frozen=True, slots=True)
class Link:
    """A kept content: its number in the store, its step, and what it weighs there in bytes."""

    number: int
    step: int
    weight: int


def base_for(path: Sequence[Link]) -> int | None:
    """The place in ``path`` of what the next content is to be a delta of; None: keep it whole.

    ``path`` leads from a whole content to the one before, and is empty where
    there is none.  Steps may be missing where compaction took them.
    """
    if not path:
        return None
    step = path[-1].step + 1
    if step >= limits.HISTORY_FAN**limits.HISTORY_LEVELS or len(path) > limits.HISTORY_CHAIN:
        return None
    span = 1
    while step % (span * limits.HISTORY_FAN) == 0:
        span *= limits.HISTORY_FAN
    wanted = step - span
    return max((at for at, link in enumerate(path) if link.step <= wanted), default=None)


def too_heavy(deltas: Sequence[Link], delta: int, size: int) -> bool:
    """Whether the deltas that lead to a content of ``size`` bytes, and one more, outweigh it."""
    return sum(link.weight for link in deltas) + delta > size


def better_whole(whole: int, delta: int) -> bool:
    """Whether to keep a content whole: that costs little more, and the chain begins anew."""
    return whole <= 2 * delta


def worth_comparing(delta: int, size: int) -> bool:
    """Whether a delta is so large that the whole content may be as good."""
    return 16 * delta > size
