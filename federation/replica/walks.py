# SPDX-License-Identifier: MIT
"""Walks back a history that go on where they ended, as more of it comes.

A history of thousands of revisions comes in portions, and each revision of it is
compared with the head that is here already.  To begin at the head every time
would cost the square of their number.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

from federation import limits
from federation.replica.records import Revision

#: walks that are kept, however short they are
_KEPT: Final = 16

Find = Callable[[str], Revision | None]


class Walk:
    """Back from one revision, along those that claim to have seen an author's counters.

    Only those can be on the way to a revision of that author that say so of
    themselves: so each name has the highest counter that all revisions on the
    best way to it claim.
    """

    def __init__(self, start: Revision, author: str) -> None:
        self._start = start
        self._author = author
        #: name -> that counter, of whatever a revision on the way names as a parent
        self._reached: dict[str, int] = {}
        #: those of them that were not here
        self._absent: set[str] = set()
        #: what its parents were looked at with
        self._passed: dict[str, int] = {}
        #: (counter with its sign turned, id) of what is to be looked at, the best first
        self._waiting: list[tuple[int, str]] = []
        self._found: dict[str, Revision] = {}
        self._pass(start, limits.SAFE_INTEGER)

    def __len__(self) -> int:
        return len(self._reached)

    def _pass(self, revision: Revision, counter: int) -> None:
        """Its parents are to be looked at, if the way to it is better than any before."""
        counter = min(counter, revision.vector.get(self._author, -1))
        if counter >= 0 and self._passed.get(revision.revision, -1) < counter:
            self._passed[revision.revision] = counter
            self._found[revision.revision] = revision
            heappush(self._waiting, (-counter, revision.revision))

    def go_on(self, find: Find, most: int) -> int:
        """Look at what was not looked at yet; how many revisions that were, ``most`` at most."""
        for name in list(self._absent):
            parent = find(name)
            if parent is not None:
                self._absent.discard(name)
                self._arrive(parent)
        looks = 0
        while self._waiting and looks < most and len(self._reached) <= limits.MERGE_WALK:
            turned, name = heappop(self._waiting)
            revision = self._found.pop(name, None)
            if revision is None:  # a better way to it was taken
                continue
            looks += 1
            for one in revision.parents:
                if self._reached.get(one, -1) >= -turned:
                    continue
                self._reached[one] = -turned
                parent = find(one)
                if parent is None:
                    self._absent.add(one)
                else:
                    self._arrive(parent)
        return looks

    def _arrive(self, parent: Revision) -> None:
        if parent.file == self._start.file:
            self._pass(parent, self._reached[parent.revision])

    @property
    def whole(self) -> bool:
        """Whether nothing of it may still come."""
        return not (self._waiting or self._absent)

    @property
    def done(self) -> bool:
        """Whether all that is here was looked at."""
        return not self._waiting

    def leads(self, older: Revision) -> bool:
        """Whether the way leads to a revision of the author."""
        return self._reached.get(older.revision, -1) >= older.seq

    def ends(self, older: Revision) -> list[str]:
        """What is not here and on the way to where that revision may be."""
        return [one for one in self._absent if self._reached[one] >= older.seq]


class Walks:
    """The walks made last; together they are not longer than ``limits.WALKS``."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Walk] = OrderedDict()

    def forget(self) -> None:
        """Revisions may be gone that were here: begin every walk anew."""
        self._kept.clear()

    def take(self, newer: Revision, author: str) -> Walk:
        """The walk back from a revision, taken out to go on with."""
        return self._kept.pop((newer.revision, author), None) or Walk(newer, author)

    def keep(self, newer: Revision, author: str, walk: Walk) -> None:
        """Keep a walk; those not used for longest go where they are too long together."""
        if walk.whole:  # nothing comes any more that would be compared with it
            return
        self._kept[newer.revision, author] = walk
        total = sum(map(len, self._kept.values()))
        while self._kept and (total > limits.WALKS or len(self._kept) > _KEPT):
            total -= len(self._kept.popitem(last=False)[1])
