# SPDX-License-Identifier: MIT
"""Who comes late gets large documents with their histories, packed, over a real broker."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.integration.brokers import Mosquitto
from tests.integration.pair import broker
from tests.integration.peers import Peer

__all__ = ["broker"]  # a fixture
pytestmark = pytest.mark.mosquitto


def canvas(entries: int, edits: int) -> bytes:
    """A canvas of nodes whose texts nobody has packed before."""
    chance = random.Random(3)
    lines = [
        {"id": f"n{number}", "type": "text", "text": f"{chance.getrandbits(120):x} é",
         "x": chance.randrange(9999)}
        for number in range(entries)
    ]  # fmt: skip
    for number in range(edits):
        lines[number]["x"] = -number
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def test_a_large_document_and_its_history(broker: Mosquitto, tmp_path: Path) -> None:
    flags = ("--trust-policy", "announced")
    contents = [canvas(30_000, edits) for edits in range(4)]
    with Peer(tmp_path / "a", broker.url, flags=flags) as a:
        for content in contents:
            source = tmp_path / "large.canvasl"
            source.write_bytes(content)
            a.call("sync.file", {"path": str(source)})
        wanted = [row["revision"] for row in a.history("large.canvasl")]
        with Peer(tmp_path / "b", broker.url, flags=flags) as b:
            copy = b.synced / "large.canvasl"
            b.wait(
                lambda: copy.exists() and copy.read_bytes() == contents[-1], 60.0, "the document"
            )
            b.wait(
                lambda: {row["revision"] for row in b.history("large.canvasl")} == set(wanted),
                40, "its history",
            )  # fmt: skip
            for revision, content in zip(sorted_by_time(b), contents, strict=True):
                path = tmp_path / revision[:12]
                given = {"file": "large.canvasl", "revision": revision, "path": str(path)}
                b.call("documents.export", given)
                assert path.read_bytes() == content
            assert "refused" not in b.log.read_text()


def sorted_by_time(peer: Peer) -> list[str]:
    """The revisions, the oldest first."""
    rows = sorted(peer.history("large.canvasl"), key=lambda row: str(row["time"]))
    return [str(row["revision"]) for row in rows]
