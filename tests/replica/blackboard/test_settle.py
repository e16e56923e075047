# SPDX-License-Identifier: MIT
"""Conflicts of a blackboard: what stands, and what somebody chose, in its place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from federation.errors import Refusal
from federation.replica.blackboard.outline import parse
from federation.replica.blackboard.settle import put, standing
from federation.replica.kinds import BOARD, merge_versions
from federation.replica.merge.document import Conflict
from tests.replica.blackboard.boards import Editor, changed

BASE = """#+title: Board
* Peers
** ada :x:
SCHEDULED: <2025-01-07 Tue>
:PROPERTIES:
:NAME:   Ada
:NOTE: one
:END:
Words of ada.
Common words.
** ben
* Ideas
"""


def clash(a: str, b: str, base: str = BASE) -> tuple[str, Conflict]:
    """The merged board and its only conflict."""
    merged = merge_versions(BOARD, base.encode(), a.encode(), b.encode())
    assert merged is not None
    (one,) = merged.conflicts
    return merged.content.decode(), one


def choose(text: str, one: Conflict, value: str | None) -> str | None:
    return put(text, one.path, (one.kept, one.a, one.b), value)


@pytest.mark.parametrize(
    ("old", "ours", "theirs", "path"),
    [
        (":NAME:   Ada\n", ":NAME:   Ada L.\n", ":NAME:   Ada B.\n", ("ada", "NAME")),
        ("** ada :x:\n", "** eva :x:\n", "** eve :x:\n", ("eve", "(heading)")),
        ("SCHEDULED: <2025-01-07 Tue>\n", "SCHEDULED: <2025-01-08 Wed>\n",
         "DEADLINE: <2025-01-09 Thu>\n", ("ada", "(planning)")),
        ("Words of ada.\n", "These are new.\n", "Quite another text\n", ("ada", "(body)")),
    ],
)  # fmt: skip
def test_either_side_comes_into_its_place(
    old: str, ours: str, theirs: str, path: tuple[str, str]
) -> None:
    a, b = BASE.replace(old, ours), BASE.replace(old, theirs)
    text, one = clash(a, b)
    assert one.path == path
    assert choose(text, one, one.a) == a
    assert choose(text, one, one.b) == b
    assert choose(text, one, one.kept) == text
    # and from one side to the other
    assert choose(a, one, one.b) == b


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (":NAME:   Ada\n", ":NAME:   Eva\n", ("ada", "NAME")),
        ("Words of ada.\n", "Other words of ada.\n", ("ada", "(body)")),
        ("* Ideas\n", "* Ideas\nMany.\n", ("Ideas", "(entry)")),
    ],
)
def test_what_one_deleted_and_the_other_changed(
    old: str, new: str, path: tuple[str, str], swap: bool
) -> None:
    gone, edited_ = BASE.replace(old, ""), BASE.replace(old, new)
    text, one = clash(*((edited_, gone) if swap else (gone, edited_)))
    assert (one.path, text) == (path, edited_)
    assert None in (one.a, one.b)
    assert one.kept is not None
    assert choose(text, one, one.a if swap else one.b) == edited_
    assert choose(text, one, None) == gone
    if path[1] == "NAME":  # back again
        put_back = choose(gone, one, "Eva")
        assert put_back is not None
        assert ":NAME: Eva\n" in put_back


def test_of_several_entries_alike_it_is_told_what_the_rules_let_stand() -> None:
    base = "* x\n* x\n"
    merged = merge_versions(BOARD, base.encode(), b"* x\n:PROPERTIES:\n:A: 1\n:END:\n* x\n",
                            b"* x\n:PROPERTIES:\n:A: 2\n:END:\n* x\n")  # fmt: skip
    assert merged is not None
    for one in merged.conflicts:
        assert one.kept == one.b


def test_a_move_to_two_places() -> None:
    base = BASE.replace("** ben\n", "** ben\nbelow\n*** child\n")
    part = "** ben\nbelow\n*** child\n"
    ours = base.replace(part + "* Ideas\n", "* Ideas\n" + part)
    theirs = base.replace(part, "") + part.replace("**", "*")
    text, one = clash(ours, theirs, base)
    assert one.path == ("ben", "(place)")
    assert {one.base, one.a, one.b} == {"Peers", "Ideas", ""}
    assert choose(text, one, "Ideas") == ours
    back = choose(text, one, "Peers")
    assert back is not None
    assert back == base
    assert choose(ours, one, "") == theirs
    assert choose(text, one, "nowhere") is None
    assert choose(text, one, "child") is None  # below itself


def test_several_entries_of_one_title_are_told_apart_by_what_they_hold() -> None:
    base = "* x\n:PROPERTIES:\n:A: 1\n:END:\n* x\n:PROPERTIES:\n:A: 2\n:END:\n"
    text, one = clash(base.replace(":A: 2", ":A: 3"), base.replace(":A: 2", ":A: 4"), base)
    assert choose(text, one, "9") == base.replace(":A: 2", ":A: 9")
    assert choose(text.replace(":A: 1", ":A: 4"), one, "9") is None
    assert choose("* y\n", one, "9") is None


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("NAME", "two\nlines"), ("(heading)", "two\nlines"),
        ("(planning)", "no planning"), ("(body)", "* a heading\n"),
        ("(body)", "#+begin_src x\n"), ("(entry)", "no heading\n"), ("(entry)", "* two\n* more\n"),
    ],
)  # fmt: skip
def test_what_would_be_something_else_in_org_is_refused(what: str, value: str) -> None:
    with pytest.raises(Refusal, match="bad-params"):
        put(BASE, ("ada", what), ("Words of ada.\n",), value)


def test_edges() -> None:
    with pytest.raises(Refusal, match="headings below"):
        put(BASE, ("Peers", "(entry)"), (), None)
    assert put(BASE, ("ada", "(place)"), (), "Peers") == BASE  # it is there already
    assert put(BASE, ("ada", "(body)"), ("not there\n",), "x\n") is None
    assert standing(BASE, ("nobody", "NAME"), (None, "a", "b")) is None
    text = "* a\n:PROPERTIES:\n:X: 1\n:END:\n"
    assert put(text, ("a", "X"), ("1",), None) == "* a\n"
    assert put("* a\n", ("a", "X"), (), "1") == text
    assert put(text, ("a", "Y"), (), None) == text
    framed = put("\ufeff* a\r\nold\r\n", ("a", "(body)"), ("old\n",), "new\n")
    assert framed == "\ufeff* a\r\nnew\r\n"


@settings(max_examples=150, deadline=None)
@given(changed())
def test_what_stands_is_found_and_can_be_chosen_again(case: tuple[str, Editor, Editor]) -> None:
    base, ours, theirs = case
    merged = merge_versions(BOARD, base.encode(), ours.text().encode(), theirs.text().encode())
    assert merged is not None
    text = merged.content.decode()
    for one in merged.conflicts:
        if one.kept is not None and one.path[1] != "(place)":
            assert put(text, one.path, (one.kept, one.a, one.b), one.kept) in (text, None)
        for value in (one.a, one.b):
            try:
                made = put(text, one.path, (one.kept, one.a, one.b), value)
            except Refusal:
                continue
            if made is not None:
                assert parse(made).text() == made
