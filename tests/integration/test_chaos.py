# SPDX-License-Identifier: MIT
"""What may break, breaks: the broker and the sidecar killed with -9, again and again.

``META_LOG_CHAOS=full`` makes these as long as the promises say (a minute, 200
kills); otherwise they are shorter, and the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.brokers import Amqtt, Mosquitto, RealBroker, answers, wait_until
from tests.integration.peers import Peer, RpcError

FULL = os.environ.get("META_LOG_CHAOS") == "full"
ANNOUNCED = {"META_LOG_PEER_SYNC_TRUST_POLICY": "announced"}

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as one:
        yield one


def _canvas(number: int) -> bytes:
    entry = {"id": f"n{number}", "type": "text", "text": f"entry {number} äöü"}
    return (json.dumps(entry, ensure_ascii=False) + "\n").encode() * (1 + number % 40)


def _has_all(peer: Peer, wanted: dict[str, bytes]) -> bool:
    return all(
        (peer.synced / name).is_file() and (peer.synced / name).read_bytes() == content
        for name, content in wanted.items()
    )


class _Killer(threading.Thread):
    """Kills and restarts a broker, and wipes its database once."""

    def __init__(self, broker: RealBroker, every: float) -> None:
        super().__init__(daemon=True)
        self._broker = broker
        self._every = every
        self._done = threading.Event()
        self.kills = 0

    def run(self) -> None:
        while not self._done.wait(self._every):
            self._broker.kill()
            self.kills += 1
            if self.kills == 2:
                self._broker.wipe()
            self._broker.start()

    def stop(self) -> None:
        self._done.set()
        self.join()


@pytest.mark.parametrize("kind", [Mosquitto, Amqtt])
def test_broker_killed_all_documents_arrive_once(tmp_path: Path, kind: type[RealBroker]) -> None:
    count, seconds = (500, 60.0) if FULL else (500 if kind is Mosquitto else 120, 20.0)
    wanted = {f"chaos-{number}.canvasl": _canvas(number) for number in range(count)}
    source = tmp_path / "source"
    source.mkdir()
    with (
        kind(tmp_path) as broker,
        Peer(tmp_path / "a", broker.url, env=ANNOUNCED) as a,
        Peer(tmp_path / "b", broker.url, env=ANNOUNCED) as b,
    ):
        killer = _Killer(broker, 3.0)
        killer.start()
        pause = seconds / count
        for name, content in wanted.items():
            (source / name).write_bytes(content)
            a.call("sync.file", {"path": str(source / name)})
            time.sleep(pause)
        killer.stop()
        assert killer.kills >= seconds / 3.0 / 2
        wait_until(lambda: _has_all(b, wanted), 150.0, "all documents on b")
        status = a.call("sync.status")["documents"]
        wait_until(
            lambda: not any(row["pending"] for row in a.call("sync.status")["documents"]),
            150.0,
            f"acknowledgements of {len(status)} documents",
        )
        changed = Counter(row["file"] for row in b.events if row["event"] == "document-changed")
        assert changed == dict.fromkeys(wanted, 1)
        assert b.call("conflicts.list")["conflicts"] == []


def test_sidecar_killed_no_acknowledged_document_lost(tmp_path: Path, broker: Mosquitto) -> None:
    """Killed at random moments while it imports; whatever it acknowledged is there."""
    kills = 200 if FULL else 40
    chance = random.Random(20261121)
    source = tmp_path / "source"
    source.mkdir()
    acknowledged: dict[str, bytes] = {}
    number = 0
    with Peer(tmp_path / "b", broker.url, env=ANNOUNCED) as b:
        a = Peer(tmp_path / "a", broker.url, env=ANNOUNCED)
        for _round in range(kills):
            a.start(connected=False)
            moment = threading.Timer(chance.uniform(0.0, 0.4), a.kill)
            moment.start()
            while a.alive:
                name = f"doc-{number % 50}.canvasl"
                content = _canvas(number) + b"%d\n" % number
                (source / name).write_bytes(content)
                try:
                    a.call("sync.file", {"path": str(source / name)}, timeout=5.0)
                except (OSError, RpcError, EOFError):
                    break
                acknowledged[name] = content
                number += 1
            moment.join()
            a.hang_up()
        assert number > kills
        with a:
            for name, content in acknowledged.items():
                revisions = a.call("documents.history", {"file": name})["revisions"]
                digest = hashlib.sha256(content).hexdigest()
                assert digest in {row["content_hash"] for row in revisions}, name
            newest = {
                row["file"]: Path(row["path"]) for row in a.call("documents.list")["documents"]
            }
            wait_until(
                lambda: all(
                    (b.synced / name).is_file()
                    and (b.synced / name).read_bytes() == path.read_bytes()
                    for name, path in newest.items()
                ),
                60.0,
                "the other peer has the newest versions",
            )


def test_receiver_killed_everything_arrives(tmp_path: Path, broker: Mosquitto) -> None:
    """The receiving side is killed at random moments; in the end it has everything."""
    chance = random.Random(7)
    source = tmp_path / "source"
    source.mkdir()
    wanted: dict[str, bytes] = {}
    with Peer(tmp_path / "a", broker.url, env=ANNOUNCED) as a:
        b = Peer(tmp_path / "b", broker.url, env=ANNOUNCED)
        for number in range(60 if FULL else 15):
            b.start(connected=False)
            moment = threading.Timer(chance.uniform(0.05, 0.8), b.kill)
            moment.start()
            for step in range(10):
                name = f"doc-{number}-{step}.canvasl"
                wanted[name] = _canvas(number * 10 + step)
                (source / name).write_bytes(wanted[name])
                a.call("sync.file", {"path": str(source / name)})
            moment.join()
            b.hang_up()
        with b:
            wait_until(lambda: _has_all(b, wanted), 60.0, "everything on b")
            assert b.call("conflicts.list")["conflicts"] == []


@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
def test_embedded_broker_owner_leaves(tmp_path: Path, kind: str) -> None:
    """Peers without any broker: one hosts; when it is killed, another one takes over."""
    if answers(1883):
        pytest.skip("a broker answers at the default address already")
    env = {**ANNOUNCED, "META_LOG_PEER_SYNC_EMBEDDED": kind}
    peers = [Peer(tmp_path / name, None, env=env) for name in "abc"]
    with peers[0], peers[1], peers[2]:
        hosts = [one for one in peers if one.call("status")["broker"]["embedded"]]
        assert len(hosts) == 1
        hosts[0].kill()
        left = [one for one in peers if one is not hosts[0]]

        def taken_over() -> bool:
            brokers = [one.call("status")["broker"] for one in left]
            connected = all(one["state"] == "connected" for one in brokers)
            return connected and sum(one["embedded"] for one in brokers) == 1

        wait_until(taken_over, 60.0, "another host")
        file = tmp_path / "after.canvasl"
        file.write_bytes(_canvas(1))
        answer = left[0].call("sync.file", {"path": str(file), "wait": True, "timeout": 20})
        assert answer["missing"] == []
        wait_until(lambda: _has_all(left[1], {file.name: _canvas(1)}), 60.0, "the document")
