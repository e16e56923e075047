# SPDX-License-Identifier: MIT
"""Lines 3 and 21: many small files at once, and messages that others sign, in a row."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.floor import Mqtt
from tests.bench.report import Line
from tests.integration.brokers import ROOT, Mosquitto, wait_until
from tests.integration.independent_peer import SYNC, IndependentPeer
from tests.integration.peers import Peer

FILES, SIZE = 5_000, 2_048
MESSAGES, CONTENT = 5_000, 600
#: requests under way at a time
AHEAD = 200
#: how long anything may take (seconds)
LIMIT = 300.0


# --- 3: files ------------------------------------------------------------------------------
def files(folder: Path) -> list[Line]:
    """A folder of small files is shared; all of them are on the other disk."""
    source, generator = folder / "files", random.Random(3)
    source.mkdir()
    for number in range(FILES):
        (source / f"note-{number}.org").write_text(generator.randbytes(SIZE // 2).hex())
    with Mosquitto(folder, "set_tcp_nodelay true\nmax_queued_messages 0") as broker:
        floor = _floor(folder, broker.port, source)
        with (
            Peer(folder / "one", broker.url, flags=("--trust-policy", "announced")) as one,
            Peer(folder / "two", broker.url, flags=("--trust-policy", "announced")) as two,
        ):
            connected = lambda: one.call("status")["peers"]["connected"] == 1  # noqa: E731
            wait_until(connected, 20, "they are connected")
            start = time.perf_counter()
            one.call("spaces.share", {"path": str(source)}, timeout=LIMIT)
            wait_until(lambda: _count(two.synced) == FILES, LIMIT, "every file")
            seconds = time.perf_counter() - start
            names = [path.name for path in source.glob("note-*")]
            assert all((two.synced / one).read_bytes() == (source / one).read_bytes()
                       for one in names)  # fmt: skip
    return [Line(3, f"{FILES:,} files of 2 KB → identical on the other disk", seconds, floor, "s",
                 "ratio 2")]  # fmt: skip


def _count(folder: Path) -> int:
    return sum(1 for path in folder.iterdir() if not path.name.startswith("."))


def _floor(folder: Path, port: int, source: Path) -> float:
    """The floor's two programs, one file after the other."""
    far, near = folder / "floor-two", folder / "floor-one"
    with contextlib.ExitStack() as stack:
        started = []
        for part, place in (("receive", far), ("send", near)):
            place.mkdir()
            command = [sys.executable, "-m", "tests.bench.floor", part, str(port), str(place)]
            process = stack.enter_context(
                subprocess.Popen(
                    command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            started.append(process)
        paths = started[1].stdin
        assert paths is not None
        start = time.perf_counter()
        for path in sorted(source.iterdir()):
            paths.write(f"{path}\n")
        paths.flush()
        wait_until(lambda: _count(far) == FILES, LIMIT, "every file")
        return time.perf_counter() - start


# --- 21: messages --------------------------------------------------------------------------
def messages(folder: Path) -> list[Line]:
    """What one peer takes in of signed messages, and what it publishes, a second."""
    with Mosquitto(folder, "set_tcp_nodelay true\nmax_queued_messages 0") as broker:
        other = IndependentPeer(bytes(range(32)), broker.port)
        with Peer(folder / "one", broker.url, flags=("--trust-policy", "announced")) as one:
            other.connect()
            wait_until(lambda: one.call("peers.list")["peers"], 20, "it knows the other")
            received = _receive(one, other)
            published = _publish(folder, one)
        other.disconnect()
    return [
        Line(21, "messages of 1 KB, each signed: verified and committed a second", received, None,
             "", "5,000"),
        Line(21, "files of 1 KB, handed on one by one: signed, committed, published a second",
             published, None, "", "5,000"),
    ]  # fmt: skip


def _receive(peer: Peer, other: IndependentPeer) -> float:
    """All of them are signed before the clock runs."""
    made = [
        json.dumps(other.document(f"m-{number}.txt", f"{number} ".ljust(CONTENT, "x"))).encode()
        for number in range(MESSAGES)
    ]
    mqtt = Mqtt(other.port, "bench-burst")
    answers, start = mqtt.packets(), time.perf_counter()
    for number, payload in enumerate(made):
        mqtt.publish(number + 1, payload, SYNC.encode())
        if number >= AHEAD:
            next(answers)
    while peer.call("status")["documents"] < MESSAGES:
        time.sleep(0.01)
    return MESSAGES / (time.perf_counter() - start)


def _publish(folder: Path, peer: Peer) -> float:
    """One front end hands on many small files, and waits for the last answer."""
    requests = []
    for number in range(MESSAGES):
        path = folder / f"p-{number}.txt"
        path.write_text(f"{number} ".ljust(CONTENT, "x"))
        request = {"jsonrpc": "2.0", "id": number, "method": "sync.file",
                   "params": {"path": str(path)}}  # fmt: skip
        requests.append(json.dumps(request).encode())
    with peer.front_end() as editor:
        start = time.perf_counter()
        for number, body in enumerate(requests):
            editor.send(body)
            if number >= AHEAD:
                assert "result" in editor.response(60)
        for _ in requests[:AHEAD]:
            assert "result" in editor.response(60)
        return MESSAGES / (time.perf_counter() - start)
