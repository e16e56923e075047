# SPDX-License-Identifier: MIT
"""Boards, and changes of them as people and programs make them, for the tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from federation.replica.blackboard.outline import Drawer, Entry, Outline, Property, parse

_TITLES = ("Peers", "CanvasL State", "Ideas", "WAIT Meeting", "DONE Meeting", "Peer: x", "Ünïcode")
_NAMES = ("PEER_ID", "NODE_ID", "CUSTOM_ID", "CANVASL_CID", "LAST_SEEN", "PEER_STATUS", "NOTE")
_VALUES = ("", "one", "two", "three", "a b c")
_BODIES = (
    "", "\n", "Some words.\n", "Some words.\nMore words.\n\n", "- a\n- b\n- c\n",
    ":LOGBOOK:\n- note\n:END:\n", "#+begin_src text\n:END:\n#+end_src\n", "Grüße 👩‍👩‍👧 e\u0301\n",
)  # fmt: skip


def prop(name: str, value: str) -> Property:
    """A property as it is usually written."""
    return Property(name, value, f":{name}: {value}\n")


def drawer(*properties: Property) -> Drawer:
    """A drawer as it is usually written."""
    return Drawer(":PROPERTIES:\n", properties, ":END:\n")


@st.composite
def entries(draw: st.DrawFn, level: int | None = None) -> Entry:
    """One heading with its drawer and body."""
    names = draw(st.lists(st.sampled_from(_NAMES), max_size=4, unique=True))
    has_drawer: bool = bool(names) or draw(st.booleans())
    properties = [prop(name, draw(st.sampled_from(_VALUES))) for name in names]
    tags = draw(st.sampled_from(("", "", " :x:", "   :x:y:")))
    return Entry(
        level or draw(st.integers(1, 4)),
        " " + draw(st.sampled_from(_TITLES)) + tags + "\n",
        draw(st.sampled_from(("", "", "", "SCHEDULED: <2025-01-07 Tue>\n"))),
        drawer(*properties) if has_drawer else None,
        draw(st.sampled_from(_BODIES)),
    )


@st.composite
def boards(draw: st.DrawFn) -> str:
    """A valid board, LF and with a final line end."""
    preamble = Entry(0, body=draw(st.sampled_from(("", "#+title: Board\n", "Words.\n\n"))))
    return Outline(
        parse("").frame, (preamble, *draw(st.lists(entries(), max_size=8)))
    ).text()  # fmt: skip


class Editor:
    """Changes a board.

    What it writes are words of ``mark`` and a number, letters that the board has
    nowhere else, so that each can be found again.
    """

    def __init__(self, draw: st.DrawFn, mark: str, text: str) -> None:
        self._draw, self._mark = draw, mark
        self._frame = parse(text).frame
        self.entries = list(parse(text).entries)
        self.headings: list[str] = []
        self.words: list[str] = []

    def text(self) -> str:
        """The changed board."""
        return Outline(self._frame, tuple(self.entries)).text()

    def edit(self) -> None:
        """One change somewhere."""
        changes = [self.insert, self.delete, self.write, self.assign, self.rename, self.move]
        self._draw(st.sampled_from(changes))()

    def _some(self) -> int | None:
        if len(self.entries) < 2:
            return None
        return self._draw(st.integers(1, len(self.entries) - 1))

    def _word(self) -> str:
        word = f"{self._mark}{len(self.words) + len(self.headings)}{self._mark[0]}"
        self.words.append(word)
        return word

    def insert(self) -> None:
        """A new heading, with an id of its own."""
        word = self._word()
        self.words.pop()
        self.headings.append(word)
        entry = self._draw(entries())
        at = self._draw(st.integers(1, len(self.entries)))
        own = drawer(prop("CUSTOM_ID", word)) if self._draw(st.booleans()) else None
        self.entries.insert(at, replace(entry, heading=f" {word}\n", drawer=own))

    def delete(self) -> None:
        """A heading goes, its children rise to the one before."""
        at = self._some()
        if at is not None:
            del self.entries[at]

    def write(self) -> None:
        """A line more or less in a body."""
        at = self._some()
        if at is None:
            return
        lines = self.entries[at].body.split("\n")[:-1]
        sound = not {":END:", "#+end_src"} & set(lines)
        if lines and sound and self._draw(st.booleans()):
            del lines[self._draw(st.integers(0, len(lines) - 1))]
        else:
            place = self._draw(st.integers(0, len(lines))) if sound else len(lines)
            lines.insert(place, self._word())
        self._put(at, body="".join(line + "\n" for line in lines))

    def assign(self) -> None:
        """A property is set, changed or taken out."""
        at = self._some()
        if at is None:
            return
        name = self._draw(st.sampled_from(_NAMES))
        old = self.entries[at].drawer or drawer()
        left = tuple(one for one in old.properties if one.name != name)
        if not self._draw(st.booleans()):
            left = (*left, prop(name, self._word() if name == "NOTE" else "four"))
        self._put(at, drawer=replace(old, properties=left))

    def rename(self) -> None:
        """A heading is reworded."""
        at = self._some()
        if at is not None:
            self._put(at, heading=self.entries[at].heading[:-1] + f" {self._word()}\n")

    def move(self) -> None:
        """A heading goes to another place, without its children."""
        at = self._some()
        if at is not None:
            entry = self.entries.pop(at)
            self.entries.insert(self._draw(st.integers(1, len(self.entries))), entry)

    def _put(self, at: int, **changes: Any) -> None:
        self.entries[at] = replace(self.entries[at], **changes)


@st.composite
def changed(
    draw: st.DrawFn, old: st.SearchStrategy[str] | None = None
) -> tuple[str, Editor, Editor]:
    """A board, one of ``old`` if given, and two that were made from it."""
    base = draw(boards() if old is None else old)
    sides = [Editor(draw, mark, base) for mark in ("ЖЖ", "ФФ")]
    for side in sides:
        for _ in range(draw(st.integers(0, 4))):
            side.edit()
    return base, sides[0], sides[1]
