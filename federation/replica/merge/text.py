# SPDX-License-Identifier: MIT
"""Merging text documents: line by line, then inside of the lines that both changed.

All that was typed stays.  Where both rewrote the same lines, both versions
stand there, each on lines of its own, and that is a clash to be settled.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from federation import limits
from federation.replica.alignment import Region
from federation.replica.merge import strings
from federation.replica.merge.changes import changes, common
from federation.replica.merge.value import Clash
from federation.replica.merge.work import Work

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_WORD: Final = re.compile(r"\w+")
#: lines with this share of their words in common are two versions of one
_SIMILAR: Final = 0.5
#: ... of this much of them
_LOOK: Final = 200
#: with less than this share left they are other lines, whose changes have nothing to do with these
_ANOTHER: Final = 0.2


def lines_of(text: str) -> list[str]:
    """The lines of a text with their ends: LF, CRLF or CR."""
    return _LINE.findall(text)


@dataclass(slots=True)
class Group:
    """Changes of both sides that share lines of the base."""

    start: int
    end: int
    ours: list[Region] = field(default_factory=list)
    theirs: list[Region] = field(default_factory=list)

    def takes(self, region: Region) -> bool:
        """Whether a region that begins here or later is of the same place."""
        if region.start < self.end:
            return True
        return region.start == region.end == self.start == self.end


def _groups(ours: list[Region], theirs: list[Region]) -> Iterator[Group]:
    """All changes by place, those that share lines together."""
    both = [(one, True) for one in ours] + [(one, False) for one in theirs]
    both.sort(key=lambda entry: (entry[0].start, entry[0].end > entry[0].start))
    group: Group | None = None
    for region, is_ours in both:
        if group is None or not group.takes(region):
            if group is not None:
                yield group
            group = Group(region.start, region.end)
        group.end = max(group.end, region.end)
        (group.ours if is_ours else group.theirs).append(region)
    if group is not None:
        yield group


def regions(old: Sequence[str], new: Sequence[str], work: Work) -> list[Region]:
    """The changed lines; of too many lines all between the first and the last of them."""
    if len(old) + len(new) <= limits.MERGE_LINES:
        found = changes(old, new, work)
        return [part for one in found for part in _by_line(old, new, one, work)]
    start, end = common(old, new)
    return [Region(start, len(old) - end, start, len(new) - end)]


def _by_line(old: Sequence[str], new: Sequence[str], region: Region, work: Work) -> list[Region]:
    """A changed range as changes of its lines, where these can be known again."""
    rows, columns = region.end - region.start, region.new_end - region.new_start
    cost = rows * columns
    if cost < 2 or cost > min(work.pairs, limits.MERGE_LIKENESS_PAIRS):
        return [region]
    work.pairs -= cost
    ours = [_words(old[place]) for place in range(region.start, region.end)]
    theirs = [_words(new[place]) for place in range(region.new_start, region.new_end)]
    found: list[Region] = []
    low, new_low = region.start, region.new_start
    for one, other in [*_known_again(ours, theirs), (rows, columns)]:
        at, new_at = region.start + one, region.new_start + other
        if low < at or new_low < new_at:
            found.append(Region(low, at, new_low, new_at))
        if one < rows:
            found.append(Region(at, at + 1, new_at, new_at + 1))
        low, new_low = at + 1, new_at + 1
    return found


def _words(line: str) -> Counter[str]:
    return Counter(_WORD.findall(line[:_LOOK]))


def _known_again(
    ours: Sequence[Counter[str]], theirs: Sequence[Counter[str]]
) -> list[tuple[int, int]]:
    """Pairs of similar lines in order: those that have the most in common together."""
    # best[i][j]: the most that the first i and the first j lines have in common
    best = [[0.0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for i, one in enumerate(ours):
        for j, other in enumerate(theirs):
            alike = _alike(one, other)
            most = max(best[i][j + 1], best[i + 1][j])
            best[i + 1][j + 1] = max(most, best[i][j] + alike) if alike else most
    pairs: list[tuple[int, int]] = []
    i, j = len(ours), len(theirs)
    while i and j:
        if best[i][j] == best[i - 1][j]:
            i -= 1
        elif best[i][j] == best[i][j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((i, j))
    return pairs[::-1]


def _alike(one: Counter[str], other: Counter[str]) -> float:
    """The share of words that two lines have in common; 0 where it is too small."""
    share = 2 * (one & other).total() / max(one.total() + other.total(), 1)
    return share if share >= _SIMILAR else 0.0


class TextMerge:
    """One merge of three texts."""

    def __init__(self, base: str, a: str, b: str, report: Callable[[Clash], None],
                 work: Work) -> None:  # fmt: skip
        self._base, self._a, self._b = (lines_of(text) for text in (base, a, b))
        self._report = report
        self._work = work
        self._break = _line_end(self._base[:1] or self._a[:1])

    def merged(self) -> str:
        """The merged text."""
        ours = regions(self._base, self._a, self._work)
        theirs = regions(self._base, self._b, self._work)
        out: list[str] = []
        at = 0
        for group in _groups(ours, theirs):
            out += self._base[at : group.start]
            if group.ours and group.theirs:
                out += self._both(group)
            else:
                side = self._a if group.ours else self._b
                for one in group.ours or group.theirs:
                    out += side[one.new_start : one.new_end]
            at = group.end
        out += self._base[at:]
        return "".join(ended(out, self._break))

    def _both(self, group: Group) -> list[str]:
        old = self._base[group.start : group.end]
        ours, theirs = (_side(self._base, lines, found, group) for lines, found in
                        ((self._a, group.ours), (self._b, group.theirs)))  # fmt: skip
        if len(old) == len(ours) == len(theirs):
            rows = enumerate(zip(old, ours, theirs, strict=True), group.start)
            return [text for number, row in rows for text in self._line(number, *row)]
        typed = [
            [line for one in found for line in side[one.new_start : one.new_end]]
            for side, found in ((self._a, group.ours), (self._b, group.theirs))
        ]
        return self._lines(group.start, (old, ours, theirs), typed[0], typed[1])

    def _line(self, number: int, old: str, one: str, other: str) -> list[str]:
        """One line that both have."""
        if one == other or other == old:
            return [one]
        if one == old:
            return [other]
        return self._lines(number, ([old], [one], [other]), [one], [other])

    def _lines(
        self, number: int, sides: tuple[list[str], list[str], list[str]], ours: list[str],
        theirs: list[str],
    ) -> list[str]:  # fmt: skip
        """The lines from ``number`` in three versions, and what both typed there."""
        base, one, other = ("".join(side) for side in sides)
        if one == other:
            return [one]
        if not base:
            return self._together(ours, theirs)
        woven = strings.weave(base, one, other, self._work) if one and other else None
        if woven is not None and not woven.overlap and woven.kept >= _ANOTHER:
            return [woven.text]
        kept = self._together(ours, theirs)
        text = "".join(ended(kept, self._break))
        if text:
            self._report(Clash((str(number + 1),), base, one or None, other or None, text))
        return kept

    def _together(self, ours: list[str], theirs: list[str]) -> list[str]:
        """Both, one after the other; what they begin or end with alike once."""
        start, end = common(ours, theirs)
        middle = [*ours[start : len(ours) - end], *theirs[start : len(theirs) - end]]
        return [*ours[:start], *middle, *ours[len(ours) - end :]]


def _side(base: list[str], lines: list[str], found: list[Region], group: Group) -> list[str]:
    """What a side has in place of a group's lines."""
    out: list[str] = []
    at = group.start
    for one in found:
        out += base[at : one.start]
        out += lines[one.new_start : one.new_end]
        at = one.end
    return [*out, *base[at : group.end]]


def _line_end(lines: list[str]) -> str:
    found = re.search(r"\r?\n|\r", "".join(lines))
    return found.group() if found else "\n"


def merge_text(
    base: str, a: str, b: str, report: Callable[[Clash], None] | None = None,
    work: Work | None = None,
) -> str:  # fmt: skip
    """Both sides' changes of a text document; ``report`` hears what both rewrote."""
    return TextMerge(base, a, b, report or (lambda _clash: None), work or Work()).merged()


def shared(a: str, b: str, work: Work | None = None) -> str:
    """The lines that both versions have, in their order."""
    ours = lines_of(a)
    out: list[str] = []
    at = 0
    for one in regions(ours, lines_of(b), work or Work()):
        out += ours[at : one.start]
        at = one.end
    return "".join(ended([*out, *ours[at:]], _line_end(ours[:1])))


def merge_apart(
    a: str, b: str, report: Callable[[Clash], None] | None = None, work: Work | None = None
) -> str:
    """Two versions of a text that has nobody left who knows what they were made from.

    What both have is there once, and what only one has stays.  Where they differ, the
    lines of ``b`` stand, and that is a clash.
    """
    ours, theirs = lines_of(a), lines_of(b)
    out: list[str] = []
    at = 0
    for one in regions(ours, theirs, work or Work()):
        out += ours[at : one.start]
        mine, other = ours[one.start : one.end], theirs[one.new_start : one.new_end]
        out += other or mine
        if mine and other and report is not None:
            text = "".join(other)
            report(Clash((str(one.start + 1),), None, "".join(mine), text, text))
        at = one.end
    return "".join(ended([*out, *ours[at:]], _line_end(ours[:1])))


def ended(lines: Sequence[str], end: str) -> Iterator[str]:
    """Lines of which all but the last one end."""
    last = len(lines) - 1
    for place, line in enumerate(lines):
        yield line if place == last or not line or line[-1] in "\r\n" else line + end
