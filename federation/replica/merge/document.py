# SPDX-License-Identifier: MIT
"""Merging whole documents: CanvasL, JSON Canvas and text.

The sides are given in an order that all peers agree on; the result is a pure
function of the three versions.  If both sides were valid canvases, so is it:
values are merged as values, and an edge that stays keeps the nodes that it
joins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from federation import limits
from federation.replica.merge import ends, strings, tree
from federation.replica.merge.changes import common
from federation.replica.merge.entries import ListMerge, Row
from federation.replica.merge.entry import Entry
from federation.replica.merge.links import Links, needed_with
from federation.replica.merge.text import merge_apart, merge_text, shared
from federation.replica.merge.tree import Value
from federation.replica.merge.value import Clash, Frame, Path, Report, ValueMerge
from federation.replica.merge.work import Work

_T = TypeVar("_T")
_BOM: Final = "\ufeff"
#: where a JSON Canvas has its entries
LISTS: Final = ("nodes", "edges")


@dataclass(frozen=True, slots=True)
class Conflict:
    """One place where a change had to yield.

    ``entry`` is the merged entry around it (JSON text or line; in a text the
    lines that stand there), ``path`` leads from the entry to the value; the
    texts are JSON where the entry is.
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


def merge(
    kind: str, base: bytes | None, a: bytes, b: bytes, *, lost: bool = False
) -> Merged | None:
    """Both sides' changes of ``base`` (None: there was none), or None for what is no text.

    ``lost``: there was one, but nobody has it; lines that differ are two versions of one then.

    ``kind`` is the document's: ``canvasl``, ``json-canvas`` or ``text``.
    """
    if a == b or b == base:
        return Merged(a)
    if a == base:
        return Merged(b)
    ours, theirs, old = (_text(one) for one in (a, b, base))
    if ours is None or theirs is None or (base is not None and old is None):
        return None
    one = _Merge(lost=lost)
    if kind == "json-canvas" and (text := one.canvas(old, ours, theirs)) is not None:
        return Merged(text.encode(), tuple(one.conflicts))
    return _by_lines(one, old, ours, theirs, as_entries=kind == "canvasl")


def _by_lines(one: _Merge, base: str | None, a: str, b: str, *, as_entries: bool) -> Merged:
    """Documents of lines; what is around all lines is merged for itself."""
    # one side may have deleted all entries, and left what is around them
    both = "\n".join(text.removeprefix(_BOM) for text in (a, b))
    as_entries = as_entries and is_canvasl(both)
    old, ours, theirs = (None if text is None else ends.of(text) for text in (base, a, b))
    assert ours is not None
    assert theirs is not None
    joined = ends.can_join(old, ours, theirs)
    lines = ["" if text is None or around is None else ends.bare(text, around, joined=joined)
             for text, around in zip((base, a, b), (old, ours, theirs), strict=True)]  # fmt: skip
    around = ends.merged(old, ours, theirs)
    if as_entries:
        merged = one.lines(*lines)
    else:
        merged = one.text(None if base is None else lines[0], *lines[1:])
    text = ends.dressed(merged, around, joined=joined)
    end = around.end if joined and around.end == "\r\n" else "\n"
    shown = (_shown(clash, text, end, as_entries=as_entries) for clash in one.conflicts)
    return Merged(text.encode(), tuple(shown))


def _shown(one: Conflict, text: str, end: str, *, as_entries: bool) -> Conflict:
    """A conflict with the line ends that its place has in the result."""
    if as_entries:
        return replace(one, entry=one.entry.replace("\n", end) + end[:-1])
    texts = (one.entry, one.base, one.a, one.b, one.kept)
    entry, base, a, b, kept = (part and part.replace("\n", end) for part in texts)
    if entry and entry not in text:
        # the last line of a text whose last line does not end
        entry = entry.removesuffix(end)
        kept = kept and kept.removesuffix(end)
    return Conflict(one.path, entry or "", base, a, b, kept)


def _text(content: bytes | None) -> str | None:
    if content is None or b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def is_canvasl(text: str) -> bool:
    """Whether the lines are entries: elsewhere ``.canvasl`` means YAML or Org (canvas.md)."""
    lines = [line.strip() for line in split_lines(text)[1] if line[:1] != "@"]
    lines = [line for line in lines if line]
    return sum(line[0] == "{" and line[-1] == "}" for line in lines) * 4 >= len(lines)


def split_lines(text: str) -> tuple[str, list[str], bool]:
    """BOM, lines without their line feed, whether the last one has it."""
    mark = _BOM if text.startswith(_BOM) else ""
    lines = text[len(mark) :].split("\n")
    ended = lines[-1] == ""
    return mark, lines[:-1] if ended else lines, ended


class _Merge:
    """One merge: what it may spend, what was compared, and what was reported."""

    def __init__(self, *, lost: bool = False) -> None:
        self._lost = lost
        self.work = Work()
        self.conflicts: list[Conflict] = []
        self._values = ValueMerge(self._array, self.work)
        self._pool: dict[str, Entry] = {}
        #: lists that were compared, by their three arrays: lines of the same bytes share theirs
        self._lists: dict[tuple[int, int, int], ListMerge] = {}
        self._compared: list[Value | None] = []
        #: of a JSON Canvas: the rows of its lists by path
        self._rows: dict[Path, list[Row]] = {}
        self._kept: frozenset[str] = frozenset()

    def report(self, clash: Clash) -> None:
        """Note a clash outside of any entry, or of an entry or lines as a whole."""
        self.conflicts.append(_conflict(clash, clash.kept or "" if len(clash.path) <= 2 else ""))

    def _entries(self, texts: Sequence[str]) -> list[Entry]:
        """Entries, one for each different text."""
        pool, work = self._pool, self.work
        for text in set(texts) - pool.keys():
            pool[text] = Entry(text, work)
        return list(map(pool.__getitem__, texts))

    # --- CanvasL ---------------------------------------------------------------
    def text(self, base: str | None, a: str, b: str) -> str:
        """The merged lines of a text."""
        if self._lost:
            return merge_apart(a, b, self.report, self.work)
        if base is None:  # what both have is there once, and what either has stays
            base = shared(a, b, self.work)
        return merge_text(base, a, b, self.report, self.work)

    def lines(self, base: str, a: str, b: str) -> str:
        """The merged entries."""
        lines = [split_lines(text)[1] for text in (base, a, b)]
        few = sum(map(len, lines)) <= limits.MERGE_LINES
        merged = self._all_lines(lines) if few else self._windows(*lines)
        return "\n".join(merged) + "\n" if merged else ""

    def _all_lines(self, lines: Sequence[Sequence[str]]) -> list[str]:
        base, a, b = (self._entries(one) for one in lines)
        compared = ListMerge(base, a, b, self.work)
        rows = compared.rows(self._entry, (), self.report, steady=True)
        links = Links((base, a, b), rows)
        missing = links.missing()
        if not missing:
            return [row.text for row in rows]
        kept = self._to_keep(missing, links.renamed(), base, rows)
        if kept:
            self.conflicts.clear()
            rows = compared.rows(self._entry, (), self.report, kept=kept, steady=True)
            links = Links((base, a, b), rows)
        return [links.redirected(row.text) for row in rows]

    @staticmethod
    def _to_keep(
        missing: frozenset[str], renamed: Mapping[str, str], base: Sequence[Entry],
        rows: Sequence[Row],
    ) -> frozenset[str]:  # fmt: skip
        """Names of deleted entries that edges need, and what these entries need."""
        deleted = missing - renamed.keys()
        if not deleted:
            return frozenset()
        there = {Entry(row.text).id for row in rows}
        lost = {entry.id for entry in base} - there
        return frozenset(needed_with(deleted, base, {name for name in lost if name is not None}))

    def _windows(self, base: list[str], a: list[str], b: list[str]) -> list[str]:
        """Too many lines to look at each: from the first to the last change of each side."""
        (start, end), (other, other_end) = common(base, a), common(base, b)
        if len(base) - end <= other:
            return [*a[: len(a) - end], *base[len(base) - end : other], *b[other:]]
        if len(base) - other_end <= start:
            return [*b[: len(b) - other_end], *base[len(base) - other_end : start], *a[start:]]
        first, last = min(start, other), min(end, other_end)
        cut = ["\n".join(one[first : len(one) - last]) for one in (base, a, b)]
        self.report(Clash((str(first + 1),), cut[0], cut[1], cut[2], cut[2]))
        return b

    # --- JSON Canvas -------------------------------------------------------------
    def canvas(self, base: str | None, a: str, b: str) -> str | None:
        """None where a side is no JSON."""
        old, ours, theirs = (
            None if text is None else _canvas(text, self.work) for text in (base, a, b)
        )
        if ours is None or theirs is None:
            return None
        root = None if old is None else old[1]
        text = self._values.merge(root, ours[1], theirs[1], (), self.report)
        entries, rows, links = self._links(root, ours[1], theirs[1])
        missing = links.missing()
        if missing:
            self._kept = self._to_keep(missing, links.renamed(), entries, rows)
            if self._kept:
                self.conflicts.clear()
                self._values.always = frozenset((key,) for key in LISTS)
                text = self._values.merge(root, ours[1], theirs[1], (), self.report)
                links = self._links(root, ours[1], theirs[1])[2]
            text = _redirected(text, links)
        before = _changed(old[0] if old else ours[0], ours[0], theirs[0])
        after = _changed(old[2] if old else ours[2], ours[2], theirs[2])
        return before + text + after

    def _links(self, *versions: Value | None) -> tuple[list[Entry], list[Row], Links]:
        """Entries of the base, rows of the result, and its links."""
        entries = [
            self._entries([text for key in LISTS for text in _texts(version, key)])
            for version in versions
        ]
        rows: list[Row] = []
        for key in LISTS:
            merged = self._rows.get((key,))
            if merged is None:
                # one side has it, or only one changed it
                merged = [
                    Row(text, None, None, None, None) for text in self._untouched(key, versions)
                ]
            rows += merged
        return entries[0], rows, Links(entries, rows)

    @staticmethod
    def _untouched(key: str, versions: Sequence[Value | None]) -> Sequence[str]:
        base, a, b = (_texts(version, key) for version in versions)
        return _changed(base, a, b)

    def _array(self, base: Value | None, a: Value, b: Value, path: Path, report: Report) -> str:
        key = (id(base), id(a), id(b))
        compared = self._lists.get(key)
        if compared is None:
            # as long as these are there, nothing else has their numbers
            self._compared += (base, a, b)
            old = self._entries(base.texts if base is not None else ())
            compared = ListMerge(old, self._entries(a.texts), self._entries(b.texts), self.work)
            self._lists[key] = compared
        if len(path) > 1:
            rows = compared.rows(self._item, path, report)
            return _framed(a, b, [(row.text, row.place) for row in rows])
        rows = compared.rows(self._entry, path, report, kept=self._kept, steady=True)
        self._rows[path] = rows
        return _framed(a, b, [(row.text, row.place) for row in rows])

    # --- one entry ----------------------------------------------------------------------
    def _entry(self, base: Entry | None, a: Entry, b: Entry, path: Path, _report: Report) -> str:
        """What yields is reported with the merged entry."""
        clashes: list[Clash] = []
        text = self._item(base, a, b, path, clashes.append)
        self.conflicts.extend(_conflict(clash, text) for clash in clashes)
        return text

    def _item(self, base: Entry | None, a: Entry, b: Entry, path: Path, report: Report) -> str:
        ours, theirs, old = a.parsed, b.parsed, base.parsed if base else None
        if ours is not None and theirs is not None:
            text = self._values.merge(old[1] if old else None, ours[1], theirs[1], path, report)
            before = _changed(old[0] if old else ours[0], ours[0], theirs[0])
            return before + text + _changed(old[2] if old else ours[2], ours[2], theirs[2])
        if base is not None and ours is None and theirs is None and old is None:
            merged = strings.merge_value(base.text, a.text, b.text, self.work)
            if merged is not None and merged[:1] == a.text[:1]:
                return merged
        report(Clash(path, base.text if base else None, a.text, b.text, b.text))
        return b.text


def _framed(a: Value, b: Value, rows: Sequence[tuple[str, int | None]]) -> str:
    frame = Frame(a, b)
    for text, place in rows:
        frame.add(text, place)
    return frame.text()


def _canvas(text: str, work: Work) -> tuple[str, Value, str] | None:
    """A canvas with what stands around it; an empty file is an empty canvas."""
    if not text.strip(" \t\r\n" + _BOM):
        return text, Value("object", "{}", work), ""
    mark = _BOM if text.startswith(_BOM) else ""
    try:
        before, value, after = tree.parse(text[len(mark) :], work)
    except tree.NotJson:
        return None
    return mark + before, value, after


def _redirected(text: str, links: Links) -> str:
    """A canvas whose edges follow what was renamed."""
    if not links.dangling:
        return text
    canvas = tree.parse(text)[1]
    news: dict[int, str] = {}
    for place, (key, part) in enumerate(zip(canvas.keys, canvas.parts, strict=True)):
        if key[0] == "edges" and part.kind == "array":
            edges = {at: links.redirected(edge) for at, edge in enumerate(part.texts)}
            news[place] = part.changed(edges)
    return canvas.changed(news)


def _texts(canvas: Value | None, key: str) -> tuple[str, ...]:
    found = canvas.get(key) if canvas is not None else None
    return found.texts if found is not None and found.kind == "array" else ()


def _changed(base: _T, a: _T, b: _T) -> _T:
    """What one side changed; b's where both did."""
    return a if b == base else b


def _conflict(clash: Clash, entry: str) -> Conflict:
    return Conflict(clash.path, entry, clash.base, clash.a, clash.b, clash.kept)
