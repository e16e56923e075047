# SPDX-License-Identifier: MIT
"""Characters that deceive, and the names of people that are free of them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from federation import limits
from federation.errors import Refusal

#: Characters that change the direction of the text around them (UAX #9).
BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

#: Code points without a picture of their own that are no format characters
#: (Default_Ignorable_Code_Point of Unicode, and two blanks among the symbols).
_BLANK_RANGES: Final = (
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer inherent vowels
    (0x180B, 0x180F),  # Mongolian variation selectors
    (0x2800, 0x2800),  # Braille blank
    (0x3164, 0x3164),  # Hangul filler
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xFFFC, 0xFFFC),  # object replacement
    (0xE0000, 0xE0FFF),  # tags, and variation selectors
)
#: The blank of East Asian typography; it is as wide as a character and shows.
_WIDE_SPACE: Final = "\u3000"

#: What makes one emoji of several, and what may stand between a symbol and it.
_JOINER: Final = "\u200d"
_VARIANTS: Final = "\ufe0e\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"

_PEER_LIKE: Final = re.compile(r"peer-(?:[a-z2-7]{8}|[a-z2-7]{52})")


def is_blank(character: str, before: str = "") -> bool:
    """Whether ``character`` shows nothing though it is no format character.

    The selectors of text and emoji presentation belong to a symbol in front of
    them (``before``), where keyboards put them.
    """
    if character in "\ufe0e\ufe0f" and before and unicodedata.category(before) == "So":
        return False
    point = ord(character)
    return any(first <= point <= last for first, last in _BLANK_RANGES)


def is_invisible(character: str, before: str = "") -> bool:
    """Whether ``character`` (behind ``before``) shows nothing, or a space that is none."""
    category = unicodedata.category(character)
    if category == "Zs":
        return character not in (" ", _WIDE_SPACE)
    return category == "Cf" or is_blank(character, before)


def _joins(before: str, after: str) -> bool:
    """Whether a joiner between these makes one picture of two, as families and flags are."""
    symbols = (before.rstrip(_VARIANTS)[-1:], after[:1])
    return all(one and unicodedata.category(one) == "So" for one in symbols)


def check_display_name(name: str) -> str:
    """``name`` if it can be shown beside others without deceiving; else ``Refusal``.

    ``bad-display-name`` (empty, over 64 characters, controls, ANSI sequences,
    direction marks, invisible or unassigned characters, spaces at an end),
    ``format-string`` (a percent sign: Emacs would expand it in a mode line),
    ``name-collision`` (it reads like a peer id or the short form of one).
    """
    if not name or len(name) > limits.DISPLAY_NAME:
        raise Refusal("bad-display-name", f"1 to {limits.DISPLAY_NAME} characters")
    before = ""
    for index, character in enumerate(name):
        if character == _JOINER and _joins(name[:index], name[index + 1 :]):
            continue
        # Other, and line and paragraph separators.
        category = unicodedata.category(character)
        if category[0] == "C" or category in ("Zl", "Zp") or is_invisible(character, before):
            raise Refusal("bad-display-name", f"the character U+{ord(character):04X}")
        before = character
    if name != name.strip():
        raise Refusal("bad-display-name", "a space at an end")
    if "%" in name:
        raise Refusal("format-string")
    if _PEER_LIKE.fullmatch(unicodedata.normalize("NFKC", name).casefold()):
        raise Refusal("name-collision")
    return name
