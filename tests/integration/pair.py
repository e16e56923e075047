# SPDX-License-Identifier: MIT
"""Our peer and the independent one on one broker: fixtures and what the tests ask of them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.brokers import Mosquitto
from tests.integration.independent_peer import IndependentPeer
from tests.integration.peers import Peer

Both = tuple[Peer, IndependentPeer]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with Mosquitto(folder) as broker:
        yield broker


@pytest.fixture
def ours(broker: Mosquitto, tmp_path: Path) -> Iterator[Peer]:
    """Our peer, which takes what announced peers sync, as the demo does."""
    with Peer(tmp_path / "ours", broker.url, flags=("--trust-policy", "announced")) as peer:
        yield peer


@pytest.fixture
def theirs(broker: Mosquitto) -> Iterator[IndependentPeer]:
    peer = IndependentPeer(secrets.token_bytes(32), broker.port)
    peer.connect()
    yield peer
    if peer._client is not None:
        peer.disconnect()


@pytest.fixture
def both(ours: Peer, theirs: IndependentPeer) -> Both:
    """Both, when each knows the other."""
    ours.wait(lambda: ours.peer(theirs.peer_id), what="ours knows theirs")
    own = ours.call("status")["peer_id"]
    ours.wait(lambda: own in theirs.known, what="theirs knows ours")
    return ours, theirs


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def settle(ours: Peer, theirs: IndependentPeer) -> None:
    """Wait until ours has met everything that theirs published so far."""
    name = f"fence-{secrets.token_hex(8)}.txt"
    theirs.sync(name, "")
    ours.wait(lambda: ours.history(name), what="the fence")
