# SPDX-License-Identifier: MIT
"""Contents in chains: exact bytes, short ways, little space, damage found."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation import limits
from federation.adapters.store import SqliteStore
from federation.adapters.store.contents import Contents, Recent
from federation.errors import Fault
from federation.replica import chain


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Kept:
    """Contents of one table, and what they have to be."""

    def __init__(self) -> None:
        self.db = SqliteStore(":memory:")._db
        self.contents = Contents(self.db)
        self.expected: dict[int, bytes] = {}

    def keep(self, content: bytes, before: int | None = None) -> int:
        like = None if before is None else (before, digest(self.expected[before]))
        number = self.contents.keep(digest(content), content, like)
        self.expected[number] = content
        return number

    def forget(self, *numbers: int) -> None:
        self.contents.forget(numbers)
        for number in numbers:
            del self.expected[number]

    def check(self) -> None:
        """All of them, read anew."""
        fresh = Contents(self.db)
        for number, content in self.expected.items():
            assert fresh.read(number, digest(content)) == content
        (count,) = self.db.execute("SELECT count(*) FROM contents").fetchone()
        assert count == len(self.expected)

    def rows(self) -> list[tuple[int, int | None, int, bytes]]:
        return self.db.execute("SELECT number, base, step, data FROM contents").fetchall()


@pytest.fixture
def kept() -> Kept:
    return Kept()


def edits(count: int, lines: int = 500) -> list[bytes]:
    """A canvas, and what ``count`` edits of a line make of it."""
    dice = random.Random(1)
    text = [b'{"id":"%016x","x":%d}\n' % (dice.getrandbits(64), at) for at in range(lines)]
    made = [b"".join(text)]
    for _ in range(count):
        text[dice.randrange(lines)] = b'{"id":"%016x"}\n' % dice.getrandbits(64)
        made.append(b"".join(text))
    return made


def test_small_edits_take_little_and_have_short_ways(kept: Kept) -> None:
    contents = edits(600)
    numbers = [kept.keep(contents[0])]
    for content in contents[1:]:
        numbers.append(kept.keep(content, numbers[-1]))
    rows = kept.rows()
    assert [base for _, base, _, _ in rows].count(None) == 1
    assert sum(len(data) for *_, data in rows) < 600 * 120 + len(contents[0])
    for number in numbers:
        assert len(kept.contents._path(number)) <= 1 + 3 * 15
    kept.check()


def test_a_chain_begins_anew_when_its_deltas_outweigh_the_content(kept: Kept) -> None:
    dice = random.Random(2)
    number = kept.keep(dice.randbytes(1000))
    for _ in range(20):
        content = bytearray(kept.expected[number])
        at = dice.randrange(700)
        content[at : at + 300] = dice.randbytes(300)
        number = kept.keep(bytes(content), number)
    wholes = [step for _, base, step, _ in kept.rows() if base is None]
    assert 4 <= len(wholes) <= 8
    assert set(wholes) == {0}
    kept.check()


def test_another_content_is_kept_whole(kept: Kept) -> None:
    dice = random.Random(3)
    first = kept.keep(dice.randbytes(10_000))
    kept.keep(dice.randbytes(10_000), first)
    assert [base for _, base, _, _ in kept.rows()] == [None, None]


def test_branches_share_their_beginning(kept: Kept) -> None:
    root = kept.keep(b"".join(b"line %d\n" % number for number in range(300)))
    for number in range(40):
        kept.keep(kept.expected[root] + b"%d" % number, root)
    assert {base for _, base, _, _ in kept.rows()} == {None, root}
    kept.check()


@pytest.mark.parametrize("content", [b"", b"\0\xff", b"x" * 1_000_000, b"\x00" * 63, b"e" * 64])
def test_any_content(kept: Kept, content: bytes) -> None:
    first = kept.keep(content)
    kept.keep(b"another", first)
    kept.keep(b"", first)
    kept.check()


# --- forgetting ------------------------------------------------------------------------
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_what_stays_is_readable(kept: Kept, share: float) -> None:
    dice = random.Random(4)
    numbers = [kept.keep(edits(0)[0])]
    for content in edits(120)[1:]:
        numbers.append(kept.keep(content, numbers[-1]))
    left = sorted(numbers)
    while len(left) > 1:
        going = [one for one in left[:-1][:50] if dice.random() < share] or left[:1]
        kept.forget(*going)
        kept.check()
        left = [one for one in left if one not in going]
    assert [base for _, base, _, _ in kept.rows()] == [None]


def test_the_new_beginning_serves_the_others(kept: Kept) -> None:
    contents = edits(40)
    numbers = [kept.keep(contents[0])]
    for content in contents[1:]:
        numbers.append(kept.keep(content, numbers[-1]))
    kept.forget(*numbers[:20])
    assert [base for _, base, _, _ in kept.rows()].count(None) == 1
    kept.check()
    # what follows goes on as before
    kept.keep(contents[-1] + b"more", numbers[-1])
    assert [base for _, base, _, _ in kept.rows()].count(None) == 1
    kept.check()


def test_nothing_to_forget_changes_nothing(kept: Kept) -> None:
    kept.keep(b"text")
    before = kept.rows()
    kept.contents.forget([])
    assert kept.rows() == before


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_order_of_keeping_and_forgetting(data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as context:
        context.setattr(limits, "HISTORY_FAN", 2)  # many levels soon
        context.setattr(chain, "too_heavy", lambda *_: False)
        kept = Kept()
        for _ in range(data.draw(st.integers(1, 40))):
            known = sorted(kept.expected)
            if known and data.draw(st.integers(0, 3)) == 0:
                kept.forget(*data.draw(st.sets(st.sampled_from(known), min_size=1)))
                continue
            before = data.draw(st.sampled_from(known)) if known else None
            old = kept.expected[before] if before is not None else b"abcdefgh\n" * 8
            at = data.draw(st.integers(0, len(old)))
            insert = data.draw(st.binary(max_size=6))
            kept.keep(old[:at] + insert + old[at + data.draw(st.integers(0, 4)) :], before)
        kept.check()


# --- damage ----------------------------------------------------------------------------
def test_no_damage_is_read_as_a_content(kept: Kept) -> None:
    contents = edits(20, lines=30)
    number = kept.keep(contents[0])
    for content in contents[1:]:
        number = kept.keep(content, number)
    dice = random.Random(5)
    for row, _, _, data in kept.rows():
        for _ in range(20):
            broken = bytearray(data)
            broken[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            kept.db.execute("UPDATE contents SET data=? WHERE number=?", (bytes(broken), row))
            fresh = Contents(kept.db)
            for one, content in kept.expected.items():
                try:
                    assert fresh.read(one, digest(content)) == content
                except Fault:
                    continue
        kept.db.execute("UPDATE contents SET data=? WHERE number=?", (data, row))
    kept.check()


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x02text", b"\x01" + b"\xff" * 20, b"\x00txet"])
def test_a_damaged_row_is_a_fault(kept: Kept, data: bytes) -> None:
    number = kept.keep(b"text")
    kept.db.execute("UPDATE contents SET data=?", (data,))
    with pytest.raises(Fault):
        Contents(kept.db).read(number, digest(b"text"))


def test_a_frame_that_claims_to_be_huge_is_not_unpacked(kept: Kept) -> None:
    number = kept.keep(b"text")
    # the header of a frame of 2**62 bytes
    frame = b"\x01\x28\xb5\x2f\xfd\xe0" + (2**62).to_bytes(8, "little") + b"\x01\x00\x00"
    kept.db.execute("UPDATE contents SET data=?", (frame,))
    with pytest.raises(Fault, match="damaged"):
        Contents(kept.db).read(number, digest(b"text"))


def test_what_is_not_there_is_a_fault(kept: Kept) -> None:
    with pytest.raises(Fault):
        kept.contents.read(7, digest(b"text"))
    kept.db.execute("INSERT INTO contents VALUES (7, 7, 1, x'00')")  # a way without an end
    with pytest.raises(Fault):
        kept.contents.read(7, digest(b"text"))


# --- what was used last ---------------------------------------------------------------------
def test_few_contents_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RECENT_CONTENTS", 2)
    monkeypatch.setattr(limits, "RECENT_BYTES", 10)
    recent = Recent()
    recent.put("a", b"1", 1)
    recent.put("b", b"2", 2)
    assert recent.get("a") == b"1"
    recent.put("c", b"3", 3)
    assert [recent.get(one) for one in "abc"] == [b"1", None, b"3"]
    recent.put("d", b"x" * 9, 4)
    assert [recent.get(one) for one in "acd"] == [None, b"3", b"x" * 9]
    recent.put("d", b"x" * 9, 5)
    recent.put("e", b"x" * 11, 6)  # too large to be kept at all
    assert [recent.get(one) for one in "cde"] == [b"3", b"x" * 9, None]
    recent.put("f", b"x" * 10, 7)
    assert [recent.get(one) for one in "cdf"] == [None, None, b"x" * 10]


def test_what_was_rolled_back_is_not_read(kept: Kept) -> None:
    kept.db.execute("BEGIN")
    number = kept.contents.keep(digest(b"text"), b"text", None)
    kept.db.execute("ROLLBACK")
    assert kept.db.execute("SELECT * FROM contents").fetchall() == []
    other = kept.contents.keep(digest(b"other"), b"other", None)
    assert other == number
    assert kept.contents.read(other, digest(b"other")) == b"other"


def test_a_number_leads_to_a_content_while_that_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "RECENT_CONTENTS", 2)
    monkeypatch.setattr(limits, "RECENT_BYTES", 10)
    recent = Recent()
    recent.put("a", b"1", 1)
    recent.put("b", b"2", 2)
    assert recent.numbered(1) == b"1"
    recent.put("c", b"3", 3)
    assert [recent.numbered(number) for number in (1, 2, 3, 4)] == [None, b"2", b"3", None]
    recent.put("d", b"4", 2)  # the number was given again
    assert recent.numbered(2) == b"4"
    recent.put("e", b"x" * 11, 2)
    assert recent.numbered(2) is None
    for number in range(100):
        recent.put(f"{number}", b"1", number)
    assert len(recent._numbers) <= 9


def test_a_content_is_read_from_what_is_known_near_it(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after another: each needs its own delta only; and what is wrong is noticed."""
    texts = edits(120)
    numbers = [kept.keep(texts[0])]
    for text in texts[1:]:
        numbers.append(kept.keep(text, numbers[-1]))
    contents = Contents(kept.db)
    asked: list[int] = []
    splices = contents._splices

    def counted(number: int) -> object:
        asked.append(number)
        return splices(number)

    monkeypatch.setattr(contents, "_splices", counted)
    for number, text in zip(numbers, texts, strict=True):
        assert contents.read(number, digest(text)) == text
    assert len(asked) < 1.5 * len(texts)
    contents._recent._kept.clear()
    contents._recent.put("nonsense", b"nonsense", numbers[48])
    assert contents.read(numbers[50], digest(texts[50])) == texts[50]
