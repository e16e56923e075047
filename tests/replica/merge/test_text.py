# SPDX-License-Identifier: MIT
"""Text documents: all that was typed stays."""

from __future__ import annotations

import pytest

from federation.replica.merge.text import lines_of, merge_apart, merge_text
from federation.replica.merge.value import Clash

BASE = "* One\nfirst\n* Two\nsecond\n"


def test_different_lines() -> None:
    a, b = BASE.replace("first", "FIRST"), BASE + "* Three\n"
    assert merge_text(BASE, a, b) == "* One\nFIRST\n* Two\nsecond\n* Three\n"


def test_different_places_of_one_line() -> None:
    base = "the quick brown fox jumps over it\n"
    a, b = base.replace("quick", "slow"), base.replace("over it", "over it all")
    assert merge_text(base, a, b) == "the slow brown fox jumps over it all\n"


def test_one_line_rewritten_twice_is_there_twice_and_told() -> None:
    told: list[Clash] = []
    merged = merge_text(BASE, BASE.replace("first", "alpha beta"),
                        BASE.replace("first", "gamma delta"), told.append)  # fmt: skip
    assert "alpha beta\n" in merged
    assert "gamma delta\n" in merged
    assert len(told) == 1


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_stay(end: str) -> None:
    base = f"a{end}b{end}c{end}"
    assert merge_text(base, f"a{end}b{end}c{end}d{end}", f"x{end}b{end}c{end}") == (
        f"x{end}b{end}c{end}d{end}"
    )


def test_one_sided_and_equal_changes() -> None:
    assert merge_text(BASE, BASE, "new\n") == "new\n"
    assert merge_text(BASE, "new\n", BASE) == "new\n"
    assert merge_text(BASE, "new\n", "new\n") == "new\n"


def test_lines() -> None:
    assert "".join(lines_of("a\r\nb\nc")) == "a\r\nb\nc"


@pytest.mark.parametrize(
    ("a", "b", "text", "clashes"),
    [
        ("1\n2\n3\n", "1\n2\n3\n", "1\n2\n3\n", []),
        ("1\n2\n", "2\n3\n", "1\n2\n3\n", []),
        ("1\nold a\n3\n", "1\nnew b\n3\n", "1\nnew b\n3\n", [("2", "old a\n", "new b\n")]),
        ("x", "y", "y", [("1", "x", "y")]),
        ("1\nx", "1\n", "1\nx", []),
        ("", "a\n", "a\n", []),
    ],
)
def test_two_versions_of_what_nobody_has(
    a: str, b: str, text: str, clashes: list[tuple[str, str, str]]
) -> None:
    found: list[Clash] = []
    assert merge_apart(a, b, found.append) == text
    assert [(one.path[0], one.a, one.b) for one in found] == clashes
    assert all(one.base is None and one.kept == one.b for one in found)
    assert merge_apart(a, b) == text
