# SPDX-License-Identifier: MIT
from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import Refusal
from federation.identity import keys
from federation.identity.peer_id import peer_id_of

SEED = bytes(range(32))
KEY = keys.SigningKey.from_seed(SEED)


def reason(call: object, *arguments: object) -> str:
    assert callable(call)
    with pytest.raises(Refusal) as caught:
        call(*arguments)
    return caught.value.reason


def test_a_seed_makes_the_same_key_again() -> None:
    again = keys.SigningKey.from_seed(bytes(bytearray(SEED)))
    assert again.public_key == KEY.public_key
    assert again.peer_id == KEY.peer_id == peer_id_of(KEY.public_key)
    assert again.seed() == SEED
    keys.admit(KEY.public_key)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_seeds_have_one_length(size: int) -> None:
    with pytest.raises(ValueError, match="32"):
        keys.SigningKey.from_seed(bytes(size))


def test_the_secret_does_not_show() -> None:
    for shown in (repr(KEY), str(KEY), f"{KEY}", f"{[KEY]}"):
        assert SEED.hex() not in shown
        assert KEY.peer_id in shown
    assert not hasattr(KEY, "__dict__")


def test_the_secret_does_not_travel() -> None:
    for carry in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            carry(KEY)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_sign_and_verify(data: bytes, other: bytes) -> None:
    signature = KEY.sign(data)
    assert len(signature) == 64
    assert keys.verify(KEY.public_key, data, signature)
    assert keys.verify(KEY.public_key, other, signature) == (data == other)


@given(st.integers(0, 511))
def test_any_changed_bit_is_noticed(bit: int) -> None:
    signature = bytearray(KEY.sign(b"data"))
    signature[bit // 8] ^= 1 << bit % 8
    assert not keys.verify(KEY.public_key, b"data", bytes(signature))


@given(st.binary(max_size=70), st.binary(max_size=70))
def test_verify_never_raises(key: bytes, signature: bytes) -> None:
    assert not keys.verify(key, b"data", signature)
    assert not keys.verify(KEY.public_key, b"data", signature)


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        ("00" * 32, "weak-key"),
        ("01" + "00" * 31, "weak-key"),
        ("01" + "00" * 30 + "80", "weak-key"),
        ("ec" + "ff" * 30 + "7f", "weak-key"),
        ("ed" + "ff" * 30 + "7f", "weak-key"),
        ("ee" + "ff" * 31, "weak-key"),
        ("02" + "00" * 31, "bad-public-key"),
        ("ff" * 32, "weak-key"),  # a second spelling of y = 18
        ("07" + "00" * 31, "bad-public-key"),
        ("00" * 31, "bad-public-key"),
        ("", "bad-public-key"),
    ],
)
def test_keys_that_are_not_admitted(encoded: str, expected: str) -> None:
    assert reason(keys.admit, bytes.fromhex(encoded)) == expected


@given(st.binary(min_size=32, max_size=32))
def test_half_of_all_bytes_are_no_point_and_few_are_good(data: bytes) -> None:
    try:
        keys.admit(data)
    except Refusal as refused:
        assert refused.reason in ("weak-key", "bad-public-key")


@given(st.binary(min_size=32, max_size=32))
def test_every_made_key_is_admitted(seed: bytes) -> None:
    keys.admit(keys.SigningKey.from_seed(seed).public_key)


@pytest.mark.parametrize(
    ("parse", "size", "expected"),
    [(keys.parse_public_key, 32, "bad-public-key"),
     (keys.parse_signature, 64, "bad-signature-encoding")],
)  # fmt: skip
def test_one_encoding(parse: object, size: int, expected: str) -> None:
    assert callable(parse)
    data = bytes(range(0xA0, 0xA0 + size))
    right = keys.to_hex(data)
    assert parse(right) == data
    wrong = [
        right[2:], "0X" + right[2:], right.upper(), right[:-1], right[:-2], right + "0",
        right + "00", right + "\n", " " + right, right[:20] + " " + right[21:], "0x" + right,
        right[:-1] + "g", right[:-1] + "\u0661", "", "0x", data.decode("latin-1"),
    ]  # fmt: skip
    for text in wrong:
        assert reason(parse, text) == expected
