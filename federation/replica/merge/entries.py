# SPDX-License-Identifier: MIT
"""Merging two lists of entries that were made from a third."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from federation.replica.merge.entry import Entry
from federation.replica.merge.meaning import printable
from federation.replica.merge.pairing import Pairs, pair
from federation.replica.merge.sequence import BASE, Side, merge_orders
from federation.replica.merge.value import Clash, Path, Report
from federation.replica.merge.work import Work

#: (base or None, a, b, path, report) -> the merged text of one entry
EntryMerge = Callable[[Entry | None, Entry, Entry, Path, Report], str]


class Row(NamedTuple):
    """One entry of the result; ``place`` is its index in side a, where it has one.

    ``base``, ``a`` and ``b`` are what it was made of.
    """

    text: str
    place: int | None
    base: Entry | None
    a: Entry | None
    b: Entry | None


class ListMerge:
    """Two lists and what they were made from, compared once."""

    def __init__(
        self, base: Sequence[Entry], a: Sequence[Entry], b: Sequence[Entry],
        work: Work | None = None,
    ) -> None:  # fmt: skip
        self.base, self.a, self.b = base, a, b
        work = work or Work()
        ours, theirs = pair(base, a, work), pair(base, b, work)
        _untangle(base, a, b, ours, theirs)
        self._ours, self._theirs = Side("a", len(a), ours), Side("b", len(b), theirs)
        self._same = _same_additions(a, b, self._ours, self._theirs)

    def rows(
        self, merge_one: EntryMerge, path: Path, report: Report, *,
        kept: Collection[object] = (), steady: bool = False,
    ) -> list[Row]:  # fmt: skip
        """The merged entries in order.

        ``kept`` are names that may not be deleted.  An entry without an id is
        called by its number: in the result, or, if ``steady``, in the version
        that it comes from.
        """
        survivors = self._survivors(kept)
        pairs_a, pairs_b = self._ours.pairs, self._theirs.pairs
        alive = (pairs_a.keys() & pairs_b.keys()) | survivors.keys()
        back = {mine: other for other, mine in self._same.items()}
        rows: list[Row] = []
        base, ours, theirs = self.base, self.a, self.b
        order = merge_orders(len(self.base), self._ours, self._theirs, alive, self._same)
        for kind, number in order:
            if kind == BASE:
                old: Entry | None = base[number]
                here, there = pairs_a.get(number), pairs_b.get(number)
            else:
                old = None
                here = number if kind == "a" else None
                there = number if kind == "b" else back.get(number)
            one = None if here is None else ours[here]
            other = None if there is None else theirs[there]
            if one is other and one is not None:
                rows.append(Row(one.text, here, old, one, one))
                continue
            text = _one_sided(old, one, other)
            if text is None or number in survivors:
                where = (*path, label(old or one or other, number if steady else len(rows)))
                if text is None and one is not None and other is not None:
                    text = merge_one(old, one, other, where, report)
                elif kind == BASE and number in survivors:
                    report(Clash(where, *survivors[number], text))
            rows.append(Row(text or "", here, old, one, other))
        return rows

    def _survivors(self, kept: Collection[object]) -> dict[int, tuple[str, str | None, str | None]]:
        """Entries that stay although a side deleted them, with their three texts.

        A deletion yields to an edit, to a move, and to what still needs the entry;
        not to a side that put everything into a new order.
        """
        found: dict[int, tuple[str, str | None, str | None]] = {}
        pairs_a, pairs_b = self._ours.pairs, self._theirs.pairs
        needs = set(kept)
        gone = set(range(len(self.base))) - (pairs_a.keys() & pairs_b.keys())
        for number in sorted(gone):
            entry = self.base[number]
            here, there = pairs_a.get(number), pairs_b.get(number)
            needed = bool(needs) and entry.name in needs
            if here is not None:
                left, moved = self.a[here], self._ours.has_moved(number)
                texts: tuple[str, str | None, str | None] = (entry.text, left.text, None)
            elif there is not None:
                left, moved = self.b[there], self._theirs.has_moved(number)
                texts = (entry.text, None, left.text)
            else:
                left, moved, texts = entry, False, (entry.text, None, None)
            if needed or moved or (left.text != entry.text and left.meaning != entry.meaning):
                found[number] = texts
                # one entry of a name is enough
                needs.discard(entry.name)
        return found


def label(entry: Entry | None, number: int) -> str:
    """What people call an entry: its id, else its number."""
    name = None if entry is None else entry.id
    return f"{number + 1}" if name is None else printable(name)


def _one_sided(base: Entry | None, a: Entry | None, b: Entry | None) -> str | None:
    """The text where at most one side changed it; None where both did."""
    if a is None or b is None:
        left = a or b or base
        return left.text if left else ""
    if a.text == b.text or (base is not None and base.text == b.text):
        return a.text
    if base is not None and base.text == a.text:
        return b.text
    return None


def _untangle(
    base: Sequence[Entry], a: Sequence[Entry], b: Sequence[Entry], ours: Pairs, theirs: Pairs
) -> None:
    """Take pairs apart, so that an id that is unique on both sides stays unique.

    An entry that one side seems to have renamed to what another entry of the
    other side is called is that entry, not a renamed one.
    """
    renamed = [_renamed(base, side, pairs) for side, pairs in ((a, ours), (b, theirs))]
    if not renamed[0] and not renamed[1]:
        return
    called = []
    for side, pairs, names in ((a, ours, renamed[0]), (b, theirs, renamed[1])):
        added = set(range(len(side))).difference(pairs.values())
        called.append({side[number].id for number in added} | names.keys())
    for mine, pairs, theirs_called, others in (
        (renamed[0], ours, called[1], renamed[1]), (renamed[1], theirs, called[0], renamed[0])
    ):  # fmt: skip
        for name, number in mine.items():
            if name in theirs_called and others.get(name) != number:
                del pairs[number]


def _renamed(base: Sequence[Entry], side: Sequence[Entry], pairs: Pairs) -> dict[str, int]:
    """New id -> the entry of the base that a side gave it."""
    found: dict[str, int] = {}
    for number, index in pairs.items():
        old, new = base[number], side[index]
        if old is not new and old.text != new.text and new.id is not None and new.id != old.id:
            found[new.id] = number
    return found


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
    for number in reversed(mine):
        waiting[_key(a[number], gaps_a[number])].append(number)
    for number in others:
        there = waiting.get(_key(b[number], gaps_b[number]))
        if there:
            found[number] = there.pop()
    taken = set(found.values())
    by_id = {a[number].id: number for number in mine if number not in taken}
    by_id.pop(None, None)
    shared = [number for number in others if number not in found and b[number].id in by_id]
    if shared:
        ids_a, ids_b = Counter(entry.id for entry in a), Counter(entry.id for entry in b)
        for number in shared:
            name = b[number].id
            if ids_a[name] == ids_b[name] == 1:
                found[number] = by_id[name]
    return found


def _key(entry: Entry, gap: int) -> object:
    return entry.meaning if entry.id is not None or entry.is_object else (entry.text, gap)


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
