# SPDX-License-Identifier: MIT
"""Which entry of one board is which entry of another.

An id that is unique on both boards decides.  Without one, an entry is known by
its heading and its place, then by its content wherever it stands, then, under
the same parent, by a heading that was only reworded.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final

from federation import limits
from federation.replica.blackboard.outline import Entry, Outline

#: Properties that say which entry this is, the strongest first.
IDENTITIES: Final = ("CUSTOM_ID", "ID", "PEER_ID", "NODE_ID")
#: The content changes, so it tells that two entries are the same, never that they differ.
_CONTENT_ID: Final = "CANVASL_CID"
#: Headings of the documented layout: there is one of each.
SECTIONS: Final = frozenset({"Federation Blackboard", "Peers", "CanvasL State"})
#: How alike two headings are that are versions of one: twice the common pairs of letters by
#: all of both (Dice), and how much of them is read.
_ALIKE: Final = 0.6
_READ: Final = 200

Pairs = dict[int, int]


def pair(old: Outline, new: Outline) -> Pairs:
    """Index in ``old`` -> index in ``new``; the preambles are always a pair."""
    return _Pairing(old, new).run()


def contradict(one: Entry, other: Entry) -> bool:
    """Whether ids say that two entries are different ones."""
    for name in IDENTITIES:
        mine, theirs = one.get(name), other.get(name)
        if mine is not None and theirs is not None and mine != theirs:
            return True
    return False


def pair_additions(
    a: Outline, b: Outline, mine: Sequence[int], theirs: Sequence[int],
    parent: Callable[[str, int], Hashable],
) -> Pairs:  # fmt: skip
    """Of what both sides added the same: by id, a section of the layout, or in every word.

    ``mine`` and ``theirs`` are indices; ``parent("a", index)`` is what the
    parent of an entry is on both sides.  Result: index in ``b`` -> in ``a``.
    """
    same: Pairs = {}
    taken: set[int] = set()
    for name in (*IDENTITIES, _CONTENT_ID):
        ours = _unique(a.entries, name, mine)
        for value, index in _unique(b.entries, name, theirs).items():
            other = ours.get(value)
            if other is None or other in taken or index in same:
                continue
            if not contradict(a.entries[other], b.entries[index]):
                same[index] = other
                taken.add(other)
    found: defaultdict[Hashable, deque[int]] = defaultdict(deque)
    for index in mine:
        if index not in taken:
            found[_addition(a.entries[index], parent("a", index))].append(index)
    for index in theirs:
        if index in same:
            continue
        known = same.get(b.parents[index])
        above = parent("b", index) if known is None else ("a", known)
        candidates = found[_addition(b.entries[index], above)]
        if candidates:
            same[index] = candidates.popleft()
    return same


def _addition(entry: Entry, parent: Hashable) -> Hashable:
    if entry.title in SECTIONS:
        return parent, entry.title
    return parent, entry.text()


def _unique(entries: Sequence[Entry], name: str, among: Iterable[int]) -> dict[str, int]:
    """Value of a property -> the only entry that has it."""
    found = {index: value for index in among if (value := entries[index].get(name)) is not None}
    counts = Counter(found.values())
    return {value: index for index, value in found.items() if counts[value] == 1}


def _title(entry: Entry) -> str:
    return entry.title


def _letters(title: str) -> Counter[str]:
    text = title[:_READ]
    return Counter(text[at : at + 2] for at in range(len(text) - 1))


class _Pairing:
    """The pairs found by now; each step finds more."""

    def __init__(self, old: Outline, new: Outline) -> None:
        self._old, self._new = old, new
        self._pairs: Pairs = {0: 0}
        self._taken = {0}

    def run(self) -> Pairs:
        old, new = self._old.entries, self._new.entries
        for name in (*IDENTITIES, _CONTENT_ID):
            ours = _unique(old, name, range(len(old)))
            theirs = _unique(new, name, range(len(new)))
            for value, index in ours.items():
                self._join(index, theirs.get(value))
        self._in_place()
        self._anywhere(lambda entry: (entry.heading, entry.body, entry.properties))
        self._anywhere(lambda entry: entry.title or None)
        self._reworded()
        self._in_place()
        return self._pairs

    def _join(self, index: int, other: int | None) -> bool:
        if other is None or index in self._pairs or other in self._taken:
            return False
        if contradict(self._old.entries[index], self._new.entries[other]):
            return False
        self._pairs[index] = other
        self._taken.add(other)
        return True

    def _in_place(self) -> None:
        """The same heading below the same parent: with the same content first, then in order."""
        for words in (Entry.text, _title):
            found: defaultdict[Hashable, deque[int]] = defaultdict(deque)
            for index, entry in enumerate(self._new.entries):
                if index not in self._taken:
                    found[self._new.parents[index], words(entry)].append(index)
            # Parents come before their children, so one pass goes all the way down.
            for index, entry in enumerate(self._old.entries):
                above = self._pairs.get(self._old.parents[index])
                if index in self._pairs or above is None:
                    continue
                candidates = found[above, words(entry)]
                if candidates and self._join(index, candidates[0]):
                    candidates.popleft()

    def _anywhere(self, key: Callable[[Entry], Hashable]) -> None:
        """What is left and unique on both boards: it was moved."""
        ours, theirs = self._left(self._old, self._pairs), self._left(self._new, self._taken)
        mine, other = self._by_key(self._old, ours, key), self._by_key(self._new, theirs, key)
        for what, indices in mine.items():
            if len(indices) == 1 == len(other.get(what, ())):
                self._join(indices[0], other[what][0])

    @staticmethod
    def _left(outline: Outline, taken: Iterable[int]) -> list[int]:
        known = set(taken)
        return [index for index in range(len(outline.entries)) if index not in known]

    @staticmethod
    def _by_key(
        outline: Outline, indices: Sequence[int], key: Callable[[Entry], Hashable]
    ) -> dict[Hashable, list[int]]:
        found: defaultdict[Hashable, list[int]] = defaultdict(list)
        for index in indices:
            what = key(outline.entries[index])
            if what is not None:
                found[what].append(index)
        return dict(found)

    def _reworded(self) -> None:
        """Below the same parent: the same children or content, else a heading much alike."""
        theirs: defaultdict[int, list[int]] = defaultdict(list)
        for index in self._left(self._new, self._taken):
            theirs[self._new.parents[index]].append(index)
        ours: defaultdict[int, list[int]] = defaultdict(list)
        for index in self._left(self._old, self._pairs):
            above = self._pairs.get(self._old.parents[index])
            if above is not None and above in theirs:
                ours[above].append(index)
        children = Counter(
            (self._old.parents[one], self._new.parents[other]) for one, other in self._pairs.items()
        )
        left = limits.MERGE_LIKENESS_PAIRS
        for above, indices in ours.items():
            left -= len(indices) * len(theirs[above])
            if left < 0:
                return
            rated = sorted(
                (-self._likeness(one, other, children), one, other)
                for one in indices for other in theirs[above]
            )  # fmt: skip
            for rate, one, other in rated:
                if -rate >= _ALIKE:
                    self._join(one, other)

    def _likeness(self, index: int, other: int, children: Counter[tuple[int, int]]) -> float:
        one, two = self._old.entries[index], self._new.entries[other]
        if children[index, other]:
            return 2.0 + children[index, other]
        if one.body.strip() and (one.body, one.properties) == (two.body, two.properties):
            return 2.0
        mine, theirs = _letters(one.title), _letters(two.title)
        return 2 * (mine & theirs).total() / max(1, mine.total() + theirs.total())
