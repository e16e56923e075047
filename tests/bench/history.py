# SPDX-License-Identifier: MIT
"""Lines 11 and 17 to 20: what histories weigh, and what comparing and catching up cost.

Nodes and their stores run in this process, around a broker in memory that
counts bytes; time is that of the processor.  Only line 16 starts a real peer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import time
from dataclasses import replace
from pathlib import Path

import zstandard

from federation.adapters.store import SqliteStore
from federation.replica.records import Revision
from federation.wire import canonical, timestamps
from tests.bench.report import Line
from tests.integration.brokers import Mosquitto
from tests.integration.peers import Peer
from tests.node.network import EPOCH, key_of
from tests.node.world import SimPeer, World

ENTRIES = 10_000
EDITS = 10_000
DOCUMENTS = 5_000
MIB = 1 << 20


def canvas(entries: int, generator: random.Random) -> list[dict[str, object]]:
    """The lines of a canvas: nodes with some words each."""
    words = "pond frog reed carp stone lily heron newt pike moss".split()
    return [
        {"id": f"n{number:05}", "type": "text", "text": " ".join(generator.choices(words, k=6)),
         "x": generator.randrange(9000), "y": generator.randrange(9000), "width": 250,
         "height": 60, "color": str(generator.randrange(6))}
        for number in range(entries)
    ]  # fmt: skip


class Typing:
    """A canvas in which somebody types a letter here and there."""

    def __init__(self, entries: int) -> None:
        self._generator = random.Random(7)
        self._entries = canvas(entries, self._generator)
        self._lines = [json.dumps(one) + "\n" for one in self._entries]

    @property
    def content(self) -> bytes:
        """The canvas as it is now."""
        return "".join(self._lines).encode()

    def type(self) -> bytes:
        """A letter more; the canvas with it."""
        place = self._generator.randrange(len(self._entries))
        entry = self._entries[place]
        entry["text"] = f"{entry['text']}{self._generator.choice('abcdefgh ')}"
        self._lines[place] = json.dumps(entry) + "\n"
        return self.content


# --- 17: the weight of a history -----------------------------------------------------------
def weight(folder: Path) -> list[Line]:
    """The database of 10,000 signed keystrokes in one canvas, and a save at its end."""
    typing, store = Typing(ENTRIES), SqliteStore(folder / "store.db")
    store._db.execute("PRAGMA synchronous=OFF")
    last: Revision | None = None
    seconds: list[float] = []
    for number in range(EDITS):
        content = typing.type()
        last = _revision(number, last, content)
        start = time.process_time()
        with store.transaction():
            store.add_revision(last, content)
            store.set_heads(last.file, [last.revision])
        seconds.append(time.process_time() - start)
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = (folder / "store.db").stat().st_size
    store.close()
    early, late = sum(seconds[100:300]) / 200, sum(seconds[-200:]) / 200
    return [
        Line(17, f"database of {EDITS:,} keystrokes in a canvas, beside the canvas", size / MIB,
             len(typing.content) / MIB, "MB", "ratio 3"),
        Line(17, "to record one at its end, beside one at its beginning", late * 1000,
             early * 1000, "ms", "ratio 2"),
    ]  # fmt: skip


def _revision(number: int, last: Revision | None, content: bytes) -> Revision:
    """A revision as its author would sign it, with a signature that nobody checks."""
    author, us = key_of(1).peer_id, EPOCH + number * 400_000
    parents = [] if last is None else [last.revision]
    name = hashlib.sha256(b"%d" % number)
    fields = {
        "type": "canvasl-sync", "peer_id": author, "file": "c.canvasl",
        "timestamp": timestamps.format_us(us), "seq": us // 1000,
        "vector": {} if last is None else {author: last.seq}, "parents": parents,
        "signature": f"0x{name.hexdigest()}{hashlib.sha256(name.digest()).hexdigest()}",
    }  # fmt: skip
    return Revision(
        revision=name.hexdigest(), file="c.canvasl", author=author, seq=us // 1000,
        timestamp=str(fields["timestamp"]), timestamp_us=us, received_us=us + 2000,
        content_hash=hashlib.sha256(content).hexdigest(), size=len(content), binary=False,
        envelope=canonical.encode(fields).decode(),
        vector={} if last is None else {author: last.seq}, parents=tuple(parents),
    )  # fmt: skip


# --- 18: memory ----------------------------------------------------------------------------
def memory(folder: Path) -> list[Line]:
    """A real peer that has sent, and merged, eight canvases of a megabyte or more."""
    typings = [Typing(8_000) for _ in range(8)]
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder))
        peer = stack.enter_context(Peer(folder / "one", broker.url))
        for _round in range(3):
            for number, typing in enumerate(typings):
                source = folder / f"{number}.canvasl"
                source.write_bytes(typing.type())
                peer.call("sync.file", {"path": str(source)})
        resident = _resident(peer.pid)
    whole = sum(len(typing.content) for typing in typings)
    return [
        Line(18, f"resident after edits of {whole / MIB:.0f} MB of canvases, beside 10 × their "
             "size + 60 MB", resident / MIB, 10 * whole / MIB + 60, "MB", "ratio 1"),
    ]  # fmt: skip


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(one for one in status.splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


# --- 11: reconnecting ----------------------------------------------------------------------
def reconnect(_folder: Path) -> list[Line]:
    """Two peers with the same 5,000 documents, of which one was away."""
    world, a, b = _two(World(1))
    for number in range(DOCUMENTS):
        a.sync(f"{number}.md", b"%d" % number)
    _settle(world)
    assert a.store.all_heads() == b.store.all_heads()
    b.go_offline()
    world.run(60)
    del world.broker.log[:]
    start = time.process_time()
    b.go_online()
    world.run(2)
    seconds = time.process_time() - start
    sent = sum(len(raw) for topic, raw in world.broker.log if b'"sync-' in raw)
    assert a.store.all_heads() == b.store.all_heads()
    return [
        Line(11, f"reconnect with {DOCUMENTS:,} unchanged documents, to compare", sent / 1024, None,
             "KB", "1 KB"),
        Line(11, "the same, processor of both", seconds * 1000, None, "ms", "50 ms"),
    ]  # fmt: skip


# --- 19: offline edits -----------------------------------------------------------------------
def offline(_folder: Path) -> list[Line]:
    """10,000 edits of one who was away, on their way to the other."""
    world, a, b = _two(World(2))
    typing = Typing(500)
    a.sync("c.canvasl", typing.content)
    _settle(world)
    a.go_offline()
    for _number in range(EDITS):
        a.sync("c.canvasl", typing.type())
        world.now += 0.4
    world.broker.log.clear()
    world.broker.sent.clear()
    before = b.store._db.execute("SELECT sum(length(data)) FROM contents").fetchone()[0]
    start = time.process_time()
    a.go_online()
    while b.files.synced.get("c.canvasl") != typing.content or b.store.gaps("c.canvasl"):
        world.run(1)
        world.broker.log.clear()
    seconds = time.process_time() - start
    (after,) = b.store._db.execute("SELECT sum(length(data)) FROM contents").fetchone()
    missing = after - before + EDITS * (64 + 32)  # signature and id of each
    assert len(b.store.revisions("c.canvasl")) == EDITS + 1
    return [
        Line(19, f"{EDITS:,} offline edits reconciled, processor of both", seconds, None, "s",
             "seconds"),
        Line(19, "the same on the wire, beside the edits and their signatures",
             world.broker.sent[a.peer_id] / MIB, missing / MIB, "MB", "in proportion"),
    ]  # fmt: skip


# --- 18: who joins late ------------------------------------------------------------------------
def join(_folder: Path) -> list[Line]:
    """A document of 10 MB for somebody who has nothing."""
    world = World(3)
    a = world.add()
    content = Typing(80_000).content
    a.sync("c.canvasl", content)
    world.run(5)
    world.broker.sent.clear()
    start = time.process_time()
    b = world.add()
    while b.files.synced.get("c.canvasl") != content:
        world.run(1)
    seconds = time.process_time() - start
    snapshot = len(zstandard.ZstdCompressor().compress(content))
    return [
        Line(20, f"{len(content) / MIB:.0f} MB for who joins late, beside its snapshot (Zstandard)",
             world.broker.sent[a.peer_id] / MIB, snapshot / MIB, "MB", "ratio 1.2"),
        Line(20, "the same, processor of both", seconds, None, "s", "–"),
    ]  # fmt: skip


def _two(world: World) -> tuple[World, SimPeer, SimPeer]:
    peers = world.add(), world.add()
    for peer in peers:
        peer.settings = replace(peer.settings, policy="announced")
    world.run(5)
    return world, *peers


def _settle(world: World) -> None:
    """Until all have what all have; what was said is not kept."""
    while len({json.dumps(peer.store.all_heads()) for peer in world.peers}) > 1:
        world.run(5, most=1_000_000)
        world.broker.log.clear()
