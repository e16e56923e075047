# SPDX-License-Identifier: MIT
"""Merging two lists of entries that were made from a third."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from federation.replica.merge.pairing import Entry, pair
from federation.replica.merge.sequence import BASE, Side, merge_orders
from federation.replica.merge.value import Clash, Path, Report

#: (base or None, a, b, path, report) -> the merged text of one entry
EntryMerge = Callable[[Entry | None, Entry, Entry, Path, Report], str]


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of the result; ``place`` is its index in side a, where it has one."""

    text: str
    place: int | None
    #: entries of the sides that it was made of
    sources: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class ListMerge:
    """Merges lists of entries; ``kept`` are names that may not be deleted."""

    merge_one: EntryMerge
    kept: frozenset[object] = frozenset()

    def merge(
        self,
        base: Sequence[Entry],
        a: Sequence[Entry],
        b: Sequence[Entry],
        path: Path,
        report: Report,
    ) -> list[Row]:
        """The merged entries in order."""
        ours = Side("a", len(a), pair(base, a))
        theirs = Side("b", len(b), pair(base, b))
        same = _same_additions(a, b, ours, theirs)
        alive = {
            number
            for number, entry in enumerate(base)
            if self._lives(number, entry, a, b, ours, theirs, path, report)
        }
        back = {mine: other for other, mine in same.items()}
        rows: list[Row] = []
        for kind, number in merge_orders(len(base), ours, theirs, alive, same):
            if kind == BASE:
                one = _at(a, ours.pairs.get(number))
                other = _at(b, theirs.pairs.get(number))
                rows.append(self._row(base[number], one, other, path, report))
            elif kind == "a":
                rows.append(self._row(None, (number, a[number]), _at(b, back.get(number)),
                                      path, report))  # fmt: skip
            else:
                rows.append(Row(b[number].text, None, (b[number],)))
        return rows

    def _lives(
        self, number: int, entry: Entry, a: Sequence[Entry], b: Sequence[Entry],
        ours: Side, theirs: Side, path: Path, report: Report,
    ) -> bool:  # fmt: skip
        """Whether an entry of the base is in the result: a deletion yields to an edit or a move."""
        here, there = ours.pairs.get(number), theirs.pairs.get(number)
        if here is not None and there is not None:
            return True
        if here is None and there is None and not self.kept:
            return False
        where = (*path, label(entry, number))
        if here is None and there is None:
            if entry.name is not None and entry.name in self.kept:
                report(Clash(where, entry.text, None, None, entry.text))
                return True
            return False
        side, other, index = (ours, a, here) if here is not None else (theirs, b, there)
        left = other[index or 0]
        touched = left.meaning != entry.meaning or number in side.moved
        if not touched and (entry.name is None or entry.name not in self.kept):
            return False
        one, other_text = (left.text, None) if here is not None else (None, left.text)
        report(Clash(where, entry.text, one, other_text, left.text))
        return True

    def _row(
        self,
        base: Entry | None,
        a: tuple[int, Entry] | None,
        b: tuple[int, Entry] | None,
        path: Path,
        report: Report,
    ) -> Row:
        if a is not None and b is not None:
            text = _one_sided(base, a[1], b[1])
            if text is None:
                where = (*path, label(a[1], a[0]))
                text = self.merge_one(base, a[1], b[1], where, report)
            return Row(text, a[0], (a[1], b[1]))
        if a is not None:
            return Row(a[1].text, a[0], (a[1],))
        if b is not None:
            return Row(b[1].text, None, (b[1],))
        return Row(base.text if base else "", None, (base,) if base else ())


def label(entry: Entry, number: int) -> str:
    """What people call an entry: its id, else its number."""
    name = entry.name
    if isinstance(name, str):
        return name
    return f"{number + 1}"


def _at(entries: Sequence[Entry], index: int | None) -> tuple[int, Entry] | None:
    return None if index is None else (index, entries[index])


def _one_sided(base: Entry | None, a: Entry, b: Entry) -> str | None:
    """The text where at most one side changed it."""
    if a.text == b.text or (base is not None and base.text == b.text):
        return a.text
    if base is not None and base.text == a.text:
        return b.text
    return None


def _same_additions(
    a: Sequence[Entry], b: Sequence[Entry], ours: Side, theirs: Side
) -> dict[int, int]:
    """What b added -> what a added, where both added the same.

    The same objects wherever they are, other lines only in the same gap, and
    entries of one id that is used once on either side: an id that was unique
    on both sides stays unique.
    """
    mine, others = ours.added(), theirs.added()
    if not mine or not others:
        return {}
    found: dict[int, int] = {}
    gaps_a, gaps_b = _gaps(ours), _gaps(theirs)
    waiting: dict[object, list[int]] = defaultdict(list)
    for number in mine:
        waiting[_key(a[number], gaps_a[number])].append(number)
    for number in others:
        there = waiting.get(_key(b[number], gaps_b[number]))
        if there:
            found[number] = there.pop(0)
    names_a = Counter(entry.name for entry in a)
    names_b = Counter(entry.name for entry in b)
    taken = set(found.values())
    by_name = {a[number].name: number for number in mine if number not in taken}
    for number in others:
        name = b[number].name
        if number in found or name is None or name not in by_name:
            continue
        if names_a[name] == names_b[name] == 1:
            found[number] = by_name[name]
    return found


def _key(entry: Entry, gap: int) -> object:
    return entry.meaning if entry.name is not None or entry.is_object else (entry.text, gap)


def _gaps(side: Side) -> dict[int, int]:
    """What a side added -> the entry of the base before it (-1 for none)."""
    gaps: dict[int, int] = {}
    last = -1
    for kind, number in side.order:
        if kind == BASE:
            last = number
        else:
            gaps[number] = last
    return gaps
