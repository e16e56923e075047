# SPDX-License-Identifier: MIT
"""A member that says it has seen what is not written yet takes nobody's work away."""

from __future__ import annotations

import json

import pytest

from federation.wire import topics
from tests.node.clashes import FILE, line, save, settings, shown
from tests.node.network import PlainPeer
from tests.node.world import SimPeer, World


def lie(liar: PlainPeer, about: SimPeer, content: bytes, **more: object) -> None:
    """Publish an edit whose vector reaches far into another author's future."""
    (head,) = about.store.heads(FILE)
    fields = {
        "type": "canvasl-sync", "file": FILE, "content": content.decode(), "seq": 1,
        "vector": {about.peer_id: head.seq + 1000}, "parents": [head.revision], **more,
    }  # fmt: skip
    liar.world.broker.publish(liar.peer_id, topics.SYNC, liar._signed(**fields))


@pytest.mark.parametrize("first", ["lie", "edit"])
def test_an_edit_that_a_forged_vector_claims_stays(first: str) -> None:
    world = World()
    a, b, looker = (world.add(settings()) for _ in range(3))
    liar = world.add_plain()
    world.run(5)
    save(a, line(x=0, y=0))
    world.run(5)
    a.go_offline()
    if first == "edit":
        save(a, line(x=1, y=0))
    lie(liar, b, line(x=0, y=5), vector={a.peer_id: 2**50, b.peer_id: 2**50})
    world.run(5)
    if first == "lie":
        save(a, line(x=1, y=0))
    # and who goes on from the lie passes it on to nobody
    save(b, line(x=0, y=5, z=1))
    world.settle(60)
    world.check_converged()
    for peer in (a, b, looker, world.add(settings())):
        world.run(30)
        entry = json.loads(peer.files.synced[FILE])
        assert (entry["x"], entry["y"], entry["z"]) == (1, 5, 1)
    assert shown(looker)["x"] == 1
