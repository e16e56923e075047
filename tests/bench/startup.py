# SPDX-License-Identifier: MIT
"""Line 13: from starting a peer to its ready line; what an idle peer takes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from federation.adapters.disk import Disk
from federation.adapters.store import SqliteStore
from federation.daemon.turns import instant
from federation.identity.keys import SigningKey
from federation.node.context import NodeSettings
from federation.node.router import Node
from tests.bench.report import Line, median
from tests.integration.brokers import ROOT, Mosquitto
from tests.integration.peers import Peer, place_identity

STARTS = 7
DOCUMENTS, SIZE = 5_000, 2_048
#: How long an idle peer is watched (seconds): heartbeats, and one look through its folder.
IDLE = 60.0
SEED = bytes(range(32))


def measure(folder: Path) -> list[Line]:
    """Starts of a new and of a filled peer beside a Python that only imports the same."""
    with Mosquitto(folder) as broker:
        state = folder / "full"
        place_identity(state, SEED)
        _fill(state)
        peer = Peer(state, broker.url)
        imports = _libraries(peer)
        ready: list[float] = []
        loaded: list[float] = []
        memory: list[int] = []
        for _ in range(STARTS):
            ready.append(_start(peer) * 1000)
            peer.kill()
            seconds, resident = _import(imports)
            loaded.append(seconds * 1000)
            memory.append(resident)
        empty = Peer(folder / "empty", broker.url, seed=b"another one for the bench, empty")
        with empty.start():
            small = _resident(empty.pid)
        with peer.start():
            big, busy = _resident(peer.pid), _idle(peer)
    floor = median(memory) / 1e6
    return [
        Line(13, f"start to ready, {DOCUMENTS} documents", median(ready), median(loaded), "ms",
             "300 ms"),
        Line(13, "resident, no documents", small / 1e6, floor, "MB", "–"),
        Line(13, f"resident, {DOCUMENTS} documents", big / 1e6, floor, "MB", "60 MB"),
        Line(13, f"idle with {DOCUMENTS} documents, of one core", busy * 100, None, "%", "0.1 %"),
    ]  # fmt: skip


def _fill(state: Path) -> None:
    """Documents in the store and in the synced folder, as if synced long ago."""
    disk, store = Disk(state), SqliteStore(state / "store.db")
    generator = random.Random(2)
    with store.transaction():
        key = SigningKey.from_seed(SEED)
        node = Node(store, disk, key, NodeSettings(), generator.randbytes)
        for number in range(DOCUMENTS):
            file, content = f"note-{number}.org", generator.randbytes(SIZE // 2).hex().encode()
            now = instant()
            recorded = node.at(now, lambda f=file, c=content: node.sync_content(f, c, None))  # type: ignore[misc]
            (disk.synced / file).write_bytes(content)
            node.receive_written(file, recorded.revision.revision, now)
        node.take_effects()
    store.close()


def _start(peer: Peer) -> float:
    start = time.perf_counter()
    peer.start(connected=False)
    return time.perf_counter() - start


def _libraries(peer: Peer) -> list[str]:
    """Every module that a peer loads and that is not ours."""
    code = (
        "import sys; import federation.cli.app, federation.cli.start, federation.daemon; "
        "print(*(m for m in sys.modules if m.split('.')[0] not in ('federation', '__main__')))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=peer.env, check=True,
                          capture_output=True, text=True)  # fmt: skip
    return done.stdout.split()


def _import(modules: Sequence[str]) -> tuple[float, int]:
    """Seconds until a Python has imported them all, and its resident bytes then."""
    code = (
        "import importlib, sys\n"
        f"for name in {list(modules)!r}:\n"
        "    try: importlib.import_module(name)\n"
        "    except ImportError: pass\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        seconds = time.perf_counter() - start
        resident = _resident(process.pid)
        process.communicate()
    return seconds, resident


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _idle(peer: Peer) -> float:
    """The share of one core that an idle peer takes, once it has looked at all of its files."""
    for _ in range(60):
        before = busy(peer.pid)
        time.sleep(1.0)
        if busy(peer.pid) - before < 0.01:
            break
    before, start = busy(peer.pid), time.monotonic()
    time.sleep(IDLE)
    return (busy(peer.pid) - before) / (time.monotonic() - start)


def busy(pid: int) -> float:
    """Seconds of processor time of all threads, to the nanosecond (schedstat)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
