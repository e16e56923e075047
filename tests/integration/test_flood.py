# SPDX-License-Identifier: MIT
"""Strangers in numbers: bounded, and no known peer waits for them."""

from __future__ import annotations

import json
import secrets
import stat
import threading
import time
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from federation import limits
from tests.integration.independent_peer import ANNOUNCE, SYNC, IndependentPeer
from tests.integration.pair import Both, both, broker, ours, theirs
from tests.integration.peers import Peer

__all__ = ["both", "broker", "ours", "theirs"]  # fixtures
pytestmark = pytest.mark.mosquitto

STRANGERS = 600
#: Seconds until what nobody has acknowledged is repeated.
AGAIN = 5.0


def _strangers(port: int) -> list[IndependentPeer]:
    return [IndependentPeer(secrets.token_bytes(32), port) for _ in range(STRANGERS)]


def test_known_peers_are_served_under_a_flood(both: Both) -> None:
    ours, theirs = both
    ours.call("trust.accept", {"peer_id": theirs.peer_id})
    flood = paho.Client(CallbackAPIVersion.VERSION2)
    flood.connect("127.0.0.1", theirs.port)
    flood.loop_start()
    payloads: list[tuple[str, bytes]] = []
    for one in _strangers(theirs.port):
        payloads += [
            (ANNOUNCE, json.dumps(one.announcement()).encode()),
            (SYNC, json.dumps(one.document("spam.md", "spam" * 100)).encode()),
            (SYNC, b'{"type":' * 50),
        ]
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            for topic, payload in payloads:
                flood.publish(topic, payload, qos=1).wait_for_publish(10)
                if stop.is_set():
                    return

    memory = ours.forget_peak()
    thread = threading.Thread(target=send)
    thread.start()
    try:
        ours.wait(lambda: ours.call("status")["refused"] > STRANGERS, 60.0)
        for number in range(5):
            _arrives(theirs, ours, f"n{number}.md")
            ours.call("status")  # served in turn: the flood does not end before
    finally:
        stop.set()
        thread.join()
        flood.disconnect()
        flood.loop_stop()
    assert ours.peak_memory() - memory < 50 * limits.MIB
    known = ours.call("status")["peers"]
    assert known["known"] <= limits.UNKNOWN_PEERS + 2
    row = ours.peer(theirs.peer_id)
    assert row is not None
    assert row["trust"] == "accepted"
    discovered = [one for one in ours.events if one["event"] == "peer-discovered"]
    assert len(discovered) <= limits.UNKNOWN_PEERS + 2


def _arrives(sender: IndependentPeer, receiver: Peer, name: str) -> None:
    """A document comes through the flood.

    The broker keeps a thousand messages for who cannot follow, and drops what is
    more: a peer repeats what nobody has acknowledged.
    """
    deadline = time.monotonic() + 60
    while not (receiver.synced / name).exists():
        assert time.monotonic() < deadline, name
        sender.sync(name, "x")
        end = time.monotonic() + AGAIN
        while not (receiver.synced / name).exists() and time.monotonic() < end:
            time.sleep(0.01)


def test_nobody_else_may_read_what_it_keeps(both: Both) -> None:
    ours, theirs = both
    theirs.sync("a.md", "x")
    ours.wait((ours.synced / "a.md").exists)
    open_to_others = {
        str(path.relative_to(ours.state_dir)): oct(stat.S_IMODE(path.lstat().st_mode))
        for path in [ours.state_dir, *ours.state_dir.rglob("*")]
        if path.lstat().st_mode & 0o077
    }
    assert open_to_others == {}


def test_its_command_line_and_environment_have_no_secret(both: Both) -> None:
    ours, _ = both
    key = (ours.state_dir / "identity.key").read_bytes().hex()
    for name in ("cmdline", "environ"):
        data = Path(f"/proc/{ours.pid}/{name}").read_bytes()
        assert key.encode() not in data
