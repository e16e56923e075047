# SPDX-License-Identifier: MIT
"""Random pairs and threes of edits of one document, and what every merge must keep.

More: ``META_LOG_PAIRS=10000 pytest tests/replica/merge/test_pairs.py``, other
ones with ``META_LOG_FIRST=10000``.  A failure names its seed;
``META_LOG_SEED=N`` tells that case alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.replica.merge.laws import Broken, check, check_apart, check_three
from tests.replica.merge.replayed import make

ONE = os.environ.get("META_LOG_SEED")
FIRST = int(ONE or os.environ.get("META_LOG_FIRST", "0"))
PAIRS = 1 if ONE else int(os.environ.get("META_LOG_PAIRS", "2500"))
#: cases in one test
PORTION = 250


def broken(seeds: range, law: Callable[[int], object]) -> list[str]:
    """The cases that break a law, each with its seed."""
    found: list[str] = []
    for seed in seeds:
        try:
            law(seed)
        except Broken as problem:
            found.append(f"META_LOG_SEED={seed}: {str(problem)[:2000]}")
    return found


def portion(start: int, most: int) -> range:
    """Some of all seeds."""
    return range(start, min(start + PORTION, FIRST + most))


@pytest.mark.parametrize("start", range(FIRST, FIRST + PAIRS, PORTION))
def test_two_sides(start: int) -> None:
    assert broken(portion(start, PAIRS), lambda seed: check(make(seed))) == []


@pytest.mark.parametrize("start", range(FIRST, FIRST + max(PAIRS // 5, 1), PORTION))
def test_three_sides(start: int) -> None:
    seeds = portion(start, max(PAIRS // 5, 1))
    assert broken(seeds, lambda seed: check_three(make(seed, 3))) == []


def test_two_sides_whose_base_is_gone() -> None:
    assert broken(portion(FIRST, PAIRS), lambda seed: check_apart(make(seed))) == []


def test_the_cases_are_of_every_kind() -> None:
    cases = [make(seed) for seed in range(200)]
    assert {case.kind for case in cases} == {"canvasl", "json-canvas", "text"}
    assert sum(case.clean is not None for case in cases) > len(cases) // 3
    assert sum(case.ordered for case in cases) > len(cases) // 10
    texts = [case.base for case in cases]
    assert all(
        any(mark in text for text in texts) for mark in ("\r\n", "\ufeff", "0.50", "@include")
    )
