# SPDX-License-Identifier: MIT
"""Which entry of one version is which of the next.

Ids are a hint, never the truth: real canvases repeat them or have none
(canvas.md).  In this order entries are taken for the same: the same bytes, the
same value in other bytes, the same id where it is the only one of that id, the
best resemblance between two neighbours that are known to be the same, a close
resemblance anywhere.  Bytes that occur several times are paired as a
comparison of lines pairs them.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final

from federation import limits
from federation.replica.merge.changes import changes
from federation.replica.merge.entry import Entry
from federation.replica.merge.likeness import ALIKE, is_telling, likeness, recognised, replaces
from federation.replica.merge.work import Work

#: what two entries must share where one of them was also moved
KNOWN: Final = 0.6
#: comparing entries of this length costs as much as a pair does
_COSTLY: Final = 1024
_WORD: Final = re.compile(r"\w{4,}")
#: words that so many entries have at most tell them from others
_RARE: Final = 4
#: so many pairs are compared without looking at words first
_FEW_PAIRS: Final = 64
#: how far back a neighbour with a partner is looked for
_NEAR: Final = 16

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
        self._by_text()
        self._by_key(lambda entry: entry.name, None)
        self._by_key(lambda entry: entry.meaning, self._in_order)
        self._by_key(lambda entry: entry.name, self._by_likeness)
        self._by_place()
        self._anywhere()
        self._by_new_ends()

    def _forget_paired(self) -> None:
        taken = set(self.pairs.values())
        self._left = [index for index in self._left if index not in self.pairs]
        self._right = [index for index in self._right if index not in taken]

    def _by_text(self) -> None:
        """Pair the same bytes."""
        ours = dict(zip((self._old[index].text for index in self._left), self._left, strict=True))
        theirs = dict(zip((self._new[index].text for index in self._right), self._right,
                          strict=True))  # fmt: skip
        if len(ours) < len(self._left) or len(theirs) < len(self._right):
            # some occur several times
            self._by_order()
            self._by_key(lambda entry: entry.text, self._in_order)
            return
        for text in ours.keys() & theirs.keys():
            self.pairs[ours[text]] = theirs[text]
        self._forget_paired()

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
        several: Callable[[list[int], list[int]], None] | None,
    ) -> None:
        """Pair what has the same key; ``several`` says which of several (None: none of them)."""
        if not self._left or not self._right:
            return
        news = _groups(self._new, self._right, key)
        for name, ones in _groups(self._old, self._left, key).items():
            others = news.get(name)
            if others is None:
                continue
            if len(ones) == len(others) == 1:
                self.pairs[ones[0]] = others[0]
            elif several is not None:
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
        cost = len(ones) * len(others) * self._cost(ones, others)
        if cost <= min(limits.MERGE_LIKENESS_PAIRS, self._work.pairs):
            self._work.pairs -= cost
            both = ((one, other) for one in ones for other in others)
            self._match(both, likeness, least)
        elif not least:
            self._in_order(ones, others)

    def _cost(self, ones: list[int], others: list[int]) -> int:
        """What comparing two of them costs at the most, in pairs."""
        longest = max(*(len(self._old[one].text) for one in ones),
                      *(len(self._new[other].text) for other in others))  # fmt: skip
        return 1 + longest // _COSTLY

    def _match(
        self, both: Iterable[tuple[int, int]], alike: Callable[[Entry, Entry], float], least: float
    ) -> None:
        """Of possible pairs those that are most alike; of equal ones those that are closest."""
        places: dict[int, int] = {}
        scores: list[tuple[float, int, int, int]] = []
        for one, other in both:
            score = alike(self._old[one], self._new[other])
            if score >= least:
                if one not in places:
                    places[one] = self._expected(one)
                scores.append((-score, abs(places[one] - other), one, other))
        taken: set[int] = set()
        for _score, _distance, one, other in sorted(scores):
            if one not in self.pairs and other not in taken:
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
        ones = [index for index in self._left if is_telling(self._old[index])]
        others = [index for index in self._right if is_telling(self._new[index])]
        if not ones or not others:
            return
        both = self._sharing_words(ones, others)
        cost = len(both) * self._cost(ones, others)
        if cost <= self._work.pairs:
            self._work.pairs -= cost
            self._match(both, recognised, KNOWN)

    def _sharing_words(self, ones: list[int], others: list[int]) -> list[tuple[int, int]]:
        """Pairs that have a word which few others have; of few entries all pairs."""
        if len(ones) * len(others) <= _FEW_PAIRS:
            return [(one, other) for one in ones for other in others]
        ours = _words(self._old, ones)
        theirs = _words(self._new, others)
        found = {
            (one, other)
            for word in ours.keys() & theirs.keys()
            if len(ours[word]) <= _RARE and len(theirs[word]) <= _RARE
            for one in ours[word]
            for other in theirs[word]
        }
        return sorted(found)

    def _by_new_ends(self) -> None:
        """Pair edges without an id whose ends have new names."""
        self._forget_paired()
        ones = [index for index in self._left if self._old[index].is_nameless_edge]
        others = [index for index in self._right if self._new[index].is_nameless_edge]
        if not ones or not others:
            return
        names: dict[Hashable, Hashable] = {}
        for index, other in self.pairs.items():
            old, new = self._old[index], self._new[other]
            if old.text != new.text and old.id != new.id:
                names[old.id] = new.id
        ends = {self._new[other].name: other for other in reversed(others)}
        for one in ones:
            name = self._old[one].name
            ours = name if isinstance(name, tuple) else ()
            other_one = ends.pop(tuple(names.get(end, end) for end in ours), -1)
            if other_one >= 0:
                self.pairs[one] = other_one

    def _all_replaced(self, ones: list[int], others: list[int]) -> bool:
        """Whether things at the same places are the same things with other values."""
        self._work.pairs -= len(ones)
        return self._work.pairs >= 0 and all(
            replaces(self._old[one], self._new[other])
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


def _words(entries: Sequence[Entry], indices: Iterable[int]) -> dict[str, list[int]]:
    """Word -> the entries that have it."""
    found: dict[str, list[int]] = defaultdict(list)
    for index in indices:
        for word in set(_WORD.findall(entries[index].text[:_COSTLY])):
            found[word].append(index)
    return found


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
