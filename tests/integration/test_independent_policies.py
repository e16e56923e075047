# SPDX-License-Identifier: MIT
"""Whose documents are taken: each policy, with another implementation as the author."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.integration.brokers import Mosquitto
from tests.integration.independent_peer import SYNC, IndependentPeer
from tests.integration.pair import Both, both, broker, digest, ours, settle, theirs
from tests.integration.peers import Peer

__all__ = ["both", "broker", "ours", "theirs"]  # fixtures
pytestmark = pytest.mark.mosquitto


WithPolicy = Callable[[str], AbstractContextManager[Peer]]


@pytest.fixture
def with_policy(broker: Mosquitto, theirs: IndependentPeer, tmp_path: Path) -> WithPolicy:
    """Our peer with a policy, to which the other one is known."""

    @contextmanager
    def start(policy: str) -> Iterator[Peer]:
        with Peer(tmp_path / "ours", broker.url, flags=("--trust-policy", policy)) as ours:
            theirs.announce()
            ours.wait(lambda: ours.peer(theirs.peer_id))
            yield ours

    return start


def test_ask_holds_until_accepted(with_policy: WithPolicy, theirs: IndependentPeer) -> None:
    with with_policy("ask") as ours:
        theirs.sync("a.md", "one")
        theirs.sync("a.md", "two")
        theirs.sync("b.md", "b")
        ours.wait(lambda: ours.call("status")["held"] == 2)  # documents, in three versions
        assert list(ours.synced.iterdir()) == []
        assert ours.call("documents.list")["documents"] == []
        ours.kill()  # what is held is durable
        ours.start()
        assert ours.call("status")["held"] == 2
        answer = ours.call("trust.accept", {"peer_id": theirs.peer_id})
        assert answer["released"] == 2
        assert (ours.synced / "a.md").read_bytes() == b"two"
        assert (ours.synced / "b.md").read_bytes() == b"b"
        assert len(ours.history("a.md")) == 2
        assert ours.call("status")["held"] == 0
        theirs.sync("c.md", "c")
        ours.wait((ours.synced / "c.md").exists)
        dropped = ours.call("trust.block", {"peer_id": theirs.peer_id})
        assert dropped["trust"] == "blocked"
        refused = ours.call("status")["refused"]
        theirs.sync("d.md", "d")
        ours.wait(lambda: ours.call("status")["refused"] == refused + 1)
        assert ours.history("d.md") == []
        assert (ours.synced / "c.md").exists()


def test_blocking_drops_what_was_held(with_policy: WithPolicy, theirs: IndependentPeer) -> None:
    with with_policy("ask") as ours:
        theirs.sync("a.md", "one")
        ours.wait(lambda: ours.call("status")["held"] == 1)
        assert ours.call("trust.block", {"peer_id": theirs.peer_id})["dropped"] == 1
        assert ours.call("trust.accept", {"peer_id": theirs.peer_id})["released"] == 0
        assert ours.history("a.md") == []


def test_held_is_kept_while_it_cannot_be_taken(
    with_policy: WithPolicy, theirs: IndependentPeer
) -> None:
    """It was acknowledged as held: a folder that cannot be written loses nothing."""
    with with_policy("ask") as ours:
        theirs.sync("a.md", "one")
        ours.wait(lambda: ours.call("status")["held"] == 1)
        ours.synced.chmod(0o500)
        assert ours.call("trust.accept", {"peer_id": theirs.peer_id})["released"] == 0
        assert ours.call("status")["held"] == 1
        ours.synced.chmod(0o700)
        assert ours.call("trust.accept", {"peer_id": theirs.peer_id})["released"] == 1
        assert (ours.synced / "a.md").read_bytes() == b"one"


def test_held_and_then_sent_again_under_another_policy(
    with_policy: WithPolicy, theirs: IndependentPeer
) -> None:
    with with_policy("ask") as ours:
        message = theirs.sync("a.md", "one")
        ours.wait(lambda: ours.call("status")["held"] == 1)
    with with_policy("announced") as ours:
        theirs.publish(SYNC, json.dumps(message).encode())
        ours.wait((ours.synced / "a.md").exists)
        ours.call("trust.accept", {"peer_id": theirs.peer_id})
        assert ours.call("status")["held"] == 0
        assert len(ours.history("a.md")) == 1


def test_two_held_messages_of_one_counter(with_policy: WithPolicy, theirs: IndependentPeer) -> None:
    """A fork among what is held is found when it is released: one counter, one message."""
    with with_policy("ask") as ours:
        for content in ("one", "two"):
            message = theirs.document("a.md", content, seq=7)
            theirs.publish(SYNC, json.dumps(message).encode())
        theirs.sync("b.md", "b")
        ours.wait(lambda: ours.call("status")["held"] == 2)
        ours.call("trust.accept", {"peer_id": theirs.peer_id})
        assert [row["content_hash"] for row in ours.history("a.md")] == [digest(b"one")]
        failed = [one for one in ours.events if one["event"] == "sync-failed"]
        assert [one["file"] for one in failed] == ["a.md"]
        assert len(ours.history("b.md")) == 1


def test_paired_takes_nothing_of_others(with_policy: WithPolicy, theirs: IndependentPeer) -> None:
    with with_policy("paired") as ours:
        message = theirs.sync("a.md", "one")
        ours.wait(lambda: ours.call("status")["refused"] == 1)
        assert "untrusted-peer" in ours.log.read_text()
        assert (ours.call("status")["held"], ours.history("a.md")) == (0, [])
        ours.call("trust.accept", {"peer_id": theirs.peer_id})
        # It was refused, not seen: the same message is no replay now.
        theirs.publish(SYNC, json.dumps(message).encode())
        ours.wait((ours.synced / "a.md").exists)


def test_announced_takes_it_at_once(both: Both) -> None:
    ours, theirs = both
    row = ours.peer(theirs.peer_id)
    assert row is not None
    assert row["trust"] == "announced"
    theirs.sync("a.md", "one")
    ours.wait((ours.synced / "a.md").exists)
    settle(ours, theirs)
    assert ours.call("status")["held"] == 0
