# SPDX-License-Identifier: MIT
"""What may stand at a conflict's place, what does, and whose value is whose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from federation.replica.choice import fits, holds, own_value
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
