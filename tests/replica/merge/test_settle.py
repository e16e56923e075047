# SPDX-License-Identifier: MIT
"""The value that somebody chose, in its place."""

from __future__ import annotations

import json

import pytest

from federation import limits
from federation.errors import Refusal
from federation.replica.merge.document import merge
from federation.replica.merge.settle import is_plain, place_of, put, replaced

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


@pytest.mark.parametrize(
    ("text", "lines", "new", "made"),
    [
        ("a\nb\nc\n", "b\n", "x\ny\n", "a\nx\ny\nc\n"),
        ("a\nb\nc\n", "b\n", "x", "a\nx\nc\n"),
        ("a\nb\nc\n", "b\n", "", "a\nc\n"),
        ("a\r\nb\r\nc", "b\r\n", "x", "a\r\nx\r\nc"),
        ("a\nb", "b", "x\n", "a\nx"),
        ("a\nb\nc", "b", "x\n", "a\nx\nc"),  # the end behind it belongs to the line
        ("a\nb\nc", "b", "", "a\nc"),
        ("a\r\nb\r\nc", "b", "", "a\r\nc"),
        ("a\nb", "b\n", "x\n", "a\nx"),  # the last line has lost its end
        ("a\r\nb", "b\r\n", "", "a\r\n"),
        ("ab", "b\n", "x\n", None),
        ("ab\n", "b\n", "x\n", None),
        ("b!\n", "b", "x", None),
    ],
)
def test_whole_lines_in_the_place_of_others(
    text: str, lines: str, new: str, made: str | None
) -> None:
    assert replaced(text, lines, new) == made


def test_of_several_places_the_nearest() -> None:
    text = "b\n" + "a\n" * 9 + "b\n"
    assert place_of(text, "b\n") == (0, 2)
    assert place_of(text, "b\n", 10) == (len(text) - 2, len(text))
    assert put("text", text.encode(), ("9",), "b\n", "x\n") == text.encode()[:-2] + b"x\n"
    assert place_of(text, "c\n") is None


def test_an_entry_that_was_cut_is_found_by_its_id_alone() -> None:
    words = "x" * limits.CONFLICT_TEXT
    entry = f'{{"t":"{words}","id":"n","x":1}}'
    cut = entry[: limits.CONFLICT_TEXT]
    lines = f'{entry}\n{{"id":"m"}}\n'
    for path, value, made in (
        (("n", "x"), "2", lines.replace('"x":1', '"x":2')), (("n",), None, '{"id":"m"}\n'),
        (("q",), "{}", None), (("0", "x"), "2", None),
    ):  # fmt: skip
        changed = put("canvasl", lines.encode(), path, cut, value)
        assert changed == (None if made is None else made.encode())
    twice = (lines + entry + "\n").encode()
    assert put("canvasl", twice, ("n", "x"), cut, "2") is None
    canvas = f'{{"nodes":[{entry}]}}'
    changed = put("json-canvas", canvas.encode(), ("nodes", "n", "x"), cut, "2")
    assert changed == canvas.replace('"x":1', '"x":2').encode()
    assert put("json-canvas", canvas.encode(), ("nodes", "q"), cut, "{}") is None


def test_what_is_plain_text() -> None:
    assert is_plain("text", b"{}")
    assert is_plain("canvasl", b"a: yaml\nb: yaml\n")
    assert not is_plain("canvasl", b'{"id":1}\n')
    assert is_plain("json-canvas", b"{")
    assert not is_plain("json-canvas", b"{}")
