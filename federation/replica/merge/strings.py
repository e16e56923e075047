# SPDX-License-Identifier: MIT
"""Merging strings by what people see as characters.

The unit is the grapheme cluster (UAX 29) and CRLF, so that a merge never takes
one apart.  Both versions are compared with the base; changes of different
places are both made, and callers say what becomes of changes that overlap.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from federation.replica.alignment import Region
from federation.replica.merge.changes import changes, common, joined
from federation.replica.merge.work import Work

if TYPE_CHECKING:
    import regex

#: between two of these a cluster always ends
_PLAIN: Final = re.compile(r"[ -~]")
_WORD: Final = re.compile(r"\w+|\s+|.", re.DOTALL)
#: ranges up to this are compared unit by unit at once, longer ones by words first
_SHORT: Final = 64
#: how far a range is shifted to begin and end between words
_SLIDE: Final = 256
_BOTH: Final = 2
#: (first unit, unit after the last, what stands there instead)
Hunk = tuple[int, int, Sequence[str]]


@cache
def _clusters() -> regex.Pattern[str]:
    """Loaded by the first text that needs it."""
    import regex

    return regex.compile(r"\X")


def clusters(text: str) -> Sequence[str]:
    """The grapheme clusters of a text; of ASCII without CR the text itself."""
    if text.isascii() and "\r" not in text:
        return text
    found: list[str] = _clusters().findall(text)
    return found


@dataclass(frozen=True, slots=True)
class Woven:
    """Both sides' changes of a text.

    ``overlap``: some are of one place; what both typed then stands there, and
    what either cut is gone.  ``kept`` is how much of a side is as it was,
    of 1: of the side that rewrote more.
    """

    text: str
    overlap: bool
    kept: float
    #: the text with only b's changes where they overlap
    settled: str


def weave(base: str, a: str, b: str, work: Work | None = None) -> Woven:
    """Both sides' changes of a text, those of a before those of b at one place.

    Both may cut overlapping ranges: what either cut is gone.  A rewritten
    text (less than a third of it left) counts as changed in one piece: pieces
    of two rewritings mixed together are nobody's words.
    """
    work = work or Work()
    before, after = _frame(base, a, b)
    end = len(base) - after
    units = clusters(base[before:end])
    ours = _hunks(units, clusters(a[before : len(a) - after]), work)
    theirs = _hunks(units, clusters(b[before : len(b) - after]), work)
    out: list[str] = [base[:before]]
    at = 0
    cut = overlap = False
    for first, last, new in _interleave(ours, theirs):
        if first < at and (new or not cut):
            overlap = True
        cut = not new
        out += units[at:first]
        out += new
        at = max(at, last)
    out += units[at:]
    kept = min(_kept(base, a, ours), _kept(base, b, theirs))
    text = "".join((*out, base[end:]))
    settled = base[:before] + _with_theirs(units, ours, theirs) + base[end:] if overlap else text
    return Woven(text, overlap, kept, settled)


def _kept(base: str, side: str, found: list[Hunk]) -> float:
    """How much of the longer one of two texts is the same in both; line ends count nothing."""
    most = max(len(base.rstrip("\r\n")), len(side.rstrip("\r\n")))
    gone = sum(len("".join(new)) for _first, _last, new in found)
    left = len(side.rstrip("\r\n")) - gone
    return max(left, 0) / most if most else 1.0


def merge_value(base: str, a: str, b: str, work: Work | None = None) -> str | None:
    """Both sides' changes of a string, or None where they overlap."""
    woven = weave(base, a, b, work)
    return None if woven.overlap else woven.text


def _with_theirs(units: Sequence[str], ours: list[Hunk], theirs: list[Hunk]) -> str:
    """Both sides' changes; where they overlap, only theirs."""
    out: list[str] = []
    at = 0
    for _start, stop, hunks in _places_of(ours, theirs):
        for first, last, new in hunks:
            out += units[at:first]
            out += new
            at = last
        out += units[at:stop]
        at = max(at, stop)
    out += units[at:]
    return "".join(out)


def _places_of(ours: list[Hunk], theirs: list[Hunk]) -> list[tuple[int, int, list[Hunk]]]:
    """Ranges that do not overlap, each with the hunks to make there: of two sides those of b."""
    both = [(hunk[0], hunk[1], side, hunk) for side, found in enumerate((ours, theirs))
            for hunk in found]  # fmt: skip
    places: list[tuple[int, int, list[Hunk]]] = []
    last_side = 0
    for first, last, side, hunk in sorted(both, key=lambda one: one[:3]):
        if not places or first >= places[-1][1]:
            places.append((first, last, [hunk]))
            last_side = side
            continue
        start, stop, hunks = places[-1]
        if side > last_side:
            hunks = []
        if side >= last_side:
            hunks = [*hunks, hunk]
        places[-1] = (start, max(stop, last), hunks)
        last_side = max(side, last_side)
    return places


def _frame(base: str, a: str, b: str) -> tuple[int, int]:
    """How many characters all three share at the beginning and the end, in whole clusters."""
    ones, others = common(base, a), common(base, b)
    start, end = min(ones[0], others[0]), min(ones[1], others[1])
    end = min(end, min(len(base), len(a), len(b)) - start)
    # a cluster ends between two plain characters, and those are the same in all three
    while start and not _is_plain(base, start - 2, start):
        start -= 1
    while end and not _is_plain(base, len(base) - end, len(base) - end + 2):
        end -= 1
    return max(start - 1, 0), max(end - 1, 0)


def _is_plain(text: str, start: int, end: int) -> bool:
    return start >= 0 and end <= len(text) and all(map(_PLAIN.match, text[start:end]))


def hunks(old: Sequence[str], new: Sequence[str], work: Work | None = None) -> list[Hunk]:
    """What turns one sequence of lines (or other units) into another, in order."""
    found = changes(old, new, work or Work())
    return [(one.start, one.end, new[one.new_start : one.new_end]) for one in found]


def _hunks(old: Sequence[str], new: Sequence[str], work: Work) -> list[Hunk]:
    """What turns one text into another; a rewriting is one hunk."""
    found = _sensible(_slid(old, new, _regions(old, new, work)))
    if len(found) > 1 and _is_rewritten(old, new, found):
        start, end = common(old, new)
        found = [Region(start, len(old) - end, start, len(new) - end)]
    return [(one.start, one.end, new[one.new_start : one.new_end]) for one in found]


def _is_rewritten(old: Sequence[str], new: Sequence[str], found: list[Region]) -> bool:
    """Whether less than a third is left; who only aligns a table rewrites nothing."""
    kept = len(old) - sum(one.end - one.start for one in found)
    if kept * 3 >= max(len(old), len(new)):
        return False
    kept = _letters(old) - sum(_letters(old[one.start : one.end]) for one in found)
    return kept * 3 < max(_letters(old), _letters(new))


def _letters(units: Sequence[str]) -> int:
    """How many units are no white space."""
    return sum(not unit.isspace() for unit in units)


def _slid(old: Sequence[str], new: Sequence[str], found: list[Region]) -> list[Region]:
    """What was only put in or only taken out, in whole words where it can be told so.

    Of ``a wide`` -> ``a wild wide`` as well ``ild w`` may have been put in
    behind ``w``; people write words.
    """
    slid: list[Region] = []
    for place, one in enumerate(found):
        start, new_start, end, new_end = one.start, one.new_start, one.end, one.new_end
        if (start < end) != (new_start < new_end):
            units, low, high = (new, new_start, new_end) if start == end else (old, start, end)
            least = 0
            if slid:
                gap = min(start - slid[-1].end, new_start - slid[-1].new_end)
                least = low - gap
            room = found[place + 1].start - end if place + 1 < len(found) else len(old) - end
            shift = _best_place(units, low, high, least, room)
            one = Region(start + shift, end + shift, new_start + shift, new_end + shift)
        slid.append(one)
    return slid


def _best_place(units: Sequence[str], low: int, high: int, least: int, room: int) -> int:
    """How far a range may shift to begin and end between words, with equal text around it."""
    best, shift = _breaks(units, low, high), 0
    for step in (-1, 1):
        at = 0
        while best < _BOTH and abs(at) < _SLIDE:
            first, last = low + at, high + at
            if step < 0:
                if first <= max(least, 0) or units[first - 1] != units[last - 1]:
                    break
            elif at >= room or last >= len(units) or units[first] != units[last]:
                break
            at += step
            score = _breaks(units, low + at, high + at)
            if score > best:
                best, shift = score, at
    return shift


def _breaks(units: Sequence[str], low: int, high: int) -> int:
    """How many of the two ends of a range are between words."""
    return sum(
        not (0 < at < len(units) and units[at - 1].isalnum() and units[at].isalnum())
        for at in (low, high)
    )


def _sensible(found: list[Region]) -> list[Region]:
    """Changes with the ranges between them that are the same by chance: as short as both."""
    kept: list[Region] = []
    for region in found:
        one = region
        while kept and one.start - kept[-1].end <= min(_size(kept[-1]), _size(one)):
            last = kept.pop()
            one = Region(last.start, one.end, last.new_start, one.new_end)
        kept.append(one)
    return kept


def _size(region: Region) -> int:
    return max(region.end - region.start, region.new_end - region.new_start)


def _regions(old: Sequence[str], new: Sequence[str], work: Work) -> list[Region]:
    """By words first where it is long, then inside of the changed words."""
    start, end = common(old, new)
    one, other = old[start : len(old) - end], new[start : len(new) - end]
    if min(len(one), len(other)) <= _SHORT:
        return changes(old, new, work)
    work.letters -= len(one) + len(other)
    if work.letters < 0:
        return [Region(start, len(old) - end, start, len(new) - end)]
    words, new_words = _words(one), _words(other)
    places, new_places = _places(words, start), _places(new_words, start)
    found: list[Region] = []
    for gap in changes(words, new_words, work):
        first, last = places[gap.start], places[gap.end]
        new_first, new_last = new_places[gap.new_start], new_places[gap.new_end]
        found += (
            Region(x + first, y + first, z + new_first, w + new_first)
            for x, y, z, w in changes(old[first:last], new[new_first:new_last], work)
        )
    return joined(found)


def _words(units: Sequence[str]) -> list[Sequence[str]]:
    if isinstance(units, str):
        return list(_WORD.findall(units))
    words: list[Sequence[str]] = []
    start = 0
    for place in range(1, len(units) + 1):
        if place == len(units) or not (units[place].isalnum() and units[place - 1].isalnum()):
            words.append(tuple(units[start:place]))
            start = place
    return words


def _places(words: list[Sequence[str]], start: int) -> list[int]:
    places = [start]
    for word in words:
        places.append(places[-1] + len(word))
    return places


def _interleave(ours: list[Hunk], theirs: list[Hunk]) -> list[Hunk]:
    """The hunks of both by place; the same change of both once.

    At one place insertions come before what replaces the text behind it, ours
    before theirs.
    """
    same = {(first, last, "".join(new)) for first, last, new in ours}
    rest = [hunk for hunk in theirs if (hunk[0], hunk[1], "".join(hunk[2])) not in same]
    both = [(hunk[0], hunk[1] > hunk[0], 0, hunk) for hunk in ours]
    both += [(hunk[0], hunk[1] > hunk[0], 1, hunk) for hunk in rest]
    return [entry[3] for entry in sorted(both, key=lambda entry: entry[:3])]
