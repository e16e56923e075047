# SPDX-License-Identifier: MIT
"""Merging two orders of entries: insertions, deletions and moves of both sides.

The order is decided by loro's movable list (a Fugue sequence whose moves are
registers: Kleppmann 2020, Weidner and Kleppmann 2023): moves are moves, what
one side put together stays together, two moves of one entry leave one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from operator import sub
from typing import TYPE_CHECKING, Final, cast

from federation import limits
from federation.replica.merge.crdt import join, new_document
from federation.replica.merge.pairing import Pairs

if TYPE_CHECKING:
    import loro

#: A slot of the merged order: entry number of the base, or of one side.
Slot = tuple[str, int]
#: so many moved entries, and half of all, are a new order: programs sort what they save
_NEW_ORDER: Final = 8
#: with more runs than this the numbers are looked at one by one
_RUNS: Final = 4_000
#: the kind of a slot that the base has
BASE: Final = "base"


class Side:
    """One side's order: what it kept, moved, dropped and added."""

    def __init__(self, name: str, length: int, pairs: Pairs) -> None:
        self.name = name
        self.pairs = pairs
        self.back = {other: one for one, other in pairs.items()}
        #: this side's order, as slots
        self.order: list[Slot] = [
            (BASE, self.back[index]) if index in self.back else (name, index)
            for index in range(length)
        ]
        kept = [number for kind, number in self.order if kind == BASE]
        #: what need not be moved to come to this order
        self.steady = _longest_rising(kept)
        self.moved = frozenset(kept) - self.steady

        self._is_new_order = len(self.moved) >= max(_NEW_ORDER, len(kept) // 2)

    def has_moved(self, number: int) -> bool:
        """Whether somebody moved this entry: it is not only in another order with all others."""
        return number in self.moved and not self._is_new_order

    def added(self) -> list[int]:
        """What is new on this side."""
        return [number for kind, number in self.order if kind != BASE]


def _longest_rising(numbers: Sequence[int]) -> frozenset[int]:
    """A longest rising subsequence: what need not be moved.

    Where most is as it was, that is looked for among runs of successive
    numbers, each of which is in it as a whole or not at all.
    """
    cuts = [at for at, step in enumerate(map(sub, numbers[1:], numbers), 1) if step != 1]
    if not cuts:
        return frozenset(numbers)
    if len(cuts) > _RUNS:
        return _one_by_one(numbers)
    bounds = [0, *cuts, len(numbers)]
    found: set[int] = set()
    for at in _heaviest_rising([(numbers[low], high - low) for low, high in pairwise(bounds)]):
        found.update(numbers[bounds[at] : bounds[at + 1]])
    return frozenset(found)


def _heaviest_rising(runs: Sequence[tuple[int, int]]) -> list[int]:
    """Of runs (first number, length) those that rise and are longest together, by place."""
    rank = {first: place for place, first in enumerate(sorted(first for first, _length in runs), 1)}
    # tops[slot]: the heaviest way that ends at a rank that this slot of a Fenwick tree covers
    tops: list[tuple[int, int]] = [(0, -1)] * (len(runs) + 1)
    before: list[int] = []
    for at, (first, length) in enumerate(runs):
        slot, best = rank[first] - 1, (0, -1)
        while slot:
            best = max(best, tops[slot])
            slot -= slot & -slot
        before.append(best[1])
        slot, way = rank[first], (best[0] + length, at)
        while slot < len(tops):
            tops[slot] = max(tops[slot], way)
            slot += slot & -slot
    # the last slots of all ranks together hold the heaviest way
    slot, best = len(runs), (0, -1)
    while slot:
        best = max(best, tops[slot])
        slot -= slot & -slot
    chosen: list[int] = []
    at = best[1]
    while at >= 0:
        chosen.append(at)
        at = before[at]
    return chosen[::-1]


def _one_by_one(numbers: Sequence[int]) -> frozenset[int]:
    """A longest rising subsequence, number by number (Fredman, 1975)."""
    tails: list[int] = []
    at: list[int] = []
    before: dict[int, int | None] = {}
    for number in numbers:
        place = bisect_left(tails, number) if tails and number <= tails[-1] else len(tails)
        before[number] = at[place - 1] if place else None
        if place == len(tails):
            tails.append(number)
            at.append(number)
        else:
            tails[place] = number
            at[place] = number
    found: set[int] = set()
    number_or_none = at[-1] if at else None
    while number_or_none is not None:
        found.add(number_or_none)
        number_or_none = before[number_or_none]
    return frozenset(found)


def merge_orders(
    length: int, a: Side, b: Side, alive: set[int], same: dict[int, int]
) -> list[Slot]:
    """The merged order.

    ``length`` entries of the base, of which ``alive`` are in the result;
    ``same``: what b added -> the addition of a that it is the same as.
    """
    for one, other in ((a, b), (b, a)):
        if not other.moved and not other.added() and len(other.pairs) == length:
            return _alone(one, alive, length)
    if max(len(a.moved), len(b.moved)) > limits.MERGE_MOVES:
        return _by_one(length, a, b, alive, same)
    start, end = _untouched(length, a, b)
    middle = [(BASE, number) for number in range(start, length - end)]
    orders = [side.order[start : len(side.order) - end] for side in (a, b)]
    orders[1] = [slot for slot in orders[1] if slot[0] == BASE or slot[1] not in same]
    steady = [{(BASE, number) for number in side.steady & alive} for side in (a, b)]
    runs = _together(middle, orders)
    orders = [[slot for slot in order if slot in runs or slot[0] != BASE] for order in orders]
    merged = [one for slot in _merge(list(runs), orders, steady, alive)
              for one in runs.get(slot, (slot,))]  # fmt: skip
    before = [(BASE, number) for number in range(start)]
    after = [(BASE, number) for number in range(length - end, length)]
    return [*before, *merged, *after]


def _untouched(length: int, a: Side, b: Side) -> tuple[int, int]:
    """How many entries at the beginning and the end both sides left in place."""
    most = min(length, len(a.order), len(b.order))
    start = 0
    while start < most and a.order[start] == b.order[start] == (BASE, start):
        start += 1
    end = 0
    while end < most - start and (
        a.order[-1 - end] == b.order[-1 - end] == (BASE, length - 1 - end)
    ):
        end += 1
    return start, end


def _together(base: list[Slot], orders: list[list[Slot]]) -> dict[Slot, list[Slot]]:
    """The first of those that both sides left beside each other -> all of them."""
    ours, theirs = (dict(pairwise(order)) for order in orders)
    runs: dict[Slot, list[Slot]] = {}
    run: list[Slot] = []
    for slot in base:
        if run and ours.get(run[-1]) == slot == theirs.get(run[-1]):
            run.append(slot)
        else:
            run = runs[slot] = [slot]
    return runs


def _merge(
    base: list[Slot], orders: list[list[Slot]], steady: list[set[Slot]], alive: set[int]
) -> list[Slot]:
    """What the CRDT makes of both orders; every slot is a number there."""
    a, b = orders
    slots = [*base, *(slot for slot in a if slot[0] != BASE), *(s for s in b if s[0] != BASE)]
    number_of = {slot: number for number, slot in enumerate(slots)}
    document = new_document(1)
    order = document.get_movable_list("order")
    for number in range(len(base)):
        order.push(number)
    document.commit()
    other = document.fork()
    document.peer_id, other.peer_id = 2, 3
    for one, wanted, stays in ((document, a, steady[0]), (other, b, steady[1])):
        numbers = [number_of[slot] for slot in wanted if slot[0] != BASE or slot[1] in alive]
        keeps = {number_of[slot] for slot in wanted if slot in stays}
        _apply(one.get_movable_list("order"), len(base), numbers, keeps)
        one.commit()
    join(document, other)
    merged = [slots[number] for number in cast("list[int]", order.get_value())]
    return [slot for slot in merged if slot[0] != BASE or slot[1] in alive]


def _by_one(length: int, a: Side, b: Side, alive: set[int], same: dict[int, int]) -> list[Slot]:
    """A new order by the side that moved more; the other's additions behind their neighbours."""
    lead, other = (a, b) if len(a.moved) > len(b.moved) else (b, a)
    order = _alone(lead, alive, length)
    known = set(same)
    if lead is b:
        # what both added is a's
        known = set(same.values())
        order = [("a", same[n]) if kind == "b" and n in same else (kind, n) for kind, n in order]
    behind: dict[Slot | None, list[Slot]] = {}
    there = set(order)
    last: Slot | None = None
    for slot in other.order:
        if slot[0] != BASE and slot[1] not in known:
            behind.setdefault(last, []).append(slot)
        elif slot in there:
            last = slot
    return _with(order, behind)


def _with(order: Sequence[Slot], behind: dict[Slot | None, list[Slot]]) -> list[Slot]:
    """An order with further slots, each behind the one it is given for (None: the beginning)."""
    out = list(behind.get(None, ()))
    for slot in order:
        out.append(slot)
        out += behind.get(slot, ())
    return out


def _alone(side: Side, alive: set[int], length: int) -> list[Slot]:
    """Only this side changed the order; what it dropped and is alive stays behind its neighbour."""
    order = [slot for slot in side.order if slot[0] != BASE or slot[1] in alive]
    there = [number for kind, number in order if kind == BASE]
    steady = [number for number in there if number not in side.moved]
    behind: dict[Slot | None, list[Slot]] = {}
    for number in sorted(alive.difference(there)):
        place = bisect_left(steady, number)
        before = (BASE, steady[place - 1]) if place else None
        behind.setdefault(before, []).append((BASE, number))
    return _with(order, behind)


class _Places:
    """Where the entries of the base stand while a list is put in order (a Fenwick tree).

    What was put behind an entry that stays counts there, so that every place
    is a sum over the entries before it.
    """

    def __init__(self, length: int) -> None:
        # slot 0 is the beginning of the list, slot n + 1 entry n of the base
        self._sums = [0] * (length + 2)
        for slot in range(1, length + 2):
            self._sums[slot] += int(slot > 1)
            above = slot + (slot & -slot)
            if above < len(self._sums):
                self._sums[above] += self._sums[slot]

    def add(self, number: int, count: int) -> None:
        """``count`` more at entry ``number``, -1 for the beginning."""
        slot = number + 2
        while slot < len(self._sums):
            self._sums[slot] += count
            slot += slot & -slot

    def before(self, number: int) -> int:
        """How many stand before entry ``number``."""
        slot, total = number + 1, 0
        while slot:
            total += self._sums[slot]
            slot -= slot & -slot
        return total


def _apply(order: loro.LoroMovableList, length: int, wanted: list[int], steady: set[int]) -> None:
    """Turn the list of the first ``length`` numbers into one side's order by moves and insertions.

    ``steady`` rise in it, and are not moved.
    Nothing is deleted here: what is dead is left out of the result, and what
    the other side kept alive stays at its place.
    """
    places = _Places(length)
    # the entry that stays and that we are behind, and the place to go on at
    anchor, at = -1, 0
    for number in wanted:
        if number in steady:
            anchor, at = number, places.before(number) + 1
            continue
        if number < length:
            place = places.before(number)
            at -= place < at
            order.mov(place, at)
            places.add(number, -1)
        else:
            order.insert(at, number)
        places.add(anchor, 1)
        at += 1
