# SPDX-License-Identifier: MIT
"""People at work in the seeded world: they edit canvases and text, go away, crash, settle.

Everything is drawn from the world's own chance, so that a seed is a story that
can be told again.
"""

from __future__ import annotations

import json
import random

from federation.errors import Refusal
from tests.node.network import Faults
from tests.node.world import SimPeer, World

FILES = ("c.canvasl", "o.canvas", "t.org")
Line = dict[str, object]


def entry(dice: random.Random, name: str) -> Line:
    """A new node."""
    return {"id": name, "type": "text", "text": f"words of {name}", "x": dice.randrange(99)}


def first(dice: random.Random, file: str) -> bytes:
    """What a document begins with."""
    if file.endswith(".org"):
        return b"".join(f"* Heading {number}\nSome text.\n".encode() for number in range(5))
    return write(file, [entry(dice, f"n{number}") for number in range(6)], [])


def write(file: str, nodes: list[Line], edges: list[Line]) -> bytes:
    """Nodes and edges in the format of the document."""
    if file.endswith(".canvasl"):
        return "".join(json.dumps(one) + "\n" for one in [*nodes, *edges]).encode()
    return json.dumps({"nodes": nodes, "edges": edges}, indent="\t").encode()


def read(file: str, content: bytes) -> tuple[list[Line], list[Line]]:
    """Nodes and edges; raises for what is no valid canvas."""
    if file.endswith(".canvasl"):
        lines = [json.loads(line) for line in content.decode().splitlines()]
        nodes = [line for line in lines if "fromNode" not in line]
        edges = [line for line in lines if "fromNode" in line]
    else:
        canvas = json.loads(content)
        nodes, edges = canvas["nodes"], canvas["edges"]
    return nodes, edges


def check_valid(file: str, content: bytes) -> None:
    """A valid canvas: ids are unique and every edge joins nodes that are there."""
    if file.endswith(".org"):
        content.decode()
        return
    nodes, edges = read(file, content)
    names = [one["id"] for one in nodes]
    assert len(set(names)) == len(names), names
    assert {edge[end] for edge in edges for end in ("fromNode", "toNode")} <= set(names)


def edited(dice: random.Random, file: str, content: bytes, mark: str) -> bytes:
    """One edit; ``mark`` is in what it adds, if it adds anything."""
    if file.endswith(".org"):
        lines = content.decode().splitlines(keepends=True)
        place = dice.randrange(len(lines) + 1)
        if dice.random() < 0.3 and lines:
            lines.pop(min(place, len(lines) - 1))
        else:
            lines.insert(place, f"- {mark}\n")
        return "".join(lines).encode()
    nodes, edges = read(file, content)
    kind = dice.randrange(7)
    if kind == 0 or not nodes:
        nodes.insert(dice.randrange(len(nodes) + 1), {**entry(dice, mark), "text": mark})
        return write(file, nodes, edges)
    place = dice.randrange(len(nodes))
    node = nodes[place]
    if kind == 1:
        node["text"] = f"{node.get('text', '')} {mark}"
    elif kind == 2:
        node[f"k{dice.randrange(3)}"] = mark
    elif kind == 3:
        node["x"] = dice.randrange(1000)
    elif kind == 4:
        nodes.insert(dice.randrange(len(nodes)), nodes.pop(place))
    elif kind == 5:
        ends = dice.choice(nodes)["id"], node["id"]
        edges.append({"id": f"e{mark}", "fromNode": ends[0], "toNode": ends[1]})
    else:
        nodes.pop(place)
        edges = [one for one in edges if node["id"] not in (one["fromNode"], one["toNode"])]
    return write(file, nodes, edges)


def act(world: World, dice: random.Random, step: int) -> None:
    """Somebody does something."""
    peer = dice.choice(world.peers)
    if not peer.running:
        peer.restart()
    turn = dice.randrange(14)
    if turn == 0 and peer.connected:
        peer.go_offline(clean=dice.random() < 0.5)
    elif turn == 1 and not peer.connected:
        peer.go_online()
    elif turn == 2:
        peer.crash()
        return
    elif turn == 3:
        peer.lose_effects = True
    elif turn == 4:
        settle_one(peer, dice)
        return
    elif turn == 5:
        pair = dice.sample(world.peers, 2)
        world.broker.partitions ^= {frozenset(one.peer_id for one in pair)}
    file = dice.choice(FILES)
    if turn == 12:
        delete(peer, file)
        return
    if turn == 13:
        bring_back(peer, dice, file)
        return
    if file not in peer.files.synced:
        return
    content = edited(dice, file, peer.files.synced[file], f"mark{step}")
    try:
        peer.sync(file, content, peer.files.synced_path(file))
    except Refusal as refusal:
        assert refusal.reason == "queue-full"


def delete(peer: SimPeer, file: str) -> None:
    """Somebody deletes a file."""
    if peer.files.synced.pop(file, None) is None:
        return
    path = peer.files.synced_path(file)
    try:
        peer.do(lambda: peer.node.delete(file, path))
    except Refusal as refusal:
        assert refusal.reason == "queue-full"
        peer.files_again()


def bring_back(peer: SimPeer, dice: random.Random, file: str) -> None:
    """Somebody wants an earlier version of what was deleted."""
    document = peer.store.document(file)
    if document is None or not document.deleted:
        return
    signed = [one for one in peer.store.revisions(file) if one.author and not one.deleted]
    revision = dice.choice(signed).revision
    peer.do(lambda: peer.node.restore(file, revision))


def settle_one(peer: SimPeer, dice: random.Random) -> None:
    """Somebody chooses one side of a conflict."""
    found = peer.store.open_conflicts()
    if not found:
        return
    one = dice.choice(found)
    choice = dice.choice(("a", "b", "kept"))
    try:
        peer.do(lambda: peer.node.resolve(one.file, one.number, choice, None))
    except Refusal as refusal:
        # a side without an end of the other side's edges cannot be chosen
        cut_off = refusal.reason == "bad-params" and "edge" in str(refusal)
        assert cut_off or refusal.reason in ("conflict-moved", "queue-full"), refusal


def story(seed: int, steps: int = 14) -> World:
    """Trouble for some minutes, then quiet: what is left is what all must agree on."""
    world = World(seed)
    dice = world.random
    for _ in range(2 + seed % 3):
        world.add()
    world.run(5)
    for file in FILES:
        world.peers[0].sync(file, first(dice, file), f"/home/{file}")
    world.settle(60)
    world.broker.faults = Faults(loss=0.1, twice=0.1, delay=2.0, sessions=seed % 2 == 0)
    for step in range(steps):
        act(world, dice, step)
        world.run(dice.random() * 3)
        world.check_acknowledged()
    world.settle()
    return world


def check(world: World) -> None:
    """What must hold in the end."""
    world.check_converged()
    world.check_acknowledged()
    for peer in world.peers:
        assert all(count == 1 for count in peer.heard.values()), "a message was taken twice"
        for file in FILES:
            content = peer.files.synced.get(file)
            document = peer.store.document(file)
            assert document is not None
            assert document.deleted == (content is None)
            if content is not None:
                check_valid(file, content)
    check_nothing_lost(world)


def check_nothing_lost(world: World) -> None:
    """Every revision that anybody made is in everybody's history."""
    made = [
        {one.revision for file in FILES for one in peer.store.revisions(file) if one.author}
        for peer in world.peers
    ]
    assert all(one == made[0] for one in made), "somebody lacks a revision"
