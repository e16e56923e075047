# SPDX-License-Identifier: MIT
"""Which conflicts a revision settles."""

from __future__ import annotations

import dataclasses

import pytest

from federation import limits
from federation.replica.ancestry import Ancestry
from federation.replica.records import Clashing
from federation.replica.settlement import settles
from tests.replica.histories import History

ONE = Clashing("1" * 64, "x.canvasl", "v", ("1", "x"), "", "0", "1", "2", "2", "a", "b")


def history() -> History:
    """``a1`` and ``b1`` clash; ``s`` has settled that; what came before, beside and after."""
    made = History()
    for name, *parents in (
        ("0",), ("b0", "0"), ("a1", "0"), ("b1", "b0"), ("s", "a1", "b1"),
        # grown elsewhere, without having seen the settlement; a2 has seen more of b
        ("a2", "a1", "b0"), ("b2", "b1"),
        # made anew: by those who had seen it, and by one who had not
        ("a3", "s"), ("b3", "s"), ("c1", "0"),
    ):  # fmt: skip
        made.add(name, name[0], 1 + int(name[1:] or 0), name.encode(), *parents)
    return made


@pytest.mark.parametrize(
    ("a", "b", "settled"),
    [
        (["a1"], "b1", True),
        (["b1"], "a1", True),
        (["a2"], "b1", True),
        (["a1"], "b2", True),
        (["a2"], "b2", True),
        (["a1", "c1"], "b2", True),
        (["a3"], "b3", False),
        (["b3"], "a3", False),
        (["c1"], "b3", False),
        (["c1"], "b2", False),
        (["c1"], "a1", False),
        # one side is the settlement itself
        (["s"], "c1", False),
        (["gone"], "b1", False),
    ],
)
def test_a_revision_settles_what_its_author_had_seen(a: list[str], b: str, settled: bool) -> None:
    made = history()
    conflict = dataclasses.replace(ONE, heads_a=tuple(a), head_b=b)
    assert settles(made.revisions["s"], conflict, Ancestry(made.revisions.get)) is settled


@pytest.mark.parametrize("early", ["0", "b0", "c1"])
def test_a_number_that_was_guessed_settles_nothing(early: str) -> None:
    """Who knows the base can guess both values, and what names the number too early is void."""
    made = history()
    conflict = dataclasses.replace(ONE, heads_a=("a1",), head_b="b1")
    assert not settles(made.revisions[early], conflict, Ancestry(made.revisions.get))


def test_what_names_no_heads_is_settled_by_its_number() -> None:
    made = history()
    assert settles(made.revisions["s"], ONE, Ancestry(made.revisions.get))
    deletion = dataclasses.replace(ONE, path=(), heads_a=("c1",), head_b="b3")
    assert settles(made.revisions["s"], deletion, Ancestry(made.revisions.get))


def test_another_documents_history_is_no_part_of_it() -> None:
    made = history()
    made.revisions["a1"] = dataclasses.replace(made.revisions["a1"], file="y.canvasl")
    conflict = dataclasses.replace(ONE, heads_a=("a2",), head_b="b2")
    assert not settles(made.revisions["s"], conflict, Ancestry(made.revisions.get))


def test_the_walk_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    made = history()
    conflict = dataclasses.replace(ONE, heads_a=("a2",), head_b="b2")
    monkeypatch.setattr(limits, "MERGE_WALK", 1)
    assert not settles(made.revisions["s"], conflict, Ancestry(made.revisions.get))
