# SPDX-License-Identifier: MIT
"""Two orders become one."""

from __future__ import annotations

import pytest

from federation.replica.merge.sequence import BASE, Side, merge_orders


def merged(length: int, a: list[int | str], b: list[int | str], alive: set[int]) -> list[object]:
    """Orders of base numbers and new names; the names come back, too."""
    sides: list[Side] = []
    names: dict[tuple[str, int], int | str] = {}
    for kind, wanted in (("a", a), ("b", b)):
        pairs = {one: place for place, one in enumerate(wanted) if isinstance(one, int)}
        sides.append(Side(kind, len(wanted), pairs))
        names |= {(kind, place): one for place, one in enumerate(wanted)}
    slots = merge_orders(length, sides[0], sides[1], alive, {})
    return [number if kind == BASE else names[kind, number] for kind, number in slots]


@pytest.mark.parametrize(
    ("a", "b", "result"),
    [([0, 1, 2], [0, 1, 2], [0, 1, 2]),
     ([2, 0, 1], [0, 1, 2], [2, 0, 1]),
     ([0, "x", 1, 2], [0, 1, 2, "y"], [0, "x", 1, 2, "y"]),
     (["x", 0, 1, 2], [2, 0, 1], ["x", 2, 0, 1])],
)  # fmt: skip
def test_orders(a: list[int | str], b: list[int | str], result: list[int | str]) -> None:
    assert sorted(map(str, merged(3, a, b, {0, 1, 2}))) == sorted(map(str, result))
    if result[0] != "x":
        assert merged(3, a, b, {0, 1, 2}) == result


def test_two_moves_of_one_entry_leave_one() -> None:
    found = merged(4, [1, 2, 0, 3], [1, 2, 3, 0], {0, 1, 2, 3})
    assert sorted(map(str, found)) == ["0", "1", "2", "3"]
    assert found[:2] == [1, 2]


def test_what_one_side_added_together_stays_together() -> None:
    found = merged(1, [0, "a1", "a2", "a3"], [0, "b1", "b2"], {0})
    text = " ".join(map(str, found))
    assert "a1 a2 a3" in text
    assert "b1 b2" in text


def test_the_dead_are_left_out_and_the_living_stay() -> None:
    assert merged(3, [0, 2], [0, 1, 2], {0, 2}) == [0, 2]
    assert merged(3, [0, 2], [0, 1, 2], {0, 1, 2}) == [0, 1, 2]
    assert merged(3, [0, 2, "x"], [2, 0, 1], {0, 1, 2}).count(1) == 1


def test_a_long_list_turned_round() -> None:
    found = merged(2000, list(reversed(range(2000))), [*range(2000), "x"], set(range(2000)))
    assert len(found) == 2001
