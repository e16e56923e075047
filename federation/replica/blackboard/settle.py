# SPDX-License-Identifier: MIT
"""Reading and writing the value at a conflict's place in a blackboard.

A place is (title of an entry, what of it): a property's name, or one of the
words in parentheses of ``fields.Conflict``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from federation.errors import Refusal
from federation.replica.blackboard.outline import (
    Drawer,
    Entry,
    Outline,
    Property,
    is_sound,
    parse,
    split_heading,
)
from federation.replica.merge.settle import place_of, replaced

_LINE: Final = re.compile(r"[ \t]*:\S+:[ \t]*")
Known = Sequence[str | None]


def standing(text: str, path: tuple[str, ...], sides: Known) -> str | None:
    """What stands at a place after a merge of ``sides`` (base, a, b); None for nothing."""
    outline = parse(text)
    _base, a, b = sides
    both = f"{a}{b}" if a and b else None
    place = _find(outline, path, (both, *sides))
    return None if place is None else _read(outline, place, path[1], (both, b, a))


def put(text: str, path: tuple[str, ...], known: Known, value: str | None) -> str | None:
    """The board with ``value`` (None: nothing) at a place; None where that is not to be found.

    ``known`` are the values that may stand there.  Refused: ``bad-params`` for
    a value that would be something else in Org.
    """
    outline = parse(text)
    place = _find(outline, path, known)
    if place is None:
        return None
    entry, what = outline.entries[place], path[1]
    if what == "(place)":
        stays = _read(outline, place, what, known) == (value or "")
        return text if stays else _moved(outline, place, value or "")
    if what == "(entry)":
        changed = _whole(outline, place, value)
    else:
        one = _entry_with(entry, what, known, value)
        if one is None:
            return None
        changed = [one]
    entries = (*outline.entries[:place], *changed, *outline.entries[place + 1 :])
    made = Outline(outline.frame, entries)
    if parse(made.text()).entries != entries:
        raise Refusal("bad-params", "value: it would not be read as what it is meant for")
    return made.text()


def _find(outline: Outline, path: tuple[str, ...], known: Known) -> int | None:
    """The only entry of that title; of several the only one with a known value."""
    title, what = path
    titles = {title, *(one for one in known if one)} if what == "(heading)" else {title}
    places = [number for number, one in enumerate(outline.entries) if one.title in titles]
    if len(places) > 1:
        places = [one for one in places if _read(outline, one, what, known) in known]
    return places[0] if len(places) == 1 else None


def _read(outline: Outline, place: int, what: str, known: Known) -> str | None:
    """What stands at a place of an entry; of its body the first known text that is there."""
    entry = outline.entries[place]
    if what == "(heading)":
        return entry.title
    if what == "(planning)":
        return entry.planning.strip() or None
    if what == "(entry)":
        return entry.text()
    if what == "(place)":
        above = outline.parents[place]
        return outline.entries[above].title if above > 0 else ""
    if what == "(body)":
        found = (one for one in known if one and place_of(entry.body, one) is not None)
        return next(found, None)
    number = _property(entry, what, known)
    return None if number is None else entry.properties[number].value


def _property(entry: Entry, name: str, known: Known) -> int | None:
    """Which property of a name; of several one with a known value."""
    found = [number for number, one in enumerate(entry.properties) if one.name == name]
    good = [number for number in found if entry.properties[number].value in known]
    return next(iter(good or found), None)


def _entry_with(entry: Entry, what: str, known: Known, value: str | None) -> Entry | None:
    """An entry with another value at one of its places."""
    if what == "(body)":
        body = next(
            (
                changed
                for one in known
                if one and (changed := replaced(entry.body, one, value or "")) is not None
            ),
            None,
        )
        if body is not None and is_sound(entry.body) and not is_sound(body):
            raise Refusal("bad-params", "value: this is no text below a heading")
        return None if body is None else replace(entry, body=body)
    if value is not None and "\n" in value:
        raise Refusal("bad-params", "value: one line is needed here")
    if what == "(planning)":
        return replace(entry, planning=f"{value}\n" if value else "")
    if what == "(heading)":
        return replace(entry, heading=f" {value or ''}{split_heading(entry.heading)[1]}\n")
    return _with_property(entry, what, known, value)


def _with_property(entry: Entry, name: str, known: Known, value: str | None) -> Entry:
    drawer = entry.drawer or Drawer(":PROPERTIES:\n", (), ":END:\n")
    properties = list(drawer.properties)
    number = _property(entry, name, known)
    if number is None and value is None:
        return entry
    if value is None:
        properties.pop(number or 0)
    elif number is None:
        properties.append(Property(name, value, f":{name}: {value}\n"))
    else:
        before = _LINE.match(properties[number].line)
        lead = before.group() if before else f":{name}: "
        lead = lead if lead[-1] in " \t" else lead + " "
        properties[number] = Property(name, value, f"{lead}{value}\n")
    kept = replace(drawer, properties=tuple(properties)) if properties else None
    return replace(entry, drawer=kept)


def _whole(outline: Outline, place: int, value: str | None) -> list[Entry]:
    """An entry as somebody else has it, or none; one with others below it cannot go."""
    if value is None and place in outline.parents:
        hint = "move or delete these first, then say `kept`"
        raise Refusal("bad-params", "there are headings below this one", hint=hint)
    if value is None:
        return []
    found = parse(value if value.endswith("\n") else value + "\n").entries
    if len(found) != 2 or found[0].text():
        raise Refusal("bad-params", "value: one heading with what belongs to it is needed here")
    return [replace(found[1], level=outline.entries[place].level)]


def _moved(outline: Outline, place: int, above: str) -> str | None:
    """The board with an entry, and what is below it, as the last one below another."""
    entries, end = outline.entries, _end(outline, place)
    below = [number for number, one in enumerate(entries) if number and one.title == above]
    if above and (len(below) != 1 or place <= below[0] < end):
        return None
    target = _end(outline, below[0]) if above else len(entries)
    level = entries[below[0]].level + 1 if above else 1
    shift = level - entries[place].level
    part = [replace(one, level=one.level + shift) for one in entries[place:end]]
    if target > place:
        found = (*entries[:place], *entries[end:target], *part, *entries[target:])
    else:
        found = (*entries[:target], *part, *entries[target:place], *entries[end:])
    return Outline(outline.frame, found).text()


def _end(outline: Outline, place: int) -> int:
    """Behind the last entry below one."""
    level = outline.entries[place].level
    behind = range(place + 1, len(outline.entries))
    return next((one for one in behind if outline.entries[one].level <= level),
                len(outline.entries))  # fmt: skip
