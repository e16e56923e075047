# SPDX-License-Identifier: MIT
"""Org as headings with drawers, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from federation.replica.blackboard.outline import (
    Frame,
    count_headings,
    is_sound,
    parents,
    parse,
    split_heading,
    unwrap,
)
from tests.replica.blackboard.boards import boards

_BITS = st.sampled_from(
    ("* ", "** a\n", "*bold*\n", "\n", "\r\n", "\r", "\ufeff", ":PROPERTIES:\n", ":END:\n",
     ":A: b\n", ":END:", ":A:\n", " ", "SCHEDULED: <x>\n", "\u2028", "\x0b", "ü", "*\n")
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(_BITS).map("".join), boards()))
@example("")
@example("\n")
@example("* a")
@example("\r\n\r\r\n")
def test_every_text_comes_back(text: str) -> None:
    assert parse(text).text() == text


def test_the_real_files_are_understood(shared: Path) -> None:
    found = {}
    for path in sorted((shared / "data" / "org").glob("*.org")):
        text = path.read_bytes().decode("utf-8")
        outline = parse(text)
        assert outline.text() == text
        assert all(one.drawer for one in outline.entries if one.level in (1, 3))
        found[path.name.rpartition("__")[2]] = outline
    board = found["federation-blackboard.org"]
    assert [(one.level, one.title) for one in board.entries] == [
        (0, ""), (1, "Federation Blackboard"), (2, "Peers"), (3, "Peer: peer-abc123"),
        (3, "Peer: peer-xyz789"), (2, "CanvasL State"), (3, "Node: node-1"), (3, "Node: node-2"),
    ]  # fmt: skip
    assert board.parents == (-1, 0, 1, 2, 2, 1, 5, 5)
    assert board.entries[6].get("CANVASL_CID") == "bafyreiabc123..."
    assert len(found["peer-identity.org"].entries) == 4


def test_parts_of_an_entry() -> None:
    text = (
        "* WAIT Call  :x:y:\nDEADLINE: <2025-01-07>\n"
        "  :properties:\n  :a:  1 2 \n  :B+:\n  :end:\nWords\n"
    )
    entry = parse(text).entries[1]
    assert (entry.title, entry.planning) == ("WAIT Call", "DEADLINE: <2025-01-07>\n")
    assert [(one.name, one.value) for one in entry.properties] == [("A", "1 2"), ("B+", "")]
    assert (entry.get("A"), entry.get("B+"), entry.get("C")) == ("1 2", None, None)
    assert entry.body == "Words\n"
    assert split_heading(entry.heading) == (" WAIT Call", "  :x:y:")


@pytest.mark.parametrize(
    "text",
    [
        "* a\n\n:PROPERTIES:\n:A: b\n:END:\n",  # not below the heading
        "* a\n:PROPERTIES:\n:A: b\n",  # never closed
        "* a\n:PROPERTIES:\nA: b\n:END:\n",
        "* a\n:PROPERTIES:\n:A:b\n:END:\n",
        "* a\n:PROPERTIES:\n* b\n:END:\n",
    ],
)
def test_what_is_no_drawer_for_org_is_body(text: str) -> None:
    assert all(one.drawer is None for one in parse(text).entries)


def test_what_is_a_heading() -> None:
    assert [one.level for one in parse("*a\n * b\n* c\n***  d\n*\n**\t\n").entries] == [0, 1, 3]
    assert count_headings("x* a\n* b\n** c") == 2
    assert parse(":PROPERTIES:\n:ID: x\n:END:\n").entries[0].get("ID") == "x"


def test_frames() -> None:
    assert unwrap("\ufeffa\r\nb") == (Frame(bom=True, crlf=True, ended=False), "a\nb\n")
    assert unwrap("a\r\nb\n") == (Frame(), "a\r\nb\n")
    assert Frame(bom=True, crlf=True, ended=False).wrap("a\nb\n") == "\ufeffa\r\nb"


def test_parents_are_the_nearest_with_fewer_stars() -> None:
    assert list(parents([0, 2, 3, 3, 1, 4, 2])) == [-1, 0, 1, 1, 0, 4, 4]


@pytest.mark.parametrize(
    ("body", "sound"),
    [
        ("Words\n:LOGBOOK:\n- x\n:END:\n", True),
        ("#+begin_src sh\n:LOGBOOK:\n#+end_example\n#+END_SRC\n", True),
        ("#+begin_quote\n#+begin_src sh\n#+end_src\n#+end_quote\n", True),
        ("#+BEGIN: clocktable\n#+END:\n", True),
        (":LOGBOOK:\n", False),
        (":END:\n", False),
        (":A:\n:B:\n:END:\n:END:\n", False),
        ("#+begin_src sh\n", False),
        ("#+end_src\n", False),
        ("#+begin_a\n#+begin_b\n#+end_a\n#+end_b\n", False),
        ("x\n* heading\n", False),
        (":PROPERTIES:\n:END:\n", False),
    ],
)
def test_sound_bodies(body: str, sound: bool) -> None:
    assert is_sound(body) is sound
