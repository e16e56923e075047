# SPDX-License-Identifier: MIT
"""Merging whole documents: CanvasL, JSON Canvas and text.

The sides are given in an order that all peers agree on; the result is a pure
function of the three versions.  If both sides were valid canvases, so is it:
values are merged as values, and an edge that stays keeps the nodes that it
joins.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from federation.replica.merge import strings, tree
from federation.replica.merge.entries import EntryMerge, ListMerge, Row
from federation.replica.merge.pairing import Entry
from federation.replica.merge.tree import Value
from federation.replica.merge.value import Clash, Frame, Path, Report, ValueMerge

_T = TypeVar("_T")
_BOM: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class Conflict:
    """One place where a change had to yield.

    ``entry`` is the merged entry around it (JSON text or line), ``path`` leads
    from the entry to the value; the texts are JSON where the entry is.
    """

    path: Path
    entry: str
    base: str | None
    a: str | None
    b: str | None
    kept: str | None


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged bytes, and what had to yield."""

    content: bytes
    conflicts: tuple[Conflict, ...] = ()


def merge(kind: str, base: bytes | None, a: bytes, b: bytes) -> Merged | None:
    """Both sides' changes of ``base`` (None: there was none), or None for what is no text.

    ``kind`` is the document's: ``canvasl``, ``json-canvas`` or ``text``.
    """
    if a == b or b == base:
        return Merged(a)
    if a == base:
        return Merged(b)
    ours, theirs, old = (_text(one) for one in (a, b, base))
    if ours is None or theirs is None or (base is not None and old is None):
        return None
    if kind == "canvasl" and _is_canvasl(ours) and _is_canvasl(theirs):
        return _Merge(old).lines(old or "", ours, theirs)
    if kind == "json-canvas":
        merged = _Merge(old).canvas(old, ours, theirs)
        if merged is not None:
            return merged
    return Merged(strings.merge_text(old or "", ours, theirs).encode())


def _text(content: bytes | None) -> str | None:
    if content is None or b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _is_canvasl(text: str) -> bool:
    """Whether the lines are entries: elsewhere ``.canvasl`` means YAML or Org (canvas.md)."""
    lines = [line for line in split_lines(text)[1] if line.strip() and line[:1] != "@"]
    return not lines or sum(line.lstrip()[:1] == "{" for line in lines) * 2 >= len(lines)


def split_lines(text: str) -> tuple[str, list[str], bool]:
    """BOM, lines without their line feed, whether the last one has it."""
    mark = _BOM if text.startswith(_BOM) else ""
    lines = text[len(mark) :].split("\n")
    ended = lines[-1] == ""
    return mark, lines[:-1] if ended else lines, ended


class _Merge:
    """One merge: what the three versions are made of, and what was reported."""

    def __init__(self, base: str | None) -> None:
        self._has_base = base is not None
        self._values = ValueMerge(self._array)
        self._kept: frozenset[object] = frozenset()

    # --- CanvasL ---------------------------------------------------------------
    def lines(self, base: str, a: str, b: str) -> Merged:
        marks, entries, ends = [], [], []
        for text in (base, a, b):
            mark, lines, ended = split_lines(text)
            marks.append(mark)
            entries.append([Entry(line) for line in lines])
            ends.append(ended)
        if not entries[0]:
            ends[0] = ends[1]
        conflicts: list[Conflict] = []
        rows = self._rows(entries[0], entries[1], entries[2], conflicts)
        missing = self._dangling(entries, rows)
        if missing:
            self._kept = missing
            conflicts.clear()
            rows = self._rows(entries[0], entries[1], entries[2], conflicts)
        ended = _changed(ends[0], ends[1], ends[2])
        text = _changed(marks[0], marks[1], marks[2]) + "\n".join(row.text for row in rows)
        if rows and ended:
            text += "\n"
        return Merged(text.encode(), tuple(conflicts))

    def _rows(
        self, base: Sequence[Entry], a: Sequence[Entry], b: Sequence[Entry],
        conflicts: list[Conflict],
    ) -> list[Row]:  # fmt: skip
        def whole(clash: Clash) -> None:
            conflicts.append(_conflict(clash, clash.kept or ""))

        return ListMerge(_entries(self._values, conflicts), self._kept).merge(base, a, b, (), whole)

    def _dangling(
        self, entries: Sequence[Sequence[Entry]], rows: Sequence[Row]
    ) -> frozenset[object]:
        """Names of deleted entries that an edge of the result needs."""
        if not entries[0]:
            return frozenset()
        return _needed([entry.text for entry in entries[0]], [row.text for row in rows])

    # --- JSON Canvas -------------------------------------------------------------
    def canvas(self, base: str | None, a: str, b: str) -> Merged | None:
        """None where a side is no JSON object."""
        old, ours, theirs = (None if text is None else _canvas(text) for text in (base, a, b))
        if ours is None or theirs is None:
            return None
        conflicts: list[Conflict] = []

        def report(clash: Clash) -> None:
            conflicts.append(_conflict(clash, ""))

        root = None if old is None else old[1]
        text = self._values.merge(root, ours[1], theirs[1], (), report)
        missing = _canvas_dangling(root, text)
        if missing:
            self._kept, self._values.thorough = missing, True
            conflicts.clear()
            text = self._values.merge(root, ours[1], theirs[1], (), report)
        before = _changed(old[0] if old else ours[0], ours[0], theirs[0])
        after = _changed(old[2] if old else ours[2], ours[2], theirs[2])
        return Merged((before + text + after).encode(), tuple(conflicts))

    def _array(self, base: Value | None, a: Value, b: Value, path: Path, report: Report) -> str:
        top = len(path) == 1
        kept = self._kept if top else frozenset()
        rows = ListMerge(_items(self._values), kept).merge(
            _items_of(base), _items_of(a), _items_of(b), path, report
        )
        frame = Frame(a, b)
        for row in rows:
            frame.add(None, row.text, row.place)
        return frame.text()


def _items_of(array: Value | None) -> list[Entry]:
    return [Entry(part.text) for part in array.parts] if array is not None else []


def _canvas(text: str) -> tuple[str, Value, str] | None:
    """A canvas with what stands around it; an empty file is an empty canvas."""
    if not text.strip(" \t\r\n" + _BOM):
        return text, tree.parse("{}")[1], ""
    mark = _BOM if text.startswith(_BOM) else ""
    try:
        before, value, after = tree.parse(text[len(mark) :])
    except tree.NotJson:
        return None
    return (mark + before, value, after) if value.kind == "object" else None


def _canvas_dangling(base: Value | None, text: str) -> frozenset[object]:
    """Names of nodes of the base that edges of the result need and the result has not."""
    if base is None:
        return frozenset()
    merged = tree.parse(text)[1]
    texts = [*_texts(merged, "nodes"), *_texts(merged, "edges")]
    return _needed([*_texts(base, "nodes"), *_texts(base, "edges")], texts)


def _needed(before: Sequence[str], after: Sequence[str]) -> frozenset[object]:
    """Names that were there before and are not any more, and that an edge names."""
    old, new = set(before), set(after)
    gone = _names(old - new) - _names(new - old)
    if not gone:
        return frozenset()
    gone -= _names(old & new)
    return frozenset(gone & {end for text in after for end in Entry(text).ends()})


def _names(texts: Iterable[str]) -> set[Hashable]:
    return {name for text in texts if (name := Entry(text).name) is not None}


def _texts(canvas: Value, key: str) -> list[str]:
    found = canvas.get(key)
    return [part.text for part in found.parts] if found and found.kind == "array" else []


def _entries(values: ValueMerge, conflicts: list[Conflict]) -> EntryMerge:
    """How one line is merged; what yields is reported with the merged line."""

    def merge_one(base: Entry | None, a: Entry, b: Entry, path: Path, _report: Report) -> str:
        clashes: list[Clash] = []
        text = _one(values, base, a, b, path, clashes.append)
        conflicts.extend(_conflict(clash, text) for clash in clashes)
        return text

    return merge_one


def _items(values: ValueMerge) -> EntryMerge:
    def merge_one(base: Entry | None, a: Entry, b: Entry, path: Path, report: Report) -> str:
        return _one(values, base, a, b, path, report)

    return merge_one


def _one(
    values: ValueMerge, base: Entry | None, a: Entry, b: Entry, path: Path, report: Report
) -> str:
    ours, theirs, old = a.parsed, b.parsed, base.parsed if base else None
    if ours is not None and theirs is not None:
        text = values.merge(old[1] if old else None, ours[1], theirs[1], path, report)
        before = _changed(old[0] if old else ours[0], ours[0], theirs[0])
        return before + text + _changed(old[2] if old else ours[2], ours[2], theirs[2])
    if base is not None and ours is None and theirs is None and old is None:
        merged = strings.merge_value(base.text, a.text, b.text)
        if merged is not None and merged[:1] == a.text[:1]:
            return merged
    report(Clash(path, base.text if base else None, a.text, b.text, b.text))
    return b.text


def _changed(base: _T, a: _T, b: _T) -> _T:
    """What one side changed; b's where both did."""
    return a if b == base else b


def _conflict(clash: Clash, entry: str) -> Conflict:
    return Conflict(clash.path, entry, clash.base, clash.a, clash.b, clash.kept)
