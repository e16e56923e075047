# SPDX-License-Identifier: MIT
"""A conflict that comes back: listed again, and otherwise once, whatever else is edited."""

from __future__ import annotations

import json
import random

import pytest

from tests.node.clashes import FILE, clash, line, resolve, save, settings, shown, the_conflict
from tests.node.world import SimPeer, World, open_numbers


def test_a_conflict_that_comes_back_is_listed_again() -> None:
    world, (a, b, looker) = clash(others=1)
    for _round in range(3):
        assert {the_conflict(peer).base for peer in (a, b, looker)} == {"0"}
        resolve(a, "value", "0")
        world.run(10)
        world.check_converged()
        assert open_numbers(looker, FILE) == set()
        # whoever joins late is told the same
        late = world.add(settings())
        for peer in (a, b):
            peer.go_offline()
        save(a, line(x=1, y=0, salt=0))
        save(b, line(x=2, y=0, salt=0))
        world.settle(60)
        world.check_converged()
        assert len(open_numbers(late, FILE)) == 1
        assert len(looker.events("conflict-detected")) == _round + 2


# --- random histories --------------------------------------------------------------------------
def of_x(peer: SimPeer) -> set[str]:
    """The open conflicts of ``x``: of other values, too, an edit may take what a gap made."""
    found = peer.store.open_conflicts(FILE)
    return {one.number for one in found if one.path == ("n", "x")}


def settle_x(peer: SimPeer) -> None:
    number = min(of_x(peer))
    peer.do(lambda: peer.node.resolve(FILE, number, "value", "0"))


class People:
    """Three peers; the line of each is edited by itself only, and ``x`` by two at once."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.world = World(seed)
        self.peers = [self.world.add(settings()) for _ in range(3)]
        self.world.run(5)
        lines = [{"id": "n", "x": 0}] + [{"id": f"p{n}", "y": 0} for n in range(3)]
        save(self.peers[0], b"".join(json.dumps(one).encode() + b"\n" for one in lines))
        self.world.run(5)

    def edit(self, peer: SimPeer, number: int, key: str, value: int) -> None:
        """Set one value of one line of what a peer shows."""
        lines = [json.loads(one) for one in peer.files.synced[FILE].splitlines()]
        lines[number][key] = value
        save(peer, b"".join(json.dumps(one).encode() + b"\n" for one in lines))

    def wander(self, steps: int) -> None:
        """Edits elsewhere, by peers that come and go."""
        for _ in range(steps):
            peer = self.chance.choice(self.peers)
            what = self.chance.random()
            if what < 0.3:
                (peer.go_offline if peer.connected else peer.go_online)()
            elif what < 0.7:
                number = self.peers.index(peer)
                self.edit(peer, 1 + number, "y", self.chance.randrange(10**6))
            else:
                self.world.run(self.chance.choice((0.1, 1, 5)))
            # who still misses what two versions were made from takes them for two documents
            there = [one for one in self.peers if not one.store.gaps(FILE)]
            assert all(len(of_x(one)) <= 1 for one in there), self.world.seed


@pytest.mark.parametrize("seed", range(5))
def test_it_is_one_conflict_while_the_sides_grow_elsewhere(seed: int) -> None:
    people = People(seed)
    for _round in range(3):
        for number, peer in enumerate(people.peers[:2]):
            if peer.connected:
                peer.go_offline()
            people.edit(peer, 0, "x", 1 + number)
        people.wander(14)
        # somebody who sees it settles it, while the others go on
        seen = [peer for peer in people.peers if of_x(peer)]
        if seen:
            settle_x(people.chance.choice(seen))
            people.wander(14)
            people.world.settle(90)
        else:
            people.world.settle(90)
            assert all(len(of_x(peer)) == 1 for peer in people.peers)
            settle_x(people.chance.choice(people.peers))
            people.world.run(30)
        people.world.check_converged()
        assert [of_x(peer) for peer in people.peers] == [set()] * 3
        assert {shown(peer)["x"] for peer in people.peers} == {0}
