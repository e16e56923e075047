# SPDX-License-Identifier: MIT
"""JSON out: the canonical form that is signed (RFC 8785, "JCS"), and the wire form.

Almost every message is made of strings, small integers and ASCII keys.  For
those msgspec's sorted encoding *is* the canonical one: it escapes the same
characters the same way, and byte order is the order of UTF-16 code units as
long as keys are ASCII.  Anything else is put together piece by piece, with
numbers that are not integers written by the rfc8785 library.
"""

from __future__ import annotations

from typing import Final

import msgspec
import rfc8785

from federation import limits
from federation.errors import Refusal

_SORTED: Final = msgspec.json.Encoder(order="sorted")
_ENCODER: Final = msgspec.json.Encoder()


def canonical(value: object) -> bytes:
    """The RFC 8785 form of a JSON value.

    ``Refusal`` for what has none: ``number-range`` (beyond 2^53-1),
    ``non-finite-number``, ``lone-surrogate``, ``wrong-type`` (no JSON type, or
    a key that is no string), ``depth-exceeded``.
    """
    try:
        if _is_plain(value):
            return _SORTED.encode(value)
        pieces: list[bytes] = []
        _write(value, pieces)
        return b"".join(pieces)
    except UnicodeEncodeError:
        raise Refusal("lone-surrogate") from None
    except RecursionError:
        raise Refusal("depth-exceeded") from None


def encode(value: object) -> bytes:
    """Compact JSON for the wire, keys in the order given; refuses as :func:`canonical`.

    The result decodes with ``strictjson`` to an equal value.
    """
    _is_plain(value)
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        raise Refusal("lone-surrogate") from None
    except RecursionError:
        raise Refusal("depth-exceeded") from None


def _is_plain(value: object) -> bool:
    """Whether msgspec's sorted encoding is canonical; refuses what is not JSON."""
    plain = True
    waiting = [value]
    while waiting:
        item = waiting.pop()
        kind = type(item)
        if kind is str or item is None or kind is bool:
            continue
        if isinstance(item, dict):
            for key in item:
                if type(key) is not str:
                    raise Refusal("wrong-type", "a key that is not a string")
                plain = plain and key.isascii()
            waiting += item.values()
        elif isinstance(item, (list, tuple)):
            waiting += item
        elif kind is int:
            _check_integer(item)  # type: ignore[arg-type]
        elif kind is float:
            if item != item or item in (float("inf"), float("-inf")):
                raise Refusal("non-finite-number")
            plain = False
        else:
            raise Refusal("wrong-type", f"{kind.__name__} is not JSON")
    return plain


def _check_integer(value: int) -> None:
    if not -limits.SAFE_INTEGER <= value <= limits.SAFE_INTEGER:
        raise Refusal("number-range")


def _float(value: float) -> bytes:
    """A number that is no integer type, as ECMAScript writes it (RFC 8785, 3.2.2.3).

    Where it writes no exponent, Python writes the same shortest digits; a
    message full of numbers would otherwise cost ten times as much.
    """
    text = repr(value)
    if "e" in text or text == "-0.0":
        return rfc8785.dumps(value)
    return text.removesuffix(".0").encode("ascii")


def _write(value: object, pieces: list[bytes]) -> None:
    """Append the canonical form of a value that :func:`_is_plain` has looked through."""
    if isinstance(value, float):
        pieces.append(_float(value))
    elif isinstance(value, dict):
        # RFC 8785, 3.2.3: keys in the order of their UTF-16 code units.
        separator = b"{"
        for key in sorted(value, key=lambda text: text.encode("utf-16-be")):
            pieces += (separator, _ENCODER.encode(key), b":")
            _write(value[key], pieces)
            separator = b","
        pieces.append(b"}" if value else b"{}")
    elif isinstance(value, (list, tuple)):
        separator = b"["
        for item in value:
            pieces.append(separator)
            _write(item, pieces)
            separator = b","
        pieces.append(b"]" if value else b"[]")
    else:
        pieces.append(_ENCODER.encode(value))
