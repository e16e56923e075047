# SPDX-License-Identifier: MIT
"""The shared bad inputs and controls, as bytes that a peer could meet."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from federation.errors import Refusal
from federation.identity import keys
from federation.wire import envelope, topics

#: The same place that the fixture ``shared`` looks at; needed while tests are collected.
SHARED = Path(os.environ.get("META_LOG_SHARED") or Path(__file__).resolve().parents[3] / "shared")
FOLDER = SHARED / "data" / "badinputs"


@dataclass(frozen=True)
class Case:
    """One line of the data."""

    name: str
    layer: str
    reason: str
    accepted: bool
    row: dict[str, Any]

    @property
    def topic(self) -> str:
        """The topic that the case comes on."""
        default = topics.ANNOUNCE if self.layer == "mqtt-announce" else topics.SYNC
        return str(self.row.get("topic", default))

    @property
    def payload(self) -> bytes:
        """The bytes of the case, signed again where the data asks for that."""
        value = self.row["payload"]
        if isinstance(value, dict) and "gen" in value:
            return generated(value)
        encoding = self.row.get("encoding", "json")
        if encoding == "utf8":
            return str(value).encode()
        if encoding == "base64":
            return base64.b64decode(str(value))
        sign = self.row.get("sign", "literal")
        if sign.startswith("valid:") and isinstance(value, dict):
            value = signed(value, sign.removeprefix("valid:"))
        return json.dumps(value).encode()


@cache
def identities() -> dict[str, keys.SigningKey]:
    """The test identities by name."""
    rows = json.loads((FOLDER / "identities.json").read_text())["identities"]
    return {name: keys.SigningKey.from_seed(bytes.fromhex(row["seed"]))
            for name, row in rows.items()}  # fmt: skip


def signed(message: dict[str, Any], who: str) -> dict[str, Any]:
    """``message`` under the right signature of ``who``, if it can be signed at all."""
    try:
        data = envelope.signing_input(str(message.get("type", "")), message)
    except Refusal:
        return message
    return {**message, "signature": keys.to_hex(identities()[who].sign(data))}


def generated(recipe: dict[str, Any]) -> bytes:
    """The payload of a recipe that a message can be made from."""
    if recipe["gen"] == "nest":
        count = recipe["count"]
        text: str = recipe["open"] * count + recipe["leaf"] + recipe["close"] * count
        return text.encode()
    if recipe["gen"] == "keys":
        return json.dumps({f"k{number}": number for number in range(recipe["count"])}).encode()
    if recipe["gen"] == "raw-content":
        return b'{"content":"' + base64.b64decode(recipe["bytes_base64"]) + b'"}'
    assert recipe["gen"] == "sync", recipe
    fill, size = recipe["fill"], recipe["bytes"]
    alice = identities()["alice"]
    message = {
        "type": "canvasl-sync", "peer_id": alice.peer_id, "file": "example.canvasl",
        "content": "", "timestamp": "2025-01-07T12:00:00Z",
    }  # fmt: skip
    message[recipe["field"]] = (fill * (size // len(fill) + 1))[:size]
    return json.dumps(envelope.sign(message, alice)).encode()


def cases(*layers: str) -> Iterator[Case]:
    """Bad inputs, then controls, of some layers; none where the data is absent."""
    for file in ("badinputs.jsonl", "controls.jsonl"):
        if not (FOLDER / file).is_file():
            return
        # Not splitlines: the data has U+2028 in its strings.
        for line in (FOLDER / file).read_text(encoding="utf-8").strip().split("\n"):
            row = json.loads(line)
            if row["layer"] in layers:
                expected = row["expected"]
                accepted = expected.startswith("accepted")
                reason = "" if accepted else expected.removeprefix("rejected: ").split()[0]
                yield Case(row["name"], row["layer"], reason, accepted, row)
