# SPDX-License-Identifier: MIT
"""Merging two orders of entries: insertions, deletions and moves of both sides.

The order is decided by loro's movable list (a Fugue sequence whose moves are
registers: Kleppmann 2020, Weidner and Kleppmann 2023): moves are moves, what
one side put together stays together, two moves of one entry leave one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, cast

import loro

from federation.replica.merge.crdt import new_document
from federation.replica.merge.pairing import Pairs

#: A slot of the merged order: entry number of the base, or of one side.
Slot = tuple[str, int]
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
        steady = _longest_rising(kept)
        self.moved = frozenset(kept) - steady

    def added(self) -> list[int]:
        """What is new on this side."""
        return [number for kind, number in self.order if kind != BASE]


def _longest_rising(numbers: Sequence[int]) -> frozenset[int]:
    """A longest rising subsequence: what need not be moved (Fredman, 1975)."""
    tails: list[int] = []
    at: list[int] = []
    before: dict[int, int | None] = {}
    for number in numbers:
        place = bisect_left(tails, number)
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
    start, end = _untouched(length, a, b)
    middle = [(BASE, number) for number in range(start, length - end)]
    orders = [side.order[start : len(side.order) - end] for side in (a, b)]
    orders[1] = [slot for slot in orders[1] if slot[0] == BASE or slot[1] not in same]
    merged = _merge(middle, orders[0], orders[1], alive)
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


def _merge(base: list[Slot], a: list[Slot], b: list[Slot], alive: set[int]) -> list[Slot]:
    """What the CRDT makes of both orders; every slot is a number there."""
    slots = [*base, *(slot for slot in a if slot[0] != BASE), *(s for s in b if s[0] != BASE)]
    number_of = {slot: number for number, slot in enumerate(slots)}
    document = new_document(1)
    order = document.get_movable_list("order")
    for number in range(len(base)):
        order.push(number)
    document.commit()
    other = document.fork()
    document.peer_id, other.peer_id = 2, 3
    for one, wanted in ((document, a), (other, b)):
        numbers = [number_of[slot] for slot in wanted if slot[0] != BASE or slot[1] in alive]
        _apply(one.get_movable_list("order"), len(base), numbers)
        one.commit()
    document.import_(other.export(loro.ExportMode.Updates(document.oplog_vv)))
    merged = [slots[number] for number in cast("list[int]", order.get_value())]
    return [slot for slot in merged if slot[0] != BASE or slot[1] in alive]


def _alone(side: Side, alive: set[int], length: int) -> list[Slot]:
    """Only this side changed the order; what it dropped and is alive stays behind its neighbour."""
    order = [slot for slot in side.order if slot[0] != BASE or slot[1] in alive]
    there = {number for kind, number in order if kind == BASE}
    for number in sorted(alive - there):
        steady = (
            place
            for place in range(len(order) - 1, -1, -1)
            if order[place][0] == BASE
            and order[place][1] < number
            and order[place][1] not in side.moved
        )
        order.insert(next(steady, -1) + 1, (BASE, number))
    return order


def _apply(order: loro.LoroMovableList, length: int, wanted: list[int]) -> None:
    """Turn the list of the first ``length`` numbers into one side's order by moves and insertions.

    Nothing is deleted here: what is dead is left out of the result, and what
    the other side kept alive stays at its place.
    """
    steady = _longest_rising([number for number in wanted if number < length])
    now = list(range(length))
    at = 0
    for number in wanted:
        if number in steady:
            at = now.index(number, at) + 1
        elif number < length:
            place = now.index(number)
            target = at - 1 if place < at else at
            if place != target:
                order.mov(place, target)
                del now[place]
                now.insert(target, number)
            at = target + 1
        else:
            order.insert(at, number)
            now.insert(at, number)
            at += 1
