# SPDX-License-Identifier: MIT
"""The same entry in two versions."""

from __future__ import annotations

import json
import random

from federation.replica.merge.entry import Entry
from federation.replica.merge.pairing import pair


def entries(*values: object) -> list[Entry]:
    return [Entry(json.dumps(value)) for value in values]


def node(name: object, **members: object) -> dict[str, object]:
    return {"id": name, "type": "text", "text": f"words of {name}", **members}


def test_reordered_entries_are_found() -> None:
    old = entries(*(node(f"n{number}") for number in range(20)))
    order = list(range(20))
    random.Random(1).shuffle(order)
    new = [old[number] for number in order]
    assert pair(old, new) == {number: place for place, number in enumerate(order)}


def test_equal_lines_pair_in_their_order() -> None:
    old = entries(1, 1, 2, 1)
    assert pair(old, entries(1, 1, 1, 2)).keys() == {0, 1, 2, 3}


def test_an_edited_entry_without_an_id_is_found_in_its_place() -> None:
    old = entries({"type": "a", "x": 1, "y": 2}, {"type": "b", "x": 5, "y": 6})
    new = entries({"type": "a", "x": 9, "y": 2}, {"type": "b", "x": 5, "y": 6})
    assert pair(old, new) == {0: 0, 1: 1}


def test_a_new_entry_of_another_id_is_not_an_edit() -> None:
    old, new = entries(node("n1"), node("n2")), entries(node("n1"), node("m7", x=4))
    assert pair(old, new) == {0: 0}


def test_of_equal_ids_the_most_similar_pair() -> None:
    old = entries(node("d", a=1, b=2, c=3), node("d", a=7, b=8, c=9))
    new = entries(node("d", a=7, b=8, c=0), node("d", a=1, b=2, c=0))
    assert pair(old, new) == {0: 1, 1: 0}


def test_what_was_moved_and_changed_is_found() -> None:
    old = entries(*(node(f"n{number}", colour="4") for number in range(6)))
    changed = {**node("n0", colour="4"), "id": "new", "x": 1}
    assert pair(old, [*old[1:], *entries(changed)])[0] == 5
    # another entry of the same kind is another entry
    assert 0 not in pair(old, [*old[1:], *entries({**node("other", colour="4"), "text": "else"})])


def test_repeated_lines_stay_beside_their_neighbours() -> None:
    lines = [Entry(text) for text in ("{", "a", "}", "{", "b", "}", "{", "c", "}")]
    new = [*lines[:3], Entry("{"), Entry("x"), Entry("}"), *lines[3:]]
    assert pair(lines, new) == {0: 0, 1: 1, 2: 2, 3: 3, 4: 7, 5: 8, 6: 9, 7: 10, 8: 11}
