# SPDX-License-Identifier: MIT
"""Each strategy with live peers: who settles a conflict, with what, and who sees what till then."""

from __future__ import annotations

import json

import pytest

from federation.node.context import Strategy
from federation.wire import topics
from tests.node.clashes import FILE, clash, line, resolve, save, settings, shown, the_conflict
from tests.node.world import World

SALTS = range(6)


def test_the_salts_make_either_value_stand() -> None:
    assert {shown(clash(salt=salt)[1][0])["x"] for salt in SALTS} == {1, 2}


@pytest.mark.parametrize("salt", SALTS)
@pytest.mark.parametrize(
    ("strategies", "x"),
    [
        (("prefer_local", "auto_merge"), 1),
        (("prefer_remote", "auto_merge"), 2),
        (("auto_merge", "prefer_local"), 2),
        (("auto_merge", "prefer_remote"), 1),
        (("prefer_local", "prefer_remote"), 1),
        (("prefer_remote", "prefer_local"), 2),
    ],
)
def test_a_preference_settles_it_for_all(
    strategies: tuple[Strategy, Strategy], x: int, salt: int
) -> None:
    world, peers = clash(*strategies, others=1, salt=salt)
    world.run(60)
    world.check_converged()
    for peer in peers:
        assert shown(peer)["x"] == x
        assert peer.store.open_conflicts(FILE) == []


@pytest.mark.parametrize("salt", SALTS)
@pytest.mark.parametrize("strategy", ["prefer_local", "prefer_remote"])
def test_two_of_one_preference_come_to_one_value_and_rest(strategy: Strategy, salt: int) -> None:
    world, peers = clash(strategy, strategy, others=1, salt=salt)
    world.run(60)
    world.check_converged()
    assert {shown(peer)["x"] for peer in peers} in ({1}, {2})
    assert all(peer.store.open_conflicts(FILE) == [] for peer in peers)
    revisions = len(peers[0].store.revisions(FILE))
    published = len([1 for topic, _raw in world.broker.log if topic == topics.SYNC])
    world.run(600)
    assert len(peers[0].store.revisions(FILE)) == revisions <= 8
    assert len([1 for topic, _raw in world.broker.log if topic == topics.SYNC]) == published


@pytest.mark.parametrize("salt", SALTS)
@pytest.mark.parametrize(("strategy", "x"), [("prefer_local", 1), ("prefer_remote", 2)])
def test_a_preference_also_holds_where_the_other_change_was_here_first(
    strategy: Strategy, x: int, salt: int
) -> None:
    world = World()
    a, b = world.add(settings(strategy)), world.add()
    world.run(5)
    a.sync(FILE, line(x=0), "/home/c")
    world.run(5)
    save(b, line(x=2, salt=salt))
    world.run(5)
    a.sync(FILE, line(x=1, salt=salt), "/home/c")  # made from what this path had
    world.run(20)
    world.check_converged()
    assert shown(b)["x"] == x
    assert b.store.open_conflicts(FILE) == []


@pytest.mark.parametrize("salt", SALTS)
def test_manual_shows_everybody_their_own_value_until_somebody_chooses(salt: int) -> None:
    world, (a, b, looker) = clash("manual", "manual", others=1, salt=salt)
    assert (shown(a)["x"], shown(b)["x"]) == (1, 2)
    one = the_conflict(a)
    assert the_conflict(b) == the_conflict(looker) == one
    assert shown(looker)["x"] == json.loads(one.kept or "null")
    heads = a.store.all_heads()
    world.run(300)
    assert a.store.all_heads() == b.store.all_heads() == heads
    resolve(a, "b")
    world.run(20)
    world.check_converged()
    assert {shown(peer)["x"] for peer in (a, b, looker)} == {json.loads(one.b or "null")}
    assert all(peer.store.open_conflicts(FILE) == [] for peer in (a, b, looker))


@pytest.mark.parametrize("salt", SALTS)
def test_manual_keeps_the_own_value_through_edits_of_others(salt: int) -> None:
    world, (a, b, looker) = clash("manual", "manual", others=1, salt=salt)
    save(looker, line(x=shown(looker)["x"], y=5))
    world.run(20)
    assert [(shown(peer)["x"], shown(peer)["y"]) for peer in (a, b)] == [(1, 5), (2, 5)]
    for number, peer in enumerate((a, b), 6):
        save(peer, line(x=shown(peer)["x"], y=number))
        world.run(20)
        assert [(shown(one)["x"], shown(one)["y"]) for one in (a, b)] == [(1, number), (2, number)]
    assert the_conflict(b).number == the_conflict(looker).number
    resolve(looker, "value", "9")
    world.run(20)
    world.check_converged()
    assert [shown(peer)["x"] for peer in (a, b, looker)] == [9, 9, 9]


@pytest.mark.parametrize("salt", SALTS)
@pytest.mark.parametrize("who", [0, 1])
def test_manual_never_writes_over_what_the_user_just_saved(salt: int, who: int) -> None:
    world, peers = clash("manual", "manual", salt=salt)
    a = peers[who]
    for number in range(3):
        save(a, line(x=50 + number, y=number))
        assert (shown(a)["x"], shown(a)["y"]) == (50 + number, number)
        world.run(20)
        assert (shown(a)["x"], shown(a)["y"]) == (50 + number, number)
    save(peers[1 - who], line(x=shown(peers[1 - who])["x"], y=9))
    world.run(20)
    assert shown(a) == {"id": "n", "x": 52, "y": 9}
