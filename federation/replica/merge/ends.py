# SPDX-License-Identifier: MIT
"""What a document has around its lines: a byte order mark, line ends, a last line feed.

A program may change all of them with one save.  That is one change, not one
of each line, so lines are merged without them, and they are merged for
themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")
_BOM = "\ufeff"
_CRLF = "\r\n"


@dataclass(frozen=True, slots=True)
class Ends:
    """``end``: that of all lines, "" where there is none, None where they differ."""

    mark: str
    end: str | None
    #: whether the last line has its end; None where there is no line
    ended: bool | None


def of(text: str) -> Ends:
    """What a text has around its lines."""
    mark = _BOM if text.startswith(_BOM) else ""
    if len(text) == len(mark):
        return Ends(mark, "", None)
    feeds, returns = text.count("\n"), text.count("\r")
    if not returns:
        end: str | None = "\n" if feeds else ""
    else:
        end = _CRLF if returns == feeds == text.count(_CRLF) else None
    return Ends(mark, end, text[-1] in "\r\n")


def bare(text: str, ends: Ends, *, joined: bool) -> str:
    """A text without its mark, each line ended by LF; ends that differ stay unless ``joined``."""
    lines = text[len(ends.mark) :]
    if joined and ends.end == _CRLF:
        lines = lines.replace(_CRLF, "\n")
    return lines if ends.ended in (None, True) else lines + "\n"


def can_join(*ends: Ends | None) -> bool:
    """Whether each version has one kind of line ends only."""
    return all(one is None or one.end is not None for one in ends)


def merged(base: Ends | None, a: Ends, b: Ends) -> Ends:
    """What one side changed, else what both have; b's where both changed it.

    Of two who wrote the first line ends at once, the one with CRLF has a program
    that needs them; those of LF read CRLF as well.
    """
    old = base or a
    mark = a.mark if b.mark == old.mark else b.mark
    first = base is None or not base.end
    end = next((one for one in _changed(old.end, a.end, b.end) if one), "\n")
    end = _CRLF if first and _CRLF in (a.end, b.end) else end
    return Ends(mark, end, next((one for one in _changed(old.ended, a.ended, b.ended)
                                 if one is not None), None))  # fmt: skip


def _changed(base: _T, a: _T, b: _T) -> tuple[_T, _T, _T]:
    """First what counts, then what counts where that says nothing."""
    return (a, b, base) if b == base else (b, a, base)


def dressed(lines: str, ends: Ends, *, joined: bool) -> str:
    """Lines with what goes around them."""
    if ends.ended is False:
        lines = lines.removesuffix("\n").removesuffix("\r")
    if joined and ends.end == _CRLF:
        lines = lines.replace("\n", _CRLF)
    return ends.mark + lines
