# SPDX-License-Identifier: MIT
"""A real history, saved revision by revision in one bot's folder, read in another's."""

from __future__ import annotations

import functools
import json
import subprocess
from pathlib import Path

import pytest

from tests.integration.brokers import Mosquitto
from tests.integration.pair import broker
from tests.integration.peers import Peer, command

__all__ = ["broker"]  # a fixture
pytestmark = pytest.mark.mosquitto


def verb(peer: Peer, *words: str) -> dict[str, object]:
    """What a verb of the command line answers."""
    done = subprocess.run(
        command(*words, "--json", "--state-dir", str(peer.state_dir)),
        cwd=peer.env["HOME"], env=peer.env, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def has(path: Path, content: bytes) -> bool:
    return path.exists() and path.read_bytes() == content


def test_each_revision_comes_with_its_bytes(
    broker: Mosquitto, tmp_path: Path, shared: Path
) -> None:
    folder = shared / "data" / "histories" / "jsoncanvas-sample"
    contents = [path.read_bytes() for path in sorted(folder.glob("rev-*"))]
    flags = ("--trust-policy", "announced")
    writer, reader = (Peer(tmp_path / name, broker.url, flags=flags) for name in ("one", "two"))
    with writer, reader:
        writer.wait(lambda: verb(writer, "discovered")["peers"], what="the writer knows the reader")
        reader.wait(lambda: verb(reader, "discovered")["peers"], what="the reader knows the writer")
        first = tmp_path / "sample.canvas"
        first.write_bytes(contents[0])
        verb(writer, "sync", str(first), "--wait")
        copy, there = writer.synced / "sample.canvas", reader.synced / "sample.canvas"
        for content in contents[1:]:
            copy.write_bytes(content)
            verb(writer, "sync", str(copy))
            reader.wait(functools.partial(has, there, content), what="the next revision")
        assert verb(reader, "conflicts")["conflicts"] == []
        assert len(reader.history("sample.canvas")) == len(contents)
