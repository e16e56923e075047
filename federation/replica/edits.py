# SPDX-License-Identifier: MIT
"""Live edits: what somebody types on top of a revision, before it is one.

A **draft** is a revision and the changes that its author has made since, in
order.  A change says how many characters (code points) give way to which new
ones at which place of what all changes before it have left.  Adding one costs
the same whatever the size of the text: only lengths are looked at, and the
text is made when somebody wants it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from federation.errors import Refusal

#: Characters of one piece of a text that is being changed: cheap to copy, and few of them.
_PIECE: Final = 4096


class Change(NamedTuple):
    """From the character ``at`` on, ``drop`` characters give way to ``insert``."""

    at: int
    drop: int
    insert: str


class Draft:
    """The changes of one author on top of one revision.

    ``base`` is the revision's id, ``length`` the characters of its text.
    """

    def __init__(self, base: str, length: int) -> None:
        self.base = base
        self.length = length
        self.changes: list[Change] = []
        #: characters of all new texts, also of those that went again
        self.weight = 0

    @property
    def count(self) -> int:
        """How many changes."""
        return len(self.changes)

    def add(self, changes: Sequence[Change]) -> None:
        """Append changes, all or none; ``edit-out-of-range`` for a place that is not there."""
        length = self.length
        for at, drop, insert in changes:
            if at < 0 or drop < 0 or at + drop > length:
                raise Refusal("edit-out-of-range", f"{at}+{drop} of {length} characters")
            length += len(insert) - drop
        self.length = length
        self.weight += sum(len(one.insert) for one in changes)
        self.changes += changes

    def text(self, before: str) -> str:
        """The text of the base with all changes made."""
        return apply(before, self.changes)


def apply(text: str, changes: Iterable[Change]) -> str:
    """A text with changes made one after another; each is within what the others left."""
    pieces = _Pieces(text)
    for change in changes:
        pieces.splice(change)
    return "".join(pieces.pieces)


class _Pieces:
    """A text in pieces, and where the last change was: the next one is mostly near."""

    def __init__(self, text: str) -> None:
        self.pieces = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)] or [""]
        self._number = 0
        self._start = 0

    def splice(self, change: Change) -> None:
        """Make one change."""
        at, drop, insert = change
        pieces, number, start = self.pieces, self._number, self._start
        while at < start:
            number -= 1
            start -= len(pieces[number])
        while at > start + len(pieces[number]):
            start += len(pieces[number])
            number += 1
        self._number, self._start = number, start
        head, tail = pieces[number][: at - start], pieces[number][at - start :]
        last = number
        while len(tail) < drop:
            last += 1
            tail += pieces[last]
        new = head + insert + tail[drop:]
        if last > number or len(new) > 2 * _PIECE:
            parts = [new[low : low + _PIECE] for low in range(0, len(new), _PIECE)] or [""]
            pieces[number : last + 1] = parts
        else:
            pieces[number] = new


def from_json(value: Iterable[Sequence[object]]) -> list[Change]:
    """Changes from lists whose form was checked (``forms.CHANGES``)."""
    return [Change(*one) for one in value]  # type: ignore[arg-type]
