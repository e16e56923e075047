# SPDX-License-Identifier: MIT
"""Merging one entry: heading, tags, planning and properties."""

from __future__ import annotations

import pytest

from federation import limits
from federation.replica.blackboard.fields import (
    Conflict,
    changed,
    merge_entry,
    merge_keys,
    own_content,
    tag_names,
)
from federation.replica.blackboard.outline import Entry, parse


def entry(text: str) -> Entry:
    return parse(text).entries[1]


def merge(base: str | None, a: str, b: str) -> tuple[str, list[Conflict]]:
    """The merge of three texts with one heading each."""
    conflicts: list[Conflict] = []
    old = None if base is None else entry(base)
    return merge_entry(old, entry(a), entry(b), conflicts.append).text(), conflicts


def with_drawer(*lines: str) -> str:
    return "* x\n:PROPERTIES:\n" + "".join(line + "\n" for line in lines) + ":END:\n"


def test_one_side() -> None:
    assert [changed(1, 2, 1), changed(1, 1, 2), changed(1, 2, 3), changed(1, 1, 1)] == [2, 2, 3, 1]


@pytest.mark.parametrize(
    ("base", "a", "b", "expected"),
    [
        ("* WAIT one two\n", "* DONE one two\n", "* WAIT one three\n", "* DONE one three\n"),
        ("* a\n", "* a :x:\n", "* a :y:\n", "* a :x:y:\n"),
        ("* a :x:y:\n", "* a :y:\n", "* a :x:y:z:\n", "* a :y:z:\n"),
        ("* a :x:\n", "* a\n", "* b :x:\n", "* b\n"),
        ("* a   :x:\n", "* b   :x:\n", "* a   :x:\n", "* b   :x:\n"),
        ("* a\n", "* a\nSCHEDULED: <1>\n", "* b\n", "* b\nSCHEDULED: <1>\n"),
        # the lines of a property keep their bytes
        (with_drawer(":A: 1", ":B:   2"), with_drawer(":A: 3", ":B:   2"),
         with_drawer(":A: 1", ":B:   4"), with_drawer(":A: 3", ":B:   4")),
        (with_drawer(":A: 1"), with_drawer(":A:    1"), with_drawer(":A: 2"), with_drawer(":A: 2")),
        # added, removed, several of one name
        (with_drawer(":A: 1"), with_drawer(":A: 1", ":B: 2"), with_drawer(":A: 1", ":C: 3"),
         with_drawer(":A: 1", ":B: 2", ":C: 3")),
        (with_drawer(":A: 1", ":B: 2"), with_drawer(":B: 2"), with_drawer(":A: 1", ":B: 3"),
         with_drawer(":B: 3")),
        (with_drawer(":A: 1", ":A: 2"), with_drawer(":A: 1", ":A: 3"),
         with_drawer(":A: 4", ":A: 2"), with_drawer(":A: 4", ":A: 3")),
        ("* x\n", with_drawer(":A: 1"), "* x\nwords\n", with_drawer(":A: 1") + "words\n"),
        (with_drawer(":A: 1"), "* x\n", with_drawer(":A: 1") + "w\n", "* x\nw\n"),
        (None, with_drawer(":A: 1"), with_drawer(":B: 1"), with_drawer(":A: 1", ":B: 1")),
    ],
)  # fmt: skip
def test_changes_of_both_sides(base: str | None, a: str, b: str, expected: str) -> None:
    assert merge(base, a, b) == (expected, [])


@pytest.mark.parametrize(
    ("base", "a", "b", "expected", "conflict"),
    [
        ("* one\n", "* three\n", "* four\n", "* four\n",
         ("four", "(heading)", "one", "three", "four")),
        (None, "* three\n", "* four\n", "* four\n", ("four", "(heading)", None, "three", "four")),
        ("* x\nCLOSED: [1]\n", "* x\nCLOSED: [2]\n", "* x\n", "* x\nCLOSED: [2]\n",
         ("x", "(planning)", "CLOSED: [1]", "CLOSED: [2]", None)),
        ("* x\nCLOSED: [1]\n", "* x\nCLOSED: [2]\n", "* x\nCLOSED: [3]\n", "* x\nCLOSED: [3]\n",
         ("x", "(planning)", "CLOSED: [1]", "CLOSED: [2]", "CLOSED: [3]")),
        (with_drawer(":A: 1"), with_drawer(":A: 2"), with_drawer(":A: 3"), with_drawer(":A: 3"),
         ("x", "A", "1", "2", "3")),
        (with_drawer(":A: 1"), with_drawer(":A: 2"), with_drawer(), with_drawer(":A: 2"),
         ("x", "A", "1", "2", None)),
        (with_drawer(":A: 1"), "* x\n", with_drawer(":A: 2"), with_drawer(":A: 2"),
         ("x", "A", "1", None, "2")),
    ],
)  # fmt: skip
def test_what_yields_is_reported(
    base: str | None, a: str, b: str, expected: str, conflict: tuple[str | None, ...]
) -> None:
    assert merge(base, a, b) == (expected, [conflict])


@pytest.mark.parametrize(("a", "b"), [("3", "2"), ("2", None), (None, "2")])
def test_observations_yield_silently(a: str | None, b: str | None) -> None:
    sides = [with_drawer(*([f":LAST_SEEN: {one}"] if one else [])) for one in (a, b)]
    expected = with_drawer(":LAST_SEEN: 2") if a and b else with_drawer()
    text, conflicts = merge(with_drawer(":LAST_SEEN: 1"), *sides)
    assert conflicts == []
    assert text in (expected, "* x\n") if not (a and b) else text == expected


def test_a_revision_that_one_side_removed() -> None:
    base, a = with_drawer(":CANVASL_CID: 1", ":N: 1"), with_drawer(":CANVASL_CID: 2", ":N: 1")
    text, conflicts = merge(base, a, with_drawer(":N: 2"))
    assert text == with_drawer(":N: 2")
    assert conflicts == [("x", "CANVASL_CID", "1", "2", None)]


def test_the_order_of_very_many_properties_is_b_s(monkeypatch: pytest.MonkeyPatch) -> None:
    base, a = with_drawer(":A: 1", ":B: 1"), with_drawer(":B: 1", ":A: 1", ":C: 1")
    assert merge(base, a, with_drawer(":A: 1", ":B: 1", ":D: 1"))[0] == with_drawer(
        ":B: 1", ":A: 1", ":C: 1", ":D: 1"
    )
    monkeypatch.setattr(limits, "BLACKBOARD_PROPERTIES", 3)
    assert merge(base, a, with_drawer(":A: 1", ":B: 1", ":D: 1"))[0] == with_drawer(
        ":A: 1", ":B: 1", ":D: 1", ":C: 1"
    )


def test_orders() -> None:
    assert merge_keys("abc", "xabc", "abcy") == list("xabcy")
    assert merge_keys("abc", "cab", "abc") == list("cab")
    assert sorted(merge_keys("abc", "cab", "bca")) == list("abc")
    assert merge_keys("", "ab", "cb") == list("abc")


def test_own_content_is_without_observations() -> None:
    one = entry(with_drawer(":A: 1", ":LAST_SEEN: 1"))
    assert own_content(one) == own_content(entry(with_drawer(":A:  1")))
    assert own_content(one) != own_content(entry(with_drawer(":A: 2", ":LAST_SEEN: 1")))


def test_tags() -> None:
    assert tag_names("  :a:b:a: ") == ["a", "b"]
