# SPDX-License-Identifier: MIT
"""Merging JSON values member by member, item by item, down to the strings.

Side ``a`` gives the frame: its key order, separators and spelling; what ``b``
changed is put into it.  Where both changed one scalar, ``b``'s value stands and
``a``'s is reported (callers order the sides the same way everywhere).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from federation.replica.merge import strings
from federation.replica.merge.tree import Value

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clash:
    """One value that both sides changed, as JSON texts; None for a side that removed it.

    ``kept`` is what stands in the result.
    """

    path: Path
    base: str | None
    a: str | None
    b: str | None
    kept: str | None


Report = Callable[[Clash], None]
#: merges two arrays; given by ``items`` because it needs the pairing of entries
ArrayMerge = Callable[[Value | None, Value, Value, Path, Report], str]


class ValueMerge:
    """Merges values, with the array merge that it is given."""

    #: whether lists of the top level are merged also where one side left them as they were
    thorough = False

    def __init__(self, arrays: ArrayMerge) -> None:
        self._arrays = arrays

    def merge(self, base: Value | None, a: Value, b: Value, path: Path, report: Report) -> str:
        """The text of the merged value."""
        lists = self.thorough and len(path) <= 1 and a.kind == b.kind and a.kind != "atom"
        text = None if lists and a.kind != "string" else self._one_sided(base, a, b)
        if text is not None:
            return text
        if a.kind == b.kind == "object":
            return self._objects(base, a, b, path, report)
        if a.kind == b.kind == "array":
            return self._arrays(base if base and base.kind == "array" else None, a, b, path, report)
        if a.kind == b.kind == "string" and base is not None and base.kind == "string":
            merged = strings.merge_value(base.string, a.string, b.string)
            if merged is not None:
                return encode_string(merged, a.text)
        report(Clash(path, base.text if base else None, a.text, b.text, b.text))
        return b.text

    @staticmethod
    def _one_sided(base: Value | None, a: Value, b: Value) -> str | None:
        """The result where at most one side changed, also where one only respelled it."""
        if a.text == b.text or (base is not None and b.text == base.text):
            return a.text
        if base is not None and a.text == base.text:
            return b.text
        if a.canonical == b.canonical:
            return a.text
        if base is not None and b.canonical == base.canonical:
            return a.text
        if base is not None and a.canonical == base.canonical:
            return b.text
        return None

    def _objects(self, base: Value | None, a: Value, b: Value, path: Path, report: Report) -> str:
        old = base.members if base is not None and base.kind == "object" else {}
        theirs = b.members
        frame = Frame(a, b)
        for position, key in enumerate(a.keys):
            label, mine = a.labels[position], a.parts[position]
            inner = (*path, key[0])
            if key in theirs:
                text = self.merge(old.get(key), mine, theirs[key], inner, report)
                frame.add(key, label + text, position)
            elif key not in old:
                frame.add(key, label + mine.text, position)
            elif old[key].canonical != mine.canonical:
                report(Clash(inner, old[key].text, mine.text, None, mine.text))
                frame.add(key, label + mine.text, position)
        mine_keys = a.members
        for position, key in enumerate(b.keys):
            if key in mine_keys:
                continue
            part = b.parts[position]
            if key in old:
                if old[key].canonical == part.canonical:
                    continue
                clash = Clash((*path, key[0]), old[key].text, None, part.text, part.text)
                report(clash)
            frame.insert(key, b.labels[position] + part.text, b.keys[:position])
        return frame.text()


class Frame:
    """Puts members or items together again with the separators of a side."""

    def __init__(self, a: Value, b: Value) -> None:
        self._a, self._b = a, b
        #: (name, text, position in a or None)
        self._rows: list[tuple[object, str, int | None]] = []

    def add(self, name: object, text: str, position: int | None) -> None:
        """The next part."""
        self._rows.append((name, text, position))

    def insert(self, name: object, text: str, before: tuple[object, ...]) -> None:
        """A part of b, behind the nearest one that is before it there."""
        places = {row[0]: place for place, row in enumerate(self._rows)}
        place = next((places[one] for one in reversed(before) if one in places), -1)
        self._rows.insert(place + 1, (name, text, None))

    def text(self) -> str:
        """All of it, with the separator that each part had before it in ``a``."""
        if not self._rows:
            gaps = self._a.gaps
            return gaps[0] if len(gaps) == 1 else gaps[0][0] + gaps[-1][-1]
        model = self._a if self._a.parts else self._b
        usual = self._usual(model)
        out = [model.gaps[0]]
        for place, (_name, text, position) in enumerate(self._rows):
            if place:
                own = position is not None and position > 0
                out.append(model.gaps[position] if own and position is not None else usual)
            out.append(text)
        out.append(model.gaps[-1])
        return "".join(out)

    def _usual(self, model: Value) -> str:
        """The separator for a part that had none."""
        for one in (model, self._b, self._a):
            if len(one.parts) > 1:
                return one.gaps[1]
        return "," + model.gaps[0][1:]


def encode_string(text: str, like: str) -> str:
    """A string as JSON, raw or escaped as another one is."""
    return json.dumps(text, ensure_ascii="\\u" in like and like.isascii())
