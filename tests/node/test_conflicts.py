# SPDX-License-Identifier: MIT
"""Conflicts that are open, that stand, and that are settled (more: test_heads, test_settling)."""

from __future__ import annotations

import dataclasses

import pytest

from federation import limits
from tests.node.clashes import FILE, clash, resolve, the_conflict


def test_a_settlement_of_an_earlier_program_settles_its_number() -> None:
    """It did not note which revision it was."""
    _world, (a, _b) = clash()
    found = the_conflict(a)
    a.store.settle(FILE, [found.number], "")
    a.store.drop_conflict(found)
    head = a.store.heads(FILE)[0]
    a.do(lambda: a.node.library.heads.conflicts.note(head, [found], standing=False))
    assert a.store.open_conflicts(FILE) == []


def test_the_merges_of_one_conflict_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONFLICT_MERGES", 3)
    _world, (a, _b) = clash()
    found = the_conflict(a)
    head, conflicts = a.store.heads(FILE)[0], a.node.library.heads.conflicts
    for number in range(9):
        again = dataclasses.replace(found, view=f"v{number}")
        a.do(lambda again=again: conflicts.note(head, [again], standing=True))  # type: ignore[misc]
    assert len(a.store.instances(FILE, [found.number])) == 3
    # it is one conflict, and one choice settles it
    assert the_conflict(a).number == found.number
    resolve(a, "a")
    assert a.store.open_conflicts(FILE) == []
