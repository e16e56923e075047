# SPDX-License-Identifier: MIT
"""JSON as RFC 8259 and RFC 7493 (I-JSON) have it, and nothing beside it.

The C scanner of the standard library does the work; it alone would accept NaN,
a key twice, half a surrogate pair, any size of number and UTF-16, and would
recurse as deep as the text says.  What it lets through is found by its hooks
and by two checks of the result.

When a text has several defects, the first of this list is the one reported:
``bad-utf8``, ``bad-json``, ``duplicate-key``, ``non-finite-number``,
``number-range``, ``lone-surrogate``, ``depth-exceeded``.  Only a text too deep
for the scanner itself is called too deep without the rest being looked at.
"""

from __future__ import annotations

import json
import math
from typing import Final, NoReturn

from federation import limits
from federation.errors import Refusal

#: Length of the longest integer in range, its sign included.  The grammar has
#: no leading zeros, so a longer one is out of range: it is never converted,
#: which would cost the square of its length.
_INT_TEXT: Final = len(str(-limits.SAFE_INTEGER))

_ORDER: Final = ("duplicate-key", "non-finite-number", "number-range")


class _Found(Exception):
    """A hook met something; the whole text is then judged in order."""


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Found
    return value


def _integer(text: str) -> int:
    if len(text) > _INT_TEXT:
        raise _Found
    value = int(text)
    if not -limits.SAFE_INTEGER <= value <= limits.SAFE_INTEGER:
        raise _Found
    return value


def _real(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _Found
    return value


def _constant(_name: str) -> NoReturn:
    raise _Found


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_real, parse_constant=_constant
)


def decode(data: bytes) -> object:
    """The value of the JSON text ``data``; ``Refusal`` with one of the reasons above.

    Integers become ``int`` and other numbers ``float``.  ``data`` is bounded by
    the caller: time and memory are linear in its length.
    """
    # The first two characters of any JSON text are ASCII (or there is one only):
    # a NUL among them shows UTF-16 or UTF-32, as the old RFC 4627 told them apart.
    if b"\0" in data[:2]:
        raise Refusal("bad-utf8", "UTF-16 or UTF-32")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal("bad-utf8", f"at byte {error.start}") from None
    try:
        value: object = _DECODER.decode(text)
    except _Found:
        value = _judge(text)
    except json.JSONDecodeError as error:
        raise Refusal("bad-json", f"at character {error.pos}") from None
    except RecursionError:
        raise Refusal("depth-exceeded") from None
    # Only an escape can make half a pair: raw ones are not UTF-8.
    if (b"\\ud" in data or b"\\uD" in data) and not _whole_characters(value):
        raise Refusal("lone-surrogate")
    if isinstance(value, (dict, list)):
        _check_depth(value)
    return value


def _judge(text: str) -> NoReturn:
    """Read a text with a defect to its end, and refuse it by the order above."""
    found: set[str] = set()

    def pairs(items: list[tuple[str, object]]) -> None:
        if len({key for key, _ in items}) != len(items):
            found.add("duplicate-key")

    def integer(digits: str) -> int:
        if len(digits) > _INT_TEXT or abs(int(digits)) > limits.SAFE_INTEGER:
            found.add("number-range")
        return 0

    def real(digits: str) -> float:
        if math.isinf(float(digits)):
            found.add("number-range")
        return 0.0

    def constant(_name: str) -> None:
        found.add("non-finite-number")

    decoder = json.JSONDecoder(
        object_pairs_hook=pairs, parse_int=integer, parse_float=real, parse_constant=constant
    )
    try:
        decoder.decode(text)
    except json.JSONDecodeError as error:
        raise Refusal("bad-json", f"at character {error.pos}") from None
    except RecursionError:
        raise Refusal("depth-exceeded") from None
    raise Refusal(next(reason for reason in _ORDER if reason in found))


def _check_depth(value: object) -> None:
    """Refuse containers nested deeper than ``limits.JSON_DEPTH``, level by level."""
    level = [value]
    depth = 0
    while level:
        depth += 1
        if depth > limits.JSON_DEPTH:
            raise Refusal("depth-exceeded", f"more than {limits.JSON_DEPTH} levels")
        inner: list[object] = []
        for container in level:
            items = container.values() if isinstance(container, dict) else container
            inner += [item for item in items if isinstance(item, (dict, list))]  # type: ignore[attr-defined]
        level = inner


def _whole_characters(value: object) -> bool:
    """Whether every string below ``value`` can be written as UTF-8."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            try:
                item.encode("utf-8")
            except UnicodeEncodeError:
                return False
        elif isinstance(item, dict):
            waiting += item.keys()
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return True
