# SPDX-License-Identifier: MIT
"""What is signed, and what a message is called.

::

    signing input = type || "/v1" 0x00 || JCS(message without "signature")
    signature     = Ed25519(signing input)
    revision id   = SHA-256("canvasl-revision/v1" 0x00 || signing input)

The type stands in front, so that a signature for one type is worth nothing for
another; everything else that is bound (recipient, sequence, session) is a field.
The revision id covers all fields but the signature: the same message in another
spelling of its JSON has the same id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, Protocol

from federation.errors import Refusal
from federation.identity import keys
from federation.wire.canonical import canonical

_VERSION: Final = b"/v1\0"
_REVISION: Final = b"canvasl-revision/v1\0"


class Signed(Protocol):
    """A message that keeps its signing input, which is costly for large ones."""

    @property
    def fields(self) -> Mapping[str, object]:
        """The decoded fields, ``signature`` among them."""
        ...

    @property
    def signing_input(self) -> bytes:
        """What its signature covers."""
        ...


def signing_input(type_: str, message: Mapping[str, object]) -> bytes:
    """The bytes that the signature of ``message``, of the type ``type_``, covers.

    Refuses as :func:`federation.wire.canonical.canonical` does.
    """
    unsigned = {name: value for name, value in message.items() if name != "signature"}
    return type_.encode("utf-8") + _VERSION + canonical(unsigned)


def sign(message: Mapping[str, object], key: keys.SigningKey) -> dict[str, object]:
    """A copy of ``message``, which has all of its other fields, with its signature."""
    return sign_revision(message, key)[0]


def sign_revision(
    message: Mapping[str, object], key: keys.SigningKey
) -> tuple[dict[str, object], str]:
    """:func:`sign` and :func:`revision_id` from one canonical form, which is what they cost."""
    unsigned = {name: value for name, value in message.items() if name != "signature"}
    covered = _signing_input_of(unsigned)
    signature = keys.to_hex(key.sign(covered))
    return {**unsigned, "signature": signature}, _revision_id_of(covered)


def verify(message: Signed | Mapping[str, object], public_key: bytes) -> None:
    """Return if the signature of ``message`` is the key's; else ``Refusal``.

    ``bad-signature``, or ``bad-signature-encoding`` for one that is not written
    as the contract says.  The key was admitted (``keys.admit``) by the caller.
    """
    fields = message if isinstance(message, Mapping) else message.fields
    text = fields.get("signature")
    if not isinstance(text, str):
        raise Refusal("bad-signature-encoding")
    signature = keys.parse_signature(text)
    if not keys.verify(public_key, _signing_input_of(message), signature):
        raise Refusal("bad-signature")


def revision_id(message: Signed | Mapping[str, object]) -> str:
    """The name of what ``message`` says, whoever carries it: 64 hex digits."""
    return _revision_id_of(_signing_input_of(message))


def _revision_id_of(covered: bytes) -> str:
    return hashlib.sha256(_REVISION + covered).hexdigest()


def digest(raw: bytes) -> str:
    """SHA-256 of bytes as they are, 64 hex digits."""
    return hashlib.sha256(raw).hexdigest()


def _signing_input_of(message: Signed | Mapping[str, object]) -> bytes:
    if isinstance(message, Mapping):
        return signing_input(str(message.get("type", "")), message)
    return message.signing_input
