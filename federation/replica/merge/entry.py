# SPDX-License-Identifier: MIT
"""One entry of a canvas: its text, what that means, and what it is called."""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import cached_property
from itertools import pairwise
from typing import Final

from federation.replica.merge import meaning, tree
from federation.replica.merge.meaning import NOTHING, Members
from federation.replica.merge.tree import Value
from federation.replica.merge.work import Work

#: resemblance of long texts is measured on this much of them
LOOK: Final = 200
#: most entries begin with their id
_ID_FIRST: Final = re.compile(r'[ \t\n\r]*\{[ \t\n\r]*"id"[ \t\n\r]*:[ \t\n\r]*"([^"\\]*)"')
#: members of an edge that name what it joins, and where
_ENDS: Final = ("from", "to", "fromNode", "toNode", "fromSide", "toSide")
#: those of them that name entries
ENDS: Final = _ENDS[:4]


class Entry:
    """One entry of a canvas, or one item of an array: its text, with white space around it."""

    def __init__(self, text: str, work: Work | None = None) -> None:
        self.text = text
        self._work = work

    @cached_property
    def parsed(self) -> tuple[str, Value, str] | None:
        """White space, value, white space; None for what is no JSON."""
        try:
            return tree.parse(self.text, self._work)
        except tree.NotJson:
            return None

    @cached_property
    def loaded(self) -> object:
        """What it means (``meaning.load``)."""
        return meaning.load(self.text)

    @cached_property
    def meaning(self) -> str:
        """Equal for entries that differ only in spelling."""
        loaded = self.loaded
        return "t" + self.text if loaded is NOTHING else "=" + meaning.canonical(loaded)

    @cached_property
    def members(self) -> dict[str, object]:
        """The members of an object, of several with one key the last."""
        return dict(self.loaded) if isinstance(self.loaded, Members) else {}

    @cached_property
    def name(self) -> Hashable | None:
        """What its author calls it: an id, or the ends of an edge without one."""
        if (plain := _ID_FIRST.match(self.text)) and self.text.count('"id"') == 1:
            return plain[1]
        if not isinstance(self.loaded, Members):
            return _directive(self.text) if self.loaded is NOTHING else None
        found = _name_of(self.members.get("id"))
        if found is not None:
            return found
        ends = [_name_of(self.members.get(key)) for key in _ENDS]
        return tuple(ends) if sum(end is not None for end in ends) >= 2 else None

    @property
    def id(self) -> str | None:
        """The name where that is an id."""
        return self.name if isinstance(self.name, str) else None

    @property
    def is_object(self) -> bool:
        """Whether it is a JSON object with members."""
        return bool(self.members)

    @property
    def is_nameless_edge(self) -> bool:
        """Whether it is known by what it joins only."""
        return self.is_object and isinstance(self.name, tuple)

    def ends(self) -> set[str]:
        """The names that an edge joins, as written and without ``#``."""
        found = (_name_of(self.members.get(key)) for key in ENDS)
        ends = {end for end in found if end is not None}
        return ends | {end.removeprefix("#") for end in ends}

    @cached_property
    def shape(self) -> tuple[frozenset[str], frozenset[str]]:
        """Which pairs and which threes of characters its beginning has."""
        text = self.text[:LOOK]
        pairs = frozenset(map("".join, pairwise(text)))
        return pairs, frozenset(map("".join, zip(text, text[1:], text[2:], strict=False)))


def _name_of(value: object) -> str | None:
    """A string or number as a name; None for anything else."""
    return str(value) if isinstance(value, str) else None


def _directive(text: str) -> Hashable | None:
    """The name of a ``@name value`` line."""
    if not text.startswith("@"):
        return None
    name = text[1:].split(None, 1)[0] if text[1:].split() else ""
    return ("@", name.rstrip(":"))
