# SPDX-License-Identifier: MIT
"""What a JSON text means, at the speed of the C decoder.

Nothing that a canvas may hold is lost on the way: members keep their order and
their duplicates, numbers stay as they are written.
"""

from __future__ import annotations

import json
import re
from typing import Final

from federation import limits

#: what stands for a text that is no JSON, or nested deeper than limits.MERGE_DEPTH
NOTHING: Final = object()

_ESCAPES: Final = re.compile(r"\\.", re.DOTALL)
_STRINGS: Final = re.compile(r'"[^"]*"')
#: all bytes but quotes and brackets
_NO_MARKS: Final = bytes(set(range(256)) - set(b'"[]{}'))
_EMPTY: Final = re.compile(r"\[\]|\{\}")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Members(tuple[tuple[str, object], ...]):
    """The members of an object, in order, duplicates and all."""

    __slots__ = ()


class Number(str):
    """A number as it is written."""

    __slots__ = ()


def _no_constant(name: str) -> object:
    raise ValueError(name)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=Members, parse_int=Number, parse_float=Number, parse_constant=_no_constant
)


def load(text: str) -> object:
    """Objects as Members, arrays as lists, numbers as Number; else NOTHING."""
    if too_deep(text):
        return NOTHING
    try:
        return _DECODER.decode(text.strip(" \t\r\n"))
    except (ValueError, RecursionError):
        return NOTHING


def too_deep(text: str) -> bool:
    """Whether a JSON text is nested deeper than limits.MERGE_DEPTH."""
    if text.count("[") + text.count("{") <= limits.MERGE_DEPTH:
        return False
    if "\\" in text:
        text = _ESCAPES.sub("", text)
    marks = text.encode("utf-8", "surrogatepass").translate(None, _NO_MARKS).decode()
    brackets = _STRINGS.sub("", marks.replace('""', ""))
    for _level in range(limits.MERGE_DEPTH):
        inner = _EMPTY.sub("", brackets)
        if inner == brackets:
            break
        brackets = inner
    return bool(brackets)


def canonical(loaded: object) -> str:
    """Equal for what differs only in spelling: white space, escapes, the order of keys."""
    return repr(_sorted(loaded))


def _sorted(value: object) -> object:
    """Members by key; duplicates of a key stay in their order."""
    if isinstance(value, Members):
        return ("o", sorted(((key, _sorted(part)) for key, part in value), key=lambda one: one[0]))
    if isinstance(value, list):
        return [_sorted(part) for part in value]
    return ("n", str(value)) if isinstance(value, Number) else value


def printable(name: str) -> str:
    """A name that can be written anywhere: JSON's lone surrogates are in no text."""
    return _SURROGATE.sub("\ufffd", name) if not name.isascii() else name


def dump_string(text: str, *, escaped: bool = False) -> str:
    """A string as JSON, raw or ``escaped``; lone surrogates are always escaped."""
    dumped = json.dumps(text, ensure_ascii=escaped)
    if dumped.isascii():
        return dumped
    return _SURROGATE.sub(lambda found: f"\\u{ord(found.group()):04x}", dumped)
