# SPDX-License-Identifier: MIT
"""JSON with its bytes."""

from __future__ import annotations

import pytest

from federation.replica.merge.tree import NotJson, dump_key, parse

TEXT = ' {"a" : 0.50, "b":[1 ,{"c":null}], "a":"\\u00e9"}\r'


def test_the_parts_and_what_stands_between_them() -> None:
    before, value, after = parse(TEXT)
    assert (before, after) == (" ", "\r")
    assert [part.text for part in value.parts] == ["0.50", '[1 ,{"c":null}]', '"\\u00e9"']
    assert value.labels == ('"a" : ', '"b":', '"a":')
    assert len(value.gaps) == 4
    rebuilt = value.gaps[0]
    for place, part in enumerate(value.parts):
        rebuilt += value.labels[place] + part.text + value.gaps[place + 1]
    assert before + rebuilt + after == TEXT


def test_the_last_of_equal_keys_counts() -> None:
    value = parse(TEXT)[1]
    found = value.get("a")
    assert found is not None
    assert found.string == "é"
    assert value.get("z") is None
    assert len(value.members) == 3


@pytest.mark.parametrize("text", ["", "{", "[1,]", "01", "NaN", "{'a':1}", "1 2"])
def test_what_is_no_json_value(text: str) -> None:
    with pytest.raises(NotJson):
        parse(text)


def test_a_key_as_a_label() -> None:
    assert dump_key('a"é') == '"a\\"é":'
