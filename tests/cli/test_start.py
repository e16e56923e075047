# SPDX-License-Identifier: MIT
"""The verbs that start something, with real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from federation import broker_url
from federation.adapters.relay import PEER_GONE
from federation.adapters.runtime import StateLock
from federation.cli import start
from federation.cli.stage import answers
from federation.rpc.framing import encode
from tests.cli.conftest import Run
from tests.cli.peer import standing_in

REQUEST = encode(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "status", "params": {}}).encode())


@contextmanager
def command(repository: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "federation", *words], cwd=repository, env=dict(os.environ),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_front_end_is_relayed(state: Path, repository: Path) -> None:
    words = ("serve", "--stdio", "--state-dir", str(state))
    with standing_in(state, {"status": {"version": "x"}}), command(repository, *words) as process:
        out, _ = process.communicate(REQUEST, timeout=30)
        assert process.returncode == 0
    assert b'"result": {"version": "x"}' in out


def test_a_relay_tells_when_the_peer_went_away(state: Path, repository: Path) -> None:
    words = ("serve", "--stdio", "--state-dir", str(state))
    with standing_in(state, {"status": None}), command(repository, *words) as process:
        assert process.stdin is not None
        process.stdin.write(REQUEST)
        process.stdin.flush()
        assert process.wait(30) == PEER_GONE


def test_a_bot_does_not_move_in(run: Run, state: Path) -> None:
    lock = StateLock.acquire(state)
    outcome = run("bot", "--state-dir", str(state), "--json")
    lock.release()
    assert (outcome.code, outcome.error["reason"]) == (2, "config-state-locked")


def test_serve_waits_for_an_owner_that_never_opens(
    run: Run, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "_PATIENCE", 0.2)
    lock = StateLock.acquire(state)
    outcome = run("serve", "--stdio", "--state-dir", str(state), "--json")
    lock.release()
    assert outcome.error["reason"] == "config-state-locked"


@pytest.mark.parametrize("verb", [["bot"], ["serve", "--stdio"]])
def test_a_wrong_configuration_starts_nothing(run: Run, state: Path, verb: list[str]) -> None:
    (state / "config.toml").write_text("nonsense = 1\n")
    outcome = run(*verb, "--state-dir", str(state), "--json")
    assert (outcome.code, outcome.error["reason"]) == (2, "config-unknown-key")
    assert not (state / "identity.json").exists()


@pytest.mark.parametrize("folder", ["/", "~", "~/.emacs.d", "/etc/meta-log"])
def test_an_unsafe_state_directory(run: Run, folder: str) -> None:
    outcome = run("bot", "--state-dir", folder, "--json")
    assert outcome.error["reason"] == "config-unsafe-sync-dir"


def test_the_broker_alone(home: Path, repository: Path) -> None:
    with command(repository, "broker", "--port", "0", "--json") as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["event"] == "ready"
        assert answers(broker_url.parse(ready["broker"]))
        process.terminate()
        assert process.wait(30) == 0
    assert not answers(broker_url.parse(ready["broker"]))
