# SPDX-License-Identifier: MIT
"""Whole nodes in a seeded world: whatever the network does, nothing is lost and all agree."""

from __future__ import annotations

import random

import pytest

from federation.errors import Refusal
from tests.node.world import Faults, SimPeer, World

FILES = ("a.canvasl", "b.md", "deep/c.json")


def act(world: World, chance: random.Random) -> None:
    """One thing that a user, a network or a machine does."""
    peer = chance.choice(world.peers)
    kind = chance.choice(["edit"] * 6 + ["offline", "online", "crash", "cut", "heal", "wipe",
                         "restore", "lost turn"])  # fmt: skip
    if not peer.running:
        peer.restart()
    elif kind == "edit":
        edit(peer, chance)
    elif kind == "offline" and peer.connected:
        peer.go_offline(clean=chance.random() < 0.3)
    elif kind == "online" and not peer.connected:
        peer.go_online()
    elif kind == "crash":
        peer.crash()
    elif kind == "cut":
        other = chance.choice(world.peers)
        world.broker.partitions.add(frozenset({peer.peer_id, other.peer_id}))
    elif kind == "heal":
        world.broker.partitions.clear()
    elif kind == "wipe":
        world.broker.wipe()
    elif kind == "restore":
        restore(peer, chance)
    elif kind == "lost turn":
        peer.lose_effects = True


def edit(peer: SimPeer, chance: random.Random) -> None:
    """Sync something; from one of two local paths, or from none."""
    file = chance.choice(FILES)
    path = chance.choice([None, f"/home/{file}", f"/other/{file}"])
    content = f"{peer.peer_id[5:9]} {chance.getrandbits(40)}\n".encode()
    try:
        revision = peer.sync(file, content, path).revision
    except Refusal as refusal:
        assert refusal.reason == "queue-full"
        return
    assert peer.store.revision(revision.revision) is not None
    document = peer.store.document(file)
    assert document is not None
    assert peer.content(document.current) == content


def restore(peer: SimPeer, chance: random.Random) -> None:
    file = chance.choice(FILES)
    revisions = peer.store.revisions(file)
    if revisions:
        peer.do(lambda: peer.node.restore(file, chance.choice(revisions).revision))


def troubled(seed: int, count: int) -> World:
    world = World(seed)
    for _ in range(count):
        world.add()
    world.run(5)
    world.broker.faults = Faults(0.2, 0.2, 1.5, sessions=world.random.random() < 0.5)
    return world


@pytest.mark.parametrize("seed", range(40))
def test_after_any_trouble_all_have_the_same(seed: int) -> None:
    world = troubled(seed, 3 + seed % 3)
    for _ in range(40):
        act(world, world.random)
        world.run(world.random.random() * 3)
        world.check_acknowledged()
    world.settle()
    world.check_converged()
    world.check_acknowledged()
