# SPDX-License-Identifier: MIT
"""A walk that goes on says what a walk from the beginning says, whatever has come by then."""

from __future__ import annotations

import random

import pytest

from federation import limits
from federation.replica.ancestry import Ancestry
from federation.replica.records import Revision
from federation.replica.walks import Walk, Walks


def revision(name: str, author: str, seq: int, vector: dict[str, int], *parents: str) -> Revision:
    return Revision(
        revision=name, file="x.md", author=author, seq=seq, timestamp="", timestamp_us=seq,
        received_us=seq, content_hash=name, size=0, binary=False, envelope="{}", vector=vector,
        parents=parents,
    )  # fmt: skip


def chain(length: int) -> list[Revision]:
    return [
        revision(f"r{at}", "a", at, {"a": at - 1}, *([f"r{at - 1}"] if at else []))
        for at in range(length)
    ]


def story(seed: int) -> list[Revision]:
    """A history of three authors; some of them say that they saw more or less than they did."""
    dice, made = random.Random(seed), list[Revision]()
    for number in range(40):
        parents = dice.sample(made[-6:], min(len(made), dice.randint(1, 2)))
        vector: dict[str, int] = {}
        for one in parents:
            for author, seq in {**one.vector, one.author: one.seq}.items():
                vector[author] = max(vector.get(author, 0), seq)
        if dice.random() < 0.2:
            vector[dice.choice("abc")] = dice.randint(0, 40)
        if dice.random() < 0.1:
            vector.pop(dice.choice(sorted(vector or "a")), None)
        name, author = f"{seed}-{number}", dice.choice("abc")
        made.append(revision(name, author, number, vector, *[one.revision for one in parents]))
    return made


@pytest.mark.parametrize("seed", range(30))
def test_a_history_that_comes_in_any_order(seed: int) -> None:
    made, dice = story(seed), random.Random(seed)
    here: dict[str, Revision] = {}
    gone = {one.revision for one in made if dice.random() < 0.1}
    coming = [one for one in made if one.revision not in gone]
    dice.shuffle(coming)
    missing = {one.revision for one in made if dice.random() < 0.9}
    lasting = Ancestry(here.get, lambda _file: missing, Walks())
    for one in coming:
        here[one.revision] = one
        lasting.forget()
        fresh = Ancestry(here.get, lambda _file: missing)
        for newer, older in [dice.sample(coming, 2) for _ in range(12)]:
            told = lasting.contains(newer, older), lasting.guessed
            assert told == (fresh.contains(newer, older), fresh.guessed), (newer, older)


def test_each_revision_of_a_long_history_is_looked_at_once() -> None:
    """A head first, then what is before it, in portions whose oldest come first."""
    made, here, walks = chain(600), dict[str, Revision](), Walks()
    head, looks = made[-1], 0

    def find(name: str) -> Revision | None:
        nonlocal looks
        looks += 1
        return here.get(name)

    ancestry = Ancestry(find, lambda _file: {one.revision for one in made}, walks)
    here[head.revision] = head
    for start in range(500, -1, -100):
        for one in made[start : min(start + 100, 599)]:
            here[one.revision] = one
            ancestry.forget()
            assert ancestry.contains(head, one)
    assert looks < 4 * len(made)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WALKS", 20)
    monkeypatch.setattr("federation.replica.walks._KEPT", 3)
    made, walks = chain(12), Walks()
    here = {one.revision: one for one in made[1:]}
    for at in (11, 10, 9, 8, 7):
        walk = walks.take(made[at], "a")
        walk.go_on(here.get, 1000)
        walks.keep(made[at], "a", walk)
    kept = [at for at in range(12) if len(walks.take(made[at], "a")) > 1]
    assert kept == [7, 8]
    # one that is whole has nothing to wait for
    walk.go_on({one.revision: one for one in made}.get, 1000)
    walks.keep(made[7], "a", walk)
    assert len(walks.take(made[7], "a")) <= 1


def test_a_walk_stops_where_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    made = chain(50)
    here = {one.revision: one for one in made}
    walk = Walk(made[-1], "a")
    assert (walk.go_on(here.get, 10), walk.done, walk.leads(made[0])) == (10, False, False)
    # the first one claims nothing, and is not looked at
    assert (walk.go_on(here.get, 1000), walk.done, walk.leads(made[0])) == (39, True, True)
    monkeypatch.setattr(limits, "MERGE_WALK", 5)
    ancestry = Ancestry(here.get, walks=Walks())
    assert ancestry.contains(made[-1], made[0])
    assert ancestry.guessed  # too far: a word is taken for it
