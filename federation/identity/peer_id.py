# SPDX-License-Identifier: MIT
r"""Peer ids: the hash of a public key, so that no key can stand in for another.

``"peer-"`` and the 52 digits, in lower-case base32 without padding, of
SHA-256(``"canvasl-peer-id/v1\0"`` || public key).
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

from federation.errors import Refusal

PREFIX: Final = "peer-"
_DOMAIN: Final = b"canvasl-peer-id/v1\0"
#: 52 digits hold 260 bits and a hash has 256: the last digit is ``a`` or ``q``.
_FORM: Final = re.compile(r"peer-[a-z2-7]{51}[aq]")
_SHORT: Final = 8


def peer_id_of(public_key: bytes) -> str:
    """The id of the holder of ``public_key`` (32 bytes)."""
    digest = hashlib.sha256(_DOMAIN + public_key).digest()
    return PREFIX + base64.b32encode(digest).decode("ascii").rstrip("=").lower()


def check_peer_id(text: str) -> str:
    """``text`` if it has the form of a peer id; else ``Refusal("bad-peer-id")``."""
    if _FORM.fullmatch(text) is None:
        raise Refusal("bad-peer-id")
    return text


def short_id(peer_id: str) -> str:
    """The form for people: ``peer-`` and the first 8 digits.  It proves nothing."""
    return peer_id[: len(PREFIX) + _SHORT]
