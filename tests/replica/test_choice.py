# SPDX-License-Identifier: MIT
"""What may stand at a conflict's place, what does, and whose value is whose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from federation.replica.choice import both, fits, holds, is_lines, own_side, own_value, stand
from federation.replica.records import Clashing

ENTRY = '{"id":"n","x":2}'


def conflict(*path: str, a: str | None = "1", b: str | None = "2") -> Clashing:
    return Clashing("0" * 64, "f", "v", path or ("n", "x"), ENTRY, "0", a, b, b, "me,you", "they")


@pytest.mark.parametrize(
    ("kind", "path", "sides", "value", "fine"),
    [
        ("canvasl", ("n",), (ENTRY, None), "{}", True),
        ("canvasl", ("n",), (ENTRY, None), "5", False),
        ("canvasl", ("n",), (ENTRY, ENTRY), "no JSON", False),
        ("canvasl", ("1",), ("@a: 1", "@a: 2"), "@a: 3", True),
        ("canvasl", ("n", "x"), ("1", "2"), "5", True),
        ("json-canvas", ("nodes", "n"), (ENTRY, None), "[]", False),
        ("json-canvas", ("nodes", "n"), (ENTRY, None), ENTRY, True),
        ("json-canvas", ("nodes",), ("[]", "{}"), "[]", True),
        ("text", ("1",), ("a", "b"), "anything", True),
        ("canvasl", ("n",), (ENTRY, ENTRY), None, True),
    ],
)
def test_a_whole_entry_yields_to_an_entry_only(
    kind: str, path: tuple[str, ...], sides: tuple[str | None, str | None],
    value: str | None, fine: bool,
) -> None:  # fmt: skip
    a, b = sides
    one = replace(conflict(*path, a=a, b=b), base=a)  # what there was is of the same kind
    assert fits(kind, one, value) == fine


@pytest.mark.parametrize(
    ("content", "value", "there"),
    [
        (b'{"id":"n","x":2}\n', "2", True),
        (b'{"id":"n","x":2}\n', "1", False),
        (b'{"id":"n" ,  "x": 2, "more": []}\n', "2", True),
        (b'{"id":"n"}\n', None, True),
        (b'{"id":"n","x":null}\n', None, False),
        (b'{"id":"n","x":null}\n', "null", True),
        (b'{"other":1}\n', None, True),
        (b'{"other":1}\n', "2", False),
        (b"\xff", "2", False),
        (b"", "2", False),
    ],
)
def test_what_stands_there(content: bytes, value: str | None, there: bool) -> None:
    assert holds("canvasl", content, conflict(), value) == there


def test_whose_value_it_is() -> None:
    one = conflict(a=None)
    assert own_value(one, "me") == own_value(one, "you") == (None,)
    assert own_value(one, "they") == ("2",)
    assert own_value(one, "m") is None


def test_which_side_is_whose() -> None:
    one = conflict()
    assert [own_side(one, peer) for peer in ("me", "you", "they", "m")] == ["a", "a", "b", None]
    assert own_side(replace(one, author_b="me"), "me") is None


def test_lines_of_both() -> None:
    assert both(conflict(a="x\n", b="y\n")) == both(conflict(a="x", b="y\n")) == "x\ny\n"
    assert both(conflict(a=None, b="y\n")) == both(conflict(a="y\n", b=None)) == "y\n"


@pytest.mark.parametrize(
    ("kind", "content", "path", "lines"),
    [
        ("text", b"a\n", ("1",), True),
        ("canvasl", b'{"id":"n"}\n', ("n", "x"), False),
        ("canvasl", b"title: yaml\nmore: 1\n", ("1",), True),
        ("json-canvas", b"{}", ("nodes", "n"), False),
        ("json-canvas", b"not json", ("1",), True),
        ("blackboard", b"* a\n", ("a", "(body)"), True),
        ("blackboard", b"* a\n", ("a", "NOTE"), False),
    ],
)
def test_what_is_about_lines(kind: str, content: bytes, path: tuple[str, ...], lines: bool) -> None:
    assert is_lines(kind, content, conflict(*path)) == lines


def test_lines_in_their_place() -> None:
    one = replace(conflict("1"), entry="a\nb\n", a="a\n", b="b\n", kept="a\nb\n")
    assert stand("text", b"x\na\nb\ny", one, "b\n") == b"x\nb\ny"
    assert stand("text", b"x\na\ny", one, "b\n") == b"x\nb\ny"  # the own lines are shown
    assert stand("text", b"x\na\nz\na\n", one, "b\n") is None  # which of the two?
    assert stand("text", b"x\nmy a\ny", one, "b\n") is None
