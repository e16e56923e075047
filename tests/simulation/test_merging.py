# SPDX-License-Identifier: MIT
"""The whole peer in a seeded world: documents that many edit at once, in every kind of trouble.

More seeds: ``META_LOG_SEEDS=10000 pytest tests/simulation/test_merging.py``
(``META_LOG_FIRST=5000``: only those from there on).  A failure names its seed;
``META_LOG_SEED=N`` tells that story alone.
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.people import check, story

ONE = os.environ.get("META_LOG_SEED")
FIRST, LAST = (int(os.environ.get(f"META_LOG_{name}", number))
               for name, number in (("FIRST", "0"), ("SEEDS", "500")))  # fmt: skip
SEEDS = [int(ONE)] if ONE else range(FIRST, LAST)


@pytest.mark.parametrize("seed", SEEDS)
def test_all_agree_and_nothing_is_lost(seed: int) -> None:
    check(story(seed))
