# SPDX-License-Identifier: MIT
"""Which entry of one version is which of the next.

Ids are a hint, never the truth: real canvases repeat them or have none
(canvas.md).  In this order entries are taken for the same: the same bytes, the
same value in other bytes, the same id where it is the only one of that id, the
best resemblance between two neighbours that are known to be the same.  Bytes
that occur several times are paired in order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Final

from federation import limits
from federation.replica.merge import meaning, tree
from federation.replica.merge.changes import changes
from federation.replica.merge.meaning import NOTHING, Members, Number
from federation.replica.merge.tree import Value
from federation.replica.merge.work import Work

#: what two entries must share to be taken for one that was edited
ALIKE: Final = 0.5
#: ... where it was also moved
KNOWN: Final = 0.6
#: resemblance of long texts is measured on this much of them
_LOOK: Final = 200
#: comparing entries of this length costs as much as a pair does
_COSTLY: Final = 1024
#: texts below this length are compared by pairs of characters, longer ones by threes
_SHORT: Final = 24
#: how far back a neighbour with a partner is looked for
_NEAR: Final = 16
#: members of an edge that name what it joins, and where
_ENDS: Final = ("from", "to", "fromNode", "toNode", "fromSide", "toSide")
#: those of them that name entries
ENDS: Final = _ENDS[:4]


class Entry:
    """One entry of a canvas, or one item of an array: its text, with white space around it."""

    def __init__(self, text: str, work: Work | None = None) -> None:
        self.text = text
        self._work = work

    @cached_property
    def parsed(self) -> tuple[str, Value, str] | None:
        """White space, value, white space; None for what is no JSON."""
        try:
            return tree.parse(self.text, self._work)
        except tree.NotJson:
            return None

    @cached_property
    def loaded(self) -> object:
        """What it means (``meaning.load``)."""
        return meaning.load(self.text)

    @cached_property
    def meaning(self) -> str:
        """Equal for entries that differ only in spelling."""
        loaded = self.loaded
        return "t" + self.text if loaded is NOTHING else "=" + meaning.canonical(loaded)

    @cached_property
    def members(self) -> dict[str, object]:
        """The members of an object, of several with one key the last."""
        return dict(self.loaded) if isinstance(self.loaded, Members) else {}

    @cached_property
    def name(self) -> Hashable | None:
        """What its author calls it: an id, or the ends of an edge without one."""
        if not isinstance(self.loaded, Members):
            return _directive(self.text) if self.loaded is NOTHING else None
        found = _name_of(self.members.get("id"))
        if found is not None:
            return found
        ends = [_name_of(self.members.get(key)) for key in _ENDS]
        return tuple(ends) if sum(end is not None for end in ends) >= 2 else None

    @property
    def id(self) -> str | None:
        """The name where that is an id."""
        return self.name if isinstance(self.name, str) else None

    @property
    def is_object(self) -> bool:
        """Whether it is a JSON object with members."""
        return bool(self.members)

    def ends(self) -> set[str]:
        """The names that an edge joins, as written and without ``#``."""
        found = (_name_of(self.members.get(key)) for key in ENDS)
        ends = {end for end in found if end is not None}
        return ends | {end.removeprefix("#") for end in ends}

    @cached_property
    def shape(self) -> tuple[frozenset[str], frozenset[str]]:
        """Which pairs and which threes of characters its beginning has."""
        text = self.text[:_LOOK]
        pairs = frozenset(map("".join, pairwise(text)))
        return pairs, frozenset(map("".join, zip(text, text[1:], text[2:], strict=False)))


def _name_of(value: object) -> str | None:
    """A string or number as a name; None for anything else."""
    return str(value) if isinstance(value, str) else None


def _directive(text: str) -> Hashable | None:
    """The name of a ``@name value`` line."""
    if not text.startswith("@"):
        return None
    name = text[1:].split(None, 1)[0] if text[1:].split() else ""
    return ("@", name.rstrip(":"))


Pairs = dict[int, int]


def pair(old: Sequence[Entry], new: Sequence[Entry], work: Work | None = None) -> Pairs:
    """Index in ``old`` -> index in ``new`` of what is taken for the same entry."""
    return _Pairing(old, new, work or Work()).pairs


class _Pairing:
    """One comparison of two versions."""

    def __init__(self, old: Sequence[Entry], new: Sequence[Entry], work: Work) -> None:
        self._old, self._new, self._work = old, new, work
        start, end = _common(old, new)
        self.pairs: Pairs = {index: index for index in range(start)}
        shift = len(new) - len(old)
        self.pairs.update((index, index + shift) for index in range(len(old) - end, len(old)))
        #: what has no partner yet
        self._left: list[int] = list(range(start, len(old) - end))
        self._right: list[int] = list(range(start, len(new) - end))
        if self._has_twins():
            self._by_order()
        self._by_key(lambda entry: entry.text, self._in_order)
        self._by_key(lambda entry: entry.meaning, self._in_order)
        self._by_key(lambda entry: entry.name, self._by_likeness)
        self._by_place()
        self._anywhere()

    def _forget_paired(self) -> None:
        taken = set(self.pairs.values())
        self._left = [index for index in self._left if index not in self.pairs]
        self._right = [index for index in self._right if index not in taken]

    def _has_twins(self) -> bool:
        """Whether some bytes occur several times among what is left on either side."""
        return any(
            len(left) != len({entries[index].text for index in left})
            for entries, left in ((self._old, self._left), (self._new, self._right))
        )

    def _by_order(self) -> None:
        """Pair the same bytes that are in the same order, as a comparison of lines does."""
        if not self._left or not self._right:
            return
        old, new = ([entries[index].text for index in left] for entries, left in
                    ((self._old, self._left), (self._new, self._right)))  # fmt: skip
        low, new_low = 0, 0
        first, new_first = self._left[0], self._right[0]
        for gap in [*changes(old, new, self._work), (len(old), 0, len(new), 0)]:
            same = range(gap[0] - low)
            self.pairs.update((first + low + at, new_first + new_low + at) for at in same)
            low, new_low = gap[1], gap[3]
        self._forget_paired()

    def _by_key(
        self,
        key: Callable[[Entry], Hashable | None],
        several: Callable[[list[int], list[int]], None],
    ) -> None:
        """Pair what has the same key; ``several`` says which of several."""
        if not self._left or not self._right:
            return
        news = _groups(self._new, self._right, key)
        for name, ones in _groups(self._old, self._left, key).items():
            others = news.get(name)
            if others is None:
                continue
            if len(ones) == len(others) == 1:
                self.pairs[ones[0]] = others[0]
            else:
                several(ones, others)
        self._forget_paired()

    def _in_order(self, ones: list[int], others: list[int]) -> None:
        """Several of one key in their order; of an uneven group those that are closest."""
        if len(ones) == len(others):
            self.pairs.update(zip(ones, others, strict=True))
        elif len(ones) < len(others):
            ratio = len(self._new) / len(self._old)
            self.pairs.update(zip(ones, _nearest(ones, others, ratio), strict=True))
        else:
            ratio = len(self._old) / len(self._new)
            self.pairs.update(zip(_nearest(others, ones, ratio), others, strict=True))

    def _by_likeness(self, ones: list[int], others: list[int], least: float = 0.0) -> None:
        """Pair the two that are most alike, then the next two; in order where equal."""
        longest = max(*(len(self._old[one].text) for one in ones),
                      *(len(self._new[other].text) for other in others))  # fmt: skip
        cost = len(ones) * len(others) * (1 + longest // _COSTLY)
        if cost > min(limits.MERGE_LIKENESS_PAIRS, self._work.pairs):
            if not least:
                self._in_order(ones, others)
            return
        self._work.pairs -= cost
        alike = recognised if least == KNOWN else likeness
        places = {one: self._expected(one) for one in ones}
        scores = sorted(
            (-alike(self._old[one], self._new[other]), abs(places[one] - other), one, other)
            for one in ones
            for other in others
        )
        taken: set[int] = set()
        for score, _distance, one, other in scores:
            if -score >= least and one not in self.pairs and other not in taken:
                self.pairs[one] = other
                taken.add(other)

    def _expected(self, one: int) -> int:
        """Where an entry would stand behind the nearest one before it that has a partner."""
        for before in range(one - 1, max(one - _NEAR, 0) - 1, -1):
            if before in self.pairs:
                return self.pairs[before] + one - before
        return one

    def _by_place(self) -> None:
        """Pair what is left between two neighbours that are the same in both."""
        back = set(self.pairs.values())
        for ones in _runs(self._left):
            start = self.pairs[ones[0] - 1] + 1 if ones[0] else 0
            stop = start
            while stop < len(self._new) and stop not in back:
                stop += 1
            others = list(range(start, stop))
            if len(ones) == len(others) and self._all_replaced(ones, others):
                self.pairs.update(zip(ones, others, strict=True))
            elif others:
                self._by_likeness(ones, others, ALIKE)

    def _anywhere(self) -> None:
        """Pair what was moved and changed at once, where enough of it is as it was."""
        self._forget_paired()
        ones = [index for index in self._left if _is_telling(self._old[index])]
        others = [index for index in self._right if _is_telling(self._new[index])]
        if ones and others:
            self._by_likeness(ones, others, KNOWN)

    def _all_replaced(self, ones: list[int], others: list[int]) -> bool:
        """Whether things at the same places are the same things with other values."""
        self._work.pairs -= len(ones)
        return self._work.pairs >= 0 and all(
            _replaces(self._old[one], self._new[other])
            for one, other in zip(ones, others, strict=True)
        )


def _common(old: Sequence[Entry], new: Sequence[Entry]) -> tuple[int, int]:
    most = min(len(old), len(new))
    start = 0
    while start < most and old[start].text == new[start].text:
        start += 1
    end = 0
    while end < most - start and old[-1 - end].text == new[-1 - end].text:
        end += 1
    return start, end


def _groups(
    entries: Sequence[Entry], indices: Iterable[int], key: Callable[[Entry], Hashable | None]
) -> dict[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index in indices:
        name = key(entries[index])
        if name is not None:
            groups[name].append(index)
    return groups


def _runs(numbers: Iterable[int]) -> list[list[int]]:
    """Rising numbers as runs without a gap."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] + 1 == number:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _nearest(few: list[int], many: list[int], ratio: float) -> list[int]:
    """Of many places in order as many as there are few: those that are closest."""
    chosen: list[int] = []
    start = 0
    for position, one in enumerate(few):
        latest = len(many) - (len(few) - position)
        wanted = one * ratio
        best = bisect_left(many, wanted, start, latest + 1)
        if best > latest or (best > start and wanted - many[best - 1] <= many[best] - wanted):
            best -= 1
        chosen.append(many[best])
        start = best + 1
    return chosen


def _replaces(one: Entry, other: Entry) -> bool:
    """Whether something at the same place is the same thing with another value."""
    atoms = (Number, bool, type(None))
    if isinstance(one.loaded, atoms) and isinstance(other.loaded, atoms):
        return True
    return likeness(one, other) >= ALIKE


def likeness(one: Entry, other: Entry) -> float:
    """0 for nothing in common, 1 for the same."""
    if one.text == other.text:
        return 1.0
    a, b = one.loaded, other.loaded
    if isinstance(a, Members) and isinstance(b, Members):
        if one.id is not None and other.id is not None and one.id != other.id:
            return recognised(one, other)
        return _members_alike(one.members, other.members)
    if a is not NOTHING and b is not NOTHING and type(a) is not type(b):
        return 0.0
    if one.name is not None and one.name == other.name and one.text.startswith("@"):
        return 1.0
    kind = 0 if min(len(one.text), len(other.text)) < _SHORT else 1
    ours, theirs = one.shape[kind], other.shape[kind]
    both = len(ours) + len(theirs)
    return 2 * len(ours & theirs) / both if both else 0.0


def recognised(one: Entry, other: Entry) -> float:
    """How far an entry can be known again by its values alone, wherever it stands.

    Long values tell more than short ones: most entries of a canvas have the
    same type and size.  Edges with other ids that join other things differ.
    """
    if not isinstance(one.loaded, Members) or not isinstance(other.loaded, Members):
        return likeness(one, other)
    ours, theirs = one.members, other.members
    keys = ours.keys() | theirs.keys()
    if one.id != other.id:
        keys -= {"id"}
        if any(ours.get(end) != theirs.get(end) for end in ENDS):
            return 0.0
    most = both = 0.0
    for key in keys:
        mine, other_value = ours.get(key, NOTHING), theirs.get(key, NOTHING)
        weight = max(_weight(mine), _weight(other_value))
        most += weight
        if mine == other_value:
            both += weight
        else:
            both += weight * _shared_words(mine, other_value)
    return both / most if most else 0.0


def _shared_words(one: object, other: object) -> float:
    """How much two strings have in common; little for other values of one key."""
    if one is NOTHING or other is NOTHING:
        return 0.0
    if not isinstance(one, str) or not isinstance(other, str):
        return 0.2
    ours, theirs = set(one[:_LOOK].split()), set(other[:_LOOK].split())
    return 0.2 + 0.7 * len(ours & theirs) / max(len(ours), len(theirs), 1)


def _weight(value: object) -> int:
    """How much a value tells about what has it."""
    if isinstance(value, str):
        return 2 + min(len(value), 40)
    if isinstance(value, Members | list):
        return 2 + min(8 * len(value), 40)
    return 0 if value is NOTHING else 2


def _is_telling(entry: Entry) -> bool:
    """Whether there is enough of an entry to know it again elsewhere."""
    return entry.is_object or len(entry.text) >= _SHORT


def _members_alike(ours: dict[str, object], theirs: dict[str, object]) -> float:
    """The share of members that both have; one with another value counts a third."""
    keys = len(ours.keys() | theirs.keys())
    if not keys:
        return 1.0
    both = ours.keys() & theirs.keys()
    return sum(1.0 if ours[key] == theirs[key] else 0.34 for key in both) / keys
