# SPDX-License-Identifier: MIT
"""Changes between two contents as a few splices, and their compact form.

A list of splices says which ranges of the old bytes give way to which new
ones.  Their edges never lie inside of a UTF-8 character where both contents
are text, so whoever counts in characters can use them, too.

Finding them takes time in proportion to the contents, not to their product:
what both begin and end with is set aside, then what is unique on both sides
anchors the rest (patience diff, Bram Cohen), first by line, then by word.

The compact form, all numbers LEB128 varints:

    count  (kept, dropped, inserted) * count  inserted bytes, one after another

``kept`` counts the old bytes from the end of one splice to the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from federation import limits
from federation.errors import Refusal
from federation.replica.alignment import Region, gaps


class Splice(NamedTuple):
    """From the byte ``at`` of the old content, ``drop`` bytes give way to ``insert``."""

    at: int
    drop: int
    insert: bytes


#: Equal bytes between two splices that cost less than a second splice.
_JOIN: Final = 4
#: Below this many bytes a region is not looked into again.
_FINE: Final = 48
_WORD: Final = re.compile(rb"[^\s,]*[\s,]?", re.DOTALL)
#: Samples of a content that are looked for in another one, their bytes, and how many have to
#: be there for a comparison to be worth its time.  Smaller contents are compared in any case.
_SAMPLES, _SAMPLE, _FOUND, _QUICK = 12, 64, 3, 2048
_ENDLESS: Final = 1 << 62
#: Content bytes copied one patch after another that cost as much as composing them first.
_COPIED: Final = 64 * limits.MIB


# --- finding splices ---------------------------------------------------------------
def diff(old: bytes, new: bytes) -> list[Splice]:
    """Splices that make ``new`` of ``old``: ascending, apart, limits.PATCH_SPLICES at most."""
    if old == new:
        return []
    regions = [_trimmed(old, new, Region(0, len(old), 0, len(new)))]
    for units in (_lines, _words):
        regions = [part for one in regions for part in _refined(old, new, one, units)]
    return [
        Splice(one.start, one.end - one.start, new[one.new_start : one.new_end])
        for one in _joined(regions)
    ]


def alike(old: bytes, new: bytes) -> bool:
    """Whether ``diff`` would find much that both have, as samples of ``new`` tell."""
    if len(new) < _QUICK or len(old) < _QUICK:
        return True
    found = 0
    for number in range(_SAMPLES):
        at = (len(new) - _SAMPLE) * number // (_SAMPLES - 1)
        found += new[at : at + _SAMPLE] in old
        if found >= _FOUND:
            return True
    return False


def _trimmed(old: bytes, new: bytes, region: Region) -> Region:
    """A region without what both of its sides begin and end with."""
    start, end, new_start, new_end = region
    same = _same_start(old, new, region)
    for _ in range(3):
        if same and (_inside(old, start + same) or _inside(new, new_start + same)):
            same -= 1
    start, new_start = start + same, new_start + same
    same = _same_end(old, new, Region(start, end, new_start, new_end))
    for _ in range(3):
        if same and _inside(old, end - same):
            same -= 1
    return Region(start, end - same, new_start, new_end - same)


def _inside(text: bytes, at: int) -> bool:
    """Whether an edge here would split a character."""
    return at < len(text) and text[at] & 0xC0 == 0x80


def _same_start(old: bytes, new: bytes, region: Region) -> int:
    """How many bytes both sides begin with."""
    view, (start, end, new_start, new_end) = memoryview(new), region
    most = min(end - start, new_end - new_start)

    def same(done: int, count: int) -> bool:
        return old.startswith(view[new_start + done : new_start + done + count], start + done)

    return _reach(most, same)


def _same_end(old: bytes, new: bytes, region: Region) -> int:
    """How many bytes both sides end with."""
    view, (start, end, new_start, new_end) = memoryview(new), region
    most = min(end - start, new_end - new_start)

    def same(done: int, count: int) -> bool:
        return old.endswith(view[new_end - done - count : new_end - done], 0, end - done)

    return _reach(most, same)


def _reach(most: int, same: Callable[[int, int], bool]) -> int:
    """The largest n <= ``most`` with ``same(0, n)``, which is asked piece by piece."""
    done, step = 0, 64
    while done < most:
        step = min(step, most - done)
        if not same(done, step):
            break
        done, step = done + step, step * 2
    else:
        return done
    while step > 1:
        half = step // 2
        if same(done, half):
            done, step = done + half, step - half
        else:
            step = half
    return done


def _lines(text: bytes, start: int, end: int) -> list[bytes] | None:
    """The lines of a range, with their ends; None for too many of them."""
    if text.count(b"\n", start, end) > limits.PATCH_UNITS:
        return None
    lines = text[start:end].splitlines(keepends=True)
    return lines if len(lines) <= limits.PATCH_UNITS else None


def _words(text: bytes, start: int, end: int) -> list[bytes] | None:
    """The words of a range, with what is behind them; None for too long a range."""
    if end - start > limits.PATCH_WORDS:
        return None
    words = _WORD.findall(text, start, end)[:-1]  # the last match is empty
    return words if len(words) <= limits.PATCH_UNITS else None


def _refined(
    old: bytes, new: bytes, region: Region,
    units: Callable[[bytes, int, int], list[bytes] | None],
) -> Iterator[Region]:  # fmt: skip
    """What differs inside of a region, unit by unit."""
    if min(region.end - region.start, region.new_end - region.new_start) < _FINE:
        yield region
        return
    left = units(old, region.start, region.end)
    right = units(new, region.new_start, region.new_end) if left is not None else None
    if left is None or right is None:
        yield region
        return
    left_at = _offsets(left, region.start)
    right_at = _offsets(right, region.new_start)
    for low, high, new_low, new_high in gaps(left, right):
        gap = Region(left_at[low], left_at[high], right_at[new_low], right_at[new_high])
        yield _trimmed(old, new, gap)


def _offsets(units: Sequence[bytes], start: int) -> list[int]:
    offsets = [start]
    for unit in units:
        start += len(unit)
        offsets.append(start)
    return offsets


def _joined(regions: Iterable[Region]) -> list[Region]:
    """Neighbours so near that one splice is shorter, and no more than there may be."""
    made: list[Region] = []
    for one in regions:
        if one.start == one.end and one.new_start == one.new_end:
            continue
        if made and one.start - made[-1].end <= _JOIN:
            made[-1] = made[-1]._replace(end=one.end, new_end=one.new_end)
        else:
            made.append(one)
    excess = len(made) - limits.PATCH_SPLICES
    return _without_narrowest(made, excess) if excess > 0 else made


def _without_narrowest(regions: Sequence[Region], count: int) -> list[Region]:
    """Regions with the ``count`` narrowest gaps between them closed."""
    widths = [after.start - one.end for one, after in pairwise(regions)]
    closed = set(sorted(range(len(widths)), key=widths.__getitem__)[:count])
    made = [regions[0]]
    for number, one in enumerate(regions[1:]):
        if number in closed:
            made[-1] = made[-1]._replace(end=one.end, new_end=one.new_end)
        else:
            made.append(one)
    return made


# --- using splices -----------------------------------------------------------------
def apply(old: bytes, splices: Iterable[Splice]) -> bytes:
    """The new content; ``content-mismatch`` for splices that were made for another one."""
    view, parts, done = memoryview(old), list[bytes | memoryview](), 0
    for at, drop, insert in splices:
        if at < done or drop < 0 or at + drop > len(old):
            raise Refusal("content-mismatch", "a delta that was made for another content")
        parts += (view[done:at], insert)
        done = at + drop
    parts.append(view[done:])
    return b"".join(parts)


def apply_all(old: bytes, patches: Sequence[Sequence[Splice]]) -> bytes:
    """The content after several patches, each made for what the one before leaves."""
    if len(old) * len(patches) > _COPIED:
        patches = list(patches)
        while len(patches) > 1:  # neighbours in pairs: each splice is handled log n times
            pairs = zip(patches[::2], patches[1::2], strict=False)
            patches = [compose(*pair) for pair in pairs] + patches[len(patches) // 2 * 2 :]
    for patch in patches:
        old = apply(old, patch)
    return old


class _Piece(NamedTuple):
    """A range of the old content, or of ``data``."""

    start: int
    end: int
    data: bytes | None


def compose(first: Iterable[Splice], second: Iterable[Splice]) -> list[Splice]:
    """One patch that does what two do one after the other."""
    reader = _Reader(first)
    pieces: list[_Piece] = []
    done = 0
    for at, drop, insert in second:
        if at < done or drop < 0:
            raise Refusal("content-mismatch", "a delta that was made for another content")
        pieces += reader.take(at - done)
        reader.take(drop)
        pieces.append(_Piece(0, len(insert), insert))
        done = at + drop
    pieces += reader.take(_ENDLESS)
    return _splices_of(pieces)


class _Reader:
    """The content that a patch leads to, as pieces, from its beginning on."""

    def __init__(self, patch: Iterable[Splice]) -> None:
        self._pieces = self._all(patch)
        self._left: _Piece | None = None

    @staticmethod
    def _all(patch: Iterable[Splice]) -> Iterator[_Piece]:
        done = 0
        for at, drop, insert in patch:
            yield _Piece(done, at, None)
            yield _Piece(0, len(insert), insert)
            done = at + drop
        yield _Piece(done, _ENDLESS, None)

    def take(self, count: int) -> list[_Piece]:
        """The next ``count`` bytes."""
        taken: list[_Piece] = []
        while count > 0:
            piece = self._left or next(self._pieces, None)
            self._left = None
            if piece is None:
                break
            start, end, data = piece
            if end - start > count:
                self._left = _Piece(start + count, end, data)
                end = start + count
            if end > start:
                taken.append(_Piece(start, end, data))
                count -= end - start
        return taken


def _splices_of(pieces: Iterable[_Piece]) -> list[Splice]:
    """Pieces as splices: what stands between two ranges of the old content."""
    made: list[Splice] = []
    done, insert = 0, list[bytes]()
    for start, end, data in pieces:
        if data is not None:
            insert.append(data[start:end])
            continue
        text = b"".join(insert)
        if start > done or text:
            made.append(Splice(done, start - done, text))
        done, insert = end, []
    return made


# --- the compact form ----------------------------------------------------------------
def encode(splices: Sequence[Splice]) -> bytes:
    """The splices as bytes."""
    made = bytearray()
    done = 0
    numbers = [len(splices)]
    for at, drop, insert in splices:
        numbers += (at - done, drop, len(insert))
        done = at + drop
    for number in numbers:
        while number > 0x7F:
            made.append(number & 0x7F | 0x80)
            number >>= 7
        made.append(number)
    return bytes(made) + b"".join(splice.insert for splice in splices)


def decode(data: bytes) -> list[Splice]:
    """The splices of :func:`encode`; ``bad-field`` for anything else."""
    (count,), at = _numbers(data, 0, 1)
    if 3 * count > len(data):
        raise Refusal("bad-field", "a delta shorter than it says")
    numbers, at = _numbers(data, at, 3 * count)
    splices: list[Splice] = []
    place = 0
    for kept, drop, size in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True):
        splices.append(Splice(place + kept, drop, data[at : at + size]))
        place, at = place + kept + drop, at + size
    if at != len(data):
        raise Refusal("bad-field", "a delta of another length than it says")
    return splices


def _numbers(data: bytes, at: int, count: int) -> tuple[list[int], int]:
    """The next ``count`` numbers, and where they end."""
    numbers: list[int] = []
    number = shift = 0
    for byte in memoryview(data)[at:] if count else ():
        at += 1
        number |= (byte & 0x7F) << shift
        if byte > 0x7F:
            shift += 7
            if shift > 42:
                break
            continue
        numbers.append(number)
        number = shift = 0
        if len(numbers) == count:
            break
    if len(numbers) < count:
        raise Refusal("bad-field", "a delta with a damaged number")
    return numbers, at
