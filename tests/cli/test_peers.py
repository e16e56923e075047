# SPDX-License-Identifier: MIT
"""The verbs about peers, for people and for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from federation.errors import Refusal
from tests.cli.conftest import Run
from tests.cli.peer import standing_in

ANN, BOB = "peer-" + "a" * 52, "peer-" + "b" * 52


def peer(peer_id: str, **more: Any) -> dict[str, Any]:
    return {"peer_id": peer_id, "name": None, "short": peer_id[:13], "public_key": "0x",
            "address": None, "online": True, "connected": False, "trust": "unknown",
            "last_seen": "2025-01-07T12:00:00Z", "clock": "ok", "caps": [], "unacknowledged": 0,
            "held": 2} | more  # fmt: skip


STATUS: dict[str, Any] = {
    "version": "0.1.0", "peer_id": ANN, "name": "ann\x1b[2J", "public_key": "0x",
    "state_dir": "/s", "synced_dir": "/s/synced",
    "broker": {"url": "mqtt://localhost:1883", "state": "connected", "embedded": True,
               "protocol": "5", "error": None},
    "policy": "ask",
    "peers": {"known": 3, "online": 2, "connected": 1, "accepted": 1, "blocked": 0, "waiting": 1},
    "documents": 5, "held": 1, "conflicts": 2, "outbox": 7, "refused": 1, "front_ends": 1,
    "uptime": 61.7, "held_deletions": 3, "folders": [{"path": "/my/folder", "prefix": ""}],
}  # fmt: skip


def test_status(run: Run, state: Path) -> None:
    with standing_in(state, {"status": STATUS}):
        # No --state-dir: it is the only running peer.
        assert run("status", "--json").data == STATUS
        out = run("status").out
    parts = ("ann\ufffd[2J", "connected, MQTT 5, embedded", "2 online of 3 known",
             "1 document held", "2 conflicts, 3 deletions held", "/my/folder",
             "up 62 s")  # fmt: skip
    for part in parts:
        assert part in out
    assert "\x1b" not in out


def test_status_without_a_broker(run: Run, state: Path) -> None:
    broker = {"url": "mqtt://h", "state": "offline", "embedded": False, "protocol": None,
              "error": "refused\n"}  # fmt: skip
    with standing_in(state, {"status": STATUS | {"broker": broker, "name": None}}):
        assert "mqtt://h (offline, refused\ufffd)" in run("status").out


@pytest.mark.parametrize(("healthy", "code"), [(True, 0), (False, 1)])
def test_health(run: Run, state: Path, healthy: bool, code: int) -> None:
    checks = [{"name": "store", "ok": True, "detail": "open"},
              {"name": "broker", "ok": healthy, "detail": "?"}]  # fmt: skip
    with standing_in(state, {"health": {"healthy": healthy, "checks": checks}}):
        outcome = run("health")
        assert outcome.code == code
        assert ("FAILED" in outcome.out) is not healthy
        assert run("health", "--json").code == code


def test_peers_and_those_that_are_online(run: Run, state: Path) -> None:
    known = [peer(ANN, name="ann\u202e", connected=True), peer(BOB, online=False, last_seen=None)]
    with standing_in(state, {"peers.list": {"peers": known}}):
        out = run("peers").out
        assert len(out.splitlines()) == 3
        assert "ann\ufffd" in out
        assert "offline" in out
        assert BOB in out
        assert [entry["peer_id"] for entry in run("discovered", "--json").data["peers"]] == [ANN]
        assert run("discovered").out.startswith("Found 1 peer:\n")
    with standing_in(state, {"peers.list": {"peers": []}}):
        assert run("discovered").out == "Found 0 peers.\n"
        assert "No peer" in run("peers").out


def test_connect(run: Run, state: Path) -> None:
    answer = {"peer_id": BOB, "connected": True, "route": "mqtt"}
    with standing_in(state, {"peers.connect": answer}) as asked:
        outcome = run("connect", BOB, "--timeout", "2")
        assert (outcome.code, outcome.out) == (0, "peer-bbbbbbbb answers over mqtt\n")
    assert asked.asked == [("peers.connect", {"peer_id": BOB, "timeout": 2.0})]
    with standing_in(state, {"peers.connect": Refusal("timeout", BOB)}):
        assert run("connect", BOB).code == 3


def test_trust(run: Run, state: Path) -> None:
    answers = {
        "peers.list": {"peers": [peer(BOB, name="bob")]},
        "status": STATUS,
        "trust.accept": {"peer_id": BOB, "trust": "accepted", "released": 2},
        "trust.block": {"peer_id": BOB, "trust": "blocked", "dropped": 1},
    }
    with standing_in(state, answers) as asked:
        assert run("trust", "accept", "bob").out == "peer-bbbbbbbb accepted, 2 documents taken\n"
        assert "1 held document dropped" in run("trust", "block", BOB).out
        assert run("trust", "block", "nobody", "--json").error["reason"] == "unknown-peer"
    assert ("trust.accept", {"peer_id": BOB}) in asked.asked
