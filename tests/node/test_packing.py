# SPDX-License-Identifier: MIT
"""Revisions as changes of one another: what leaves, and what becomes of it."""

from __future__ import annotations

import json

import pytest

from federation.node.context import NodeSettings
from federation.node.packing import get_content, is_text, put_content
from federation.wire import topics
from tests.node.world import SimPeer, World

FILE = "garden.canvasl"
LARGE = b"".join(b'{"id":"n%d","text":"pond","x":%d}\n' % (one, one * 7) for one in range(40_000))


def types(world: World) -> list[str]:
    return [json.loads(raw)["type"] for topic, raw in world.broker.log if topic == topics.SYNC]


def three() -> tuple[World, SimPeer, SimPeer, SimPeer]:
    world = World()
    peers = world.add(), world.add(), world.add()
    world.run(5)
    peers[0].sync(FILE, LARGE)
    world.run(5)
    world.broker.log.clear()
    return world, *peers


def test_texts_and_their_messages() -> None:
    assert is_text("é\n".encode())
    assert not is_text(b"a\0b")
    assert not is_text(b"\xff")
    for kind, content in (("canvasl-sync", b"text"), ("canvasl-binary", b"\xff")):
        message: dict[str, object] = {"type": kind}
        put_content(message, content)
        assert get_content(message) == content


def test_a_document_that_fits_no_message_leaves_as_what_changed() -> None:
    world, a, b, c = three()
    changed = LARGE.replace(b'"n7","text":"pond"', b'"n7","text":"lily pond"')
    recorded = a.sync(FILE, changed)
    world.run(5)
    assert types(world) == ["canvasl-delta"]
    assert sum(len(raw) for topic, raw in world.broker.log if topic == topics.SYNC) < 3_000
    for peer in (b, c):
        assert peer.files.synced[FILE] == changed
        # the hooks hear the whole message, as if it had come so
        assert peer.heard[recorded.revision.revision] == 1
    assert b.node.library.packing.message_of(recorded.revision) == (
        a.node.library.packing.message_of(recorded.revision)
    )
    world.check_converged()
    world.check_acknowledged()


def test_who_does_not_know_changes_gets_the_whole_text() -> None:
    world, a, _b, _c = three()
    world.add_plain()
    world.run(5)
    world.broker.log.clear()
    a.sync(FILE, LARGE + b"\n")
    assert set(types(world)) == {"canvasl-piece"}


def test_who_lacks_the_base_asks_for_the_revision() -> None:
    world, a, b, c = three()
    world.broker.partitions.add(frozenset({a.peer_id, b.peer_id}))
    a.sync(FILE, LARGE + b"one\n")
    world.run(0.5)
    world.broker.partitions.clear()
    a.sync(FILE, LARGE + b"one\ntwo\n")
    world.run(5)
    assert b.files.synced[FILE] == c.files.synced[FILE] == LARGE + b"one\ntwo\n"
    world.check_converged()


def test_a_small_document_is_whole_wherever_it_leaves() -> None:
    world, a, _b, _c = three()
    a.sync("note.md", b"one")
    a.sync("note.md", b"two")
    assert types(world) == ["canvasl-sync", "canvasl-sync"]


@pytest.mark.parametrize("lie", ["payload", "patch", "base"])
def test_a_change_that_lies_changes_nothing(lie: str) -> None:
    world, a, b, c = three()
    recorded = a.sync(FILE, LARGE + b"one\n")
    ((_topic, raw),) = [one for one in world.broker.log if one[0] == topics.SYNC]
    message = json.loads(raw)
    before = (b.store.all_heads(), b.files.synced[FILE])
    if lie == "payload":
        message["payload"] = message["payload"].replace("garden", "forest")
    elif lie == "patch":
        message["patch"] = "AAAA"
    else:
        message["base"] = recorded.revision.revision
    fields = {name: message[name] for name in ("file", "revision", "base", "payload", "patch")}
    forged = c.node.context.signed("canvasl-delta", **fields)
    b.take(topics.SYNC, forged, retained=False)
    assert (b.store.all_heads(), b.files.synced[FILE]) == before
    world.run(5)
    assert b.files.synced[FILE] == LARGE + b"one\n"


def test_a_strangers_change_is_held_whole() -> None:
    world = World()
    a = world.add()
    b = world.add(NodeSettings(policy="ask"))
    world.run(5)
    a.sync(FILE, LARGE)
    world.run(5)
    a.sync(FILE, LARGE + b"one\n")
    world.run(5)
    assert b.store.documents() == []
    b.do(lambda: b.node.accept(a.peer_id))
    world.run(5)
    assert b.files.synced[FILE] == LARGE + b"one\n"
    world.check_converged()
