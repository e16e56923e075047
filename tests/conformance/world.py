# SPDX-License-Identifier: MIT
"""A real peer, a real broker, and an attacker's plain MQTT client, with everything observed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from federation import limits
from federation.identity import keys
from federation.identity.peer_id import peer_id_of
from tests.conformance.badinputs import FOLDER, identities, signed
from tests.integration.brokers import Mosquitto, wait_until
from tests.integration.peers import Peer

#: What a peer writes whatever happens: not looked at, as the broker's own folder.
_OWN = ("store.db", "store.db-wal", "store.db-shm", "peer.log", "lock", "control.sock")
_GROWTH = 50 * limits.MIB
#: Who has announced itself before any case, and what was decided about it.
_DECIDED = {"alice": "trust.accept", "mallory": "trust.accept", "bob": "trust.accept",
            "revoked": "trust.block"}  # fmt: skip


def promptly(answered: Callable[[], object]) -> None:
    """It is answered within a second; a machine that was busy for once is asked again."""
    for _ in range(3):
        start = time.monotonic()
        assert answered()
        if time.monotonic() - start < 1.0:
            return
    raise AssertionError("no answer within a second, three times")


def seed_of(name: str) -> bytes:
    """The seed of a test identity."""
    rows = json.loads((FOLDER / "identities.json").read_text())["identities"]
    return bytes.fromhex(rows[name]["seed"])


@dataclass
class Before:
    """What a case must leave as it is."""

    files: dict[str, tuple[int, ...]]
    rows: dict[str, Any]
    told: int
    memory: int


@dataclass
class World:
    """One receiver; ``sandbox`` holds its state directory, its home and its broker."""

    sandbox: Path
    receiver: str
    broker: Mosquitto
    peer: Peer
    client: paho.Client
    _offset: int = field(default=0)

    # --- sending ------------------------------------------------------------------------
    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish as anybody on the broker can; returns when the broker has it."""
        self.client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(20)

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> list[str]:
        """Publish, and wait until the peer is done with it; the log lines since the last call."""
        self.publish(topic, payload, retain=retain)
        return self.settle()

    def settle(self) -> list[str]:
        """Wait until the peer has met all that was published; the log lines since the last call."""
        fence = f"canvasl/peers/{peer_id_of(secrets.token_bytes(32))}/presence"
        self.publish(fence, b"fence")
        found: list[str] = []

        def reached() -> bool:
            found.extend(self.log_lines())
            return any(fence in line for line in found)

        wait_until(reached, 15, "the message behind was met")
        return [line for line in found if fence not in line]

    def log_lines(self) -> list[str]:
        """The log lines since the last call."""
        with self.peer.log.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.decode().splitlines()

    def forget_log(self) -> None:
        """Look only at what is logged from now on."""
        self._offset = self.peer.log.stat().st_size

    def wait_written(self) -> None:
        """Wait until the file of every document that can be written is there, and noted."""

        def written() -> bool:
            rows = self.peer.call("documents.list")["documents"]
            return all(row["written"] or not Path(row["path"]).parent.is_dir() for row in rows)

        self.peer.wait(written, what="files of all documents")

    # --- looking --------------------------------------------------------------------------
    def before(self) -> Before:
        """Everything that a refused input leaves as it is."""
        return Before(self.files(), self.rows(), self.told(), self.peer.forget_peak())

    def files(self) -> dict[str, tuple[int, ...]]:
        """Every file and folder of the sandbox, as the system describes it."""
        found: dict[str, tuple[int, ...]] = {}
        waiting = [self.sandbox]
        while waiting:
            folder = waiting.pop()
            for entry in os.scandir(folder):
                if Path(entry.path) in (self.broker.directory, self.peer.state_dir):
                    pass
                elif Path(entry.path) == self.peer.errors or (
                    folder == self.peer.state_dir and entry.name in _OWN
                ):
                    continue
                else:
                    status = entry.stat(follow_symlinks=False)
                    found[entry.path] = (
                        status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns
                    )  # fmt: skip
                if entry.is_dir(follow_symlinks=False) and entry.path != str(self.broker.directory):
                    waiting.append(Path(entry.path))
        return found

    def rows(self) -> dict[str, Any]:
        """What the peer says it has."""
        call = self.peer.call
        return {
            "documents": call("documents.list"), "peers": call("peers.list"),
            "conflicts": call("conflicts.list"), "held": call("status")["held"],
        }  # fmt: skip

    def told(self) -> int:
        """How many events people were told, but for the identity alarm and the link."""
        quiet = ("identity-changed", "broker-connected", "broker-lost", "ready")
        return sum(event["event"] not in quiet for event in self.peer.events)

    def check_alive(self, before: Before) -> None:
        """It answers ``status`` within a second, and has not grown by 50 MB at any time."""
        own = identities()[self.receiver].peer_id
        promptly(lambda: self.peer.call("status")["peer_id"] == own)
        assert self.peer.peak_memory() - before.memory < _GROWTH

    def check_untouched(self, before: Before) -> None:
        """Nothing was stored, told or written, in the sandbox or in the peer."""
        assert self.files() == before.files
        assert self.rows() == before.rows
        assert self.told() == before.told, self.peer.events[-3:]

    def check_no_secret(self, lines: list[str]) -> None:
        """No secret of the receiver shows in its log, its output or its errors."""
        seed = seed_of(self.receiver)
        secret = (self.peer.state_dir / "identity.key").read_bytes()
        text = "\n".join(lines) + self.peer.errors.read_text()
        for one in (seed.hex(), secret.hex(), repr(secret)[2:-1]):
            assert one not in text

    def contents(self, file: str) -> set[str]:
        """The content hashes of a document's history."""
        return {row["content_hash"] for row in self.peer.history(file)}

    # --- before the first case ------------------------------------------------------------
    def introduce(self) -> None:
        """Announce the other peers, and decide about them, as the data's README says."""
        for name, method in _DECIDED.items():
            key = identities()[name]
            if name == self.receiver:
                continue
            announce = {
                "type": "peer-announce", "peer_id": key.peer_id,
                "public_key": keys.to_hex(key.public_key), "timestamp": "2025-01-01T00:00:00Z",
            }  # fmt: skip
            self.publish("canvasl/peers/announce", json.dumps(signed(announce, name)).encode())
            self.peer.wait(partial(self.peer.peer, key.peer_id), what=f"{name} is known")
            self.peer.call(method, {"peer_id": key.peer_id})
        self.forget_log()


@contextlib.contextmanager
def world(sandbox: Path, receiver: str = "bob") -> Iterator[World]:
    """A world whose receiver is ready, with the others announced."""
    sandbox.mkdir(parents=True)
    folder = sandbox / "broker"
    folder.mkdir()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1000)
    with Mosquitto(folder) as broker:
        flags = ("--log-level", "debug")
        peer = Peer(sandbox / receiver, broker.url, seed=seed_of(receiver), flags=flags)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        try:
            with peer:
                made = World(sandbox, receiver, broker, peer, client)
                made.introduce()
                yield made
        finally:
            client.disconnect()
            client.loop_stop()


def digest(content: bytes) -> str:
    """The content hash of a revision."""
    return hashlib.sha256(content).hexdigest()
