# SPDX-License-Identifier: MIT
"""Merging the text below a heading."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation import limits
from federation.replica.blackboard.body import merge_body
from federation.replica.blackboard.outline import count_headings, is_sound

Lost = list[tuple[str | None, str | None, str | None]]


def merge(base: str | None, a: str, b: str) -> tuple[str, Lost]:
    lost: Lost = []
    return merge_body(base, a, b, lambda *texts: lost.append(texts)), lost


@pytest.mark.parametrize(
    ("base", "a", "b", "expected"),
    [
        ("1\n2\n3\n", "0\n1\n2\n3\n", "1\n2\n3\n4\n", "0\n1\n2\n3\n4\n"),
        ("1\n", "1\na\n", "1\nb\n", "1\na\nb\n"),
        ("1\n", "1\na\n", "1\na\n", "1\na\n"),
        ("1\n2\n", "1\na\n2\n", "1\na\n2\n3\n", "1\na\n2\n3\n"),
        ("one two three\n", "One two three\n", "one two Three\n", "One two Three\n"),
        ("1\n2\n3\n", "2\n3\n", "1\n2\n", "2\n"),
        ("1\n2\n", "1\na\n2\n", "1\n", "1\na\n"),
        (None, "1\na\n2\n", "1\n2\nb\n", "1\na\n2\nb\n"),
        (None, "", "b\n", "b\n"),
        ("x\r\ny\n", "x\r\nz\n", "w\r\ny\n", "w\r\nz\n"),
    ],
)
def test_both_changes_are_there(base: str | None, a: str, b: str, expected: str) -> None:
    assert merge(base, a, b) == (expected, [])


def test_lines_rewritten_twice_both_stay() -> None:
    a, b = "Something else\n", "Quite different\n"
    assert merge("first words\n", a, b) == (a + b, [("first words\n", a, b)])


def test_a_changed_line_outlives_its_deletion() -> None:
    assert merge("1\n2\n", "1\n", "1\n2 b\n") == ("1\n2 b\n", [("2\n", None, "2 b\n")])
    assert merge("1\n2\n", "1\n2 a\n", "1\n") == ("1\n2 a\n", [("2\n", "2 a\n", None)])


def test_what_would_open_without_closing_is_b_s() -> None:
    base = "1\n2\n3\n4\n"
    a = "#+begin_src x\n1\n2\n3\n#+end_src\n4\n"
    b = "1\n2\n#+begin_quote\n3\n4\n#+end_quote\n"
    assert is_sound(a)
    assert is_sound(b)
    assert merge(base, a, b) == (b, [(base, a, b)])


def test_two_halves_of_a_heading_do_not_become_one() -> None:
    # One side cuts what is before the star, the other puts a space behind it.
    text, lost = merge("-*x\n", "*x\n", "-* x\n")
    assert count_headings(text) == 0
    assert lost == [("-*x\n", "*x\n", "-* x\n")]


def test_long_bodies_without_a_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MERGE_DIFF_CELLS", 1)
    assert merge(None, "1\n2\n", "1\n3\n") == ("1\n2\n1\n3\n", [])


_LINES = st.lists(
    st.sampled_from(
        ("a", "b", "", "a b c", ":D:", ":END:", "#+begin_src x", "#+end_src", "*", "-* x", " * y")
    ),
    max_size=8,
).map(lambda lines: "".join(line + "\n" for line in lines))


@given(st.one_of(st.none(), _LINES), _LINES, _LINES)
@settings(max_examples=500, deadline=None)
def test_sound_sides_make_a_sound_body(base: str | None, a: str, b: str) -> None:
    text, _lost = merge(base, a, b)
    assert text == "" or text.endswith("\n")
    assert count_headings(text) == 0
    assert is_sound(text) or not (is_sound(a) and is_sound(b))
    assert merge(base, a, b)[0] == text
