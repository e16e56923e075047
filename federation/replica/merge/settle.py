# SPDX-License-Identifier: MIT
"""Putting the value that somebody chose into a document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from federation import limits
from federation.errors import Refusal
from federation.replica.merge import tree
from federation.replica.merge.document import is_canvasl, split_lines
from federation.replica.merge.entries import label
from federation.replica.merge.entry import Entry
from federation.replica.merge.likeness import ALIKE, likeness
from federation.replica.merge.tree import Value
from federation.replica.merge.value import Frame, Path

#: what stands before a line; a byte order mark does before the first one
_STARTS: Final = "\r\n\ufeff"
#: a JSON text has these only between its tokens
_BREAKS: Final = re.compile(r"[\r\n]+[ \t\r\n]*")


def put(
    kind: str, content: bytes, path: Path, entry: str, value: str | None,
    others: Sequence[str | None] = (),
) -> bytes | None:  # fmt: skip
    """The document with ``value`` (JSON text or line; None: removed) at a conflict's place.

    None where the place is not to be found any more.  ``entry`` is the entry
    as it was when the conflict was seen, cut at ``limits.CONFLICT_TEXT``; in a
    text it may be one of ``others`` that stands there.  Refused: ``bad-params``
    for a value that is no JSON, or no line, where the document has such.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if is_plain(kind, content, path, entry):
        line = int(path[0]) if len(path) == 1 and path[0].isdecimal() else 1
        changed = _in_text(text, entry, value or "", line, others)
    elif kind == "canvasl":
        changed = _in_lines(text, path, entry, value)
    elif (canvas := _canvas(text)) is not None:
        inside = _in_canvas(canvas[1], path, entry, _checked(value))
        changed = None if inside is None else canvas[0] + inside + canvas[2]
    else:
        changed = None
    return None if changed is None else changed.encode()


def is_plain(kind: str, content: bytes, path: Path = (), entry: str = "") -> bool:
    """Whether a conflict is about lines of text, not about a value or an entry.

    The sides of a document that is a canvas may have been none: then the place
    is a line.
    """
    text = content.decode("utf-8", "replace")
    numbered = len(path) == 1 and path[0].isdecimal()
    if kind == "canvasl":
        return not is_canvasl(text) or (numbered and "\n" in entry)
    canvas = _canvas(text) if kind == "json-canvas" else None
    if canvas is None:
        return True
    return numbered and path[0] not in [tree.key_name(key) for key in canvas[1].keys]


def _checked(value: str | None) -> str | None:
    """A value that is JSON, without white space around it."""
    if value is None:
        return None
    try:
        value.encode()
        found = tree.parse(value)[1]
    except ValueError as error:
        raise Refusal("bad-params", "value: JSON is needed here") from error
    if found.kind == "whole":
        raise Refusal("bad-params", "value: nested too deeply")
    return found.text


def _in_text(
    text: str, entry: str, value: str, line: int, others: Sequence[str | None]
) -> str | None:
    """A text with other lines in the place of those of a conflict."""
    if entry:
        changed = replaced(text, entry, value, line)
        if changed is not None:
            return changed
    for one in others:  # what occurs again may be something else
        if one and len(_places(text, one)) == 1:
            return replaced(text, one, value)
    return None


def _places(text: str, lines: str) -> list[tuple[int, int]]:
    """Where some lines begin and end in a text, as whole lines; the last one may lack its end."""
    found: list[tuple[int, int]] = []
    at = text.find(lines)
    while at >= 0:
        end = at + len(lines)
        whole = lines[-1] in "\r\n" or end == len(text) or text[end] in "\r\n"
        if whole and (at == 0 or text[at - 1] in _STARTS):
            found.append((at, end))
        at = text.find(lines, at + 1)
    bare = lines.removesuffix("\n").removesuffix("\r")
    at = len(text) - len(bare)
    if lines != bare != "" and text.endswith(bare) and (at == 0 or text[at - 1] in _STARTS):
        found.append((at, len(text)))
    return found


def place_of(text: str, lines: str, line: int = 1) -> tuple[int, int] | None:
    """Where some whole lines are in a text; of several places the one nearest to a line."""
    found = _places(text, lines)
    return min(found, key=lambda place: abs(text.count("\n", 0, place[0]) + 1 - line), default=None)


def replaced(text: str, lines: str, new: str, line: int = 1) -> str | None:
    """A text with ``new`` in the place of whole ``lines``; None where they are not there."""
    place = place_of(text, lines, line)
    if place is None:
        return None
    before, old, after = text[: place[0]], text[slice(*place)], text[place[1] :]
    if old[-1] not in "\r\n":  # the line end behind belongs to the last line
        new = new.removesuffix("\n").removesuffix("\r")
        if not new:
            after = after.removeprefix("\r").removeprefix("\n")
    elif new and after and new[-1] not in "\r\n":
        new += "\r\n" if old.endswith("\r\n") else old[-1]
    return before + new + after


def _in_lines(text: str, path: Path, entry: str, value: str | None) -> str | None:
    mark, lines, ended = split_lines(text)
    place = _find([Entry(line) for line in lines], entry, path[0])
    if place is not None and value is None and len(path) == 1 and not is_cut(entry):
        # what only resembles the entry is another one: that is not to be deleted
        there, gone = Entry(lines[place]), Entry(entry)
        if there.text != gone.text and (gone.name is None or there.name != gone.name):
            return None
    if len(path) > 1:
        value = _one_line(value)
    elif value is not None:
        value = _as_line(value, entry)
    if place is None:
        if len(path) != 1 or value is None or is_cut(entry):
            return None
        _append(lines, value, ended=ended)
    elif len(path) == 1:
        end = "\r" if lines[place].endswith("\r") else ""
        lines[place : place + 1] = [] if value is None else [value + end]
    else:
        parsed = Entry(lines[place]).parsed
        changed = None if parsed is None else _set(parsed[1], path[1:], value)
        if parsed is None or changed is None:
            return None
        lines[place] = parsed[0] + changed + parsed[2]
    return mark + "\n".join(lines) + ("\n" if ended and lines else "")


def _one_line(value: str | None) -> str | None:
    """A JSON value on one line."""
    checked = _checked(value)
    return None if checked is None else _BREAKS.sub(" ", checked)


def _append(lines: list[str], line: str, *, ended: bool) -> None:
    """Add a line at the end, with the line ends that the others have."""
    end = "\r" if any(one.endswith("\r") for one in lines) else ""
    if lines and not ended:
        lines[-1] += end
    lines.append(line + end if ended else line)


def _as_line(value: str, entry: str) -> str:
    """A whole line, without its end, in the place of another one: JSON where that was JSON."""
    bare = value.rstrip("\r\n")
    if Entry(entry).parsed is not None:
        return _one_line(bare) or ""
    if "\n" in bare:
        raise Refusal("bad-params", "value: one line is needed here")
    return bare


def _canvas(text: str) -> tuple[str, Value, str] | None:
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    try:
        before, value, after = tree.parse(text[len(mark) :])
    except tree.NotJson:
        return None
    return mark + before, value, after


def _in_canvas(root: Value, path: Path, entry: str, value: str | None) -> str | None:
    """The place is in an entry of one of the lists, or anywhere."""
    key = next((key for key in root.keys if path and tree.key_name(key) == path[0]), None)
    entries = root.members[key] if key is not None else None
    if not entry or entries is None or entries.kind != "array" or len(path) < 2:
        return _set(root, path, value)
    found = _find([Entry(text) for text in entries.texts], entry, path[1])
    if found is None and is_cut(entry):
        return None
    if found is None:
        changed = _set_item(entries, path[1:], value) if len(path) == 2 else None
    elif len(path) == 2:
        changed = _with_part(entries, found, value)
    else:
        inside = _set(entries.parts[found], path[2:], value)
        changed = None if inside is None else _with_part(entries, found, inside)
    return None if changed is None else root.changed({root.keys.index(key): changed})


def is_cut(entry: str) -> bool:
    """Whether only the beginning of an entry was kept beside its conflict."""
    return len(entry) >= limits.CONFLICT_TEXT


def _find(entries: Sequence[Entry], wanted: str, called: str) -> int | None:
    """The same line, else the only one of that id, else the most similar one.

    One of which only the beginning is known is the only one ``called`` so.
    """
    if is_cut(wanted):
        named = [place for place, one in enumerate(entries) if one.id == called]
        return named[0] if len(named) == 1 else None
    like = Entry(wanted)
    for place, entry in enumerate(entries):
        if entry.text == wanted:
            return place
    named = [
        place
        for place, one in enumerate(entries)
        if like.name is not None and one.name == like.name
    ]
    if len(named) == 1 or (not named and like.id is not None):
        # what resembles it and is called otherwise is another entry
        return named[0] if named else None
    among = named or range(len(entries))
    best = max(among, key=lambda place: likeness(entries[place], like), default=None)
    if best is None or (not named and likeness(entries[best], like) < ALIKE):
        return None
    return best


def _set(value: Value, path: Path, new: str | None) -> str | None:
    """The text of a value with one place below it changed; None where there is no such place."""
    if not path:
        return new
    if value.is_whole:
        return None
    if value.kind == "object":
        return _set_member(value, path, new)
    if value.kind == "array":
        return _set_item(value, path, new)
    return None


def _set_member(value: Value, path: Path, new: str | None) -> str | None:
    names = [tree.key_name(key) for key in value.keys]
    wanted, rest = path[0], path[1:]
    if wanted not in names:
        if rest or new is None:
            return None
        return _with_part(value, None, tree.dump_key(wanted) + new)
    place = names.index(wanted)
    changed = _set(value.parts[place], rest, new)
    if changed is None and len(path) > 1:
        return None
    return _with_part(value, place, None if changed is None else value.labels[place] + changed)


def _set_item(value: Value, path: Path, new: str | None) -> str | None:
    names = [label(Entry(text), place) for place, text in enumerate(value.texts)]
    if path[0] not in names:
        return None if len(path) > 1 or new is None else _with_part(value, None, new)
    place = names.index(path[0])
    changed = _set(value.parts[place], path[1:], new)
    if changed is None and len(path) > 1:
        return None
    return _with_part(value, place, changed)


def _with_part(value: Value, place: int | None, new: str | None) -> str:
    """An object or array with another part at a place (None: at the end), or without it."""
    labels = value.labels or ("",) * len(value.texts)
    frame = Frame(value, value)
    for at, (before, text) in enumerate(zip(labels, value.texts, strict=True)):
        if at != place:
            frame.add(before + text, at)
        elif new is not None:
            frame.add(new, at)
    if place is None and new is not None:
        frame.add(new, None)
    return frame.text()
