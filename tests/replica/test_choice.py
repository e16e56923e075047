# SPDX-License-Identifier: MIT
"""What may stand at a conflict's place, what does, and whose value is whose."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.replica.choice import both, fits, holds, is_lines, own_side, own_value, stand
from federation.replica.kinds import merge_versions
from federation.replica.records import Clashing
from tests.replica.merge.canvases import Maker, is_valid

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


_LINES = st.lists(st.sampled_from(["one", "two", "three", "x y", ""]), max_size=8)


def _edited(draw: st.DrawFn, lines: list[str], mark: str) -> list[str]:
    made = [*lines]
    for number in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(made)))
        made[at : at + draw(st.integers(0, 2))] = [f"{mark}{number}"] * draw(st.integers(0, 2))
    return made


@st.composite
def _forks(draw: st.DrawFn) -> tuple[str, str, str]:
    base = draw(_LINES)
    end = draw(st.sampled_from(["\n", "\r\n"]))
    texts = [end.join(one) for one in (base, *(_edited(draw, base, mark) for mark in "ab"))]
    last = draw(st.sampled_from(["", end]))
    return texts[0] + last, texts[1] + last, texts[2] + last


@settings(max_examples=300, deadline=None)
@given(_forks())
def test_any_side_of_a_text_takes_the_place_of_both(texts: tuple[str, str, str]) -> None:
    base, a, b = texts
    merged = merge_versions("text", base.encode(), a.encode(), b.encode())
    assert merged is not None
    for one in merged.conflicts:
        clash = replace(conflict(*one.path), entry=one.entry, a=one.a, b=one.b, kept=one.kept)
        assert stand("text", merged.content, clash, one.kept) == merged.content
        around = words(merged.content.decode())
        around.subtract(words(one.kept))
        for value in (one.a, one.b, None):
            made = stand("text", merged.content, clash, value)
            assert made is not None
            assert words(made.decode()) == around + words(value)


def words(text: str | None) -> Counter[str]:
    """The lines of a text, but for empty ones: whether the last one ends is not the question."""
    return Counter(line for line in (text or "").splitlines() if line)


@pytest.mark.parametrize("kind", ["canvasl", "json-canvas"])
@pytest.mark.parametrize("strict", [True, False])
def test_every_conflict_of_canvases_can_be_settled(kind: str, strict: bool) -> None:
    """What stands is found, byte for byte; any side can stand there, and the canvas stays one."""
    seen = 0
    for seed in range(300):
        maker = Maker(seed, strict=strict)
        style, base = maker.style(kind), maker.canvas()
        sides = [base, *(maker.edit(base)[0] for _ in range(2))]
        merged = merge_versions(kind, *(style.render(one).encode() for one in sides))
        assert merged is not None
        valid = is_valid(kind, merged.content.decode())
        for one in merged.conflicts:
            seen += 1
            clash = replace(conflict(*one.path), entry=one.entry, a=one.a, b=one.b, kept=one.kept)
            assert stand(kind, merged.content, clash, one.kept) == merged.content, seed
            for value in (one.a, one.b):
                made = stand(kind, merged.content, clash, value)
                assert made is not None, seed
                assert is_valid(kind, made.decode()) or not valid, seed
    assert seen > 20
