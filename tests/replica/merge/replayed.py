# SPDX-License-Identifier: MIT
"""Random cases for a merge, with what must come out where the sides do not touch.

That is known by replaying the edits of one side on what the other side made:
where both orders come to the same, a merge must come to it, too.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from tests.replica.merge.models import Item, Model, Obj, Op, Style, apply, look
from tests.replica.merge.sides import Sides, ends, tokens_of

#: what a JSON text means, in a form that compares
Canon = object
#: a version, and the edits that made it
Made = tuple[Model, list[Op]]
_STYLE = Style("canvasl")
#: the share of an entry that must be left for it to be known again
_MOST = 0.6
#: so many entries in a new order are that, and not moved one by one
_MANY = 24


@dataclass(slots=True)
class Case:
    """A base and its sides, and what both did where that is known."""

    kind: str
    base: str
    sides: tuple[str, ...]
    #: what a merge makes of all where they do not touch (else None)
    clean: Model | None
    #: whether each entry can be known again on all sides, and none was moved in a text
    known: bool
    #: whether the order of ``clean`` is that of the result
    ordered: bool
    #: that of all versions, where it is one
    style: Style | None

    @property
    def a(self) -> str:
        """The first side."""
        return self.sides[0]

    @property
    def b(self) -> str:
        """The second side."""
        return self.sides[1]


def make(seed: int, sides: int = 2) -> Case:
    """A random case."""
    maker = Sides(seed)
    base = maker.base()
    made = [maker.edits(base) for _ in range(sides)]
    again = [maker.random.random() < 0.12 for _ in made]
    styles = [maker.style, *(maker.restyled() if one else maker.style for one in again)]
    models = [base, *(one for one, _ops in made)]
    texts = [style.render(model) for style, model in zip(styles, models, strict=True)]
    odd = any(_rewritten(base, one) for one, _ops in made)
    ops = {str(op[0]) for _one, edits in made for op in edits}
    moving = [any(op[0] in ("add", "delete", "move", "order") for op in edits) for _, edits in made]
    return Case(
        maker.kind, texts[0], tuple(texts[1:]),
        None if odd else _clean(base, made),
        not odd and not (base.is_text and "move" in ops),
        sum(moving) <= 1 and not odd,
        maker.style if all(style is maker.style for style in styles) else None,
    )  # fmt: skip


def _clean(base: Model, made: Sequence[Made]) -> Model | None:
    """All sides' edits, where these have nothing to do with each other."""
    for (one, ours), (other, theirs) in combinations(made, 2):
        orders = [_both(one, theirs), _both(other, ours)]
        told = [None if both is None else Counter(map(repr, _told(both))) for both in orders]
        if orders[0] is None or told[0] != told[1]:
            return None
        if _Meeting(base, (one, ours), (other, theirs), orders[0]).found():
            return None
    found: Model | None = made[0][0].copy()
    for _side, edits in made[1:]:
        found = None if found is None else _both(found, edits)
    return found


def _both(model: Model, edits: list[Op]) -> Model | None:
    both = model.copy()
    return both if apply(both, edits) else None


class _Meeting:
    """Ways in which two sides meet that replaying does not show."""

    def __init__(self, base: Model, one: Made, other: Made, both: Model) -> None:
        self._base, self._both = base, both
        self._made = (one, other)

    def found(self) -> bool:
        """Whether there is any."""
        return (
            self._adds_the_same() or self._sorts_what_is_gone() or self._names()
            or any(_has_twins(one) for one in (self._base, self._both))
            or self._rewrites_together()
        )  # fmt: skip

    def _of(self, name: str, place: int) -> list[set[object]]:
        """For each side what its edits of a kind say at a place."""
        return [{op[place] for op in edits if op[0] == name} for _side, edits in self._made]

    def _adds_the_same(self) -> bool:
        shared = any(op[0] == "add" and isinstance(op[1], Item) and op[1].uid < 0
                     for _side, edits in self._made for op in edits)  # fmt: skip
        names = [names - {None} for names in self._of("add", 2)]
        gone = self._of("delete", 1)
        moves = any(op[0] == "move" for _side, edits in self._made for op in edits)
        lines = {item.uid for item in self._base.items if item.part == "line"}
        in_text = (self._base.is_text and moves) or bool(gone[0] & gone[1] & lines)
        return shared or bool(names[0] & names[1]) or in_text or self._copies()

    def _copies(self) -> bool:
        """Whether a side put a copy beside an entry: which of both is the old one?"""
        known = set(tokens_of(_STYLE.render(self._base)))
        added = [op[1] for _side, edits in self._made for op in edits if op[0] == "add"]
        return any(known & set(tokens_of(repr(item.value)))
                   for item in added if isinstance(item, Item))  # fmt: skip

    def _sorts_what_is_gone(self) -> bool:
        """Whether one side deleted what the other moved, or gave a new name to the end of."""
        base = self._base
        gone = self._of("delete", 1)
        renamed = self._of("rename", 1)
        parts = Counter(item.part for item in base.items)
        for (side, edits), lost, names in zip(self._made, gone[::-1], renamed, strict=True):
            items = [item for item in base.items if item.uid in lost]
            if any(ends(item) & names for item in items):
                return True
            did = {op[0] for op in edits}
            if "order" in did and any(parts[item.part] < _MANY for item in items):
                return True
            if "move" in did and lost - steady(base, side):
                return True
        return False

    def _names(self) -> bool:
        """Whether an edge has no end, or it is not clear which entry a name means."""
        base = self._base
        there = {item.uid for item in self._both.items}
        if any(ends(item) - there for item in self._both.items):
            return True
        renamed = set[object]().union(*self._of("rename", 1))
        names = Counter(base.names.values())
        olds = {base.names.get(int(str(uid)), "") for uid in renamed}
        if any(names[name] > 1 for name in olds) or olds & set[object]().union(*self._of("add", 2)):
            return True
        # edges without a name whose ends change all at once
        return any(ends(item) & renamed and look(base, item.uid, ("id",)) is None
                   for item in base.items)  # fmt: skip

    def _rewrites_together(self) -> bool:
        """Whether both changed an entry of which one left little."""
        (one, _ours), (other, _theirs) = self._made
        for item in self._base.items:
            mine, others = one.item(item.uid), other.item(item.uid)
            if mine and others and mine.value != item.value != others.value:
                kept = (_kept(item, self._base, mine, one), _kept(item, self._base, others, other))
                if min(kept) < _MOST:
                    return True
        return False


def _rewritten(base: Model, side: Model) -> bool:
    """Whether something is not to be known again, or there several times."""
    if _has_twins(side):
        return True
    there = ((item, side.item(item.uid)) for item in base.items)
    return any(
        new and not _is_named(item, base, side) and _kept(item, base, new, side) < _MOST + 0.1
        for item, new in there
    )


def _is_named(item: Item, base: Model, side: Model) -> bool:
    """Whether an item has one id, and is the only one that has it."""
    name = look(base, item.uid, ("id",))
    if name is None or name != look(side, item.uid, ("id",)):
        return False
    return all(
        [look(model, one.uid, ("id",)) for one in model.items].count(name) == 1
        for model in (base, side)
    )


def _has_twins(model: Model) -> bool:
    texts = [repr(item.value) for item in model.items
             if not isinstance(item.value, str) or tokens_of(item.value)]  # fmt: skip
    return len(texts) != len(set(texts))


def _told(model: Model) -> list[Canon]:
    return [(one.part, canon(_STYLE.value(one.value, model.names))) for one in model.items]


def steady(base: Model, side: Model) -> set[int]:
    """What a side did not move, in whatever way one tells what it did: in all longest runs."""
    found: set[int] = set()
    places = {uid: at for at, uid in enumerate(base.order())}
    for part in {item.part for item in base.items}:
        run = [
            places[item.uid]
            for item in side.items
            if item.uid in places and (base.is_text or item.part == part or side.flat)
        ]
        found |= {base.items[at].uid for at in _in_all_rising(run)}
    return found


def _in_all_rising(run: list[int]) -> set[int]:
    """The numbers that every longest rising part of a run has."""
    before = [1] * len(run)
    after = [1] * len(run)
    for at, one in enumerate(run):
        before[at] += max((before[to] for to in range(at) if run[to] < one), default=0)
    for at in range(len(run) - 1, -1, -1):
        after[at] += max((after[to] for to in range(at + 1, len(run)) if run[to] > run[at]),
                         default=0)  # fmt: skip
    most = max(before, default=0)
    good = [at for at in range(len(run)) if before[at] + after[at] - 1 == most]
    levels = Counter(before[at] for at in good)
    return {run[at] for at in good if levels[before[at]] == 1}


def _twin(op: Op) -> bool:
    return op[0] != "add"


def _kept(item: Item, base: Model, side: Item, model: Model) -> float:
    """The share of an item's marks and members that a side left as they were."""
    old = Counter(re.findall(r"\w+", _STYLE.value(item.value, base.names)))
    new = Counter(re.findall(r"\w+", _STYLE.value(side.value, model.names)))
    kept = (old & new).total() / max(old.total(), new.total(), 1)
    if not isinstance(item.value, Obj) or not isinstance(side.value, Obj):
        return kept
    same = sum(one in side.value.members for one in item.value.members)
    if look(base, item.uid, ("id",)) != look(model, item.uid, ("id",)):
        # under another name it must be the same otherwise
        same -= 2
    return min(kept, same / max(len(item.value.members), len(side.value.members), 1) + 0.1)


def canon(text: str) -> Canon:
    """What a JSON text means: key order does not matter, duplicates and digits do."""
    try:
        return json.loads(text, object_pairs_hook=_pairs, parse_int=_number, parse_float=_number,
                          parse_constant=_none)  # fmt: skip
    except ValueError:
        return "raw " + text.rstrip("\r")


def _pairs(pairs: list[tuple[str, object]]) -> object:
    return ("object", sorted(pairs, key=lambda one: one[0]))


def _number(text: str) -> object:
    return ("number", text)


def _none(text: str) -> object:
    raise ValueError(text)
