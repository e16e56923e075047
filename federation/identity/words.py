# SPDX-License-Identifier: MIT
r"""Keys in a form that people compare: eight words by voice, hex digits by eye.

::

    words        = SHA-256("canvasl-words/v1" 0x00 || key), first 88 bits, 11 a word
    pair words   = SHA-256("canvasl-pair-words/v1" 0x00 || lesser key || greater key), likewise
    fingerprint  = SHA-256("canvasl-fingerprint/v1" 0x00 || key), 16 groups of 4 hex digits

The words are the 2,048 English ones of BIP-39, of which no two begin with the
same four letters.  Finding a key whose eight words are those of another takes
about 2^88 tries.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Final

from mnemonic import Mnemonic

WORDS: Final = 8
_BITS_A_WORD: Final = 11
_WORDS_DOMAIN: Final = b"canvasl-words/v1\0"
_PAIR_DOMAIN: Final = b"canvasl-pair-words/v1\0"
_FINGERPRINT_DOMAIN: Final = b"canvasl-fingerprint/v1\0"
_GROUP: Final = 4


@cache
def _word_list() -> tuple[str, ...]:
    words = tuple(Mnemonic("english").wordlist)
    if len(words) != 1 << _BITS_A_WORD:
        raise RuntimeError("the word list is not that of BIP-39")
    return words


def words(public_key: bytes) -> list[str]:
    """The eight words of one key."""
    return _spell(_WORDS_DOMAIN + public_key)


def pair_words(a: bytes, b: bytes) -> list[str]:
    """The eight words of two keys together: both peers see the same ones."""
    return _spell(_PAIR_DOMAIN + min(a, b) + max(a, b))


def fingerprint(public_key: bytes) -> str:
    """Sixteen groups of four hex digits, with spaces between them."""
    digits = hashlib.sha256(_FINGERPRINT_DOMAIN + public_key).hexdigest()
    return " ".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))


def _spell(data: bytes) -> list[str]:
    bits = int.from_bytes(hashlib.sha256(data).digest(), "big")
    shifts = range(256 - _BITS_A_WORD, 256 - _BITS_A_WORD * (WORDS + 1), -_BITS_A_WORD)
    return [_word_list()[bits >> shift & (1 << _BITS_A_WORD) - 1] for shift in shifts]
