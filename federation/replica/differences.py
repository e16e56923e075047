# SPDX-License-Identifier: MIT
"""The differences of two texts as people read them: unified, in bounded time and size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from federation import limits
from federation.replica.alignment import Region
from federation.replica.merge.text import regions
from federation.replica.merge.work import Work

#: equal lines that are shown around a change
CONTEXT: Final = 3
#: what `diff` writes below a last line without its end
_UNENDED: Final = "\n\\ No newline at end of file\n"


def unified(old: str, new: str, names: tuple[str, str]) -> tuple[str, bool]:
    """What leads from ``old`` to ``new``, as `diff -u` writes it, and whether all of it is there.

    Empty for equal texts.  Lines end with a line feed, as for `diff` and git;
    more than ``limits.DIFF`` characters are cut off.
    """
    before, after = _lines(old), _lines(new)
    found = regions(before, after, Work())
    if not found:
        return "", True
    parts = [f"--- {names[0]}\n+++ {names[1]}\n"]
    room = limits.DIFF
    for group in _groups(found):
        for part in _hunk(before, after, group):
            if len(part) > room:
                return "".join(parts) + part[:room], False
            room -= len(part)
            parts.append(part)
    return "".join(parts), True


def _lines(text: str) -> list[str]:
    """The lines of a text with their line feeds; other line ends are characters like any."""
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _groups(found: Sequence[Region]) -> Iterator[list[Region]]:
    """Changes so near to each other that their contexts meet, together."""
    group: list[Region] = []
    for one in found:
        if group and one.start - group[-1].end > 2 * CONTEXT:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _hunk(old: Sequence[str], new: Sequence[str], group: Sequence[Region]) -> Iterator[str]:
    """The head of a hunk, then its lines."""
    first, last = group[0], group[-1]
    start, end = max(first.start - CONTEXT, 0), min(last.end + CONTEXT, len(old))
    # what is equal before and behind is as long on both sides
    new_start = first.new_start - (first.start - start)
    new_end = last.new_end + (end - last.end)
    yield f"@@ -{_range(start, end)} +{_range(new_start, new_end)} @@\n"
    at = start
    for one in group:
        yield from (_marked(" ", line) for line in old[at : one.start])
        yield from (_marked("-", line) for line in old[one.start : one.end])
        yield from (_marked("+", line) for line in new[one.new_start : one.new_end])
        at = one.end
    yield from (_marked(" ", line) for line in old[at:end])


def _marked(mark: str, line: str) -> str:
    return mark + line if line.endswith("\n") else mark + line + _UNENDED


def _range(start: int, end: int) -> str:
    """A range of lines as the head of a hunk has it."""
    if end - start == 1:
        return str(start + 1)
    return f"{start + (end > start)},{end - start}"
