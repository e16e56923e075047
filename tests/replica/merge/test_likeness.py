# SPDX-License-Identifier: MIT
"""How much two entries resemble each other."""

from __future__ import annotations

import json

import pytest

from federation.replica.merge.entry import Entry
from federation.replica.merge.likeness import ALIKE, likeness, recognised, replaces


def entry(value: object) -> Entry:
    return Entry(json.dumps(value))


NODE = {"id": "n1", "type": "text", "x": 10, "y": 20, "text": "what this note is all about"}


def test_likeness_is_symmetric_and_bounded() -> None:
    one, other = entry({**NODE, "x": 1}), entry({**NODE, "x": 2})
    assert likeness(one, one) == 1.0
    assert 0.0 <= likeness(one, other) == likeness(other, one) <= 1.0


@pytest.mark.parametrize(
    ("change", "same"),
    [({"id": "n2"}, True), ({"id": "n2", "x": 3}, True),
     ({"id": "n2", "text": "something else", "x": 3}, False),
     ({"id": "n2", "text": "what that note is all about"}, True)],
)  # fmt: skip
def test_long_values_tell_more_than_the_type_and_size_of_all(
    change: dict[str, object], *, same: bool
) -> None:
    assert (recognised(entry(NODE), entry({**NODE, **change})) >= ALIKE) is same


def test_an_edge_of_another_id_and_end_is_another_edge() -> None:
    edge = {"id": "e1", "fromNode": "a", "toNode": "b", "label": "a long label of this edge"}
    assert recognised(entry(edge), entry({**edge, "id": "e2", "toNode": "c"})) == 0.0
    assert recognised(entry(edge), entry({**edge, "id": "e2"})) > ALIKE


def test_numbers_at_one_place_are_one_number() -> None:
    assert replaces(entry(1), entry(2))
    assert not replaces(entry("words of one"), entry("0815"))
