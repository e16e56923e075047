# SPDX-License-Identifier: MIT
"""The verbs against two real bots on the embedded broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from federation.cli.stage import Stage

LIMIT = 60.0


class Pair:
    """Two bots, ``one`` and ``two``, and a way to run verbs against either."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        me = [sys.executable, "-m", "federation"]
        broker = stage.start("the broker", [*me, "broker", "--port", "0", "--json"],
                             stage.environment(stage.folder / "broker"))  # fmt: skip
        url = stage.wait_for(broker, "ready", LIMIT)["broker"]
        stage.variables["META_LOG_MQTT_BROKER"] = str(url)
        self.one, self.two = (
            stage.start(name, [*me, "bot", "--state-dir", str(self.state(name)),
                               "--identity-name", name],
                        stage.environment(stage.folder / name))
            for name in ("one", "two")
        )  # fmt: skip
        self.ids = {
            actor.name: str(stage.wait_for(actor, "ready", LIMIT)["peer_id"])
            for actor in (self.one, self.two)
        }
        for actor in (self.one, self.two):
            stage.wait_for(actor, "peer-connected", LIMIT)

    def state(self, name: str) -> Path:
        return self.stage.folder / name / "state"

    def verb(self, name: str, *words: str, code: int = 0) -> Any:
        """What a verb answers as JSON; for another ``code``, its error."""
        command = [sys.executable, "-m", "federation", *words, "--json",
                   "--state-dir", str(self.state(name))]  # fmt: skip
        done = subprocess.run(
            command,
            env=self.stage.environment(self.stage.folder / name),
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stderr if code else done.stdout)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    stage = Stage(tmp_path, dict(os.environ))
    try:
        yield Pair(stage)
    finally:
        assert stage.close() == []


def test_a_document_from_one_to_the_other(pair: Pair, tmp_path: Path) -> None:
    canvas = tmp_path / "plan.canvasl"
    canvas.write_bytes(b'{"id":"a"}\n')

    status = pair.verb("one", "status")
    assert status["peer_id"] == pair.ids["one"]
    assert status["broker"]["state"] == "connected"
    assert pair.verb("one", "health")["healthy"] is True
    assert [peer["name"] for peer in pair.verb("one", "discovered")["peers"]] == ["two"]
    assert pair.verb("one", "connect", "two")["connected"] is True
    words = [
        pair.verb(a, "identity", "words", b)["words"] for a, b in (("one", "two"), ("two", "one"))
    ]
    assert words[0] == words[1]

    # The policy is `ask`: two holds the document back until it accepts one.
    first = pair.verb("one", "sync", str(canvas), "--wait")
    assert (first["file"], first["state"]) == ("plan.canvasl", "recorded")
    pair.stage.wait_for(pair.two, "document-held", LIMIT, file="plan.canvasl")
    assert pair.verb("two", "trust", "accept", "one")["released"] == 1
    arrived = pair.stage.wait_for(pair.two, "document-changed", LIMIT, file="plan.canvasl")
    assert Path(arrived["path"]).read_bytes() == canvas.read_bytes()

    canvas.write_bytes(b'{"id":"a"}\n{"id":"b"}\n')
    second = pair.verb("one", "sync", str(canvas), "--wait")
    assert second["missing"] == []
    assert second["acknowledged"] == [pair.ids["two"]]
    revisions = pair.verb("two", "history", "plan.canvasl")["revisions"]
    assert [entry["revision"] for entry in revisions] == [first["revision"], second["revision"]]
    assert [entry["name"] for entry in revisions] == ["one", "one"]

    pair.verb("one", "restore", "plan.canvasl", first["revision"][:12])
    assert (pair.state("one") / "synced/plan.canvasl").read_bytes() == b'{"id":"a"}\n'
    assert pair.verb("one", "conflicts") == {"conflicts": []}
    assert [row["file"] for row in pair.verb("one", "sync-status")["documents"]] == ["plan.canvasl"]
    assert pair.verb("one", "logs")["lines"]

    bad = tmp_path / "tool.exe"
    bad.write_bytes(b"MZ")
    assert pair.verb("one", "sync", str(bad), code=2)["reason"] == "path-forbidden-ext"
    assert pair.verb("one", "sync", str(tmp_path / "no.org"), code=2)["reason"] == "file-not-found"
    assert pair.verb("one", "connect", "nobody", code=2)["reason"] == "unknown-peer"
    assert pair.verb("two", "trust", "block", "one")["trust"] == "blocked"


def test_waiting_for_a_peer_that_stands_still(pair: Pair, tmp_path: Path) -> None:
    import signal

    note = tmp_path / "note.org"
    note.write_bytes(b"* hello\n")
    pair.two.process.send_signal(signal.SIGSTOP)
    try:
        words = ("sync", str(note), "--wait", "--timeout", "1")
        error = pair.verb("one", *words, code=3)
        assert error["reason"] == "timeout"
        assert pair.ids["two"][:13] in error["message"]
    finally:
        pair.two.process.send_signal(signal.SIGCONT)
    late = pair.stage.wait_for(pair.two, "document-held", LIMIT, file="note.org")
    assert late["peer_id"] == pair.ids["one"]
