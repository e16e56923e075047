# SPDX-License-Identifier: MIT
"""Ed25519: the one module that signs and verifies.

All of it is libsodium's (PyNaCl): other libraries accept weak keys and several
signatures for one text.  On the wire a key is ``0x`` and 64, a signature ``0x``
and 128 lower-case hex digits; there is no other spelling of either.
"""

from __future__ import annotations

import re
from typing import Final

from nacl.bindings import (
    crypto_core_ed25519_is_valid_point,
    crypto_sign,
    crypto_sign_BYTES,
    crypto_sign_open,
    crypto_sign_PUBLICKEYBYTES,
    crypto_sign_seed_keypair,
    crypto_sign_SEEDBYTES,
)
from nacl.exceptions import BadSignatureError

from federation.errors import Refusal
from federation.identity.peer_id import peer_id_of

SEED_BYTES: Final = crypto_sign_SEEDBYTES
PUBLIC_KEY_BYTES: Final = crypto_sign_PUBLICKEYBYTES
SIGNATURE_BYTES: Final = crypto_sign_BYTES

_HEX: Final = re.compile(r"0x((?:[0-9a-f]{2})*)")

#: The field and the curve -x^2 + y^2 = 1 + d x^2 y^2 of RFC 8032, section 5.1.
_PRIME: Final = 2**255 - 19
_CURVE_D: Final = -121665 * pow(121666, -1, _PRIME) % _PRIME


class SigningKey:
    """A private key.  Neither its ``repr`` nor its ``str`` shows the secret."""

    __slots__ = ("_peer_id", "_public_key", "_secret")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise ValueError(f"a seed has {SEED_BYTES} bytes")
        self._public_key, self._secret = crypto_sign_seed_keypair(bytes(seed))
        self._peer_id = peer_id_of(self._public_key)

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """The key that 32 secret random bytes make; ``ValueError`` for another length."""
        return cls(seed)

    @property
    def public_key(self) -> bytes:
        """The 32 bytes that others verify with."""
        return self._public_key

    @property
    def peer_id(self) -> str:
        """The id of this key's holder."""
        return self._peer_id

    def seed(self) -> bytes:
        """The secret 32 bytes, for whoever writes the identity file."""
        return self._secret[:SEED_BYTES]

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes of the signature over ``data``."""
        return crypto_sign(data, self._secret)[:SIGNATURE_BYTES]

    def __repr__(self) -> str:
        return f"<SigningKey of {self._peer_id}>"

    def __reduce__(self) -> str:
        # A pickle or a copy would carry the secret where nobody looks for it.
        raise TypeError("a SigningKey is neither pickled nor copied")


def verify(public_key: bytes, data: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is the key's over ``data``.

    ``False`` also for a key or a signature of another length; never raises.
    The key has passed :func:`admit` before: this does not repeat that.
    """
    if len(signature) != SIGNATURE_BYTES or len(public_key) != PUBLIC_KEY_BYTES:
        return False
    try:
        crypto_sign_open(signature + data, public_key)
    except BadSignatureError:
        return False
    return True


def admit(public_key: bytes) -> None:
    """Refuse a key that is no point (``bad-public-key``) or a weak one (``weak-key``).

    Weak are points of low order, those with a component of low order, and
    encodings that are not the canonical one of their point.  libsodium decides;
    the arithmetic here only finds the name for what it refused.
    """
    if len(public_key) != PUBLIC_KEY_BYTES:
        raise Refusal("bad-public-key", f"a key has {PUBLIC_KEY_BYTES} bytes")
    if not crypto_core_ed25519_is_valid_point(public_key):
        raise Refusal("weak-key" if _is_on_curve(public_key) else "bad-public-key")


def _is_on_curve(public_key: bytes) -> bool:
    """Whether some x belongs to the y of the encoding (RFC 8032, 5.1.3, without its rules)."""
    y_squared = pow(int.from_bytes(public_key, "little") & (2**255 - 1), 2, _PRIME)
    numerator = (y_squared - 1) % _PRIME
    denominator = (_CURVE_D * y_squared + 1) % _PRIME
    # The quotient is a square just when the product is: one power decides.
    return pow(numerator * denominator, (_PRIME - 1) // 2, _PRIME) <= 1


def to_hex(data: bytes) -> str:
    """Bytes as they are written on the wire."""
    return "0x" + data.hex()


def parse_public_key(text: str) -> bytes:
    """The 32 bytes of a key on the wire; ``Refusal("bad-public-key")``."""
    return _parse(text, PUBLIC_KEY_BYTES, "bad-public-key")


def parse_signature(text: str) -> bytes:
    """The 64 bytes of a signature on the wire; ``Refusal("bad-signature-encoding")``."""
    return _parse(text, SIGNATURE_BYTES, "bad-signature-encoding")


def _parse(text: str, size: int, reason: str) -> bytes:
    # bytes.fromhex alone would skip spaces and take capitals.
    match = _HEX.fullmatch(text) if len(text) == 2 + 2 * size else None
    if match is None:
        raise Refusal(reason)
    return bytes.fromhex(match.group(1))
