# SPDX-License-Identifier: MIT
"""Merging strings by what people see as characters.

The unit is the grapheme cluster (UAX 29) and CRLF, so that a merge never takes
one apart.  Two forms: :func:`merge_value` for a string inside a canvas, where
overlapping changes are a conflict, and :func:`merge_text` for text documents,
where everything that was typed survives (the sequence CRDT of loro).
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

import loro
import regex

from federation import limits
from federation.replica.merge.crdt import new_document

_CLUSTER: Final = regex.compile(r"\X")
#: (first unit, unit after the last, what stands there instead)
Hunk = tuple[int, int, Sequence[str]]


def clusters(text: str) -> Sequence[str]:
    """The grapheme clusters of a text; of ASCII without CR the text itself."""
    if text.isascii() and "\r" not in text:
        return text
    found: list[str] = _CLUSTER.findall(text)
    return found


def hunks(old: Sequence[str], new: Sequence[str], *, coarse: bool = False) -> list[Hunk]:
    """What turns one sequence into another, in order, as replaced ranges of ``old``."""
    start, end = _common(old, new)
    middle_old, middle_new = old[start : len(old) - end], new[start : len(new) - end]
    if not middle_old and not middle_new:
        return []
    if coarse or not middle_old or not middle_new:
        return [(start, start + len(middle_old), middle_new)]
    if len(middle_old) * len(middle_new) > limits.MERGE_DIFF_CELLS:
        return [(start, start + len(middle_old), middle_new)]
    matcher = SequenceMatcher(None, middle_old, middle_new, autojunk=False)
    return [
        (start + i1, start + i2, middle_new[j1:j2])
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
    ]


def _common(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """How many units are the same at the beginning and at the end."""
    most = min(len(old), len(new))
    start = 0
    while start < most and old[start] == new[start]:
        start += 1
    end = 0
    while end < most - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return start, end


def merge_value(base: str, a: str, b: str) -> str | None:
    """Both sides' changes of a string, or None where they overlap.

    Both may cut overlapping ranges: what either cut is gone.  A rewritten
    string (less than a third of it left) counts as changed in one piece:
    pieces of two rewritings mixed together are nobody's words.
    """
    units = clusters(base)
    ours, theirs = _changes(units, clusters(a)), _changes(units, clusters(b))
    merged: list[str] = []
    at = 0
    cut = False
    for first, last, new in _interleave(ours, theirs):
        if first < at and (new or not cut):
            return None
        cut = not new
        if first < at:
            at = max(at, last)
            continue
        merged += units[at:first]
        merged += new
        at = last
    merged += units[at:]
    return "".join(merged)


def _changes(old: Sequence[str], new: Sequence[str]) -> list[Hunk]:
    found = hunks(old, new)
    kept = len(old) - sum(last - first for first, last, _new in found)
    if kept * 3 < max(len(old), len(new)) and len(found) > 1:
        return hunks(old, new, coarse=True)
    return found


def _interleave(ours: list[Hunk], theirs: list[Hunk]) -> list[Hunk]:
    """The hunks of both by place; the same change of both once.

    At one place insertions come before what replaces the text behind it, ours
    before theirs.
    """
    same = [hunk for hunk in theirs if any(_equal(hunk, other) for other in ours)]
    rest = [hunk for hunk in theirs if hunk not in same]
    both = [(hunk[0], hunk[1] > hunk[0], 0, hunk) for hunk in ours]
    both += [(hunk[0], hunk[1] > hunk[0], 1, hunk) for hunk in rest]
    return [entry[3] for entry in sorted(both, key=lambda entry: entry[:3])]


def _equal(one: Hunk, other: Hunk) -> bool:
    return one[:2] == other[:2] and list(one[2]) == list(other[2])


def merge_text(base: str, a: str, b: str) -> str:
    """Both sides' changes of a text document: all that was typed stays, all that was cut goes."""
    if a == b or b == base:
        return a
    if a == base:
        return b
    alphabet = _Alphabet(base, a, b)
    old, ours, theirs = alphabet.units()
    changes = _text_hunks(old, theirs)
    mine = _text_hunks(old, ours)
    changes = [hunk for hunk in changes if not any(_equal(hunk, other) for other in mine)]
    document = new_document(1)
    document.get_text("text").insert(0, alphabet.encode(old))
    document.commit()
    other = document.fork()
    document.peer_id, other.peer_id = 2, 3
    for one, found in ((document, mine), (other, changes)):
        text = one.get_text("text")
        for first, last, new in reversed(found):
            if last > first:
                text.delete(first, last - first)
            if new:
                text.insert(first, alphabet.encode(new))
        one.commit()
    document.import_(other.export(loro.ExportMode.Updates(document.oplog_vv)))
    return alphabet.decode(document.get_text("text").to_string())


def _text_hunks(old: Sequence[str], new: Sequence[str]) -> list[Hunk]:
    """By lines first, then inside of the changed lines: quick also for large texts."""
    old_lines, new_lines = _lines(old), _lines(new)
    old_at, new_at = _offsets(old_lines), _offsets(new_lines)
    found: list[Hunk] = []
    for first, last, lines in _line_hunks(old_lines, new_lines):
        start, end = old_at[first], old_at[last]
        inner = new[new_at[lines[0]] : new_at[lines[1]]]
        for one, two, units in _changes(old[start:end], inner):
            found.append((start + one, start + two, units))
    return found


def _line_hunks(old: list[str], new: list[str]) -> list[tuple[int, int, tuple[int, int]]]:
    start, end = _common(old, new)
    middle_old, middle_new = old[start : len(old) - end], new[start : len(new) - end]
    if len(middle_old) * len(middle_new) > limits.MERGE_DIFF_CELLS:
        return [(start, len(old) - end, (start, len(new) - end))]
    matcher = SequenceMatcher(None, middle_old, middle_new, autojunk=False)
    return [
        (start + i1, start + i2, (start + j1, start + j2))
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
    ]


def _lines(units: Sequence[str]) -> list[str]:
    """The lines of a text in units, each as a string of encoded units."""
    lines: list[str] = []
    start = 0
    for index, unit in enumerate(units):
        if unit in ("\n", "\r\n", "\r"):
            lines.append("\x1f".join(units[start : index + 1]))
            start = index + 1
    if start < len(units):
        lines.append("\x1f".join(units[start:]))
    return lines


def _offsets(lines: list[str]) -> list[int]:
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + line.count("\x1f") + 1)
    return offsets


class _Alphabet:
    """Clusters of several characters as one character each, while the CRDT has them.

    The characters are of the private planes, and those that the texts use
    themselves are mapped like clusters.  Texts with more different clusters
    than there are such characters are merged by code points.
    """

    _FIRST: Final = 0xF0000
    _ROOM: Final = 0x10FFFD - _FIRST

    def __init__(self, *texts: str) -> None:
        self._codes: dict[str, str] = {}
        self._texts = [clusters(text) for text in texts]
        for units in self._texts:
            if isinstance(units, str):
                continue
            for unit in units:
                if len(unit) > 1 or ord(unit) >= self._FIRST:
                    self._codes.setdefault(unit, chr(self._FIRST + len(self._codes) % self._ROOM))
        if len(self._codes) > self._ROOM:
            self._codes = {}
            self._texts = list(texts)
        self._clusters = {code: unit for unit, code in self._codes.items()}

    def units(self) -> list[Sequence[str]]:
        """The units of each of the texts."""
        return self._texts

    def encode(self, units: Sequence[str]) -> str:
        """One character for each unit."""
        if not self._codes:
            return "".join(units)
        return "".join(self._codes.get(unit, unit) for unit in units)

    def decode(self, text: str) -> str:
        """The text that the characters stand for."""
        if not self._clusters:
            return text
        return "".join(self._clusters.get(character, character) for character in text)
