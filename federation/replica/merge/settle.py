# SPDX-License-Identifier: MIT
"""Putting the value that somebody chose into a document."""

from __future__ import annotations

from collections.abc import Sequence

from federation.replica.merge import tree
from federation.replica.merge.document import split_lines
from federation.replica.merge.entries import label
from federation.replica.merge.pairing import Entry, likeness
from federation.replica.merge.tree import Value
from federation.replica.merge.value import Frame, Path

#: what an entry must share with the one that a conflict was seen in
_ALIKE = 0.5


def put(kind: str, content: bytes, path: Path, entry: str, value: str | None) -> bytes | None:
    """The document with ``value`` (JSON text or line; None: removed) at a conflict's place.

    None where the place is not to be found any more.  ``entry`` is the entry
    as it was when the conflict was seen.
    """
    text = content.decode("utf-8")
    if kind == "canvasl":
        return _in_lines(text, path, entry, value)
    try:
        before, root, after = tree.parse(text)
    except tree.NotJson:
        return None
    changed = _set(root, path, value)
    return None if changed is None else (before + changed + after).encode()


def _in_lines(text: str, path: Path, entry: str, value: str | None) -> bytes | None:
    mark, lines, ended = split_lines(text)
    place = _find([Entry(line) for line in lines], entry)
    if place is None:
        if len(path) != 1 or value is None:
            return None
        lines.append(value)
    elif len(path) == 1:
        lines[place : place + 1] = [] if value is None else [value]
    else:
        parsed = Entry(lines[place]).parsed
        changed = None if parsed is None else _set(parsed[1], path[1:], value)
        if parsed is None or changed is None:
            return None
        lines[place] = parsed[0] + changed + parsed[2]
    return (mark + "\n".join(lines) + ("\n" if ended and lines else "")).encode()


def _find(entries: Sequence[Entry], wanted: str) -> int | None:
    """The same line, else the only one of that id, else the most similar one."""
    like = Entry(wanted)
    for place, entry in enumerate(entries):
        if entry.text == wanted:
            return place
    named = [
        place
        for place, one in enumerate(entries)
        if like.name is not None and one.name == like.name
    ]
    if len(named) == 1:
        return named[0]
    among = named or range(len(entries))
    best = max(among, key=lambda place: likeness(entries[place], like), default=None)
    if best is None or (not named and likeness(entries[best], like) < _ALIKE):
        return None
    return best


def _set(value: Value, path: Path, new: str | None) -> str | None:
    """The text of a value with one place below it changed; None where there is no such place."""
    if not path:
        return new
    if value.kind == "object":
        return _set_member(value, path, new)
    if value.kind == "array":
        return _set_item(value, path, new)
    return None


def _set_member(value: Value, path: Path, new: str | None) -> str | None:
    frame = Frame(value, value)
    found = False
    for place, key in enumerate(value.keys):
        part = value.parts[place]
        if key[0] != path[0] or found:
            frame.add(key, value.labels[place] + part.text, place)
            continue
        found = True
        changed = _set(part, path[1:], new)
        if changed is None and len(path) > 1:
            return None
        if changed is not None:
            frame.add(key, value.labels[place] + changed, place)
    if not found:
        if len(path) > 1 or new is None:
            return None
        frame.add(path[0], tree.dump_key(path[0]) + new, None)
    return frame.text()


def _set_item(value: Value, path: Path, new: str | None) -> str | None:
    names = [label(Entry(part.text), place) for place, part in enumerate(value.parts)]
    frame = Frame(value, value)
    if path[0] not in names:
        if len(path) > 1 or new is None:
            return None
        for place, part in enumerate(value.parts):
            frame.add(place, part.text, place)
        frame.add(len(names), new, None)
        return frame.text()
    chosen = names.index(path[0])
    for place, part in enumerate(value.parts):
        if place != chosen:
            frame.add(place, part.text, place)
            continue
        changed = _set(part, path[1:], new)
        if changed is None and len(path) > 1:
            return None
        if changed is not None:
            frame.add(place, changed, place)
    return frame.text()
