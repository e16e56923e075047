# SPDX-License-Identifier: MIT
"""What is named and never comes, and what was dropped: merges go on, alike everywhere."""

from __future__ import annotations

import pytest

from federation import limits
from tests.node.clashes import FILE, line, resolve, save, settings, shown, the_conflict
from tests.node.world import SimPeer, World, open_numbers
from tests.simulation.people import check, story
from tests.simulation.test_forged_vectors import lie

INVENTED = "ab" * 32


def clash_again(world: World, a: SimPeer, b: SimPeer) -> None:
    """Both set x while they do not see each other; then somebody joins that."""
    entry = shown(a)
    for peer in (a, b):
        peer.go_offline()
    for value, peer in ((1, a), (2, b)):
        save(peer, line(**{**entry, "id": "n", "x": value}))
    world.settle(30)
    save(a, line(**{**shown(a), "id": "n", "z": 9}))
    world.settle(60)


def test_an_invented_parent_below_keeps_no_conflict_from_standing() -> None:
    world = World()
    a, b, looker = (world.add(settings()) for _ in range(3))
    liar = world.add_plain()
    world.run(5)
    save(a, line(x=0, y=0))
    world.run(5)
    (head,) = a.store.heads(FILE)
    lie(liar, a, line(x=0, y=1), vector={a.peer_id: head.seq}, parents=[head.revision, INVENTED])
    world.run(5)
    assert looker.store.missing(FILE) == {INVENTED}
    clash_again(world, a, b)
    world.check_converged()
    # at once, and for who joins later, too
    late = world.add(settings())
    world.run(30)
    assert {the_conflict(peer).path for peer in (a, b, looker, late)} == {("n", "x")}
    resolve(late, "b")
    world.run(30)
    assert [open_numbers(peer, FILE) for peer in world.peers] == [set()] * 4


def test_an_invented_parent_of_one_side_delays_it_only() -> None:
    """The forged vector beside it is believed until nobody can have what is named."""
    world = World()
    a, b, looker = (world.add(settings()) for _ in range(3))
    liar = world.add_plain()
    world.run(5)
    save(a, line(x=0, y=0))
    world.run(5)
    (head,) = a.store.heads(FILE)
    a.go_offline()
    claimed = {a.peer_id: head.seq + 2**40}
    lie(liar, b, line(x=5, y=0), vector=claimed, parents=[head.revision, INVENTED])
    save(a, line(x=1, y=0))
    world.settle(30)
    world.run(7200)
    world.check_converged()
    save(a, line(**{**shown(a), "id": "n", "z": 9}))
    world.settle(60)
    for peer in (a, b, looker):
        assert peer.store.missing(FILE) == set()
        assert peer.store.gaps(FILE) == [INVENTED]
        assert {the_conflict(peer).a, the_conflict(peer).b} == {"1", "5"}


BASE = "".join(f"line {number}\n" for number in range(9))
ONE, OTHER = BASE.replace("line 2", "line two"), BASE.replace("line 6", "six lines")


def lose(revision: str, *peers: SimPeer) -> None:
    """Drop the content of a revision, as after years."""
    for peer in peers:
        with peer.store.transaction():
            assert peer.store._db.execute(
                "UPDATE revisions SET content=NULL WHERE revision=packed(?)", (revision,)
            ).rowcount


@pytest.mark.parametrize("lost", [1, 3])
def test_a_base_that_was_dropped(lost: int) -> None:
    """It is asked for; and where nobody has it, nothing is doubled."""
    world = World()
    a, b, c = (world.add(settings()) for _ in range(3))
    world.run(5)
    base = a.sync("x.md", BASE.encode(), "/a/x.md").revision.revision
    world.run(5)
    c.go_offline()
    c.sync("x.md", OTHER.encode(), c.files.synced_path("x.md"))
    a.sync("x.md", (ONE + "more\n").encode(), "/a/x.md")
    a.sync("x.md", ONE.encode(), "/a/x.md")
    world.run(5)
    lose(base, *(a, b, c)[:lost])
    world.settle(60)
    world.run(3600)
    world.check_converged()
    text = b.files.synced["x.md"].decode()
    if lost < 3:
        assert text == ONE.replace("line 6", "six lines")
        assert open_numbers(a, "x.md") == set()
        return
    assert text.count("line 1\n") == text.count("line 8\n") == 1
    assert len(text.splitlines()) == 9
    found = b.store.open_conflicts("x.md")
    assert {value for one in found for value in (one.a, one.b)} == {
        "line 2\n", "line two\n", "line 6\n", "six lines\n"
    }  # fmt: skip
    for one in sorted(found, key=lambda one: one.path):
        side = "a" if one.a in ("line two\n", "six lines\n") else "b"
        b.do(lambda one=one, side=side: b.node.resolve("x.md", one.number, side, None))  # type: ignore[misc]
    world.run(60)
    world.check_converged()
    assert a.files.synced["x.md"].decode() == ONE.replace("line 6", "six lines")
    assert open_numbers(a, "x.md") == set()


@pytest.mark.parametrize("seed", [527, 539])
def test_what_comes_after_it_was_given_up_ends_conflicts_that_are_none(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One side of a join had seen the other; while that was not known, they were in conflict."""
    for name, value in (("GAP_TRIES", 1), ("GAP_ASKS", 2), ("GAP_DEBT", 1), ("GAP_TRY", 0.5)):
        monkeypatch.setattr(limits, name, value)
    check(story(seed, steps=30))
