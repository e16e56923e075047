# SPDX-License-Identifier: MIT
"""The forms of the fields of messages: JSON type, check, and words for the reference.

A check gets the name of the field and a value of the right type, and raises the
``Refusal`` that names the defect.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from federation import limits
from federation.errors import Refusal
from federation.identity import keys
from federation.identity.characters import check_display_name
from federation.identity.peer_id import check_peer_id
from federation.wire import timestamps


@dataclass(frozen=True, slots=True)
class Form:
    """What a field may hold: ``kind`` is exact (a bool is no int)."""

    kind: type
    check: Callable[[str, Any], object]
    words: str

    def check_type(self, name: str, value: object) -> None:
        """``Refusal("wrong-type")`` unless the JSON type fits."""
        if type(value) is not self.kind:
            raise Refusal("wrong-type", name)


_NULL: Final = "\0"


def _text(_name: str, value: str) -> None:
    if _NULL in value:
        raise Refusal("nul-in-text")


def _any(_name: str, _value: object) -> None:
    """No check at this stage: names of files are checked where they are used."""


def _matching(pattern: str, words: str) -> Form:
    form = re.compile(pattern)

    def check(name: str, value: str) -> None:
        if form.fullmatch(value) is None:
            raise Refusal("bad-field", name)

    return Form(str, check, words)


def _integer(first: int, last: int, words: str) -> Form:
    def check(name: str, value: int) -> None:
        if not first <= value <= last:
            raise Refusal("number-range", name)

    return Form(int, check, words)


def _texts(pattern: str, most: int, words: str) -> Form:
    form = re.compile(pattern)

    def check(name: str, value: list[object]) -> None:
        if len(value) > most:
            raise Refusal("bad-field", f"{name}: more than {most}")
        for item in value:
            if type(item) is not str:
                raise Refusal("wrong-type", name)
            if form.fullmatch(item) is None:
                raise Refusal("bad-field", name)

    return Form(list, check, words)


def decode_base64(text: str) -> bytes:
    """The bytes of strict base64 (RFC 4648, section 4): one spelling each.

    ``Refusal("bad-field")`` for spaces, missing padding, other alphabets, or
    stray bits in the last digit.
    """
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise Refusal("bad-field", "base64") from None
    # Strict mode takes any bits behind the last byte; only zeros are canonical.
    if text[-4:] != encode_base64(data[(len(text) // 4 - 1) * 3 :] if text else b""):
        raise Refusal("bad-field", "base64")
    return data


def encode_base64(data: bytes) -> str:
    """Bytes as strict base64."""
    return base64.b64encode(data).decode("ascii")


def _check_address(name: str, value: str) -> None:
    if len(value) > ADDRESS_MAX or not value.isprintable():
        raise Refusal("bad-field", name)


def _check_vector(name: str, value: dict[str, object]) -> None:
    if len(value) > limits.VECTOR:
        raise Refusal("bad-field", f"{name}: more than {limits.VECTOR} entries")
    for peer_id, seq in value.items():
        if type(seq) is not int:
            raise Refusal("wrong-type", name)
        check_peer_id(peer_id)
        if not 0 <= seq <= limits.SAFE_INTEGER:
            raise Refusal("number-range", name)


def _check_heads(name: str, value: list[object]) -> None:
    if len(value) > limits.HEADS_PER_MESSAGE:
        raise Refusal("bad-field", f"{name}: more than {limits.HEADS_PER_MESSAGE}")
    for head in value:
        if type(head) is not list or not all(type(item) is str for item in head):
            raise Refusal("wrong-type", name)
        if len(head) != 2 or _HASH.fullmatch(head[1]) is None:
            raise Refusal("bad-field", name)


def _check_changes(name: str, value: list[object]) -> None:
    if len(value) > limits.EDITS_PER_MESSAGE:
        raise Refusal("bad-field", f"{name}: more than {limits.EDITS_PER_MESSAGE}")
    for one in value:
        if type(one) is not list or [type(item) for item in one] != [int, int, str]:
            raise Refusal("wrong-type", name)
        at, drop, insert = one
        if not (0 <= at <= limits.DOCUMENT and 0 <= drop <= limits.DOCUMENT):
            raise Refusal("number-range", name)
        _text(name, insert)


def _check_peer_message(_name: str, value: str) -> None:
    _text(_name, value)
    if len(value.encode("utf-8")) > limits.PEER_MESSAGE:
        raise Refusal("oversize", f"more than {limits.PEER_MESSAGE} bytes")


def _check_caps(name: str, value: list[object]) -> None:
    _CAPS.check(name, value)
    if len(set(value)) != len(value):
        raise Refusal("bad-field", f"{name}: one of them twice")


#: Characters of an address that is shown beside a peer.
ADDRESS_MAX: Final = 512

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_CAPS: Final = _texts(rf"[A-Za-z0-9][A-Za-z0-9_.:-]{{0,{limits.CAP_LENGTH - 1}}}", limits.CAPS, "")

TEXT: Final = Form(str, _text, "text without NUL")
FILE: Final = Form(str, _any, "document name, see File names")
PEER_ID: Final = Form(str, lambda _, value: check_peer_id(value), "peer id")
PUBLIC_KEY: Final = Form(
    str, lambda _, value: keys.parse_public_key(value), "0x and 64 lower-case hex digits"
)
SIGNATURE: Final = Form(
    str, lambda _, value: keys.parse_signature(value), "0x and 128 lower-case hex digits"
)
TIMESTAMP: Final = Form(
    str, lambda _, value: timestamps.parse(value), "UTC, 2025-01-07T12:00:00Z, 0-9 fraction digits"
)
VERSION: Final = Form(int, _any, "1")
SEQ: Final = _integer(0, limits.SAFE_INTEGER, "0 to 2^53-1")
NAME: Final = Form(
    str,
    lambda _, value: value and check_display_name(value),  # an empty one is none
    f"up to {limits.DISPLAY_NAME} plain characters",
)
CAPS: Final = Form(
    list, _check_caps, f"up to {limits.CAPS} short words of what the sender understands"
)
ADDRESS: Final = Form(str, _check_address, f"up to {ADDRESS_MAX} printable characters")
TOKEN: Final = _matching(r"[0-9a-f]{32}", "32 lower-case hex digits")
HASH: Final = _matching(_HASH.pattern, "64 lower-case hex digits")
HASHES: Final = _texts(
    _HASH.pattern, limits.HEADS_PER_MESSAGE, f"up to {limits.HEADS_PER_MESSAGE} hashes"
)
PARENTS: Final = _texts(_HASH.pattern, limits.PARENTS, f"up to {limits.PARENTS} revision ids")
STATUS: Final = _matching("online|offline", "online or offline")
VECTOR: Final = Form(
    dict, _check_vector, f"object peer id to sequence, up to {limits.VECTOR} entries"
)
BASE64: Final = Form(str, lambda _, value: decode_base64(value), "strict base64")
COUNT: Final = _integer(0, limits.SAFE_INTEGER, "0 to 2^53-1")
SIZE: Final = _integer(1, limits.ASSEMBLED_MESSAGE, f"1 to {limits.ASSEMBLED_MESSAGE}")
FLAG: Final = Form(bool, _any, "true or false")
HEADS: Final = Form(
    list, _check_heads, f"up to {limits.HEADS_PER_MESSAGE} pairs of document name and revision id"
)
CHANGES: Final = Form(
    list, _check_changes,
    f"up to {limits.EDITS_PER_MESSAGE} lists [characters before it, characters that go, new text]",
)  # fmt: skip
KIND: Final = _matching(r"[A-Za-z0-9_.:-]{1,64}", "1 to 64 letters, digits and _.:-")
SHORT_TEXT: Final = Form(
    str, _check_peer_message, f"text without NUL, up to {limits.PEER_MESSAGE} bytes"
)
