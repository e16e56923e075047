# SPDX-License-Identifier: MIT
"""Which revision succeeds which: honest histories, liars, and plain messages."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation import limits
from federation.replica.records import Revision
from federation.replica.succession import (
    claims,
    dot_of,
    is_older,
    parents_after,
    place,
    plain_seq,
    reach,
    vector_after,
    vector_from_json,
)


def revision(
    name: str,
    author: str = "a",
    seq: int = 1,
    *,
    vector: dict[str, int] | None = None,
    parents: tuple[str, ...] = (),
    time: int = 0,
    plain: bool = False,
    counted: bool = True,
) -> Revision:
    return Revision(
        name, "x.md", author, seq, "", time, 0, "", 0, False, "{}",
        plain=plain, counted=counted, vector=vector or {}, parents=parents,
    )  # fmt: skip


def test_a_parent_or_a_vector_claims() -> None:
    old = revision("r1")
    assert claims(revision("r2", "b", 1, parents=("r1",)), old)
    assert claims(revision("r2", "b", 1, vector={"a": 1}), old)
    assert not claims(revision("r2", "b", 1, vector={"a": 0, "b": 5}), old)
    assert not claims(old, revision("r2", "b", 1, parents=("r1",)))


def test_placement() -> None:
    base = revision("base")
    left = revision("left", "a", 2, vector={"a": 1}, parents=("base",))
    right = revision("right", "b", 1, vector={"a": 1}, parents=("base",))
    both = revision("both", "b", 2, vector={"a": 2, "b": 1}, parents=("left", "right"))
    assert place(left, [base], claims).superseded == ("base",)
    assert place(right, [left], claims).beside == ("left",)
    assert set(place(both, [left, right], claims).superseded) == {"left", "right"}
    assert place(base, [left, right], claims).past
    assert place(left, [both], claims) == place(right, [both], claims)


class Unknown(set[str]):
    """All that is not here may still come."""

    def __contains__(self, _name: object) -> bool:
        return True


class _Author:
    """Somebody who writes from what they have seen."""

    def __init__(self, name: str) -> None:
        self.name, self.seq = name, 0
        self.heads: list[Revision] = []
        self.known: list[Revision] = []

    def write(self, base: list[Revision]) -> Revision:
        self.seq += 1
        vector = vector_after(base, self.heads, self.name, self.seq, claims)
        made = revision(
            f"{self.name}{self.seq}", self.name, self.seq, vector=vector,
            parents=tuple(parents_after(base, vector, self._find, Unknown())),
        )  # fmt: skip
        self.see(made)
        return made

    def _find(self, name: str) -> Revision | None:
        return next((one for one in self.known if one.revision == name), None)

    def see(self, one: Revision) -> None:
        if one in self.known:
            return
        self.known.append(one)
        where = place(one, self.heads, claims)
        if not where.past:
            left = [head for head in self.heads if head.revision not in where.superseded]
            self.heads = [*left, one]

    def names(self) -> set[str]:
        return {head.revision for head in self.heads}


def ancestors(of: Revision, everything: dict[str, Revision]) -> set[str]:
    found: set[str] = set()
    waiting = list(of.parents)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += everything[name].parents
    return found


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(2, 4))
def test_honest_histories_converge_whatever_comes_first(chance: random.Random, count: int) -> None:
    authors = [_Author(chr(97 + number)) for number in range(count)]
    everything: dict[str, Revision] = {}
    for _ in range(12):
        author = chance.choice(authors)
        if author.known and chance.random() < 0.5:
            base = [chance.choice(author.known)]  # an older base: a second local path
        else:
            base = author.heads if chance.random() < 0.3 else author.heads[:1]
        made = author.write(base)
        everything[made.revision] = made
        for one in chance.sample(list(everything.values()), min(3, len(everything))):
            chance.choice(authors).see(one)
    for author in authors:
        rest = list(everything.values())
        chance.shuffle(rest)
        for one in rest:
            author.see(one)
    assert len({frozenset(author.names()) for author in authors}) == 1
    # exactly what no other one descends from: nothing is lost, nothing conflicts falsely
    descended = set().union(*(ancestors(one, everything) for one in everything.values()))
    assert authors[0].names() == set(everything) - descended


def test_a_vector_stays_short_of_what_the_base_does_not_contain() -> None:
    first = revision("a1", "a", 1)
    other = revision("a2", "a", 2, vector={"a": 1})
    third = revision("a3", "a", 3, vector={"a": 1})
    # the author itself, and somebody who saw only one of the two versions
    assert vector_after([third], [other, third], "a", 4, claims) == {"a": 1}
    assert vector_after([third], [third], "b", 7, claims) == {"a": 1, "b": 6}
    assert not claims(revision("b7", "b", 7, vector={"a": 1, "b": 6}, parents=("a3",)), other)
    assert vector_after([first], [first], "a", 2, claims) == {"a": 1}
    assert vector_after([first], [first], "b", 1, claims) == {"a": 1}
    assert vector_after([], [other], "a", 3, claims) == {}
    # what the author itself, or somebody on top of it, wrote beside the base is not in it
    later = revision("a3", "a", 3, vector={"a": 2}, parents=("a2",))
    assert vector_after([first], [later], "a", 4, claims) == {"a": 1}
    above = revision("b1", "b", 1, vector={"a": 2}, parents=("a2",))
    assert vector_after([first], [above], "a", 4, claims) == {"a": 1}


def test_what_a_counter_cannot_reach_is_named_again() -> None:
    known = {"a3": revision("a3", "a", 3, vector={"a": 1}, parents=("a1",)),
             "a1": revision("a1", "a", 1)}  # fmt: skip
    base = revision("a4", "a", 4, vector={"a": 1}, parents=("a3", "a1", "unknown"))
    missing = {"unknown"}
    assert parents_after([base], {"a": 1}, known.get, missing) == ["a4", "a3", "unknown"]
    assert parents_after([base], {"a": 4}, known.get, missing) == ["a4", "unknown"]
    # what nobody has is named no more
    assert parents_after([base], {"a": 4}, known.get, ()) == ["a4"]
    crowd = [revision(f"r{number}", "a", number + 1) for number in range(30)]
    assert len(parents_after(crowd, {}, known.get, ())) == limits.PARENTS


def test_a_plain_author_is_reached_by_its_clock() -> None:
    plain = revision("p", "p", 5_000, plain=True)
    assert reach(plain) == {"p": 5_000}
    assert reach(revision("a", "a", 5_000)) == {}
    assert reach(revision("a", "a", 5_000, vector={"a": 4_999})) == {"a": 5_000}


@pytest.mark.parametrize("claim", [2, 10, 2**53 - 1])
def test_a_liar_does_not_swallow_what_its_victim_writes_next(claim: int) -> None:
    mine = revision("a1", "a", 1)
    lie = revision("liar", "m", 1, vector={"a": claim, "m": 0}, parents=("a1",))
    after = revision("a2", "a", 2, vector={"a": 1, "m": 1}, parents=("liar",))
    assert place(lie, [mine], claims).superseded == ("a1",)
    where = place(after, [lie], claims)
    assert not where.past
    assert where.superseded == ("liar",)
    assert place(lie, [after], claims).past


def test_two_liars_do_not_both_vanish() -> None:
    one = revision("one", "m", 1, vector={"n": 100})
    two = revision("two", "n", 1, vector={"m": 50})
    assert claims(one, two) != claims(two, one)
    for first, second in itertools.permutations([one, two]):
        where = place(second, [first], claims)
        assert where.past or where.superseded


def test_plain_counters_follow_the_clock_and_then_arrival() -> None:
    assert plain_seq(5_000, None) == 5
    assert plain_seq(-5_000_000, None) == 0
    last = revision("p1", "p", 5, time=5_000, plain=True)
    assert plain_seq(5_000, last) == 6
    assert plain_seq(5_400, last) == 6
    assert plain_seq(9_000, last) == 9
    assert plain_seq(4_000, last) == 4


def test_who_begins_to_count_goes_on_above_its_clock() -> None:
    last = revision("p1", "p", 5, time=5_000, plain=True, counted=False)
    assert dot_of(None, 9_000, last) == (9, False)
    assert dot_of(1, 9_000, last) == (9, False)
    assert dot_of(1, 5_000, last) == (6, False)
    assert dot_of(1, 4_000, last) == (1, True)  # an older one: it goes to the history
    assert dot_of(1, 9_000, None) == (1, True)
    assert dot_of(6, 9_000, revision("p1", "p", 5, time=5_000, plain=True)) == (6, True)


def test_an_older_plain_message_is_older() -> None:
    last = revision("p2", "p", 9, time=9_000, plain=True, counted=False)
    assert is_older(revision("p1", "p", 5, time=5_000, plain=True), last)
    assert not is_older(revision("p3", "p", 10, time=9_000, plain=True), last)
    assert not is_older(revision("p1", "p", 5, time=5_000), last)
    assert not is_older(last, None)
    counted = revision("p4", "p", 4, time=1, plain=True)
    assert is_older(revision("p0", "p", 3, time=9, plain=True), counted)
    assert not is_older(revision("p5", "p", 5, time=0, plain=True), counted)


def test_vectors_come_from_json() -> None:
    assert vector_from_json({"a": 1, "b": 2}) == {"a": 1, "b": 2}
    assert vector_from_json({"a": "1", "b": None}) == {}


def test_no_counter_leaves_the_numbers_of_json() -> None:
    top = limits.SAFE_INTEGER
    assert plain_seq(5, revision("x", seq=top, time=5)) == top
