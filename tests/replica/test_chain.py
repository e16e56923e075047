# SPDX-License-Identifier: MIT
"""Chains of deltas: short ways to every step, and new beginnings where they pay."""

from __future__ import annotations

from federation import limits
from federation.replica import chain
from federation.replica.chain import Link


def grown(steps: int) -> list[list[Link]]:
    """The paths to the steps of a chain, in order."""
    paths = [[Link(0, 0, 1000)]]
    for step in range(1, steps):
        before = paths[-1]
        at = chain.base_for(before)
        assert at is not None
        paths.append([*before[: at + 1], Link(step, step, 1)])
    return paths


def test_a_step_is_a_delta_of_the_one_without_its_last_digit() -> None:
    paths = grown(600)
    steps = {at: [link.step for link in paths[at]] for at in (1, 15, 16, 34, 256, 513, 529)}
    assert steps == {
        1: [0, 1],
        15: list(range(16)),
        16: [0, 16],
        34: [0, 16, 32, 33, 34],
        256: [0, 256],
        513: [0, 256, 512, 513],
        529: [0, 256, 512, 528, 529],
    }


def test_every_way_is_short_and_a_chain_ends() -> None:
    count = limits.HISTORY_FAN**limits.HISTORY_LEVELS
    paths = grown(count)
    longest = max(map(len, paths)) - 1
    assert longest == limits.HISTORY_LEVELS * (limits.HISTORY_FAN - 1)
    assert longest < limits.HISTORY_CHAIN <= 64
    assert chain.base_for(paths[-1]) is None


def test_where_compaction_took_steps_the_next_lower_one_serves() -> None:
    # what should be made from step 16 is made from step 5
    path = [Link(0, 0, 9), Link(5, 5, 1), Link(31, 31, 1)]
    assert chain.base_for(path) == 1
    # and where there is none, it is kept whole
    assert chain.base_for([Link(31, 31, 9)]) is None
    assert chain.base_for([]) is None


def test_no_way_grows_beyond_the_longest() -> None:
    path = [Link(number, number, 1) for number in range(limits.HISTORY_CHAIN + 1)]
    assert chain.base_for(path[:-1]) is not None
    assert chain.base_for(path) is None


def test_deltas_that_outweigh_the_content_end_the_chain() -> None:
    deltas = [Link(1, 1, 40), Link(2, 2, 50)]
    assert not chain.too_heavy(deltas, 10, 100)
    assert chain.too_heavy(deltas, 11, 100)
    assert chain.too_heavy([], 1, 0)


def test_a_large_delta_is_compared_with_the_whole() -> None:
    assert chain.worth_comparing(7, 100)
    assert not chain.worth_comparing(6, 100)
    assert chain.better_whole(20, 10)
    assert not chain.better_whole(21, 10)
