# SPDX-License-Identifier: MIT
"""Finding the same entry on two boards."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation import limits
from federation.replica.blackboard.outline import parse
from federation.replica.blackboard.pairing import contradict, pair, pair_additions
from tests.replica.blackboard.boards import boards


def heading(title: str, **properties: str) -> str:
    lines = "".join(f":{name}: {value}\n" for name, value in properties.items())
    return f"* {title}\n:PROPERTIES:\n{lines}:END:\n"


def pairs(old: str, new: str) -> dict[int, int]:
    return pair(parse(old), parse(new))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("* a\n* b\n", "* b\n* a\n", {1: 2, 2: 1}),
        # an id beats the heading, and forbids another id
        (heading("a", ID="1") + heading("b", ID="2"), heading("b", ID="1") + heading("a", ID="2"),
         {1: 1, 2: 2}),
        (heading("a", PEER_ID="1"), heading("a", PEER_ID="2"), {}),
        (heading("a", NODE_ID="1", CANVASL_CID="x"), heading("a", NODE_ID="2", CANVASL_CID="x"),
         {}),
        # a content id helps where there is nothing else, and may change
        (heading("a", CANVASL_CID="x"), heading("b", CANVASL_CID="x"), {1: 1}),
        (heading("a", CANVASL_CID="x"), heading("a", CANVASL_CID="y"), {1: 1}),
        # an id that is there twice says nothing: the content does
        (heading("a", ID="1") + "x\n" + heading("a", ID="1") + "y\n", heading("a", ID="1") + "y\n",
         {2: 1}),
        # equal headings: the same content first, then in order
        ("* a\nx\n* a\ny\n", "* a\nnew\n* a\nx\n* a\ny\n", {1: 2, 2: 3}),
        ("* a\nx\n* a\ny\n", "* a\nX\n* a\nY\n", {1: 1, 2: 2}),
        # moved below another heading
        ("* a\n** b\nx\n* c\n", "* a\n* c\n** b\nx\n", {1: 1, 2: 3, 3: 2}),
        # reworded
        ("* WAIT Meeting\n* b\n", "* DONE Meeting\n* b\n", {1: 1, 2: 2}),
        ("* Ideas\n** one\n** two\n", "* Thoughts\n** one\n** two\n", {1: 1, 2: 2, 3: 3}),
        ("* Ideas\nwords\n", "* Thoughts\nwords\n", {1: 1}),
        ("* Ideas\n", "* Thoughts\n", {}),
    ],
)  # fmt: skip
def test_pairs(old: str, new: str, expected: dict[int, int]) -> None:
    assert pairs(old, new) == {0: 0, **expected}


def test_too_many_reworded_headings_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = "* WAIT Meeting\n", "* DONE Meeting\n"
    monkeypatch.setattr(limits, "MERGE_LIKENESS_PAIRS", 1)
    assert pairs(old, new) == {0: 0, 1: 1}
    monkeypatch.setattr(limits, "MERGE_LIKENESS_PAIRS", 0)
    assert pairs(old, new) == {0: 0}


@given(boards(), boards())
@settings(deadline=None)
def test_pairs_are_one_to_one(old: str, new: str) -> None:
    one, other = parse(old), parse(new)
    found = pair(one, other)
    assert len(set(found.values())) == len(found)
    assert found[0] == 0
    for index, there in found.items():
        assert not contradict(one.entries[index], other.entries[there])


@given(boards(), st.data())
@settings(deadline=None)
def test_a_board_is_paired_with_itself(text: str, data: st.DataObject) -> None:
    outline = parse(text)
    found = pair(outline, outline)
    assert set(found) == set(range(len(outline.entries)))
    index = data.draw(st.sampled_from(sorted(found)))
    assert outline.entries[found[index]].text() == outline.entries[index].text()


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ("* Peers\nx\n", "* Peers\ny\n", {1: 1}),  # of the layout
        ("* Ideas\nx\n", "* Ideas\ny\n", {}),  # two people's words
        ("* Ideas\nx\n", "* Ideas\nx\n", {1: 1}),
        ("* Ideas\nx\n* Ideas\nx\n", "* Ideas\nx\n", {1: 1}),
        (heading("a", PEER_ID="1"), heading("b", PEER_ID="1"), {1: 1}),
        ("* Ideas\n** one\n", "* Ideas\n** one\n", {1: 1, 2: 2}),
        ("* Ideas\nx\n** one\n", "* Ideas\ny\n** one\n", {}),
    ],
)
def test_what_both_added(mine: str, theirs: str, expected: dict[int, int]) -> None:
    a, b = parse(mine), parse(theirs)

    def parent(side: str, index: int) -> tuple[str, int]:
        above = (a if side == "a" else b).parents[index]
        return ("base", 0) if above == 0 else (side, above)

    added = [range(1, len(one.entries)) for one in (a, b)]
    assert pair_additions(a, b, added[0], added[1], parent) == expected
