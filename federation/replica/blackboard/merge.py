# SPDX-License-Identifier: MIT
"""Merging two versions of a blackboard that were made from a third, entry by entry.

The outline is a tree: an entry stays below its parent, wherever that goes, and
what both sides put at the same place comes one after the other, with its
children.  An entry that one side deleted and the other changed or moved stays,
and is reported; so does the heading above one that stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from federation import limits
from federation.replica.blackboard.fields import (
    Conflict,
    changed,
    merge_entry,
    merge_keys,
    own_content,
)
from federation.replica.blackboard.outline import (
    Entry,
    Frame,
    Outline,
    count_headings,
    mended,
    parse,
)
from federation.replica.blackboard.pairing import pair, pair_additions
from federation.replica.merge.text import merge_text

#: base, a, b
_Sides = tuple[int | None, int | None, int | None]
_ROOT: Final = 0


def merge_blackboard(base: str | None, a: str, b: str) -> tuple[str, list[Conflict]]:
    """Both sides' changes of ``base`` (None: nobody knows it), and what had to yield.

    Callers give the sides in an order that all peers agree on.  A board with
    more than ``limits.BLACKBOARD_ENTRIES`` headings is merged as plain text.
    """
    if a == b or b == base:
        return a, []
    if a == base:
        return b, []
    if any(count_headings(text) > limits.BLACKBOARD_ENTRIES for text in (base or "", a, b)):
        return merge_text(base or "", a, b), []
    merge = _Merge(base, parse(a), parse(b))
    return merge.text(), merge.conflicts


class _Merge:
    """One merge.  An entry of any side has one number, its index in ``_sides``."""

    def __init__(self, base: str | None, a: Outline, b: Outline) -> None:
        self.conflicts: list[Conflict] = []
        self._known = base is not None
        versions = (parse(base or ""), a, b)
        old, ours, theirs = (mended(one, versions) for one in versions)
        self._outlines = (old, ours, theirs)
        self._sides = self._join()
        #: for base, a and b: index -> number
        self._numbers: tuple[dict[int, int], ...] = tuple(
            {index: number for number, sides in enumerate(self._sides)
             if (index := sides[side]) is not None}
            for side in range(3)
        )  # fmt: skip

    def text(self) -> str:
        """The merged text."""
        alive = {number for number in range(len(self._sides)) if self._lives(number)}
        parent = self._parents()
        for number in sorted(alive):
            above = parent.get(number)
            while above is not None and above not in alive:
                alive.add(above)
                above = parent.get(above)
        entries = self._walk(self._children(alive, parent), parent)
        return self._frame(entries)

    # --- who is who -----------------------------------------------------------------
    def _join(self) -> list[_Sides]:
        base, a, b = self._outlines
        if not self._known:
            same = pair(a, b)
            back = set(same.values())
            found: list[_Sides] = [
                (None, index, same.get(index)) for index in range(len(a.entries))
            ]
            return found + [(None, None, k) for k in range(len(b.entries)) if k not in back]
        ours, theirs = pair(base, a), pair(base, b)
        found = [(i, ours.get(i), theirs.get(i)) for i in range(len(base.entries))]
        back_a = {index: one for one, index in ours.items()}
        back_b = {index: one for one, index in theirs.items()}

        def parent(side: str, index: int) -> tuple[str, int]:
            outline, back = (a, back_a) if side == "a" else (b, back_b)
            above = outline.parents[index]
            return ("base", back[above]) if above in back else (side, above)

        mine = [index for index in range(len(a.entries)) if index not in back_a]
        added = [index for index in range(len(b.entries)) if index not in back_b]
        same = pair_additions(a, b, mine, added, parent)
        other = {index: k for k, index in same.items()}
        found += [(None, index, other.get(index)) for index in mine]
        return found + [(None, None, k) for k in added if k not in same]

    def _entry(self, number: int, side: int) -> Entry | None:
        index = self._sides[number][side]
        return None if index is None else self._outlines[side].entries[index]

    def _above(self, number: int, side: int) -> int | None:
        """The number of an entry's parent on one side; None where it has none there."""
        index = self._sides[number][side]
        if index is None:
            return None
        above = self._outlines[side].parents[index]
        return None if above < 0 else self._numbers[side][above]

    # --- who stays, and where ---------------------------------------------------------
    def _lives(self, number: int) -> bool:
        base, a, b = (self._entry(number, side) for side in range(3))
        if base is None or (a is not None and b is not None):
            return True
        left, side = (a, 1) if a is not None else (b, 2)
        if left is None:
            return False
        moved = self._above(number, side) != self._above(number, 0)
        if own_content(left) == own_content(base) and not moved:
            return False
        texts = (left.text(), None) if side == 1 else (None, left.text())
        self.conflicts.append(Conflict(left.title, "(entry)", base.text(), *texts))
        return True

    def _parents(self) -> dict[int, int]:
        """The merged parent of every entry below the root."""
        found: dict[int, int] = {}
        lost: list[Conflict] = []
        for number, sides in enumerate(self._sides):
            base, a, b = (self._above(number, side) for side in range(3))
            if b is None or (a is not None and b == base and sides[0] is not None):
                above = a if a is not None else base
            else:
                above = b
                if sides[0] is not None and a not in (None, base, b):
                    entry = self._entry(number, 2)
                    lost.append(Conflict(entry.title if entry else "", "(place)",
                                         *map(self._title, (base, a, b))))  # fmt: skip
            if above is not None:
                found[number] = above
        if _is_tree(found):
            self.conflicts += lost
            return found
        return self._parents_of_b()

    def _parents_of_b(self) -> dict[int, int]:
        """Both sides' moves would put entries below each other: b's stand, a's are reported.

        What is above an entry of b is on b, and what is above another one of a is on a
        until it is one of b: so this is a tree.
        """
        found: dict[int, int] = {}
        for number in range(len(self._sides)):
            base, a, b = (self._above(number, side) for side in range(3))
            above = next((one for one in (b, a, base) if one is not None), None)
            if above is not None:
                found[number] = above
            if base is not None and b is not None and a not in (None, base, b):
                entry = self._entry(number, 1)
                self.conflicts.append(Conflict(entry.title if entry else "", "(place)",
                                               *map(self._title, (base, a, b))))  # fmt: skip
        return found

    def _title(self, number: int | None) -> str | None:
        if number is None:
            return None
        entries = (self._entry(number, side) for side in (2, 1, 0))
        return next((entry.title for entry in entries if entry is not None), None)

    def _children(self, alive: set[int], parent: dict[int, int]) -> dict[int, list[int]]:
        """The merged order below each entry."""
        lists: tuple[defaultdict[int, list[int]], ...] = tuple(defaultdict(list) for _ in range(3))
        for side, outline in enumerate(self._outlines):
            for index in range(len(outline.entries)):
                number = self._numbers[side].get(index)
                # An entry that was moved here on one side is new here, on that side.
                if number in alive and number in parent:
                    above = parent[number]
                    if self._above(number, side) == above:
                        lists[side][above].append(number)
        merged: dict[int, list[int]] = {}
        for above in {parent[number] for number in alive if number in parent}:
            base, a, b = (one[above] for one in lists)
            merged[above] = merge_keys(base, a, b)
        return merged

    # --- the text ----------------------------------------------------------------------
    def _walk(self, children: dict[int, list[int]], parent: dict[int, int]) -> list[Entry]:
        """The merged entries in order, each with as many stars as its place needs."""
        entries: list[Entry] = []
        levels = {_ROOT: 0}
        waiting: list[tuple[int, int]] = [(_ROOT, 0)]
        highest: dict[int, int] = {}
        while waiting:
            number, above = waiting.pop()
            entry = self._merged(number, parent.get(number))
            if number != _ROOT:
                # More stars than the parent, no more than the sibling before: then Org
                # reads the same tree again.
                level = max(levels[above] + 1, min(entry.level, highest.get(above, entry.level)))
                highest[above] = levels[number] = level
                entry = replace(entry, level=level)
            entries.append(entry)
            waiting += [(child, number) for child in reversed(children.get(number, []))]
        return entries

    def _merged(self, number: int, above: int | None) -> Entry:
        base, a, b = (self._entry(number, side) for side in range(3))
        if a is not None and b is not None:
            level = changed(base.level if base else b.level, a.level, b.level)
            # An entry has the stars of the side whose parent it has.
            here = self._above(number, 1) == above, self._above(number, 2) == above
            if here[0] != here[1]:
                level = a.level if here[0] else b.level
            merged = merge_entry(base, a, b, self.conflicts.append)
            return replace(merged, level=level)
        left = a or b or base
        assert left is not None, "every number has a side"
        return left

    def _frame(self, entries: Sequence[Entry]) -> str:
        base, a, b = (outline.frame for outline in self._outlines)
        text = "".join(entry.text() for entry in entries)
        if not self._known:
            frame = Frame(b.bom, a.crlf and b.crlf, a.ended or b.ended)
        else:
            frame = Frame(
                changed(base.bom, a.bom, b.bom),
                changed(base.crlf, a.crlf, b.crlf),
                changed(base.ended, a.ended, b.ended),
            )
        if frame.crlf:
            text = text.replace("\r\n", "\n")
        return frame.wrap(text)


def _is_tree(parent: dict[int, int]) -> bool:
    """Whether every way up ends at the root."""
    good = {_ROOT}
    for start in parent:
        way: list[int] = []
        number = start
        on_way: set[int] = set()
        while number not in good:
            if number in on_way or number not in parent:
                return False
            on_way.add(number)
            way.append(number)
            number = parent[number]
        good.update(way)
    return True
