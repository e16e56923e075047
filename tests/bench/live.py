# SPDX-License-Identifier: MIT
"""Lines 5, 7 and 14: edits that travel while somebody types."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from federation.wire import topics
from tests.bench.report import Line, quantile
from tests.bench.startup import busy
from tests.integration.brokers import ROOT, Mosquitto, wait_until
from tests.integration.peers import Peer, Rpc

ROUNDS, WARM_UP = 400, 40
#: Between two keystrokes (seconds), longer than events are gathered for.
PAUSE = 0.015
FILE = "bench.canvasl"
FLAGS = ("--trust-policy", "announced")
#: Edits of the sustained run, and how many one request has.
EDITS, BATCH = 60_000, 500
READERS, RELAYED = 50, 2_000
SIZES = (1_000, 10_000, 100_000)


class Editor:
    """A front end that has the document open."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc
        self._number = 0
        rpc.call("events.subscribe")
        self.opened = rpc.call("documents.open", {"file": FILE}, 60)
        self.made = self.opened["start"]

    def type(self, changes: Sequence[Sequence[object]]) -> None:
        """Send an edit, and do not wait for its answer."""
        self._number += 1
        params = {"file": FILE, "start": self.made, "changes": changes}
        request = {"jsonrpc": "2.0", "id": 10_000 + self._number, "method": "documents.edit",
                   "params": params}  # fmt: skip
        self.made += len(changes)
        self.rpc.send(json.dumps(request).encode())

    def answers(self) -> None:
        """Take the answers to what was sent."""
        while self._number:
            value = self.rpc.response(60)
            assert "result" in value, value
            self._number -= 1

    def hear(self, count: int) -> float:
        """Read events until these many changes came; when the last one did (monotonic)."""
        while count > 0:
            value = self.rpc.receive(60)
            for event in value.get("params", {}).get("events", ()):
                if event["event"] == "document-edited":
                    count -= len(event["changes"])
        return time.monotonic()


def canvas(entries: int) -> bytes:
    """A canvas of nodes."""
    dice = random.Random(entries)
    return b"".join(
        b'{"id":"n%d","type":"node","text":"pond and frogs","x":%d,"y":%d}\n'
        % (number, dice.randrange(4000), dice.randrange(4000))
        for number in range(entries)
    )


@contextlib.contextmanager
def _editors(folder: Path, url: str, content: bytes) -> Iterator[tuple[Editor, Editor, Peer, Peer]]:
    """Two peers with the document open at a front end of each."""
    folder.mkdir()
    with (
        Peer(folder / "one", url, flags=FLAGS) as one,
        Peer(folder / "two", url, flags=FLAGS) as two,
        one.front_end() as near,
        two.front_end() as far,
    ):
        wait_until(lambda: one.call("status")["peers"]["connected"] == 1, 20, "they are connected")
        source = folder / FILE
        source.write_bytes(content)
        near.call("sync.file", {"path": str(source), "wait": True, "timeout": 60}, 90)
        yield Editor(near), Editor(far), one, two


def measure_latency(folder: Path) -> list[Line]:
    """One keystroke after another, alternately with the floor."""
    mine: list[float] = []
    least: list[float] = []
    with (
        Mosquitto(folder, "set_tcp_nodelay true") as broker,
        _editors(folder / "peers", broker.url, canvas(1_000)) as (near, far, _one, _two),
        _running("receive", broker.port) as receiver,
        _running("send", broker.port) as sender,
    ):
        for number in range(ROUNDS + WARM_UP):
            start = time.monotonic()
            near.type([[60, 0, "x"]])
            ours = far.hear(1) - start
            near.answers()
            time.sleep(PAUSE)
            start = time.monotonic()
            sender.stdin.write("x\n")
            sender.stdin.flush()
            floor = float(receiver.stdout.readline().split()[1]) - start
            if number >= WARM_UP:
                mine.append(ours * 1000)
                least.append(floor * 1000)
            time.sleep(PAUSE)
    work = "live edit, front end → sidecar → broker → sidecar → front end"
    return [
        Line(5, f"{work}, p50", quantile(mine, 0.5), quantile(least, 0.5), "ms", "0.40 ms"),
        Line(5, f"{work}, p99", quantile(mine, 0.99), quantile(least, 0.99), "ms", "1.5 ms"),
    ]


def measure_rate(folder: Path) -> list[Line]:
    """Edits in batches from one to one, and to many readers beside bare deliveries."""
    with (
        Mosquitto(folder, "set_tcp_nodelay true\nmax_queued_messages 0") as broker,
        _editors(folder / "peers", broker.url, canvas(1_000)) as (near, far, _one, _two),
    ):
        start = time.monotonic()
        for number in range(0, EDITS, BATCH):
            near.type([[60, 0, "x"] if at % 2 else [60, 1, ""] for at in range(BATCH)][::-1])
            if number % (BATCH * 8) == 0:
                near.answers()
        near.answers()
        rate = EDITS / (far.hear(EDITS) - start)
        deliveries, bare = _readers(broker, near)
    return [
        Line(7, "live edits a second in batches, one to one", rate / 1000, None, "k/s", "30 k/s"),
        Line(7, f"deliveries of edits to {READERS} readers (bare Mosquitto: messages)",
             deliveries / 1000, bare / 1000, "k/s", "60 k/s, ratio ≥ 0.6"),
    ]  # fmt: skip


def _readers(broker: Mosquitto, near: Editor) -> tuple[float, float]:
    """Edits delivered in a second to readers that verify each message, and bare messages."""
    with (
        _running("count", broker.port, READERS, RELAYED) as counter,
        _running("relay", broker.port, RELAYED) as sender,
    ):
        sender.stdin.write("go\n")
        sender.stdin.flush()
        start = float(sender.stdout.readline())
        bare = READERS * RELAYED / (float(counter.stdout.readline()) - start)
    edits = EDITS // 10
    with _running("read", broker.port, READERS, edits, module="tests.bench.live_readers") as read:
        start = time.monotonic()
        for _number in range(0, edits, BATCH):
            near.type([[60, 0, "x"] if at % 2 else [60, 1, ""] for at in range(BATCH)][::-1])
            near.answers()
        ours = READERS * edits / (float(read.stdout.readline()) - start)
    return ours, bare


def measure_cost(folder: Path) -> list[Line]:
    """What one keystroke takes, by the size of the document."""
    lines: list[Line] = []
    with Mosquitto(folder, "set_tcp_nodelay true") as broker:
        costs: dict[int, float] = {}
        for entries in SIZES:
            place = folder / str(entries)
            with (
                _listening(broker.port) as messages,
                _editors(place, broker.url, canvas(entries)) as (near, _far, one, _two),
            ):
                near.type([[60, 0, "x"]])
                near.answers()
                time.sleep(0.3)
                messages.clear()
                spent = 0.0
                for _ in range(100):
                    before = busy(one.pid)
                    near.type([[60, 0, "x"]])
                    near.answers()
                    spent += busy(one.pid) - before
                costs[entries] = spent / 100 * 1000
                wait_until(lambda m=messages: len(m) >= 100, 10, "the messages came")  # type: ignore[misc]
                lines.append(
                    Line(14, f"one keystroke in a canvas of {entries} entries, CPU of the sidecar",
                         costs[entries], None, "ms", "5 ms")
                )  # fmt: skip
                if entries == SIZES[1]:
                    change = json.dumps(messages[5]["changes"], separators=(",", ":"))
                    whole = len(json.dumps(messages[5], separators=(",", ":")))
                    lines.append(Line(14, "the change on the wire", len(change), None, "B",
                                      "300 B and the envelope"))  # fmt: skip
                    lines.append(Line(14, "the whole message", whole, None, "B", "–"))
        ratio = costs[SIZES[2]] / costs[SIZES[0]]
        work = f"a keystroke in {SIZES[2]} entries ÷ in {SIZES[0]}"
        lines.append(Line(14, work, ratio, None, "×", "2"))
    return lines


@contextlib.contextmanager
def _listening(port: int) -> Iterator[list[dict[str, Any]]]:
    """The live edits that pass the broker."""
    heard: list[dict[str, Any]] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, "bench-listener")
    client.on_message = lambda _client, _data, message: heard.append(json.loads(message.payload))
    client.connect("127.0.0.1", port)
    client.subscribe(topics.live(FILE), 1)
    client.loop_start()
    try:
        yield heard
    finally:
        client.loop_stop()
        client.disconnect()


@contextlib.contextmanager
def _running(part: str, *arguments: int, module: str = "tests.bench.live_floor") -> Iterator[Any]:
    command = [sys.executable, "-m", module, part, *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.kill()
