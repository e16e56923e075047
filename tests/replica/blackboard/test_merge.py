# SPDX-License-Identifier: MIT
"""Merging blackboards entry by entry."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation import limits
from federation.replica.blackboard.fields import Conflict
from federation.replica.blackboard.merge import merge_blackboard
from federation.replica.blackboard.outline import Outline, is_sound, parse
from tests.replica.blackboard.boards import Editor, boards, changed

BOARD = """\
* Federation Blackboard
:PROPERTIES:
:BLACKBOARD_ID: blackboard-1
:LAST_SYNC: 2025-01-07T12:00:00Z
:END:

** Peers

*** Peer: one
:PROPERTIES:
:PEER_ID: one
:PEER_ADDRESS: mqtt://one
:LAST_SEEN: 2025-01-07T12:00:00Z
:END:
A friend.

** CanvasL State

*** Node: a
:PROPERTIES:
:NODE_ID: a
:CANVASL_CID: 1
:CANVASL_SIGNATURE: s1
:PEER_OWNER: one
:LAST_MODIFIED: 2025-01-07T12:00:00Z
:END:

"""
PEER = "*** Peer: {0}\n:PROPERTIES:\n:PEER_ID: {0}\n:END:\n\n"
NODES = "** CanvasL State"


def merged(base: str | None, a: str, b: str) -> str:
    """The result of a merge without conflicts."""
    text, conflicts = merge_blackboard(base, a, b)
    assert conflicts == []
    return text


def both(old: str, a: str, b: str) -> tuple[str, list[Conflict]]:
    """The merge of two replacements of ``old`` in the board."""
    assert old in BOARD
    return merge_blackboard(BOARD, BOARD.replace(old, a), BOARD.replace(old, b))


def is_valid(text: str) -> bool:
    """Whether every drawer that opens is a property drawer, and every body only body."""
    entries = parse(text).entries
    opened = text.count(":PROPERTIES:\n")
    return opened == sum(one.drawer is not None for one in entries) and all(
        is_sound(one.body) for one in entries
    )


def test_both_add_entries_at_one_place() -> None:
    text, conflicts = both(NODES, PEER.format("two") + NODES, PEER.format("three") + NODES)
    assert conflicts == []
    assert text == BOARD.replace(NODES, PEER.format("two") + PEER.format("three") + NODES)


def test_a_section_and_an_entry_at_its_place_do_not_mix() -> None:
    section = "** Ideas\n\n*** First\n\n"
    text, conflicts = both(NODES, section + NODES, PEER.format("two") + NODES)
    assert conflicts == []
    assert text == BOARD.replace(NODES, PEER.format("two") + section + NODES)


def test_different_properties_of_one_entry_merge() -> None:
    a = BOARD.replace("mqtt://one", "mqtts://one")
    b = BOARD.replace("A friend.", "A good friend.").replace(
        ":PEER_ID: one\n", ":PEER_ID: one\n:NOTE: x\n"
    )
    assert merged(BOARD, a, b) == b.replace("mqtt://one", "mqtts://one")


def test_one_property_changed_twice_is_b_and_reported() -> None:
    text, conflicts = both("mqtt://one", "mqtt://a", "mqtt://b")
    assert text == BOARD.replace("mqtt://one", "mqtt://b")
    assert conflicts == [
        Conflict("Peer: one", "PEER_ADDRESS", "mqtt://one", "mqtt://a", "mqtt://b")
    ]


def test_observations_yield_silently() -> None:
    old = ":LAST_SEEN: 2025-01-07T12"
    text, conflicts = both(old, old.replace("T12", "T14"), old.replace("T12", "T13"))
    assert (text, conflicts) == (BOARD.replace(old, old.replace("T12", "T13")), [])


def test_the_properties_of_a_revision_come_from_one_side() -> None:
    a = BOARD.replace("CID: 1", "CID: 2").replace("s1", "s2").replace("OWNER: one", "OWNER: two")
    b = BOARD.replace("CID: 1", "CID: 3").replace("s1", "s3")
    text, conflicts = merge_blackboard(BOARD, a, b)
    assert text == b
    assert [(one.property, one.a, one.b) for one in conflicts] == [
        ("CANVASL_CID", "2", "3"), ("CANVASL_SIGNATURE", "s2", "s3"), ("PEER_OWNER", "two", "one"),
    ]  # fmt: skip


@pytest.mark.parametrize("swapped", [False, True])
def test_an_edit_outlives_a_deletion_and_is_reported(swapped: bool) -> None:
    start, end = BOARD.index("*** Peer: one"), BOARD.index(NODES)
    gone, edited = BOARD[:start] + BOARD[end:], BOARD.replace("A friend.", "My friend.")
    sides = (edited, gone) if swapped else (gone, edited)
    text, conflicts = merge_blackboard(BOARD, *sides)
    assert text == edited
    assert [(one.entry, one.property) for one in conflicts] == [("Peer: one", "(entry)")]
    assert conflicts[0].base == BOARD[start:end]
    assert (conflicts[0].a if swapped else conflicts[0].b) == edited[start : end + 1]


def test_an_observation_does_not_outlive_a_deletion() -> None:
    start, end = BOARD.index("*** Peer: one"), BOARD.index(NODES)
    gone = BOARD[:start] + BOARD[end:]
    assert merged(BOARD, gone, BOARD.replace("SEEN: 2025", "SEEN: 2026")) == gone


def test_a_deleted_section_stays_for_what_came_into_it() -> None:
    start, end = BOARD.index("** Peers"), BOARD.index(NODES)
    gone = BOARD[:start] + BOARD[end:]
    text = merged(BOARD, gone, BOARD.replace(NODES, PEER.format("two") + NODES))
    assert text == gone.replace(NODES, "** Peers\n\n" + PEER.format("two") + NODES)


def test_a_moved_entry_is_edited_where_it_went() -> None:
    start, end = BOARD.index("*** Peer: one"), BOARD.index(NODES)
    moved = BOARD[:start] + BOARD[end:] + "** Friends\n\n" + BOARD[start:end]
    edited = BOARD.replace("A friend.", "My friend.")
    assert merged(BOARD, moved, edited) == moved.replace("A friend.", "My friend.")
    assert merged(BOARD, edited, moved) == moved.replace("A friend.", "My friend.")


def test_moves_below_each_other_end() -> None:
    base = "* one\nx\n* two\ny\n"
    a, b = "* two\ny\n** one\nx\n", "* one\nx\n** two\ny\n"
    text, conflicts = merge_blackboard(base, a, b)
    assert text == b
    assert conflicts == [Conflict("one", "(place)", "", "two", "")]
    assert Counter(entry.title for entry in parse(text).entries) == {"": 1, "one": 1, "two": 1}


def test_two_moves_of_one_entry_leave_one() -> None:
    base = "* one\n* two\n* three\n** it\nx\n"
    a, b = "* one\n** it\nx\n* two\n* three\n", "* one\n* two\n** it\nx\n* three\n"
    text, conflicts = merge_blackboard(base, a, b)
    assert text == b
    assert conflicts == [Conflict("it", "(place)", "three", "one", "two")]


def test_boards_that_began_apart_become_one() -> None:
    a = BOARD.replace("blackboard-1", "blackboard-2") + "* Mine\n"
    b = BOARD.replace(NODES, PEER.format("two") + NODES).replace("A friend.\n", "")
    text, conflicts = merge_blackboard(None, a, b)
    assert [one.property for one in conflicts] == ["BLACKBOARD_ID"]
    titles = Counter(entry.title for entry in parse(text).entries)
    assert set(titles.values()) == {1}
    assert {"Mine", "Peer: two", "Peers", "Federation Blackboard"} <= set(titles)
    assert "A friend.\n" in text


def test_a_promoted_parent_keeps_what_the_other_side_adds() -> None:
    base = "* A\n** B\n*** C\n"
    text = merged(base, "* A\n* B\n** C\n", base + "*** D\n")
    assert text == "* A\n* B\n** C\n** D\n"


def test_crlf_bom_and_the_last_line_end() -> None:
    windows = "\ufeff" + BOARD.replace("\n", "\r\n")
    edit = BOARD.replace("A friend.", "My friend.") + "* End"
    assert merged(BOARD, windows, edit) == "\ufeff" + edit.replace("\n", "\r\n")
    assert merged(windows, windows + "* A\r\n", windows + "* B\r\n") == windows + "* A\r\n* B\r\n"
    assert merged("* A", "* A\n* B", "* C\n* A") == "* C\n* A\n* B"


def test_a_board_that_is_too_large_is_merged_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BLACKBOARD_ENTRIES", 3)
    assert merged("* a\n* b\n", "* a\n* b\n* c\n", "* a x\n* b\n") == "* a x\n* b\n* c\n"
    a, b = "* a\n" * 4 + "x\n", "y\n" + "* a\n" * 4
    assert merged("* a\n" * 4, a, b) == "y\n" + "* a\n" * 4 + "x\n"


# --- for all boards -----------------------------------------------------------------


@given(changed())
@settings(max_examples=400, deadline=None)
def test_valid_stays_valid_and_nothing_is_lost(case: tuple[str, Editor, Editor]) -> None:
    base, one, other = case
    a, b = one.text(), other.text()
    text, conflicts = merge_blackboard(base, a, b)
    assert is_valid(text), text
    assert parse(text).text() == text
    assert text.endswith("\n") or text == ""
    for side, editor in ((a, one), (b, other)):
        for heading in editor.headings:
            found = any(entry.title == heading for entry in parse(side).entries)
            assert not found or f" {heading}" in "".join(e.heading for e in parse(text).entries)
        told = "".join(part or "" for conflict in conflicts for part in conflict)
        for word in editor.words:
            assert word not in side or word in text or word in told, word
    assert merge_blackboard(base, a, b) == (text, conflicts)


@given(changed())
@settings(max_examples=200, deadline=None)
def test_every_entry_is_there_once(case: tuple[str, Editor, Editor]) -> None:
    base, one, other = case
    text, _conflicts = merge_blackboard(base, one.text(), other.text())
    there = Counter(entry.title for entry in parse(text).entries)
    for editor in (one, other):
        for heading in editor.headings:
            assert there[heading] <= 1


@given(changed())
@settings(max_examples=200, deadline=None)
def test_one_side_alone_is_that_side(case: tuple[str, Editor, Editor]) -> None:
    base, one, _other = case
    side = one.text()
    assert merge_blackboard(base, side, base) == (side, [])
    assert merge_blackboard(base, base, side) == (side, [])
    assert merge_blackboard(base, side, side) == (side, [])
    # The same without the short way: the other side changed the preamble only.
    preamble = "# ЩЩЩ\n"
    entry = parse(base).entries[0]
    if entry.drawer is None and entry.body == parse(side).entries[0].body:
        text, conflicts = merge_blackboard(base, side, preamble + base)
        assert (text, conflicts) == (preamble + side, [])
        text, conflicts = merge_blackboard(base, preamble + base, side)
        assert (text, conflicts) == (preamble + side, [])


@given(boards(), boards())
@settings(max_examples=200, deadline=None)
def test_boards_of_unknown_origin_keep_all_headings(a: str, b: str) -> None:
    text, _conflicts = merge_blackboard(None, a, b)
    assert is_valid(text)
    there = {entry.title for entry in parse(text).entries}
    told = {conflict.a for conflict in _conflicts if conflict.property == "(heading)"}
    for side in (a, b):
        assert {entry.title for entry in parse(side).entries} <= there | told


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_the_real_boards_under_edits(shared: Path, data: st.DataObject) -> None:
    files = sorted((shared / "data" / "org").glob("*.org"))
    texts = st.sampled_from([file.read_text(encoding="utf-8") for file in files])
    base, one, other = data.draw(changed(texts))
    text, conflicts = merge_blackboard(base, one.text(), other.text())
    assert is_valid(text)
    told = "".join(part or "" for conflict in conflicts for part in conflict)
    for side, editor in ((one.text(), one), (other.text(), other)):
        assert all(w not in side or w in text + told for w in editor.words + editor.headings)


@given(st.text("*: \n#aPEND+_", max_size=60), st.text("*: \n#aPEND+_", max_size=60),
       st.text("*: \n#aPEND+_", max_size=60))  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_no_text_is_refused(base: str, a: str, b: str) -> None:
    text, conflicts = merge_blackboard(base, a, b)
    assert (text, conflicts) == merge_blackboard(base, a, b)
    outline = parse(text)
    assert Outline(outline.frame, outline.entries).text() == text


REMARK = """\
* Peers
** ada
:PROPERTIES:
:PEER_ID: peer-aaa
:STATUS: online
:END:
body
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("a", "b", "lines"),
    [
        # what was written above the drawer comes below it, and the drawer is there once
        (("** ada\n", "** ada\nremark\n"), ("** ada\n", "** ada\nnote\n"), ["remark", "note"]),
        (("** ada\n", "** ada\nremark\n"), ("online", "offline"), ["remark", ":STATUS: offline"]),
        (("online", "offline"), ("** ada\n", "** ada\n\nnote\n"), ["note", ":STATUS: offline"]),
        (("** ada\n", "** ada\nremark\n"), ("body", "words"), ["remark", "words"]),
    ],
)
def test_a_remark_above_the_drawer_does_not_double_it(
    a: tuple[str, str], b: tuple[str, str], lines: list[str], end: str
) -> None:
    base, ours, theirs = (
        text.replace("\n", end) for text in (REMARK, REMARK.replace(*a), REMARK.replace(*b))
    )
    merged, conflicts = merge_blackboard(base, ours, theirs)
    assert conflicts == []
    (peers, ada) = parse(merged).entries[1:]
    assert peers.drawer is None
    assert ada.get("PEER_ID") == "peer-aaa"
    assert merged.count(":PROPERTIES:") == merged.count(":END:") == 1
    assert all(line in merged.split(end) for line in lines)
    assert is_sound(ada.body)


def test_a_drawer_that_is_quoted_stays_where_it_is() -> None:
    quoted = "** bob\ntext\n#+begin_example\n:PROPERTIES:\n:PEER_ID: x\n:END:\n#+end_example\n"
    base = REMARK + quoted
    merged, _conflicts = merge_blackboard(base, base + "* one\n", "* two\n" + base)
    assert quoted in merged
