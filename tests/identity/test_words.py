# SPDX-License-Identifier: MIT
from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic

from federation.identity.words import fingerprint, pair_words, words

LIST = Mnemonic("english").wordlist
KEYS = st.binary(min_size=32, max_size=32)

#: Of the key 00 01 … 1f, and of it with the key of zeros.
WORDS = "indoor fly method culture elegant fat grace tomorrow".split()
PAIR = "more ice coin mirror flock saddle split sugar".split()
FINGERPRINT = "4ef5 5eeb 64da 8c49 9628 c09c 68d2 5a49 4306 c417 a4d1 4a83 5d8e c930 0bfd 2b00"


@given(KEYS)
def test_words_are_the_first_88_bits_of_the_hash(key: bytes) -> None:
    got = words(key)
    assert len(got) == 8
    bits = "".join(f"{LIST.index(word):011b}" for word in got)
    digest = hashlib.sha256(b"canvasl-words/v1\0" + key).digest()
    assert int(bits, 2) == int.from_bytes(digest[:11], "big")


@given(KEYS, KEYS)
def test_both_peers_see_the_same_pair_words(a: bytes, b: bytes) -> None:
    got = pair_words(a, b)
    assert len(got) == 8
    assert got == pair_words(b, a)
    assert set(got) <= set(LIST)
    assert got not in (words(a), words(b))
    other = bytes(byte ^ 1 for byte in b)
    assert got != pair_words(a, other) or other == a


def test_they_do_not_change_between_versions() -> None:
    key = bytes(range(32))
    assert words(key) == WORDS
    assert fingerprint(key) == FINGERPRINT
    assert pair_words(key, bytes(32)) == PAIR


@given(KEYS)
def test_fingerprints(key: bytes) -> None:
    groups = fingerprint(key).split(" ")
    assert [len(group) for group in groups] == [4] * 16
    assert "".join(groups) == hashlib.sha256(b"canvasl-fingerprint/v1\0" + key).hexdigest()
