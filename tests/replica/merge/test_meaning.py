# SPDX-License-Identifier: MIT
"""What JSON means, with nothing lost."""

from __future__ import annotations

import pytest

from federation import limits
from federation.replica.merge.meaning import NOTHING, canonical, dump_string, load, printable


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [('{"a":1,"b":2}', '{ "b" : 2, "a" : 1 }', True), ("0.50", "0.5", False),
     ('{"a":1,"a":2}', '{"a":2,"a":1}', False), ('"\\u00e9"', '"é"', True),
     ("[1,2]", "[2,1]", False), ("true", "1", False)],
)  # fmt: skip
def test_what_means_the_same(one: str, other: str, same: bool) -> None:
    assert (canonical(load(one)) == canonical(load(other))) is same


@pytest.mark.parametrize("text", ["", "{", "NaN", "Infinity", "[1,]", "a", '{"a":1} x'])
def test_what_is_no_json(text: str) -> None:
    assert load(text) is NOTHING


def test_deep_nesting_is_not_taken_apart() -> None:
    most = limits.MERGE_DEPTH
    assert load("[" * most + "]" * most) is not NOTHING
    assert load("[" * (most + 1) + "]" * (most + 1)) is NOTHING
    assert load('"' + "[" * 1000 + '"') is not NOTHING


def test_lone_surrogates_stay_escaped() -> None:
    assert dump_string("\ud83d é") == '"\\ud83d é"'
    assert dump_string("é", escaped=True) == '"\\u00e9"'
    printable("\ud83d").encode()
