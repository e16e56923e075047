# SPDX-License-Identifier: MIT
"""The value that somebody chose, in its place."""

from __future__ import annotations

import json

import pytest

from federation.errors import Refusal
from federation.replica.merge.document import merge
from federation.replica.merge.settle import put

BASE = '{"id":"1","x":1,"deep":{"k":[1,2]}}\n{"id":"2"}\n'


def conflict(kind: str, base: str, a: str, b: str) -> tuple[bytes, tuple[str, ...], str]:
    merged = merge(kind, base.encode(), a.encode(), b.encode())
    assert merged is not None
    (one,) = merged.conflicts
    return merged.content, one.path, one.entry


def test_a_member_of_a_line() -> None:
    content, path, entry = conflict(
        "canvasl", BASE, BASE.replace('"x":1', '"x":2'), BASE.replace('"x":1', '"x":3')
    )
    assert put("canvasl", content, path, entry, "2") == BASE.replace('"x":1', '"x":2').encode()
    gone = put("canvasl", content, path, entry, None)
    assert gone == BASE.replace('"x":1,', "").encode()


def test_a_member_of_a_node_of_a_canvas() -> None:
    base = json.dumps({"nodes": [{"id": "a", "x": 1}, {"id": "b"}]}, indent=2)
    content, path, entry = conflict(
        "json-canvas", base, base.replace('"x": 1', '"x": 2'), base.replace('"x": 1', '"x": 3')
    )
    assert (
        put("json-canvas", content, path, entry, "2") == base.replace('"x": 1', '"x": 2').encode()
    )


def test_an_entry_that_one_side_deleted() -> None:
    content, path, entry = conflict(
        "canvasl", BASE, BASE.split("\n")[1] + "\n", BASE.replace('"x":1', '"x":3')
    )
    assert put("canvasl", content, path, entry, None) == b'{"id":"2"}\n'


@pytest.mark.parametrize("value", ["{", "no json", '{"a":1} {"b":2}'])
def test_what_is_no_json_does_not_come_into_json(value: str) -> None:
    content, path, entry = conflict(
        "canvasl", BASE, BASE.replace('"x":1', '"x":2'), BASE.replace('"x":1', '"x":3')
    )
    with pytest.raises(Refusal, match="bad-params"):
        put("canvasl", content, path, entry, value)


def test_a_place_that_is_gone() -> None:
    assert put("canvasl", b'{"id":"9","q":1}\n', ("1", "deep", "k"), '{"id":"1"}', "1") is None
