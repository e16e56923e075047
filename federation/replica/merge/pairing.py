# SPDX-License-Identifier: MIT
"""Which entry of one version is which of the next.

Ids are a hint, never the truth: real canvases repeat them or have none
(canvas.md).  In this order entries are taken for the same: the same bytes, the
same value in other bytes, the same id where it is the only one of that id, the
best resemblance between two neighbours that are known to be the same.  Bytes
that occur several times are paired in order.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Final

from federation import limits
from federation.replica.merge import tree
from federation.replica.merge.tree import Value

#: the share of members that an entry keeps when its id changes
_RENAMED: Final = 0.75
#: what two entries must share to be taken for one that was edited
_ALIKE: Final = 0.5
#: resemblance of long texts is measured on this much of them
_LOOK: Final = 400


@dataclass(frozen=True)
class Entry:
    """One entry of a canvas, or one item of an array: its text, with white space around it."""

    text: str

    @cached_property
    def parsed(self) -> tuple[str, Value, str] | None:
        """White space, value, white space; None for what is no JSON."""
        try:
            return tree.parse(self.text)
        except tree.NotJson:
            return None

    @property
    def value(self) -> Value | None:
        """The JSON value."""
        return self.parsed[1] if self.parsed else None

    @cached_property
    def loaded(self) -> object:
        """What it means, quickly: objects as tuples of pairs, numbers as they are written."""
        try:
            return _DECODER.decode(self.text.strip(" \t\r\n"))
        except (ValueError, RecursionError):
            return _NOTHING

    @cached_property
    def meaning(self) -> str:
        """Equal for entries that differ only in spelling."""
        loaded = self.loaded
        return self.text if loaded is _NOTHING else "=" + repr(_sorted(loaded))

    @cached_property
    def name(self) -> Hashable | None:
        """What its author calls it: an id, or the ends of an edge without one."""
        loaded = self.loaded
        if loaded is _NOTHING:
            return _directive(self.text)
        if not isinstance(loaded, _Members):
            return None
        members = dict(loaded)
        found = name_of(members.get("id"))
        if found is not None:
            return found
        ends = [name_of(members.get(key)) for key in _ENDS]
        if sum(end is not None for end in ends) >= 2:
            return tuple(ends)
        return None

    @property
    def is_object(self) -> bool:
        """Whether it is a JSON object with members."""
        return isinstance(self.loaded, _Members) and bool(self.loaded)

    def ends(self) -> set[Hashable]:
        """The names that an edge joins, as written and without ``#``."""
        loaded = self.loaded
        if not isinstance(loaded, _Members):
            return set()
        members = dict(loaded)
        ends = {name_of(members.get(key)) for key in _ENDS[:4]} - {None}
        return ends | {end.removeprefix("#") for end in ends if end is not None}


class _Members(tuple[tuple[str, object], ...]):
    """The members of an object, in order, duplicates and all."""

    __slots__ = ()


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_Members, parse_int=_Number, parse_float=_Number, parse_constant=_Number
)
_NOTHING: Final = object()
_ENDS: Final = ("from", "to", "fromNode", "toNode", "fromSide", "toSide")


def name_of(value: object) -> str | None:
    """A string or number as a name; None for anything else."""
    return str(value) if isinstance(value, str) else None


def _sorted(value: object) -> object:
    """Members by key; duplicates of a key stay in their order."""
    if isinstance(value, _Members):
        return ("o", sorted(((key, _sorted(part)) for key, part in value), key=lambda one: one[0]))
    if isinstance(value, list):
        return [_sorted(part) for part in value]
    return ("n", str(value)) if isinstance(value, _Number) else value


def _directive(text: str) -> Hashable | None:
    """The name of a ``@name value`` line."""
    if not text.startswith("@"):
        return None
    name = text[1:].split(None, 1)[0] if text[1:].split() else ""
    return ("@", name.rstrip(":"))


Pairs = dict[int, int]


def pair(old: Sequence[Entry], new: Sequence[Entry]) -> Pairs:
    """Index in ``old`` -> index in ``new`` of what is taken for the same entry."""
    pairs: Pairs = {}
    start, end = _common(old, new)
    pairs.update((index, index) for index in range(start))
    shift = len(new) - len(old)
    pairs.update((index, index + shift) for index in range(len(old) - end, len(old)))
    left = range(start, len(old) - end)
    right = range(start, len(new) - end)
    if left and right:
        _by_key(old, new, left, right, pairs, lambda entry: entry.text)
        _by_key(old, new, left, right, pairs, lambda entry: entry.meaning)
        _by_name(old, new, left, right, pairs)
        _by_place(old, new, pairs)
    return pairs


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
    entries: Sequence[Entry],
    indices: Iterable[int],
    taken: set[int],
    key: Callable[[Entry], Hashable | None],
) -> dict[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for index in indices:
        name = None if index in taken else key(entries[index])
        if name is not None:
            groups[name].append(index)
    return groups


def _by_key(
    old: Sequence[Entry], new: Sequence[Entry], left: Iterable[int], right: Iterable[int],
    pairs: Pairs, key: Callable[[Entry], Hashable | None],
) -> None:  # fmt: skip
    """Pair what has the same key; several of one key in their order.

    Where their numbers differ, those that are alone in their neighbourhood
    stay unpaired at the end: the first ones are paired.
    """
    olds = _groups(old, left, set(pairs), key)
    news = _groups(new, right, set(pairs.values()), key)
    for name, ones in olds.items():
        others = news.get(name, [])
        if len(ones) == len(others) or not others:
            pairs.update(zip(ones, others, strict=False))
        else:
            pairs.update(_nearest(ones, others, len(old), len(new)))


def _nearest(ones: list[int], others: list[int], old: int, new: int) -> list[tuple[int, int]]:
    """Pairs in order of an uneven group: the ones whose places are closest."""
    few, many, swapped = (ones, others, False)
    if len(ones) > len(others):
        few, many, swapped = others, ones, True
    ratio = (old / new if swapped else new / old) if old and new else 1.0
    chosen: list[tuple[int, int]] = []
    start = 0
    for position, one in enumerate(few):
        latest = len(many) - (len(few) - position)
        wanted = one * ratio
        best = min(range(start, latest + 1), key=lambda at: abs(many[at] - wanted))
        chosen.append((many[best], one) if swapped else (one, many[best]))
        start = best + 1
    return chosen


def _by_name(
    old: Sequence[Entry], new: Sequence[Entry], left: Iterable[int], right: Iterable[int],
    pairs: Pairs,
) -> None:  # fmt: skip
    """Pair by id; of several with one id those that resemble each other most."""
    olds = _groups(old, left, set(pairs), lambda entry: entry.name)
    news = _groups(new, right, set(pairs.values()), lambda entry: entry.name)
    for name, ones in olds.items():
        others = news.get(name, [])
        if len(ones) == 1 and len(others) == 1:
            pairs[ones[0]] = others[0]
        elif ones and others:
            _by_likeness(old, new, ones, others, pairs, least=0.0)


def _by_likeness(
    old: Sequence[Entry], new: Sequence[Entry], ones: list[int], others: list[int],
    pairs: Pairs, *, least: float,
) -> None:  # fmt: skip
    """Pair the two that are most alike, then the next two; in order where equal."""
    if len(ones) * len(others) > limits.MERGE_LIKENESS_PAIRS:
        return
    scores = sorted(
        (-likeness(old[one], new[other]), abs(place - position), one, other)
        for place, one in enumerate(ones)
        for position, other in enumerate(others)
    )
    taken: set[int] = set()
    for score, _distance, one, other in scores:
        if -score >= least and one not in pairs and other not in taken:
            pairs[one] = other
            taken.add(other)


def _by_place(old: Sequence[Entry], new: Sequence[Entry], pairs: Pairs) -> None:
    """Pair what is left between two neighbours that are the same in both."""
    back = {other: one for one, other in pairs.items()}
    index = 0
    while index < len(old):
        if index in pairs:
            index += 1
            continue
        first = index
        while index < len(old) and index not in pairs:
            index += 1
        start = pairs[first - 1] + 1 if first else 0
        stop = start
        while stop < len(new) and stop not in back:
            stop += 1
        ones, others = list(range(first, index)), list(range(start, stop))
        if len(ones) == len(others):
            same = [(one, other) for one, other in zip(ones, others, strict=True)
                    if _replaces(old[one], new[other])]  # fmt: skip
            if len(same) == len(ones):
                pairs.update(same)
                continue
        _by_likeness(old, new, ones, others, pairs, least=_ALIKE)


def _replaces(one: Entry, other: Entry) -> bool:
    """Whether something at the same place is the same thing with another value."""
    atoms = (_Number, bool, type(None))
    if isinstance(one.loaded, atoms) and isinstance(other.loaded, atoms):
        return True
    return likeness(one, other) >= _ALIKE


def likeness(one: Entry, other: Entry) -> float:
    """0 for nothing in common, 1 for the same."""
    if one.text == other.text:
        return 1.0
    a, b = one.loaded, other.loaded
    if isinstance(a, _Members) and isinstance(b, _Members):
        return _members_alike(a, b)
    if a is not _NOTHING and b is not _NOTHING and type(a) is not type(b):
        return 0.0
    if one.name is not None and one.name == other.name and one.text.startswith("@"):
        return 1.0
    if not one.text or not other.text:
        return 0.0
    return SequenceMatcher(None, one.text[:_LOOK], other.text[:_LOOK], autojunk=False).ratio()


def _members_alike(a: _Members, b: _Members) -> float:
    """The share of members that both have; one with another value counts a third."""
    ours, theirs = dict(a), dict(b)
    keys = ours.keys() | theirs.keys()
    if not keys:
        return 1.0
    names = name_of(ours.get("id")), name_of(theirs.get("id"))
    if None not in names and names[0] != names[1]:
        return _renamed(ours, theirs)
    score = 0.0
    for key in ours.keys() & theirs.keys():
        score += 1.0 if ours[key] == theirs[key] else 0.34
    return score / len(keys)


def _renamed(ours: Mapping[str, object], theirs: Mapping[str, object]) -> float:
    """Two entries of different ids are one only where hardly anything else differs."""
    keys = (ours.keys() | theirs.keys()) - {"id"}
    same = sum(key in ours and key in theirs and ours[key] == theirs[key] for key in keys)
    return 1.0 if keys and same >= max(2, _RENAMED * len(keys)) else 0.0
