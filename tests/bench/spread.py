# SPDX-License-Identifier: MIT
"""Line 15: what a peer receives, by how many others there are."""

from __future__ import annotations

import heapq
from collections import Counter
from pathlib import Path

from federation.node.context import NodeSettings
from federation.replica.edits import Change
from federation.wire import topics
from tests.bench.report import Line
from tests.node.network import Client
from tests.node.world import SimPeer, World

PEERS = (10, 50, 200)
#: Peers that have one document open, and what each types.
HOLDERS, EDITS = 5, 5


class Counting(World):
    """Peers that count the bytes they receive: live edits, and everything else."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes: Counter[str] = Counter()

    def deliver(
        self, to: Client, topic: str, payload: bytes, delay: float, *, retained: bool = False
    ) -> None:
        """Hand a message over, and count it."""
        self.bytes["live" if topics.is_live(topic) else "other"] += len(payload)
        super().deliver(to, topic, payload, delay, retained=retained)

    def drain(self) -> None:
        """Hand over all that is under way; no time passes."""
        while self._waiting:
            one = heapq.heappop(self._waiting)
            one.to.take(one.topic, one.payload, retained=one.retained)


def measure(_folder: Path) -> list[Line]:
    """Many peers in one process; each document is open at a few of them."""
    typed = {count: _typed(count) for count in PEERS}
    return [
        Line(15, f"live edits received by a peer, {count} peers in all",
             typed[count] / 1000, typed[PEERS[0]] / 1000, "kB", "flat")
        for count in PEERS
    ]  # fmt: skip


def _typed(count: int) -> float:
    """Bytes of live edits that one peer receives."""
    world = Counting()
    settings = NodeSettings(policy="announced", heartbeat=3600.0)
    peers = [world.add(settings, online=False) for _ in range(count)]
    groups = [peers[at : at + HOLDERS] for at in range(0, count, HOLDERS)]
    # who is who is told within the groups: what everybody tells everybody is another figure
    world.broker.partitions = {
        frozenset({one.peer_id, other.peer_id})
        for group in groups for one in group for other in peers if other not in group
    }  # fmt: skip
    for peer in peers:
        peer.go_online()
    world.drain()
    for number, group in enumerate(groups):
        group[0].sync(f"{number}.md", b"text\n" * 200)
    world.drain()
    for number, group in enumerate(groups):
        for peer in group:
            peer.do(lambda peer=peer, number=number: peer.node.live.open(f"{number}.md", None))  # type: ignore[misc]
    world.broker.partitions.clear()
    world.bytes.clear()
    for made in range(EDITS):
        for number, group in enumerate(groups):
            for peer in group:
                _type(peer, f"{number}.md", made)
    return world.bytes["live"] / count


def _type(peer: SimPeer, file: str, made: int) -> None:
    peer.do(lambda: peer.node.live.edit(file, made, [Change(0, 0, "x")]))
