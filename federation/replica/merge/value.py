# SPDX-License-Identifier: MIT
"""Merging JSON values member by member, item by item, down to the strings.

Side ``a`` gives the frame: its key order, separators and spelling; what ``b``
changed is put into it.  Where both changed one scalar, ``b``'s value stands and
``a``'s is reported (callers order the sides the same way everywhere).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from federation.replica.merge import meaning, strings
from federation.replica.merge.tree import Key, Value, key_name
from federation.replica.merge.work import Work

Path = tuple[str, ...]
#: members whose strings are names: halves of two names are no name
NAMES: Final = frozenset({"id", "type", "from", "to", "fromNode", "toNode", "fromSide", "toSide"})


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
#: merges two arrays; given by ``document`` because it needs the pairing of entries
ArrayMerge = Callable[[Value | None, Value, Value, Path, Report], str]


class ValueMerge:
    """Merges values, with the array merge that it is given."""

    def __init__(self, arrays: ArrayMerge, work: Work | None = None) -> None:
        self._arrays = arrays
        self._work = work or Work()
        #: paths of arrays that are merged also where only one side changed or has them
        self.always: frozenset[Path] = frozenset()
        #: what is between two members of the objects around
        self._comma = ","

    def merge(self, base: Value | None, a: Value, b: Value, path: Path, report: Report) -> str:
        """The text of the merged value."""
        text = None if path in self.always else self._one_sided(base, a, b)
        if text is not None:
            return text
        old = base if base is not None and base.kind == a.kind and not base.is_whole else None
        if a.kind == b.kind and not a.is_whole and not b.is_whole:
            if a.kind == "object":
                return self._objects(old, a, b, path, report)
            if a.kind == "array" and old is not None and _same_shape(old, a, b):
                return self._by_index(old, a, b, path, report)
            if a.kind == "array":
                return self._arrays(old, a, b, path, report)
            if a.kind == "string" and old is not None and path[-1:] not in _NAME_PATHS:
                woven = strings.weave(old.string, a.string, b.string, self._work)
                text = encode_string(woven.settled, a.text)
                if woven.overlap:
                    text = b.text if woven.settled == b.string else text
                    report(Clash(path, old.text, a.text, b.text, text))
                return text
        report(Clash(path, base.text if base else None, a.text, b.text, b.text))
        return b.text

    @staticmethod
    def _one_sided(base: Value | None, a: Value, b: Value) -> str | None:
        """The result where at most one side changed, also where one only respelled it."""
        old = None if base is None else base.text
        if b.text in (a.text, old):
            return a.text
        if a.text == old:
            return b.text
        if a.kind == b.kind and a.kind in ("object", "array"):
            # part by part, so that nothing is compared twice
            return None
        if a.canonical == b.canonical:
            return a.text
        if base is not None and b.canonical == base.canonical:
            return a.text
        if base is not None and a.canonical == base.canonical:
            return b.text
        return None

    def _by_index(self, base: Value, a: Value, b: Value, path: Path, report: Report) -> str:
        """Coordinates and the like: what stands at one place is one value."""
        news = {
            place: self.merge(old, mine, theirs, (*path, str(place + 1)), report)
            for place, (old, mine, theirs) in enumerate(
                zip(base.parts, a.parts, b.parts, strict=True)
            )
        }
        return a.changed(news)

    def _objects(self, base: Value | None, a: Value, b: Value, path: Path, report: Report) -> str:
        old = base.members if base is not None else {}
        mine, theirs = a.members, b.members
        around = self._comma
        self._comma = next((one.gaps[1] for one in (a, b) if _on_one_line(one)), around)
        rows: dict[Key, tuple[str, int | None]] = {}
        for position, (key, label) in enumerate(zip(a.keys, a.labels, strict=True)):
            inner = (*path, key_name(key))
            other = theirs.get(key) or self._emptied(inner, mine[key])
            if other is not None:
                text = self.merge(old.get(key), mine[key], other, inner, report)
            else:
                text = mine[key].text
                if key in old:
                    if old[key].canonical == mine[key].canonical:
                        continue
                    report(Clash(inner, old[key].text, text, None, text))
            rows[key] = (label + text, position)
        self._comma = around
        behind: dict[Key | None, list[str]] = {}
        last: Key | None = None
        for key, label in zip(b.keys, b.labels, strict=True):
            if key in mine:
                last = key if key in rows else last
                continue
            added = self._only_b(old.get(key), theirs[key], (*path, key_name(key)), report)
            if added is not None:
                behind.setdefault(last, []).append(label + added)
        frame = Frame(a, b, self._comma)
        frame.extend(behind.get(None, ()))
        for key, row in rows.items():
            frame.add(*row)
            frame.extend(behind.get(key, ()))
        return frame.text()

    def _only_b(self, base: Value | None, part: Value, path: Path, report: Report) -> str | None:
        """A member that only b has: new, or deleted by a; None where it goes."""
        empty = self._emptied(path, part)
        if empty is not None:
            return self.merge(base, empty, part, path, report)
        if base is not None:
            if base.canonical == part.canonical:
                return None
            report(Clash(path, base.text, None, part.text, part.text))
        return part.text

    def _emptied(self, path: Path, other: Value) -> Value | None:
        """In the place of a list that a side has not, and that is merged all the same."""
        if path not in self.always or other.kind != "array":
            return None
        return Value("array", "[]", self._work)


_NAME_PATHS: Final = frozenset((name,) for name in NAMES)


def _same_shape(base: Value, a: Value, b: Value) -> bool:
    """Whether three arrays are tuples of numbers (or of such tuples), all of one length."""
    if any(mark in one.text for one in (base, a, b) for mark in '"{'):
        return False
    return len(base.texts) == len(a.texts) == len(b.texts)


def _on_one_line(value: Value) -> bool:
    """Whether an object shows what stands between two members on one line."""
    return len(value.texts) > 1 and "\n" not in value.gaps[1]


class Frame:
    """Puts members or items together again with the separators of a side."""

    def __init__(self, a: Value, b: Value, comma: str = ",") -> None:
        self._a, self._b, self._comma = a, b, comma
        #: (text, position in a or None)
        self._rows: list[tuple[str, int | None]] = []

    def add(self, text: str, position: int | None) -> None:
        """The next part; ``position`` is its place in ``a``, where it has one."""
        self._rows.append((text, position))

    def extend(self, texts: list[str] | tuple[str, ...]) -> None:
        """Further parts that ``a`` has not."""
        self._rows += ((text, None) for text in texts)

    def text(self) -> str:
        """All of it, with the separator that each part had before it in ``a``."""
        if not self._rows:
            gaps = self._a.gaps
            return gaps[0] if len(gaps) == 1 else gaps[0][0] + gaps[-1][-1]
        model = self._a if self._a.texts else self._b
        if not model.texts:
            return (
                model.text[0]
                + self._comma.join(text for text, _position in self._rows)
                + model.text[-1]
            )
        usual = self._usual(model)
        out = [model.gaps[0]]
        for place, (text, position) in enumerate(self._rows):
            if place:
                out.append(model.gaps[position] if position else usual)
            out.append(text)
        out.append(model.gaps[-1])
        return "".join(out)

    def _usual(self, model: Value) -> str:
        """The separator for a part that had none."""
        for one in (model, self._b, self._a):
            if len(one.texts) > 1:
                return one.gaps[1]
        inner = model.gaps[0][1:]
        return "," + inner if inner else self._comma


def encode_string(text: str, like: str) -> str:
    """A string as JSON, raw or escaped as another one is."""
    return meaning.dump_string(text, escaped="\\u" in like and like.isascii())
