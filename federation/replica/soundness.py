# SPDX-License-Identifier: MIT
"""What is wrong with a canvas, for the person who syncs it.

Nothing here refuses or changes anything: a canvas is carried as it is, byte for
byte.  But lines that are no JSON merge as lines only, an id that two entries
share tells neither, and an edge without its end is drawn nowhere.  The edges of
some canvases lead into other files on purpose; so each kind of fault is one
finding, with the place of its first case and a count.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn

import msgspec

from federation.replica.merge import meaning, tree
from federation.replica.merge.document import LISTS, split_lines
from federation.replica.merge.entry import ENDS
from federation.replica.names import Kind

Problem = Literal["not-text", "not-json", "not-canvas", "same-id", "no-end"]
#: Characters of an id that are repeated.
_SHOWN: Final = 60
#: Lines that begin so are directives and remarks, which a CanvasL file may have.
_ASIDE: Final = ("@", "#", "//", ";")


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault: where it is first (line 1 is the first one), and how often it is again."""

    problem: Problem
    line: int
    text: str
    more: int = 0

    def as_data(self) -> dict[str, object]:
        """The fault in the form of ``warnings`` of ``sync.file``."""
        return {"problem": self.problem, "line": self.line, "text": self.text, "more": self.more}


def faults(kind: Kind, content: bytes) -> list[Fault]:
    """What is wrong with a canvas, one for each kind of fault, in the order of lines.

    Empty for other kinds of documents, and for a ``.canvasl`` that is no CanvasL
    (elsewhere that ending means YAML or Org).
    """
    if kind == "text":
        return []
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = "this is no UTF-8 text: several versions of it cannot be merged"
        return [Fault("not-text", line, what)]
    found = _of_lines(text) if kind == "canvasl" else _of_canvas(text)
    return sorted(found, key=lambda one: one.line)


def new_faults(kind: Kind, before: bytes, after: bytes) -> list[Fault]:
    """The kinds of fault of which a canvas has more than it had before, in the order of lines."""
    found = faults(kind, after)
    had = {one.problem: one.more for one in faults(kind, before)} if found else {}
    return [one for one in found if one.more > had.get(one.problem, -1)]


def expected(kind: str, path: Sequence[str], value: str, sides: Sequence[str | None]) -> str:
    """What is expected instead of a value (JSON text) at a place of a canvas; empty if it fits.

    ``path`` leads to an entry of a canvas or to a property of one.  JSON Canvas
    1.0 says what properties hold; where one of the ``sides`` (what stood there,
    None: nothing) has it otherwise, the canvas means something else by the name.
    """
    depth = {"canvasl": 1, "json-canvas": 2}.get(kind)
    if depth is None or len(path) not in (depth, depth + 1):
        return ""
    rest = path[depth:]
    others = [_properties(side, rest) for side in sides if side is not None]
    for name, one in _properties(value, rest).items():
        types, what = _HOLDS.get(name, (object, ""))
        other = any(name in side and not isinstance(side[name], types) for side in others)
        if not other and not isinstance(one, types):
            return f"{name}: {what}"
    return ""


def _properties(text: str, rest: Sequence[str]) -> Mapping[str, Any]:
    """The properties that a JSON text is or has; none of a text that is cut, or no JSON."""
    try:
        # a number of thousands of digits is one, too
        value = json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        return {}
    if rest:
        return {rest[0]: value}
    return value if isinstance(value, dict) else {}


#: What properties of nodes and edges hold (JSON Canvas 1.0), and how to say that.
_HOLDS: Final[Mapping[str, tuple[type, str]]] = {
    **dict.fromkeys(
        ("id", "type", "text", "file", "subpath", "url", "label", "color", "background",
         "backgroundStyle", "fromNode", "fromSide", "fromEnd", "toNode", "toSide", "toEnd"),
        (str, 'a string in quotation marks is expected, such as "3"'),
    ),
    **dict.fromkeys(
        ("x", "y", "width", "height"),
        (float, 'a number is expected, such as 3 and not "3"'),
    ),
}  # fmt: skip


class _Findings:
    """Faults by their kind: the first one, and how many more there are."""

    def __init__(self) -> None:
        self._first: dict[Problem, tuple[int, str]] = {}
        self._count: dict[Problem, int] = {}

    def add(self, problem: Problem, place: int, text: str) -> None:
        """Note one case, at a line or at the place of an entry."""
        self._first.setdefault(problem, (place, text))
        self._count[problem] = self._count.get(problem, 0) + 1

    def __iter__(self) -> Iterator[Fault]:
        for problem, (place, text) in self._first.items():
            yield Fault(problem, place, text, self._count[problem] - 1)


# --- CanvasL -------------------------------------------------------------------------
def _of_lines(text: str) -> list[Fault]:
    lines = [(number, line.strip()) for number, line in enumerate(split_lines(text)[1], 1)]
    lines = [(number, line) for number, line in lines if line and not line.startswith(_ASIDE)]
    # As ``is_canvasl``, but a line that breaks off counts for what it was to be.
    if sum(line[0] == "{" for _number, line in lines) * 4 < len(lines):
        return []
    found = _Findings()
    entries: dict[int, Mapping[str, Any]] = {}
    for number, line in lines:
        try:
            value = _load(line)
        except ValueError as error:
            column = getattr(error, "colno", None)
            where = f" (column {column})" if column else ""
            found.add("not-json", number, f"this is no JSON{where}")
            continue
        if isinstance(value, dict):
            entries[number] = value
        else:
            found.add("not-json", number, "this is no JSON object")
    taken = _check_ids(entries, found, lambda number: f"line {number}")
    _check_ends(entries, taken, found)
    return list(found)


# --- JSON Canvas ---------------------------------------------------------------------
def _of_canvas(text: str) -> list[Fault]:
    bare = text.removeprefix("\ufeff")
    if not bare.strip():
        return []  # an empty canvas is a legal one
    try:
        root = _load(bare)
    except ValueError as error:
        line, column = getattr(error, "lineno", 1), getattr(error, "colno", None)
        where = f" (column {column})" if column else ""
        return [Fault("not-json", line, f"the canvas is no JSON from here on{where}")]
    if not isinstance(root, dict) or not all(_is_list(root.get(key, [])) for key in LISTS):
        what = "this is no canvas: an object with lists of objects, `nodes` and `edges`, is one"
        return [Fault("not-canvas", 1, what)]
    nodes, edges = (dict(enumerate(root.get(key, []))) for key in LISTS)
    of_nodes, of_edges = _Findings(), _Findings()
    taken = _check_ids(nodes, of_nodes, lambda place: f"node {place + 1}")
    _check_ids(edges, of_edges, lambda place: f"edge {place + 1}")
    _check_ends(edges, taken, of_edges)
    faults = [*((0, one) for one in of_nodes), *((1, one) for one in of_edges)]
    value = tree.parse(bare)[1] if faults else None
    return [
        Fault(one.problem, _line_of(bare, value, LISTS[which], one.line), one.text, one.more)
        for which, one in faults
    ]


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _line_of(text: str, root: tree.Value | None, key: str, place: int) -> int:
    """The line of an entry of one of the lists; 1 where the canvas is too deep to be looked into.

    Of several lists of one name the last counts, as decoders take it.
    """
    at = [number for number, (name, _again) in enumerate(root.keys) if name == key] if root else []
    if root is None or not at:
        return 1
    start = len(text) - len(text.lstrip()) + _offset(root, at[-1])
    entries = root.parts[at[-1]]
    if place < len(entries.texts):
        start += _offset(entries, place)
    return text.count("\n", 0, start) + 1


def _offset(value: tree.Value, place: int) -> int:
    """Where a part of an object or array begins in its text."""
    labels = value.labels or ("",) * len(value.texts)
    before = zip(value.gaps, labels, value.texts, strict=False)
    lengths = [sum(map(len, one)) for one, _ in zip(before, range(place), strict=False)]
    return sum(lengths) + len(value.gaps[place]) + len(labels[place])


# --- both ----------------------------------------------------------------------------
def _load(text: str) -> object:
    """A JSON value; ValueError for what is none."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        # It knows no half of a surrogate pair, and says no column.
        try:
            # a number as its digits: Python makes no number of thousands of them
            return json.loads(text, parse_constant=_no_constant, parse_int=str)
        except RecursionError:
            return {}  # deeper than anybody looks: no fault that we know of


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _name(value: object) -> str | None:
    """A string or a whole number as the name of an entry; None for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _shown(name: str) -> str:
    name = meaning.printable(name)
    return f'"{name}"' if len(name) <= _SHOWN else f'"{name[:_SHOWN]}…"'


def _check_ids(
    entries: Mapping[int, Mapping[str, Any]], found: _Findings, called: Callable[[int], str]
) -> dict[str, int]:
    """Id -> the place of the first entry that has it."""
    taken: dict[str, int] = {}
    for place, entry in entries.items():
        name = _name(entry.get("id"))
        if name is None:
            continue
        first = taken.setdefault(name, place)
        if first != place:
            found.add("same-id", place, f"the id {_shown(name)} is that of {called(first)} already")
    return taken


def _check_ends(
    entries: Mapping[int, Mapping[str, Any]], taken: Mapping[str, int], found: _Findings
) -> None:
    for place, entry in entries.items():
        for end in _ends(entry):
            if end not in taken and end.removeprefix("#") not in taken:
                text = f"the edge leads to {_shown(end)}, which is not in this file"
                found.add("no-end", place, text)
                break


def _ends(entry: Mapping[str, Any]) -> Sequence[str]:
    """The names that an edge joins; those that name another file's entry are left out."""
    type_of = entry.get("type")
    plain = "from" in entry and "to" in entry
    if isinstance(type_of, str) and "edge" not in type_of.lower():
        return ()  # what has a sender and a receiver, say
    if not plain and not ("fromNode" in entry or "toNode" in entry):
        return ()
    names = (_name(entry.get(key)) for key in ENDS)
    return [name for name in names if name is not None and "#" not in name[1:]]
