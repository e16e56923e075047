# SPDX-License-Identifier: MIT
"""Large messages, packed with Zstandard: how much smaller they may be, and no bomb.

Whoever receives one has reserved room for what it says it unpacks to, and that
has to be no more than so many times what came.
"""

from __future__ import annotations

import zstandard

from federation import limits
from federation.errors import Refusal

#: Zstandard's own default: a message of 10 MB takes 30 ms
_LEVEL = 3


def pack(message: bytes) -> bytes | None:
    """The packed message; None where that is not worth it, or would be refused."""
    if len(message) < limits.PACK_FROM:
        return None
    packed = zstandard.ZstdCompressor(level=_LEVEL).compress(message)
    worth = len(packed) * limits.PACK_GAIN <= len(message) and may_be(len(packed), len(message))
    return packed if worth else None


def may_be(packed: int, whole: int) -> bool:
    """Whether so many packed bytes may be that many unpacked ones."""
    return whole <= limits.ASSEMBLED_MESSAGE and whole <= limits.PACK_RATIO * packed


def unpack(packed: bytes, whole: int) -> bytes:
    """The message, which has exactly ``whole`` bytes; ``oversize`` or ``content-mismatch``."""
    if not may_be(len(packed), whole):
        raise Refusal("oversize", f"{whole} bytes in {len(packed)}")
    try:
        if zstandard.frame_content_size(packed) != whole:
            raise Refusal("content-mismatch", "the size of the packed message")
        message = zstandard.ZstdDecompressor().decompress(packed, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Refusal("content-mismatch", f"packed: {error}") from None
    if len(message) != whole:
        raise Refusal("content-mismatch", "the size of the packed message")
    return message
