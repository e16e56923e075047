# SPDX-License-Identifier: MIT
"""Peers that know only whole texts get what the others merged."""

from __future__ import annotations

from tests.node.world import SimPeer, World


def edited_apart() -> tuple[World, SimPeer, SimPeer]:
    """Two peers that changed different lines of one canvas while they were apart."""
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    a.sync("x.canvasl", b'{"id":"1"}\n{"id":"2"}\n', "/0/x")
    world.run(5)
    for peer in (a, b):
        peer.go_offline()
    a.sync("x.canvasl", b'{"id":"1","a":1}\n{"id":"2"}\n', a.files.synced_path("x.canvasl"))
    b.sync("x.canvasl", b'{"id":"1"}\n{"id":"2","b":1}\n', b.files.synced_path("x.canvasl"))
    return world, a, b


BOTH = '{"id":"1","a":1}\n{"id":"2","b":1}\n'


def test_nobody_signs_a_merged_version_while_all_can_merge() -> None:
    world, a, b = edited_apart()
    world.settle(60)
    assert a.files.synced["x.canvasl"] == b.files.synced["x.canvasl"] == BOTH.encode()
    assert len(a.store.heads("x.canvasl")) == 2


def test_a_plain_peer_gets_the_merged_text_once() -> None:
    world, a, b = edited_apart()
    plain = world.add_plain()
    world.settle(60)
    assert plain.got["x.canvasl"][-1] == BOTH
    assert plain.got["x.canvasl"].count(BOTH) == 1
    assert len(a.store.heads("x.canvasl")) == 1
    world.check_converged()
    assert b.files.synced["x.canvasl"] == BOTH.encode()


def test_a_plain_peer_that_comes_later_gets_it_too() -> None:
    world, _a, _b = edited_apart()
    world.settle(60)
    plain = world.add_plain()
    world.run(60)
    assert plain.got["x.canvasl"][-1] == BOTH
    world.check_converged()
