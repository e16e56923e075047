# SPDX-License-Identifier: MIT
"""Packed messages: smaller, the same, and never a bomb."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from federation import limits
from federation.errors import Refusal
from federation.wire.packed import may_be, pack, unpack

TEXT = b'{"id":"n","text":"some words of a node"}\n' * 2000


def reason(data: bytes, whole: int) -> str:
    with pytest.raises(Refusal) as caught:
        unpack(data, whole)
    return caught.value.reason


def lines(size: int) -> bytes:
    """A text that packs as real ones do."""
    text = b"".join(
        b'{"id":"n%d","text":"%s"}\n' % (number, os.urandom(4).hex().encode())
        for number in range(size // 20)
    )
    return text[:size]


@given(st.integers(limits.PACK_FROM, 200_000))
def test_what_was_packed_comes_out(size: int) -> None:
    text = lines(size)
    packed = pack(text)
    assert packed is not None
    assert len(packed) * limits.PACK_GAIN <= size
    assert unpack(packed, size) == text


def test_what_is_small_or_packed_already_stays() -> None:
    assert pack(TEXT[: limits.PACK_FROM - 1]) is None
    assert pack(os.urandom(limits.PACK_FROM)) is None


def test_nobody_packs_what_would_be_refused() -> None:
    assert pack(bytes(10 * limits.MIB)) is None


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(limits.DOCUMENT))
    assert reason(bomb, limits.DOCUMENT) == "oversize"
    # who says less than the frame does, or makes a frame that does not say it
    assert reason(bomb, len(bomb)) == "content-mismatch"
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(TEXT)
    assert reason(silent, len(silent) * 2) == "content-mismatch"
    assert not may_be(2 * limits.MIB, limits.ASSEMBLED_MESSAGE + 1)


@pytest.mark.parametrize("damage", [
    lambda data: b"", lambda data: data[:-3], lambda data: data + b"more", lambda data: b"x" + data,
    lambda data: data[:20] + bytes([data[20] ^ 0xFF]) + data[21:],
])  # fmt: skip
def test_a_damaged_one_is_refused(damage: Callable[[bytes], bytes]) -> None:
    text = lines(50_000)
    packed = pack(text)
    assert packed is not None
    damaged = damage(packed)
    try:
        assert unpack(damaged, len(text)) != text, "its signature is checked behind this"
    except Refusal as refusal:
        assert refusal.reason in ("content-mismatch", "oversize")
