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
from federation.replica import patch
from federation.replica.patch import Splice

#: One character is one unit of this encoding, so that splices of bytes serve.
_ENCODING: Final = "utf-32-le"
_UNIT: Final = 4


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
        self.changes += changes

    def text(self, before: str) -> str:
        """The text of the base with all changes made."""
        return apply(before, self.changes)


def apply(text: str, changes: Iterable[Change]) -> str:
    """A text with changes made one after another; ``content-mismatch`` outside of it."""
    patches = [
        [Splice(at * _UNIT, drop * _UNIT, insert.encode(_ENCODING))] for at, drop, insert in changes
    ]
    return patch.apply_all(text.encode(_ENCODING), patches).decode(_ENCODING)


def from_json(value: Iterable[Sequence[object]]) -> list[Change]:
    """Changes from lists whose form was checked (``forms.CHANGES``)."""
    return [Change(*one) for one in value]  # type: ignore[arg-type]
