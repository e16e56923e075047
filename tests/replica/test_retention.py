# SPDX-License-Identifier: MIT
"""What may go: the old, never the needed; and what a merge will look at."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from federation.replica.records import Revision
from federation.replica.retention import Kept, bases, droppable

NEVER = 2**62


def history(count: int, weight: int = 10) -> list[Kept]:
    return [Kept(number, f"r{number}", number, weight) for number in range(count)]


def names(found: list[Kept]) -> list[str]:
    return [one.revision for one in found]


def test_the_oldest_beyond_the_count_go() -> None:
    assert names(droppable(history(5), set(), keep_recent=3, keep_since_us=NEVER)) == ["r0", "r1"]
    assert droppable(history(3), set(), keep_recent=3, keep_since_us=NEVER) == []
    assert len(droppable(history(3), set(), keep_recent=0, keep_since_us=NEVER)) == 3


def test_what_came_lately_stays_beyond_the_count() -> None:
    assert names(droppable(history(5), set(), keep_recent=1, keep_since_us=2)) == ["r0", "r1"]


def test_what_is_needed_stays() -> None:
    needed = {"r0", "r3"}
    found = droppable(history(5), needed, keep_recent=0, keep_since_us=NEVER, keep_bytes=1)
    assert names(found) == ["r1", "r2", "r4"]


def test_too_many_bytes_take_recent_ones_down_to_three_quarters() -> None:
    found = droppable(history(10), set(), keep_recent=99, keep_since_us=0, keep_bytes=80)
    assert names(found) == ["r0", "r1", "r2", "r3"]
    assert droppable(history(8), set(), keep_recent=99, keep_since_us=0, keep_bytes=80) == []


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(0, 40), st.integers(0, 40),
       st.one_of(st.none(), st.integers(0, 800)), st.sets(st.integers(0, 30)))  # fmt: skip
def test_any_bounds(
    weights: list[int], recent: int, since: int, most: int | None, needed: set[int]
) -> None:
    rows = [Kept(number, f"r{number}", number, weight) for number, weight in enumerate(weights)]
    wanted = {f"r{number}" for number in needed}
    found = droppable(rows, wanted, keep_recent=recent, keep_since_us=since, keep_bytes=most)
    assert found == sorted(found, key=lambda one: one.number)
    assert not wanted & set(names(found))
    left = [one for one in rows if one not in found and one.revision not in wanted]
    if most is not None:
        assert sum(one.weight for one in left) <= max(most, 0)
    if most is None or sum(weights) <= most:
        assert all(one.number >= min(len(rows) - recent, since) for one in left)
        assert all(one.number < len(rows) - recent and one.number < since for one in found)


class Histories:
    """Revisions by their names, each after its parents."""

    def __init__(self) -> None:
        self.known: dict[str, Revision] = {}

    def add(self, name: str, *parents: str) -> Revision:
        self.known[name] = Revision(
            revision=name, file="x.md", author=f"peer-{name}", seq=1, timestamp="",
            timestamp_us=0, received_us=0, content_hash="", size=0, binary=False, envelope="{}",
            vector={f"peer-{one}": 1 for one in self.past(parents)}, parents=parents,
        )  # fmt: skip
        return self.known[name]

    def past(self, names: tuple[str, ...]) -> set[str]:
        found = set(names)
        for name in names:
            found |= self.past(self.known[name].parents)
        return found


def test_one_head_needs_nothing_else() -> None:
    known = Histories()
    known.add("a")
    assert bases(known.known.get, [known.add("b", "a")]) == set()
    assert bases(known.known.get, []) == set()


def test_two_heads_need_what_both_were_made_from() -> None:
    known = Histories()
    known.add("o")
    known.add("base", "o")
    known.add("l", "base")
    heads = [known.add("l2", "l"), known.add("r", "base")]
    assert bases(known.known.get, heads) == {"base"}


def test_three_heads_need_the_bases_of_each() -> None:
    known = Histories()
    known.add("first")
    known.add("second", "first")
    heads = [known.add("a", "second"), known.add("b", "second"), known.add("c", "first")]
    assert bases(known.known.get, heads) == {"first", "second"}


def test_bases_that_are_merged_need_theirs() -> None:
    known = Histories()
    known.add("o")
    known.add("x", "o")
    known.add("y", "o")
    heads = [known.add("one", "x", "y"), known.add("two", "x", "y")]  # a criss-cross
    assert bases(known.known.get, heads) == {"x", "y", "o"}


def test_heads_without_a_past_in_common() -> None:
    known = Histories()
    assert bases(known.known.get, [known.add("a"), known.add("b")]) == set()
