# SPDX-License-Identifier: MIT
"""Line 8: the processor's time for one signed message of 10 KB, to send and to receive."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec
from nacl.bindings import crypto_sign, crypto_sign_open

from federation.identity.keys import SigningKey
from federation.wire import canonical, envelope, topics
from federation.wire.messages import parse
from tests.bench.floor import PUBLIC, SECRET
from tests.bench.report import Line, median

ROUNDS, REPEATS = 21, 100
SIZE = 10_000


def measure() -> list[Line]:
    """Alternate between our messages and bytes signed as they are."""
    key = SigningKey.from_seed(bytes(range(32)))
    fields: dict[str, object] = {
        "type": "canvasl-sync", "peer_id": key.peer_id, "file": "bench.canvasl",
        "timestamp": "2025-01-07T12:00:00.000Z", "seq": 7, "vector": {key.peer_id: 6},
        "parents": ["ab" * 32], "content": ("line of text – 30 bytes long\n" * 400)[:SIZE],
    }  # fmt: skip
    encoder, decoder = msgspec.json.Encoder(), msgspec.json.Decoder()
    raw = canonical.encode(envelope.sign(fields, key))
    plain = crypto_sign(encoder.encode(fields), SECRET)
    works: dict[str, Callable[[], object]] = {
        "send": lambda: canonical.encode(envelope.sign(fields, key)),
        "send floor": lambda: crypto_sign(encoder.encode(fields), SECRET),
        "receive": lambda: _receive(raw, key.public_key),
        "receive floor": lambda: decoder.decode(crypto_sign_open(plain, PUBLIC)),
    }
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            start = time.process_time()
            for _ in range(REPEATS):
                work()
            taken[name].append((time.process_time() - start) / REPEATS * 1e6)
    figures = {name: median(values) for name, values in taken.items()}
    return [
        Line(8, "`canvasl-sync` of 10 KB, to sign and encode", figures["send"],
             figures["send floor"], "µs", "110 µs"),
        Line(8, "the same, to check, verify and name its revision", figures["receive"],
             figures["receive floor"], "µs", "170 µs"),
    ]  # fmt: skip


def _receive(raw: bytes, public_key: bytes) -> None:
    """What the pipeline does with the bytes before it looks at the store."""
    message = parse(raw, topics.SYNC)
    envelope.verify(message, public_key)
    envelope.revision_id(message)
