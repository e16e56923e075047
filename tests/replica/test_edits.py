# SPDX-License-Identifier: MIT
"""Drafts: changes that follow one another, counted in characters."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import Refusal
from federation.replica.edits import Change, Draft, apply, from_json


def naive(text: str, changes: list[Change]) -> str:
    for at, drop, insert in changes:
        text = text[:at] + insert + text[at + drop :]
    return text


@given(st.text(max_size=40), st.data())
def test_changes_are_made_one_after_another(text: str, data: st.DataObject) -> None:
    changes: list[Change] = []
    now = text
    for _ in range(data.draw(st.integers(0, 8))):
        at = data.draw(st.integers(0, len(now)))
        drop = data.draw(st.integers(0, len(now) - at))
        changes.append(Change(at, drop, data.draw(st.text(max_size=5))))
        now = naive(text, changes)
    assert apply(text, changes) == now
    draft = Draft("base", len(text))
    draft.add(changes)
    assert draft.text(text) == now
    assert (draft.length, draft.count) == (len(now), len(changes))


@pytest.mark.parametrize("change", [(5, 0, ""), (0, 5, ""), (-1, 0, ""), (0, -1, "x"), (3, 2, "")])
def test_a_place_that_is_not_there_is_refused_and_nothing_is_taken(
    change: tuple[int, int, str],
) -> None:
    draft = Draft("base", 4)
    with pytest.raises(Refusal) as caught:
        draft.add([Change(0, 1, ""), Change(*change)])
    assert caught.value.reason == "edit-out-of-range"
    assert (draft.length, draft.count) == (4, 0)


def test_long_texts_are_changed_wherever_it_is() -> None:
    dice = random.Random(1)
    text = now = "".join(dice.choice("abc\n") for _ in range(30_000))
    changes: list[Change] = []
    for _ in range(300):
        at = dice.randrange(len(now) + 1)
        drop = min(dice.choice((0, 1, 5, 9_000)), len(now) - at)
        changes.append(Change(at, drop, "x" * dice.choice((0, 1, 7, 12_000))))
        now = naive(now, changes[-1:])
    assert apply(text, changes) == now


def test_characters_beyond_the_first_plane_count_as_one() -> None:
    assert apply("a😀b", [Change(2, 1, "🐸"), Change(1, 1, "")]) == "a🐸"
    assert from_json([[0, 1, "x"]]) == [Change(0, 1, "x")]
