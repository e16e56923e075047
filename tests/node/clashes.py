# SPDX-License-Identifier: MIT
"""Peers that changed one value of a canvas at once, and what a test asks of them."""

from __future__ import annotations

import json

import pytest

from federation.errors import Refusal
from federation.node.context import NodeSettings, Strategy
from federation.replica.records import Clashing
from tests.node.world import SimPeer, World

FILE = "c.canvasl"


def settings(strategy: Strategy = "auto_merge") -> NodeSettings:
    return NodeSettings(policy="announced", strategy=strategy)


def line(**fields: object) -> bytes:
    return json.dumps({"id": "n", **fields}).encode() + b"\n"


def save(peer: SimPeer, content: bytes) -> None:
    """An edit of what the peer shows."""
    peer.sync(FILE, content, peer.files.synced_path(FILE))


def shown(peer: SimPeer) -> dict[str, object]:
    """The first entry of what a peer shows."""
    entry: dict[str, object] = json.loads(peer.files.synced[FILE].splitlines()[0])
    return entry


def clash(*strategies: Strategy, others: int = 0, salt: int = 0) -> tuple[World, list[SimPeer]]:
    """Two peers that changed x at once, with these strategies, and others that only look on.

    ``salt`` makes other ids, by which the one value or the other stands.
    """
    world = World()
    strategies = strategies or ("auto_merge", "auto_merge")
    peers = [world.add(settings(one)) for one in (*strategies, *("auto_merge",) * others)]  # type: ignore[arg-type]
    world.run(5)
    save(peers[0], line(x=0, y=0))
    world.run(5)
    for peer in peers[:2]:
        peer.go_offline()
    save(peers[0], line(x=1, y=0, salt=salt))
    save(peers[1], line(x=2, y=0, salt=salt))
    world.settle(60)
    return world, peers


def the_conflict(peer: SimPeer) -> Clashing:
    (one,) = peer.store.open_conflicts(FILE)
    return one


def resolve(peer: SimPeer, choice: str, value: str | None = None) -> None:
    number = the_conflict(peer).number
    peer.do(lambda: peer.node.resolve(FILE, number[:8], choice, value))


def reason(peer: SimPeer, number: str, choice: str = "a", value: str | None = None) -> str:
    """Why a conflict is not settled; nothing was changed by that."""
    before = peer.store.all_heads(), peer.files.synced[FILE], peer.store.open_conflicts(FILE)
    with pytest.raises(Refusal) as caught:
        peer.do(lambda: peer.node.resolve(FILE, number, choice, value))
    assert before == (peer.store.all_heads(), peer.files.synced[FILE],
                      peer.store.open_conflicts(FILE))  # fmt: skip
    return caught.value.reason
