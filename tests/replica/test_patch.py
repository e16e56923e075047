# SPDX-License-Identifier: MIT
"""Splices: they lead to the new content, are few, whole characters, and cheap to find."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation import limits
from federation.errors import Refusal
from federation.replica import patch
from federation.replica.patch import Splice

LINE = st.text("ab é€😀,\r\n", max_size=12)
TEXT = st.lists(LINE, max_size=20).map("\n".join)
BYTES = st.one_of(st.binary(max_size=200), TEXT.map(str.encode))


@st.composite
def related(draw: st.DrawFn) -> tuple[str, str]:
    """A text and an edited one."""
    lines = [f"{draw(LINE)}{number}" for number in range(draw(st.integers(0, 30)))]
    other = list(lines)
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(other)))
        if draw(st.booleans()):
            other.insert(at, draw(LINE))
        elif other:
            moved = other.pop(at % len(other))
            if draw(st.booleans()):
                other.insert(draw(st.integers(0, len(other))), moved)
    return "\n".join(lines), "\n".join(other)


def in_order(splices: list[Splice], old: bytes) -> bool:
    done = 0
    for at, drop, insert in splices:
        if at < done or not (drop or insert):
            return False
        done = at + drop
    return done <= len(old)


@given(BYTES, BYTES)
def test_any_content_becomes_any_other(old: bytes, new: bytes) -> None:
    splices = patch.diff(old, new)
    assert in_order(splices, old)
    assert patch.apply(old, splices) == new
    assert (splices == []) == (old == new)


@given(related())
def test_no_splice_splits_a_character(texts: tuple[str, str]) -> None:
    old, new = texts[0].encode(), texts[1].encode()
    splices = patch.diff(old, new)
    assert patch.apply(old, splices) == new
    for at, drop, insert in splices:
        for part in (old[:at], old[at : at + drop], old[at + drop :], insert):
            part.decode()  # raises inside of a character


@given(related(), TEXT)
def test_two_patches_are_one(texts: tuple[str, str], last: str) -> None:
    one, two, three = texts[0].encode(), texts[1].encode(), last.encode()
    both = patch.compose(patch.diff(one, two), patch.diff(two, three))
    assert in_order(both, one)
    assert patch.apply(one, both) == three


@given(st.lists(TEXT, min_size=1, max_size=8))
def test_many_patches_at_once(texts: list[str]) -> None:
    contents = [text.encode() for text in texts]
    patches = [patch.diff(*pair) for pair in pairwise(contents)]
    assert patch.apply_all(contents[0], patches) == contents[-1]
    with pytest.MonkeyPatch.context() as context:
        context.setattr(patch, "_COPIED", -1)
        assert patch.apply_all(contents[0], patches) == contents[-1]


@given(BYTES, BYTES)
def test_the_compact_form_comes_back(old: bytes, new: bytes) -> None:
    splices = patch.diff(old, new)
    assert patch.decode(patch.encode(splices)) == splices


@given(st.binary(max_size=60))
def test_any_bytes_are_splices_or_refused(data: bytes) -> None:
    try:
        splices = patch.decode(data)
    except Refusal as refusal:
        assert refusal.reason == "bad-field"
        return
    assert patch.decode(patch.encode(splices)) == splices
    try:
        patch.apply(b"some old content", splices)
    except Refusal as refusal:
        assert refusal.reason == "content-mismatch"


@pytest.mark.parametrize(
    "data",
    [b"", b"\x01", b"\x01\0\0", b"\x01\0\0\x02a", b"\0a", b"\x80" * 9 + b"\1", b"\xff" * 8],
)
def test_damaged_forms(data: bytes) -> None:
    with pytest.raises(Refusal, match="bad-field"):
        patch.decode(data)


@pytest.mark.parametrize("splices", [
    [Splice(4, 0, b"x")], [Splice(0, 4, b"x")], [Splice(2, 1, b""), Splice(1, 1, b"")],
    [Splice(-1, 1, b"")], [Splice(1, -1, b"")],
])  # fmt: skip
def test_splices_of_another_content(splices: list[Splice]) -> None:
    with pytest.raises(Refusal, match="content-mismatch"):
        patch.apply(b"old", splices)
    with pytest.raises(Refusal, match="content-mismatch"):
        patch.apply(b"old", patch.compose([], splices))


def test_a_splice_behind_the_end_stays_an_error_when_composed() -> None:
    both = patch.compose([Splice(3, 0, b"ab")], [Splice(0, 6, b"")])
    with pytest.raises(Refusal, match="content-mismatch"):
        patch.apply(b"old", both)


def test_what_was_changed_back_is_nothing() -> None:
    there = [Splice(2, 0, b"more")]
    assert patch.compose(there, [Splice(2, 4, b"")]) == []


def canvas(count: int, seed: int = 1) -> list[bytes]:
    dice = random.Random(seed)
    return [
        b'{"id":"%016x","type":"text","x":%d,"y":%d,"text":"note %d"}\n'
        % (dice.getrandbits(64), dice.randrange(9999), dice.randrange(9999), dice.randrange(99))
        for _ in range(count)
    ]


def test_scattered_edits_are_small_splices() -> None:
    lines = canvas(1000)
    other = list(lines)
    for at in range(50, 1000, 100):
        other[at] = other[at].replace(b'"y":', b'"y":7')
    other.insert(500, b"{}\n")
    del other[700]
    splices = patch.diff(b"".join(lines), b"".join(other))
    assert len(splices) == 12
    assert len(patch.encode(splices)) < 120


def test_edits_of_one_long_line_are_found_by_word() -> None:
    old = b"".join(canvas(1000)).replace(b"\n", b",")
    new = old.replace(b'"x":1', b'"x":9', 1)
    at = new.rindex(b'"y":')
    new = new[:at] + b'"w":3,' + new[at:]
    splices = patch.diff(old, new)
    assert sum(len(splice.insert) for splice in splices) < 12
    assert patch.apply(old, splices) == new


def test_equal_ends_may_meet() -> None:
    assert patch.diff(b"aaaa", b"aaa") == [Splice(3, 1, b"")]
    assert patch.diff(b"aaa", b"aaaa") == [Splice(3, 0, b"a")]
    assert patch.diff(b"", b"new") == [Splice(0, 0, b"new")]
    assert patch.diff(b"old", b"") == [Splice(0, 3, b"")]


def test_there_are_no_more_splices_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = canvas(200)
    other = [line.replace(b'"y":', b'"y":7') for line in lines]
    monkeypatch.setattr(limits, "PATCH_SPLICES", 30)
    splices = patch.diff(b"".join(lines), b"".join(other))
    assert len(splices) == 30
    assert patch.apply(b"".join(lines), splices) == b"".join(other)


@pytest.mark.parametrize("name", ["PATCH_UNITS", "PATCH_WORDS"])
def test_too_much_to_compare_is_one_splice(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old = b"".join(canvas(20)).replace(b"\n", b" " if name == "PATCH_WORDS" else b"\n")
    new = b"1" + old[1:100] + b"2" + old[101:-1] + b"3"
    assert len(patch.diff(old, new)) == 3
    monkeypatch.setattr(limits, name, 5)
    assert len(patch.diff(old, new)) == 1


def cpu(old: bytes, new: bytes) -> float:
    started = time.process_time()
    patch.diff(old, new)
    return time.process_time() - started


def test_no_content_takes_the_square_of_its_length() -> None:
    # ten times the content may take thirty times as long, not a hundred times
    dice = random.Random(1)

    def contents(size: int) -> list[tuple[bytes, bytes]]:
        lines = canvas(size)
        mixed = list(lines)
        dice.shuffle(mixed)
        few = [dice.choice([b"{\n", b"}\n", b"\n"]) for _ in range(size)]
        other = [dice.choice([b"{\n", b"}\n", b"\n"]) for _ in range(size)]
        return [(b"".join(lines), b"".join(mixed)), (b"".join(few), b"".join(other)),
                (b"a " * size, b"b " + b"a " * size + b"c"),
                (b"ab" * size, b"ba" * size)]  # fmt: skip

    for small, large in zip(contents(1000), contents(10_000), strict=True):
        floor = max(min(cpu(*small) for _ in range(3)), 0.002)
        assert min(cpu(*large) for _ in range(3)) < 30 * floor


def test_one_line_of_a_large_content_costs_little() -> None:
    lines = canvas(100_000)
    old = b"".join(lines)
    lines[70_000] = b"changed\n"
    new = b"".join(lines)
    assert min(cpu(old, new) for _ in range(5)) < 0.1  # a few ms; slow machines may take longer


def test_samples_tell_what_is_worth_comparing() -> None:
    dice = random.Random(7)
    lines = [
        b'{"id":"n%d","x":%d}\n' % (dice.randrange(10**12), dice.randrange(10**12))
        for _ in range(900)
    ]
    old = b"".join(lines)
    assert patch.alike(old, old[:9000] + b"typed" + old[9000:])
    assert patch.alike(
        old, b"".join(reversed([old[at : at + 500] for at in range(0, len(old), 500)]))
    )
    assert not patch.alike(old, dice.randbytes(len(old)))
    assert patch.alike(b"a", dice.randbytes(10)), "small ones are compared in any case"
