# SPDX-License-Identifier: MIT
"""Line 16: two versions of a canvas of 10,000 entries, merged; the canvas opened.

The floor of a merge is the CRDT library alone: a movable list of maps that
holds the canvas already, with a history of operations, takes in the operations
of both sides and gives the merged value.  Ours begins with three texts, finds
out what was done, and ends with a fourth one.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from loro import ExportMode, LoroDoc, LoroMap

from federation.adapters.disk import Disk
from federation.adapters.store import SqliteStore
from federation.daemon.turns import instant
from federation.identity.keys import SigningKey
from federation.node.context import NodeSettings
from federation.node.router import Node
from federation.replica.merge.document import merge
from federation.replica.merge.entry import Entry
from tests.bench.report import Line, median

ENTRIES, EDITS = 10_000, 1_000
ROUNDS = 7
#: Saved states before the one that is opened.
HISTORY = 30
SEED = bytes(range(32))
Members = dict[str, str | int]
Canvas = list[Members]


def measure(folder: Path) -> list[Line]:
    """Alternate between our merge of both formats and the library's."""
    dice = random.Random(15)
    base = [_node(dice, f"node-{number}") for number in range(ENTRIES)]
    sides = [_edited(random.Random(seed), base, str(seed)) for seed in (1, 2)]
    lines, canvases = ([write(one) for one in (base, *sides)] for write in (_lines, _canvas))
    snapshot, updates = _operations(base)
    taken: dict[str, list[float]] = {"canvasl": [], "json-canvas": [], "floor": []}
    for _ in range(ROUNDS):
        taken["floor"].append(_floor(snapshot, updates))
        for kind, texts in (("canvasl", lines), ("json-canvas", canvases)):
            taken[kind].append(_seconds(lambda k=kind, t=texts: merge(k, *t)))  # type: ignore[misc]
    figures = {name: median(values) * 1000 for name, values in taken.items()}
    work = f"merging {EDITS} + {EDITS} edits of a canvas of {ENTRIES} entries"
    opened, floor = _opened(folder, base), median([_load(snapshot) for _ in range(ROUNDS)])
    return [
        Line(16, f"{work}, CanvasL", figures["canvasl"], figures["floor"], "ms", "ratio 3"),
        Line(16, f"{work}, JSON Canvas", figures["json-canvas"], figures["floor"], "ms", "ratio 3"),
        Line(16, f"opening a canvas of {ENTRIES} entries with a history", opened * 1000,
             floor * 1000, "ms", "300 ms"),
    ]  # fmt: skip


def _node(dice: random.Random, name: str) -> Members:
    return {
        "id": name, "type": "text", "x": dice.randrange(-5000, 5000),
        "y": dice.randrange(-5000, 5000), "width": 250, "height": 60,
        "text": f"Some words about {name} and {dice.random()}",
    }  # fmt: skip


def _edited(dice: random.Random, base: Canvas, mark: str) -> Canvas:
    """One side: numbers and words changed, entries added, moved and deleted."""
    side = [dict(node) for node in base]
    for number in range(EDITS):
        at, roll = dice.randrange(len(side)), dice.random()
        if roll < 0.4:
            side[at]["x"] = dice.randrange(10**6)
        elif roll < 0.7:
            side[at]["text"] = f"{side[at]['text']} {mark}{number}"
        elif roll < 0.85:
            side.insert(at, _node(dice, f"new-{mark}-{number}"))
        elif roll < 0.95:
            side.insert(dice.randrange(len(side)), side.pop(at))
        else:
            del side[at]
    return side


def _lines(nodes: Canvas) -> bytes:
    return "".join(json.dumps(node) + "\n" for node in nodes).encode()


def _canvas(nodes: Canvas) -> bytes:
    return json.dumps({"nodes": nodes, "edges": []}, indent="\t").encode()


def _operations(base: Canvas) -> tuple[bytes, list[bytes]]:
    """The library's snapshot of a canvas, and as many operations of each side."""
    document = LoroDoc()  # type: ignore[no-untyped-call]
    entries = document.get_movable_list("entries")
    for node in base:
        _fill(entries.push_container(_new()), node)
    document.commit()
    snapshot = document.export(ExportMode.Snapshot())
    return snapshot, [_side(snapshot, base[0], random.Random(seed)) for seed in (1, 2)]


def _side(snapshot: bytes, node: Members, dice: random.Random) -> bytes:
    document = LoroDoc()  # type: ignore[no-untyped-call]
    document.import_(snapshot)
    before, entries = document.oplog_vv, document.get_movable_list("entries")
    for number in range(EDITS):
        at, roll = dice.randrange(len(entries)), dice.random()
        if roll < 0.7:
            _fill(getattr(entries.get(at), "container", None), {"x": number})
        elif roll < 0.85:
            _fill(entries.insert_container(at, _new()), node)
        elif roll < 0.95:
            entries.mov(at, dice.randrange(len(entries)))
        else:
            entries.delete(at, 1)
        document.commit()
    return document.export(ExportMode.Updates(before))


def _new() -> LoroMap:
    return LoroMap()  # type: ignore[no-untyped-call]


def _fill(entry: object, members: Members) -> None:
    for key, value in members.items():
        cast("LoroMap", entry).insert(key, value)


def _floor(snapshot: bytes, updates: list[bytes]) -> float:
    """Seconds for taking in the operations of both sides."""
    document = LoroDoc()  # type: ignore[no-untyped-call]
    document.import_(snapshot)
    document.get_deep_value()

    def work() -> None:
        for update in updates:
            document.import_(update)
        document.get_deep_value()

    return _seconds(work)


def _load(snapshot: bytes) -> float:
    """Seconds for a snapshot that becomes a value."""

    def work() -> None:
        document = LoroDoc()  # type: ignore[no-untyped-call]
        document.import_(snapshot)
        document.get_deep_value()

    return _seconds(work)


def _opened(folder: Path, base: Canvas) -> float:
    """Seconds from a closed store to the entries of a canvas and their names."""
    disk, path = Disk(folder / "state"), folder / "state" / "store.db"
    store = SqliteStore(path)
    dice = random.Random(3)
    key = SigningKey.from_seed(SEED)
    with store.transaction():
        node = Node(store, disk, key, NodeSettings(), dice.randbytes)
        parent: str | None = None
        for number in range(HISTORY):
            base[dice.randrange(ENTRIES)]["x"] = number
            content = _lines(base)
            recorded = node.at(instant(),
                               lambda c=content, p=parent: node.sync_content("a.canvasl", c, p))  # type: ignore[misc]  # fmt: skip
            parent = recorded.revision.revision
        node.take_effects()
    store.close()

    def work() -> None:
        again = SqliteStore(path)
        document = again.document("a.canvasl")
        revision = again.revision(document.current if document else "")
        if revision is None:
            raise RuntimeError("the canvas is not there")
        lines = again.content(revision.content_hash).decode().splitlines()
        if len({Entry(line).name for line in lines}) != ENTRIES:
            raise RuntimeError("entries are missing")
        again.close()

    return median([_seconds(work) for _ in range(ROUNDS)])


def _seconds(work: Callable[[], object]) -> float:
    """Seconds of the processor."""
    start = time.process_time()
    work()
    return time.process_time() - start
