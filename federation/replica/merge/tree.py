# SPDX-License-Identifier: MIT
"""JSON with its bytes: a tree of spans over the text that it was read from.

A merge rebuilds only what changed, so every value knows where it stands:
numbers such as ``0.50``, duplicate keys, key order and separators stay as
somebody wrote them (RFC 8259 leaves all of these open).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Final, NamedTuple, NoReturn

import msgspec

from federation.replica.merge import meaning
from federation.replica.merge.work import Work

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_COMMA: Final = re.compile(r"[ \t\n\r]*,?[ \t\n\r]*")
_STRING: Final = re.compile(
    r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"'
)
_ATOM: Final = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
#: (key, how often it came before): the name of a member
Key = tuple[str, int]


class NotJson(ValueError):
    """The text is not one JSON value."""


def _no_constant(name: str) -> NoReturn:
    raise NotJson(name)


#: finds the end of a value at the speed of C; nothing is converted
_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_no_constant)
#: arrays of this length are taken apart by another decoder, which is slower to begin
_LONG: Final = 4096
_RAW: Final = msgspec.json.Decoder(msgspec.Raw)
_RAWS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_RAW_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
#: an object without another one in it, of a text that is known to be JSON
_FLAT: Final = re.compile(r'\{[^{}"]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^{}"]*)*\}')


class _Layout(NamedTuple):
    """What an object or array is made of, as texts."""

    texts: tuple[str, ...]
    keys: tuple[Key, ...]
    labels: tuple[str, ...]
    gaps: tuple[str, ...]


class _Spent(Exception):
    """Taking a value apart would cost more than the merge may spend."""


class Value:
    """A JSON value: its own text, taken apart where somebody looks.

    ``kind`` is ``object``, ``array``, ``string``, ``atom``, or ``whole`` for
    what is nested too deeply to be taken apart.
    """

    def __init__(self, kind: str, text: str, work: Work | None = None) -> None:
        self.kind = kind
        self.text = text
        self._work = work or Work()

    @cached_property
    def _layout(self) -> _Layout | None:
        if self.kind not in ("object", "array"):
            return _Layout((), (), (), ())
        try:
            return _take_apart(self.text, self._work, is_object=self.kind == "object")
        except _Spent:
            return None

    @property
    def is_whole(self) -> bool:
        """Whether it can only be taken or left: too deep, or beyond what the merge may spend."""
        return self.kind == "whole" or self._layout is None

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts of the members' values, or of the items."""
        return self._layout.texts if self._layout else ()

    @cached_property
    def parts(self) -> tuple[Value, ...]:
        """The values of an object's members, or the items of an array."""
        return tuple(Value(_kind(text), text, self._work) for text in self.texts)

    @property
    def keys(self) -> tuple[Key, ...]:
        """Of an object: (key, how often it came before), for each member."""
        return self._layout.keys if self._layout else ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Of an object: ``"key": `` as written, before each value."""
        return self._layout.labels if self._layout else ()

    @property
    def gaps(self) -> tuple[str, ...]:
        """The texts around the parts: before the first, between any two, after the last."""
        return self._layout.gaps if self._layout else ()

    @cached_property
    def canonical(self) -> str:
        """A text that is equal for values that differ only in spelling."""
        loaded = meaning.load(self.text)
        return self.text if loaded is meaning.NOTHING else "=" + meaning.canonical(loaded)

    @property
    def string(self) -> str:
        """The text that a string means; it may hold lone surrogates."""
        return str(json.loads(self.text))

    @cached_property
    def members(self) -> dict[Key, Value]:
        """The members of an object."""
        return dict(zip(self.keys, self.parts, strict=True))

    def get(self, key: str) -> Value | None:
        """A member of an object, the last of its key (as parsers take it)."""
        found = None
        for (name, _number), part in zip(self.keys, self.parts, strict=True):
            if name == key:
                found = part
        return found

    def changed(self, news: Mapping[int, str]) -> str:
        """The text with other texts for some of its parts."""
        labels = self.labels or ("",) * len(self.texts)
        out: list[str] = []
        for place, (label, text) in enumerate(zip(labels, self.texts, strict=True)):
            out += (self.gaps[place], label, news.get(place, text))
        return "".join((*out, self.gaps[-1]))


def key_name(key: Key) -> str:
    """How a member is called where people see it."""
    name, number = key
    return meaning.printable(name) if not number else f"{meaning.printable(name)} ({number + 1})"


def parse(text: str, work: Work | None = None) -> tuple[str, Value, str]:
    """One JSON value with the white space before and after it; raises NotJson.

    What is nested too deeply is of kind ``whole``; where it is deeper than
    the decoder goes, nobody looked whether it is JSON.
    """
    start = _skip(text, 0)
    end = len(text.rstrip(" \t\r\n"))
    try:
        _check(text, start)
    except RecursionError:
        return text[:start], Value("whole", text[start:end], work), text[end:]
    inner = text[start:end]
    kind = "whole" if meaning.too_deep(inner) else _kind(inner)
    return text[:start], Value(kind, inner, work), text[end:]


def _check(text: str, start: int) -> None:
    """Raise NotJson for what is not one value."""
    try:
        _RAW.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        # half of a surrogate pair is JSON all the same
        if _skip(text, _end(text, start)) != len(text):
            raise NotJson("text after the value") from error


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _kind(text: str) -> str:
    return {"{": "object", "[": "array", '"': "string"}.get(text[:1], "atom")


def _end(text: str, at: int) -> int:
    """The end of the value that begins at a place; RecursionError where it is too deep."""
    first = text[at : at + 1]
    if first in ("{", "["):
        try:
            return _DECODER.raw_decode(text, at)[1]
        except ValueError as error:
            raise NotJson(f"no value at {at}") from error
    found = (_STRING if first == '"' else _ATOM).match(text, at)
    if found is None:
        raise NotJson(f"no value at {at}")
    return found.end()


def _take_apart(text: str, work: Work, *, is_object: bool) -> _Layout:
    """The parts of a text that is known to be an object or array."""
    texts: list[str] = []
    keys: list[Key] = []
    labels: list[str] = []
    gaps: list[str] = []
    seen: Counter[str] = Counter()
    gap_from, here, last = 0, _skip(text, 1), len(text) - 1
    if not is_object and len(text) > _LONG and (layout := _items(text, work)) is not None:
        return layout
    raws = _raw_members(text) if is_object and len(text) > _LONG else {}
    while here < last:
        if len(texts) >= work.parts:
            work.parts = 0
            raise _Spent
        gaps.append(text[gap_from:here])
        if is_object:
            key, end = _label(text, here)
            keys.append((key, seen[key]))
            seen[key] += 1
            labels.append(text[here:end])
            here = end
        gap_from = _known_end(text, here, raws.get(keys[-1][0], "") if raws else "")
        texts.append(text[here:gap_from])
        found = _COMMA.match(text, gap_from)
        here = found.end() if found else gap_from
    gaps.append(text[gap_from:])
    work.parts -= len(texts)
    return _Layout(tuple(texts), tuple(keys), tuple(labels), tuple(gaps))


def _raw_members(text: str) -> dict[str, str]:
    """The values of an object, of several members with one key the last; empty if not known."""
    try:
        return {key: str(raw, "utf-8") for key, raw in _RAW_MEMBERS.decode(text).items()}
    except (msgspec.DecodeError, ValueError):
        return {}


def _known_end(text: str, at: int, raw: str) -> int:
    """The end of a value in a text that is known to be JSON; perhaps it is ``raw``."""
    if text[at] == "{" and (flat := _FLAT.match(text, at)):
        return flat.end()
    # no value in brackets begins another one
    if raw and text[at] in "{[" and text.startswith(raw, at):
        return at + len(raw)
    return _end(text, at)


def _items(text: str, work: Work) -> _Layout | None:
    """The items of a long array; None where it has what not every decoder takes."""
    try:
        raws = _RAWS.decode(text)
    except (msgspec.DecodeError, ValueError):  # half of a surrogate pair
        return None
    if len(raws) > work.parts:
        work.parts = 0
        raise _Spent
    work.parts -= len(raws)
    texts = [str(raw, "utf-8") for raw in raws]
    gaps: list[str] = []
    at = 0
    for one in texts:
        here = text.index(one, at)
        gaps.append(text[at:here])
        at = here + len(one)
    gaps.append(text[at:])
    return _Layout(tuple(texts), (), (), tuple(gaps))


def _label(text: str, at: int) -> tuple[str, int]:
    found = _STRING.match(text, at)
    if found is None:
        raise NotJson(f"no key at {at}")
    return str(json.loads(found.group())), _skip(text, _skip(text, found.end()) + 1)


def dump_key(key: str) -> str:
    """A key as the label of a new member."""
    return meaning.dump_string(key) + ":"
