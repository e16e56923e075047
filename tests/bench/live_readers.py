# SPDX-License-Identifier: MIT
"""Many readers of live edits in one process: each verifies every message it gets.

python -m tests.bench.live_readers read PORT READERS EDITS
"""

from __future__ import annotations

import selectors
import sys
import time

from federation.identity import keys
from federation.wire import envelope, topics
from federation.wire.messages import parse
from tests.bench.floor import PUBLISH, Mqtt
from tests.bench.live import FILE


def read(port: int, readers: int, edits: int) -> None:
    """Say when every reader has heard, parsed and verified all edits."""
    live, announce = topics.live(FILE), "canvasl/peers/+/presence"
    known: dict[str, bytes] = {}
    mqtt = Mqtt(port, "readers-keys")
    mqtt.subscribe(announce.encode())
    while len(known) < 2:
        for kind, body in mqtt.available():
            if kind == PUBLISH:
                at = 2 + int.from_bytes(body[:2], "big")
                message = parse(body[at + 2 :], body[2:at].decode())
                text = str(message.fields["public_key"])
                known[message.peer_id] = keys.parse_public_key(text)
    selector = selectors.DefaultSelector()
    for number in range(readers):
        mqtt = Mqtt(port, f"reader-{number}")
        mqtt.subscribe(live.encode())
        selector.register(mqtt.socket, selectors.EVENT_READ, mqtt)
    print("ready", flush=True)
    left = readers * edits
    while left > 0:
        for key, _mask in selector.select():
            for kind, body in key.data.available():
                if kind == PUBLISH:
                    at = 2 + int.from_bytes(body[:2], "big")
                    message = parse(body[at + 2 :], live)
                    envelope.verify(message, known[message.peer_id])
                    key.data.acknowledge(body[at : at + 2])
                    changes = message.fields["changes"]
                    assert isinstance(changes, list)
                    left -= len(changes)
    print(time.monotonic(), flush=True)


if __name__ == "__main__":
    read(*map(int, sys.argv[2:]))
