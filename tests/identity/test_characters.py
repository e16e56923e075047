# SPDX-License-Identifier: MIT
from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import Refusal
from federation.identity.characters import BIDI, check_display_name, is_invisible
from federation.identity.peer_id import peer_id_of


@pytest.mark.parametrize(
    "name", ["alice", "Zoë", "山田 太郎", "山田\u3000太郎", "אבי", "R2-D2", "❤\ufe0f", "a",
             "👩\U0001f3fd\u200d💻 dev", "👨\u200d👩\u200d👧", "🏳\ufe0f\u200d🌈",
             "x" * 64, "peer", "peer-abc", "peer-group one", "o'Brien (work)", "a@b"],
)  # fmt: skip
def test_names_of_people(name: str) -> None:
    assert check_display_name(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "bad-display-name"),
        (" ", "bad-display-name"),
        (" a", "bad-display-name"),
        ("a\u3000", "bad-display-name"),
        ("x" * 65, "bad-display-name"),
        ("a\nb", "bad-display-name"),
        ("a\u2028b", "bad-display-name"),
        ("\x1b]0;pwn\x07", "bad-display-name"),
        ("a\x9b31m", "bad-display-name"),
        ("a\0b", "bad-display-name"),
        ("ali\u202eeci", "bad-display-name"),
        ("a\u2066b", "bad-display-name"),
        ("a\u200fb", "bad-display-name"),
        ("bo\u200bb", "bad-display-name"),
        ("bo\u200db", "bad-display-name"),
        ("👩\u200d", "bad-display-name"),
        ("\u200d👩", "bad-display-name"),
        ("👩\u200d\u200d👩", "bad-display-name"),
        ("👩\u200dx", "bad-display-name"),
        ("\ufeffbob", "bad-display-name"),
        ("bo\u00adb", "bad-display-name"),
        ("bo\u2060b", "bad-display-name"),
        ("bo\u3164b", "bad-display-name"),
        ("bo\u034fb", "bad-display-name"),
        ("bo\ufe0fb", "bad-display-name"),
        ("bo\U000e0041b", "bad-display-name"),
        ("bo\U000e0100b", "bad-display-name"),
        ("bo\u00a0b", "bad-display-name"),
        ("\u2800", "bad-display-name"),
        ("a\ue000", "bad-display-name"),
        ("a\U0010fffe", "bad-display-name"),
        ("a\ud800", "bad-display-name"),
        ("%s%d%n", "format-string"),
        ("100%", "format-string"),
        (peer_id_of(b"x"), "name-collision"),
        (peer_id_of(b"x")[:13], "name-collision"),
        (peer_id_of(b"x").upper(), "name-collision"),
        ("ｐｅｅｒ-abcdefgh", "name-collision"),
    ],
)
def test_names_that_deceive(name: str, reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_display_name(name)
    assert caught.value.reason == reason


@given(st.text(min_size=1, max_size=64))
def test_what_passes_is_one_visible_line(name: str) -> None:
    try:
        check_display_name(name)
    except Refusal:
        return
    assert "%" not in name
    assert name.splitlines() == [name]
    assert not BIDI.intersection(name)
    assert all(unicodedata.category(character) not in ("Cc", "Cf", "Cn") for character in name)


def test_all_direction_marks_are_format_characters() -> None:
    assert {unicodedata.category(character) for character in BIDI} == {"Cf"}
    everything = map(chr, range(0x110000))
    marks = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert {one for one in everything if unicodedata.bidirectional(one) in marks} < BIDI


def test_emoji_selectors_follow_a_symbol() -> None:
    assert not is_invisible("\ufe0f", "❤")
    assert is_invisible("\ufe0f", "a")
    assert is_invisible("\ufe0f")
