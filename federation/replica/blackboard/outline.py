# SPDX-License-Identifier: MIT
"""Org as headings with property drawers, byte for byte.

Layout of a text::

    preamble                          entry 0, level 0, no heading
    * heading line
    SCHEDULED: <...>                  planning, optional
    :PROPERTIES:                      drawer, optional
    :NAME: value
    :END:
    anything else                     body
    ** next heading ...

Only what Org itself takes for a heading or a property drawer is one (Org
manual, "Headlines", "Property Syntax"; ``org-property-drawer-re``): a damaged
drawer stays body.  BOM, CRLF and a missing final line end are the frame around
the text, so that entries can change places without being glued together.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

_HEADING: Final = re.compile(r"^\*+(?= )", re.MULTILINE)
_PLANNING: Final = re.compile(r"[ \t]*(?:CLOSED|DEADLINE|SCHEDULED):.*\n")
_OPENING: Final = re.compile(r"[ \t]*:PROPERTIES:[ \t]*\n", re.IGNORECASE)
_PROPERTY: Final = re.compile(r"[ \t]*:(\S+):(?:[ \t](.*))?\n")
_CLOSING: Final = re.compile(r"[ \t]*:END:[ \t]*\n", re.IGNORECASE)
_TAGS: Final = re.compile(r"[ \t]+:[\w@#%:]+:[ \t]*\Z")
_BOM: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class Frame:
    """What is around the lines: BOM, CRLF at every line end, a final line end."""

    bom: bool = False
    crlf: bool = False
    ended: bool = True

    def wrap(self, text: str) -> str:
        """``text``, whose lines all end in LF, as it stands in the file."""
        if not self.ended and text.endswith("\n"):
            text = text[:-1]
        if self.crlf:
            text = text.replace("\n", "\r\n")
        return _BOM + text if self.bom else text


def unwrap(text: str) -> tuple[Frame, str]:
    """The frame of a text, and its lines, which all end in LF."""
    bom = text.startswith(_BOM)
    text = text[len(_BOM) :] if bom else text
    ends = text.count("\n")
    crlf = 0 < ends == text.count("\r\n")
    if crlf:
        text = text.replace("\r\n", "\n")
    ended = text == "" or text.endswith("\n")
    return Frame(bom, crlf, ended), text if ended else text + "\n"


@dataclass(frozen=True, slots=True)
class Property:
    """One line of a property drawer; ``name`` is in capitals, as Org compares it."""

    name: str
    value: str
    line: str


@dataclass(frozen=True, slots=True)
class Drawer:
    """A property drawer: its first line, its properties, its last line."""

    opening: str
    properties: tuple[Property, ...]
    closing: str

    def text(self) -> str:
        """The lines of the drawer."""
        return self.opening + "".join(one.line for one in self.properties) + self.closing


@dataclass(frozen=True)
class Entry:
    """One heading with what belongs to it alone, without its children.

    ``level`` is the number of stars, 0 for the preamble; ``heading`` is the
    rest of the heading's line with its line end, empty for the preamble.
    """

    level: int
    heading: str = ""
    planning: str = ""
    drawer: Drawer | None = None
    body: str = ""

    def text(self) -> str:
        """The lines of the entry."""
        drawer = self.drawer.text() if self.drawer else ""
        return "*" * self.level + self.heading + self.planning + drawer + self.body

    @cached_property
    def title(self) -> str:
        """The heading without stars, tags and the space around it."""
        return split_heading(self.heading)[0].strip()

    @property
    def properties(self) -> tuple[Property, ...]:
        """The properties in their order."""
        return self.drawer.properties if self.drawer else ()

    def get(self, name: str) -> str | None:
        """The value of a property (its first line), None when it is missing or empty."""
        return next((one.value for one in self.properties if one.name == name and one.value), None)


def split_heading(heading: str) -> tuple[str, str]:
    """A heading's text and its tags (with the space before them); no line end."""
    line = heading.removesuffix("\n")
    found = _TAGS.search(line)
    return (line[: found.start()], found.group()) if found else (line, "")


@dataclass(frozen=True)
class Outline:
    """A whole text: ``frame``, and all entries in order, the preamble first."""

    frame: Frame
    entries: tuple[Entry, ...]

    def text(self) -> str:
        """The text; of a parsed one the very characters that were parsed."""
        return self.frame.wrap("".join(entry.text() for entry in self.entries))

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """For each entry the index of its parent; -1 for the preamble, 0 at the top."""
        return tuple(parents([entry.level for entry in self.entries]))


def parents(levels: list[int]) -> Iterator[int]:
    """The parent of each entry: the nearest one before it with fewer stars."""
    above: list[int] = []
    for index, level in enumerate(levels):
        while above and levels[above[-1]] >= level:
            above.pop()
        yield above[-1] if above else -1
        above.append(index)


def count_headings(text: str) -> int:
    """How many headings there are, without reading them."""
    return sum(1 for _ in _HEADING.finditer(text))


def parse(text: str) -> Outline:
    """Read any text; ``parse(text).text() == text``."""
    frame, lines = unwrap(text)
    starts = [found.start() for found in _HEADING.finditer(lines)]
    ends = [*starts, len(lines)]
    entries = [_entry(0, lines[: ends[0]])]
    for start, end in zip(starts, ends[1:], strict=True):
        stars = _HEADING.match(lines, start)
        level = stars.end() - start if stars else 0
        entries.append(_entry(level, lines[start + level : end]))
    return Outline(frame, tuple(entries))


def _entry(level: int, text: str) -> Entry:
    at = text.index("\n") + 1 if level else 0
    heading = text[:at]
    found = _PLANNING.match(text, at) if level else None
    planning = found.group() if found else ""
    at += len(planning)
    drawer, at = _drawer(text, at)
    return Entry(level, heading, planning, drawer, text[at:])


def _drawer(text: str, at: int) -> tuple[Drawer | None, int]:
    """The drawer at ``at`` and where it ends; None where Org sees none."""
    opening = _OPENING.match(text, at)
    if opening is None:
        return None, at
    properties: list[Property] = []
    here = opening.end()
    while (closing := _CLOSING.match(text, here)) is None:
        found = _PROPERTY.match(text, here)
        if found is None:
            return None, at
        value = (found.group(2) or "").strip(" \t")
        properties.append(Property(found.group(1).upper(), value, found.group()))
        here = found.end()
    return Drawer(opening.group(), tuple(properties), closing.group()), closing.end()


def mended(outline: Outline, versions: Iterable[Outline]) -> Outline:
    """Drawers back in their place where somebody wrote between them and their heading.

    Org sees no drawer there any more, and two who do that at once would double
    it.  It is known by a property that one of the ``versions`` has there.
    """
    known: dict[str, set[tuple[str, str]]] = {}
    for version in versions:
        for entry in version.entries:
            if entry.drawer:
                found = known.setdefault(entry.title, set())
                found.update((one.name, one.value) for one in entry.properties)
    entries = (_mended(entry, known.get(entry.title, set())) for entry in outline.entries)
    return replace(outline, entries=tuple(entries))


def _mended(entry: Entry, known: Collection[tuple[str, str]]) -> Entry:
    if entry.drawer or not entry.level or not known:
        return entry
    at = 0
    for line in entry.body.split("\n"):
        drawer, end = _drawer(entry.body, at)
        if drawer and any((one.name, one.value) in known for one in drawer.properties):
            return replace(entry, drawer=drawer, body=entry.body[:at] + entry.body[end:])
        at += len(line) + 1
    return entry


_BLOCK: Final = re.compile(r"[ \t]*#\+(begin|end)(?:_(\S+)|:)", re.IGNORECASE)
_DRAWER: Final = re.compile(r"[ \t]*:([\w-]+):[ \t]*\Z")
_VERBATIM: Final = frozenset({"src", "example", "export", "comment"})


def is_sound(body: str) -> bool:
    """Whether a body is only body: no heading, no property drawer, all that opens is closed."""
    if count_headings(body) or _OPENING.match(body) or _PLANNING.match(body):
        return False
    blocks: list[str] = []
    drawer = False
    for line in body.split("\n"):
        found = _BLOCK.match(line)
        if found:
            name = (found.group(2) or "").lower()
            verbatim = bool(blocks) and blocks[-1] in _VERBATIM
            if found.group(1).lower() == "begin":
                if not verbatim:
                    blocks.append(name)
            elif blocks and blocks[-1] == name:
                blocks.pop()
            elif not verbatim:
                return False
        elif not blocks and (named := _DRAWER.match(line)):
            is_end = named.group(1).upper() == "END"
            if is_end != drawer:
                return False
            drawer = not is_end
    return not blocks and not drawer
