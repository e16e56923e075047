# SPDX-License-Identifier: MIT
"""Line 1: from saving a 10 KB file to the identical file on the other disk."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from tests.bench.arrival import Watch
from tests.bench.report import Line, quantile
from tests.integration.brokers import ROOT, Mosquitto, wait_until
from tests.integration.peers import Peer

#: Saves that are measured, after some that only warm up.
ROUNDS, WARM_UP = 150, 15
#: Between two saves (seconds): people save one file at a time.
PAUSE = 0.02
SIZE = 10_000

Save = Callable[[bytes], float]


def measure(folder: Path) -> list[Line]:
    """Alternate between our two peers and the two of the floor."""
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder, "set_tcp_nodelay true"))
        ours = stack.enter_context(_ours(folder, broker.url))
        floor = stack.enter_context(_floor(folder, broker.port))
        mine: list[float] = []
        least: list[float] = []
        generator = random.Random(1)
        for number in range(ROUNDS + WARM_UP):
            for save, taken in ((ours, mine), (floor, least)):
                seconds = save(_canvas(generator))
                if number >= WARM_UP:
                    taken.append(seconds * 1000)
                time.sleep(PAUSE)
    work = "save 10 KB → identical on the other disk"
    return [
        Line(1, f"{work}, p50", quantile(mine, 0.5), quantile(least, 0.5), "ms",
             "2.5 ms, ratio 1.6"),
        Line(1, f"{work}, p99", quantile(mine, 0.99), quantile(least, 0.99), "ms", "8 ms"),
    ]  # fmt: skip


def _canvas(generator: random.Random) -> bytes:
    """A canvas of nodes, different every time."""
    lines: list[str] = []
    while sum(map(len, lines)) < SIZE - 100:
        node = {"id": f"n{generator.randrange(10**9)}", "type": "node", "text": "pond – frogs",
                "x": generator.randrange(4000), "y": generator.randrange(4000)}  # fmt: skip
        lines.append(json.dumps(node, ensure_ascii=False) + "\n")
    text = "".join(lines).encode()
    return text + b"\n" * max(SIZE - len(text), 0)


@contextlib.contextmanager
def _ours(folder: Path, url: str) -> Iterator[Save]:
    """Two peers that trust each other; a save is a write and the request of the editor."""
    flags = ("--trust-policy", "announced")
    with (
        Peer(folder / "one", url, flags=flags) as one,
        Peer(folder / "two", url, flags=flags) as two,
        one.front_end() as editor,
    ):
        wait_until(lambda: one.call("status")["peers"]["connected"] == 1, 20, "they are connected")
        source = folder / "bench.canvasl"
        with Watch(two.synced) as watch:

            def save(content: bytes) -> float:
                start = time.perf_counter()
                source.write_bytes(content)
                request = {"jsonrpc": "2.0", "id": 1, "method": "sync.file",
                           "params": {"path": str(source)}}  # fmt: skip
                editor.send(json.dumps(request).encode())
                seconds = watch.wait(source.name, content) - start
                assert "result" in editor.response()
                return seconds

            yield save


@contextlib.contextmanager
def _floor(folder: Path, port: int) -> Iterator[Save]:
    with contextlib.ExitStack() as stack:
        far, near = folder / "floor-two", folder / "floor-one"
        for place in (far, near):
            place.mkdir()
        stack.enter_context(_running("receive", port, far))
        paths = stack.enter_context(_running("send", port, near))
        watch = stack.enter_context(Watch(far))
        source = folder / "floor.canvasl"

        def save(content: bytes) -> float:
            start = time.perf_counter()
            source.write_bytes(content)
            paths.write(f"{source}\n")
            paths.flush()
            return watch.wait(source.name, content) - start

        yield save


@contextlib.contextmanager
def _running(part: str, port: int, folder: Path) -> Iterator[IO[str]]:
    command = [sys.executable, "-m", "tests.bench.floor", part, str(port), str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process.stdin
        finally:
            process.kill()
