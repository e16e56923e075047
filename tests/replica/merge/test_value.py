# SPDX-License-Identifier: MIT
"""JSON values merge member by member."""

from __future__ import annotations

import pytest

from federation.replica.merge.document import merge

BASE = '{"id":"1","x":1,"text":"one two","tags":["a","b"],"deep":{"k":1}}'


def lines(base: str, a: str, b: str) -> tuple[str, int]:
    merged = merge("canvasl", *(f"{text}\n".encode() for text in (base, a, b)))
    assert merged is not None
    return merged.content.decode().rstrip("\n"), len(merged.conflicts)


@pytest.mark.parametrize(
    ("a", "b", "result", "conflicts"),
    [(('"x":1', '"x":2'), ("one two", "one two!"),
      '{"id":"1","x":2,"text":"one two!","tags":["a","b"],"deep":{"k":1}}', 0),
     (('"x":1', '"x":2'), ('"x":1', '"x":3'),
      '{"id":"1","x":3,"text":"one two","tags":["a","b"],"deep":{"k":1}}', 1),
     (('"k":1', '"k":1,"l":2'), ('"k":1', '"k":5'),
      '{"id":"1","x":1,"text":"one two","tags":["a","b"],"deep":{"k":5,"l":2}}', 0),
     (('"x":1,', ""), ("one", "ONE"),
      '{"id":"1","text":"ONE two","tags":["a","b"],"deep":{"k":1}}', 0),
     (('"x":1,', ""), ('"x":1', '"x":7'),
      '{"id":"1","x":7,"text":"one two","tags":["a","b"],"deep":{"k":1}}', 1)],
)  # fmt: skip
def test_members(a: tuple[str, str], b: tuple[str, str], result: str, conflicts: int) -> None:
    assert lines(BASE, BASE.replace(*a), BASE.replace(*b)) == (result, conflicts)


def test_tags_of_both_are_there() -> None:
    text, conflicts = lines(
        BASE, BASE.replace('"b"]', '"b","c"]'), BASE.replace('"b"]', '"b","d"]')
    )
    assert '"c"' in text
    assert '"d"' in text
    assert conflicts == 0


def test_numbers_and_separators_stay_as_they_were_written() -> None:
    base = '{ "id" : "1" , "x" : 0.50 , "y" : 1 }'
    text, _conflicts = lines(base, base.replace('"y" : 1', '"y" : 2'), base.replace('"1"', '"2"'))
    assert text == '{ "id" : "2" , "x" : 0.50 , "y" : 2 }'
