# SPDX-License-Identifier: MIT
"""Throwaway peers for live edits: a CRDT, a signature and the broker, and nothing else.

    python -m tests.bench.live_floor send PORT       one edit a line of standard input
    python -m tests.bench.live_floor receive PORT    "NUMBER SECONDS" a line, when it is merged
    python -m tests.bench.live_floor relay PORT N    N messages, QoS 1, as fast as they go
    python -m tests.bench.live_floor count PORT READERS N    seconds until all readers have them

Seconds are those of the monotonic clock, which processes of one machine share.
"""

from __future__ import annotations

import selectors
import sys
import time
from collections.abc import Callable

from loro import ExportMode, LoroDoc
from nacl.bindings import crypto_sign, crypto_sign_open

from tests.bench.floor import PUBLIC, PUBLISH, SECRET, Mqtt

#: Messages that wait for their acknowledgement at once.
WINDOW = 500


def send(port: int) -> None:
    """For every line one character more, exported, signed and published."""
    mqtt, document = Mqtt(port, "live-send"), LoroDoc()  # type: ignore[no-untyped-call]
    text, answers = document.get_text("text"), mqtt.packets()
    print("ready", flush=True)
    for number, _line in enumerate(sys.stdin, 1):
        before = document.oplog_vv
        text.insert(number - 1, "x")
        document.commit()
        update = document.export(ExportMode.Updates(before))
        mqtt.publish(number % 65_535 + 1, crypto_sign(number.to_bytes(8, "big") + update, SECRET))
        next(answers)


def receive(port: int) -> None:
    """Verify and merge every edit that arrives."""
    mqtt, document = Mqtt(port, "live-receive"), LoroDoc()  # type: ignore[no-untyped-call]
    mqtt.subscribe()
    print("ready", flush=True)
    for kind, body in mqtt.packets():
        if kind == PUBLISH:
            number, signed = _parts(body)
            opened = crypto_sign_open(signed, PUBLIC)
            document.import_(opened[8:])
            print(int.from_bytes(opened[:8], "big"), time.monotonic(), flush=True)
            mqtt.acknowledge(number)


def relay(port: int, count: int) -> None:
    """Small messages, some of them always under way."""
    mqtt = Mqtt(port, "relay-send")
    answers = mqtt.packets()
    print("ready", flush=True)
    sys.stdin.readline()
    print(time.monotonic(), flush=True)
    for number in range(count):
        if number >= WINDOW:
            next(answers)
        mqtt.publish(number % 65_535 + 1, b"x" * 300)
    for _ in range(min(WINDOW, count)):
        next(answers)


def count(port: int, readers: int, messages: int) -> None:
    """Take what arrives at many readers in one process; when the last message was there."""
    selector = selectors.DefaultSelector()
    for number in range(readers):
        mqtt = Mqtt(port, f"relay-{number}")
        mqtt.subscribe()
        selector.register(mqtt.socket, selectors.EVENT_READ, mqtt)
    print("ready", flush=True)
    left = readers * messages
    while left:
        for key, _mask in selector.select():
            for kind, body in key.data.available():
                if kind == PUBLISH:
                    key.data.acknowledge(_parts(body)[0])
                    left -= 1
    print(time.monotonic(), flush=True)


def _parts(body: bytes) -> tuple[bytes, bytes]:
    """Packet id and payload of a PUBLISH with QoS 1."""
    at = 2 + int.from_bytes(body[:2], "big")
    return body[at : at + 2], body[at + 2 :]


if __name__ == "__main__":
    parts: dict[str, Callable[..., None]] = {
        "send": send, "receive": receive, "relay": relay, "count": count
    }  # fmt: skip
    parts[sys.argv[1]](*map(int, sys.argv[2:]))
