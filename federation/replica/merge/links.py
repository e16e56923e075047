# SPDX-License-Identifier: MIT
"""Edges and what they join: a merge leaves no edge without its ends.

One side may delete or rename an entry while the other draws an edge to it.
Then the entry stays, or the edge follows the new name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from federation.replica.merge.entries import Row
from federation.replica.merge.entry import ENDS, Entry
from federation.replica.merge.meaning import dump_string

#: finds ends quickly; what it finds is looked at again
_END: Final = re.compile(r'"(?:from|to)(?:Node)?"[ \t\n\r]*:[ \t\n\r]*("[^"\\]*(?:\\.[^"\\]*)*")')


class Links:
    """What the entries of a merged canvas are called, and what its edges need."""

    def __init__(self, versions: Sequence[Sequence[Entry]], rows: Sequence[Row]) -> None:
        self._rows, self._sides = rows, versions[1:]
        self._texts = {row.text for row in rows}
        #: names that a version had and the result may not have
        self._lost = {
            entry.name for one in versions for entry in one if entry.text not in self._texts
        } - {None}
        self._dangling: dict[str, frozenset[str]] | None = None
        self._new_names: dict[str, str] | None = None

    @property
    def dangling(self) -> dict[str, frozenset[str]]:
        """Edge -> ends that a version had an entry for and the result has not.

        An edge that had no entry at its end on a side before stays as it is.
        """
        if self._dangling is None:
            self._dangling = self._find() if self._lost else {}
        return self._dangling

    def missing(self) -> frozenset[str]:
        """All ends of edges that miss their entry."""
        return frozenset(name for names in self.dangling.values() for name in names)

    def _find(self) -> dict[str, frozenset[str]]:
        edges = {text: ends for text in self._texts
                 if ('"from' in text or '"to' in text)
                 and (ends := _ends(text) & self._lost)}  # fmt: skip
        if not edges:
            return {}
        names = {Entry(text).name for text in self._texts}
        called = [{entry.name for entry in one} for one in self._sides]
        texts = [{entry.text for entry in one} for one in self._sides]
        made_of = {row.text: (row.a, row.b) for row in self._rows if row.text in edges}
        found: dict[str, frozenset[str]] = {}
        for text, ends in edges.items():
            known: set[object] = set()
            sides = zip(made_of.get(text, (None, None)), texts, called, strict=True)
            for entry, there, known_there in sides:
                if entry is not None or text in there:
                    has = ends if entry is None else ends & entry.ends()
                    known |= {end for end in has if end not in known_there}
            needed = frozenset(str(end) for end in ends & Entry(text).ends()
                               if end not in known and end not in names)  # fmt: skip
            if needed:
                found[text] = needed
        return found

    def redirected(self, text: str) -> str:
        """An entry of the result; an edge follows what was renamed."""
        ends = self.dangling.get(text)
        if not ends:
            return text
        names = self.renamed()
        return redirected(text, {end: names[end] for end in ends if end in names})

    def renamed(self) -> dict[str, str]:
        """Old id -> the id that the same entry has in the result."""
        if self._new_names is None:
            self._new_names = self._find_names()
        return self._new_names

    def _find_names(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for row in self._rows:
            olds = [one for one in (row.base, row.a, row.b) if one and one.text != row.text]
            if not olds or (name := Entry(row.text).id) is None:
                continue
            found.update({old.id: name for old in olds if old.id not in (None, name)})
        return found


def cut_off(before: Sequence[Entry], after: Sequence[Entry]) -> set[str]:
    """Names of entries that are gone, and that edges still join."""
    lost = {entry.id for entry in before} - {entry.id for entry in after} - {None}
    if not lost:
        return set()
    return {end for entry in after for end in entry.ends() if end in lost}


def needed_with(names: Collection[str], base: Sequence[Entry], lost: Collection[str]) -> set[str]:
    """Names of deleted entries, and of those that they join in turn."""
    by_id: dict[str, list[Entry]] = {}
    for entry in base:
        if entry.id is not None:
            by_id.setdefault(entry.id, []).append(entry)
    found, waiting = set(names), list(names)
    while waiting:
        for entry in by_id.get(waiting.pop(), ()):
            more = {end for end in entry.ends() if end in lost and end not in found}
            found |= more
            waiting += more
    return found


def redirected(text: str, names: Mapping[str, str]) -> str:
    """An edge with new names for its ends."""
    if not names:
        return text
    entry = Entry(text)
    if entry.parsed is None or entry.parsed[1].is_whole:
        return text
    before, value, after = entry.parsed
    news: dict[int, str] = {}
    for place, (key, part) in enumerate(zip(value.keys, value.parts, strict=True)):
        if key[0] not in ENDS or part.kind != "string":
            continue
        mark = "#" if part.string.startswith("#") and part.string not in names else ""
        new = names.get(part.string.removeprefix(mark))
        if new is not None:
            news[place] = dump_string(mark + new)
    return before + value.changed(news) + after if news else text


def _ends(text: str) -> set[object]:
    """What may be ends of an edge, found quickly."""
    ends = {_plain(found) for found in _END.findall(text)}
    return {*ends, *(end.removeprefix("#") for end in ends)}


def _plain(quoted: str) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        return ""
