# SPDX-License-Identifier: MIT
"""The bounds of one merge."""

from __future__ import annotations

from federation import limits
from federation.replica.merge.work import Work


def test_every_merge_begins_with_the_same_means() -> None:
    spent = Work()
    spent.steps -= 10
    fresh = Work()
    assert (fresh.steps, fresh.pairs, fresh.parts) == (
        limits.MERGE_STEPS, limits.MERGE_LIKENESS, limits.MERGE_PARTS,
    )  # fmt: skip
    assert spent.steps == fresh.steps - 10
