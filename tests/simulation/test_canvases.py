# SPDX-License-Identifier: MIT
"""Real and random canvases between whole peers: forks in every order, histories replayed."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.node.network import Faults
from tests.node.world import SimPeer, World
from tests.replica.merge.laws import check_document
from tests.replica.merge.replayed import Case, make

FORKS = int(os.environ.get("META_LOG_FORKS", "40"))
#: the network between two peers that meet again
NETWORKS = [
    Faults(), Faults(twice=1.0), Faults(delay=20.0, twice=0.5),
    Faults(loss=0.2, delay=5.0, twice=0.3),
]  # fmt: skip


def save(peer: SimPeer, file: str, content: bytes) -> None:
    """What another program wrote into the synced copy."""
    peer.sync(file, content, peer.files.synced_path(file))


def forked(file: str, base: bytes, sides: list[bytes], seed: int) -> World:
    """Peers that have a base, write a side each while they are apart, and meet again."""
    world = World(seed)
    peers = [world.add() for _side in sides]
    looker = world.add()
    world.run(5)
    save(peers[0], file, base)
    world.run(5)
    for peer, side in zip(peers, sides, strict=True):
        assert peer.files.synced[file] == base
        peer.go_offline()
        save(peer, file, side)
    world.broker.faults = NETWORKS[seed % len(NETWORKS)]
    order = peers if seed % 2 else peers[::-1]
    for peer in order:
        peer.go_online()
        world.run(world.random.choice([0.0, 0.1, 30.0]))
    if seed % 3 == 0:
        looker.crash()
        looker.restart()
    world.settle(60)
    world.check_converged()
    return world


def meet(file: str, case: Case, seed: int) -> bytes:
    """What all see in the end; all laws of a merge hold for it, too."""
    world = forked(file, case.base.encode(), [side.encode() for side in case.sides], seed)
    content = world.peers[0].files.synced[file]
    check_document(case, content.decode(), world.peers[0].store.open_conflicts(file))
    return content


@pytest.mark.parametrize("seed", range(FORKS))
def test_random_forks(seed: int) -> None:
    case = make(seed, 2 + seed % 2)
    if not case.base or any(side == case.base for side in case.sides):
        return
    name = {"canvasl": "a.canvasl", "json-canvas": "a.canvas", "text": "a.org"}[case.kind]
    meet(name, case, seed)


def test_real_forks_in_every_order(shared: Path) -> None:
    for folder in sorted((shared / "data" / "threeway").glob("case-*")):
        base, ours, theirs = (
            (folder / f"{name}.canvas").read_text("utf-8") for name in ("base", "ours", "theirs")
        )
        case = Case(
            "json-canvas", base, (ours, theirs), None, known=False, ordered=False, style=None
        )
        shown = {meet("real.canvas", case, seed) for seed in range(2 * len(NETWORKS))}
        # one of two values stands by the ids of the revisions, which are others in each world
        assert len({tuple(sorted(pieces(one))) for one in shown}) <= 2, folder.name
        for one in shown:
            lost = pieces(ours.encode()) & pieces(theirs.encode())
            assert lost - pieces(one) == Counter(), folder.name


def pieces(content: bytes) -> Counter[str]:
    """All words of a canvas."""
    return Counter(re.findall(r"\w+", content.decode()))


def revisions(shared: Path) -> list[list[Path]]:
    folders = sorted((shared / "data" / "histories").iterdir())
    return [sorted(folder.glob("rev-*")) for folder in folders if folder.is_dir()]


def test_histories_as_outside_edits(shared: Path) -> None:
    found = revisions(shared)
    assert len(found) > 5
    for history in found:
        file = "replayed" + (".canvas" if history[0].suffix == ".canvas" else ".canvasl")
        world = World(7)
        writer, reader, late = world.add(), world.add(), world.add(online=False)
        world.run(5)
        contents = []
        for path in history:
            contents.append(path.read_bytes())
            save(writer, file, contents[-1])
            world.run(5)
            assert reader.files.synced[file] == contents[-1], path
        late.go_online()
        world.settle(60)
        world.check_converged()
        kept = [late.content(one.revision) for one in late.store.revisions(file)]
        assert set(contents) <= set(kept), history[0].parent.name


def test_who_reorders_and_who_edits_what_moved(shared: Path) -> None:
    """Each entry is there once, at its new place, and changed."""
    moved = 0
    for history in revisions(shared):
        if history[-1].suffix != ".canvas":
            continue
        base = json.loads(history[-1].read_bytes())
        names = [node["id"] for node in base["nodes"]]
        if len(names) < 4:
            continue
        order = [*names[1:-1], names[0], names[-1]]
        turned = {**base, "nodes": sorted(base["nodes"], key=lambda one: order.index(one["id"]))}
        nodes = [{**base["nodes"][0], "text": "it is edited"}, *base["nodes"][1:]]
        texts = [json.dumps(one, indent="\t", ensure_ascii=False).encode()
                 for one in (base, turned, {**base, "nodes": nodes})]  # fmt: skip
        world = forked("z.canvas", texts[0], texts[1:], 1)
        found = json.loads(world.peers[0].files.synced["z.canvas"])["nodes"]
        assert [node["id"] for node in found] == order
        assert [node["id"] for node in found if "edited" in node.get("text", "")] == [names[0]]
        assert world.peers[0].store.open_conflicts("z.canvas") == []
        moved += 1
    assert moved > 2
