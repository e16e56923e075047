# SPDX-License-Identifier: MIT
"""Two bots wrote the same lines of a text and one property of the blackboard at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.brokers import Mosquitto
from tests.integration.pair import broker
from tests.integration.peers import Peer
from tests.integration.test_merging import two, verb

__all__ = ["broker", "two"]  # fixtures
pytestmark = pytest.mark.mosquitto

NOTE, BOARD = "note.md", "federation-blackboard.org"
BASE = {
    NOTE: "first\nwords\nlast\n",
    BOARD: "* ada\n:PROPERTIES:\n:NOTE: words\n:END:\ntext\n",
}


def text(peer: Peer, file: str) -> str:
    path = peer.synced / file
    return path.read_text() if path.exists() else ""


def places(peer: Peer) -> dict[str, dict[str, object]]:
    """File -> its conflict."""
    found = {}
    for row in verb(peer, "conflicts")["conflicts"]:
        (found[row["file"]],) = row["places"]
    return found


def same(one: Peer, other: Peer, file: str, wanted: str) -> None:
    for peer in (one, other):
        peer.wait(lambda peer=peer: text(peer, file) == wanted, 60.0, f"{wanted!r}")  # type: ignore[misc]


def test_a_side_is_chosen_on_one_peer_for_both(
    two: tuple[Peer, Peer], broker: Mosquitto, tmp_path: Path
) -> None:
    one, other = two
    broker.start()
    for file, content in BASE.items():
        (tmp_path / file).write_text(content)
        verb(one, "sync", str(tmp_path / file), "--wait")
        same(one, other, file, content)
    broker.kill()
    for peer, words in ((one, "12345"), (other, "abcde")):
        for file, content in BASE.items():
            (peer.synced / file).write_text(content.replace("words", words))
            verb(peer, "sync", str(peer.synced / file))
    broker.start()
    for peer in two:
        peer.wait(lambda peer=peer: len(places(peer)) == 2, 60, "two conflicts")  # type: ignore[misc]
    found = places(one)
    assert places(other) == found
    assert found[BOARD]["path"] == ["ada", "NOTE"]
    numbers = {file: str(place["number"])[:12] for file, place in found.items()}
    error = verb(other, "resolve", BOARD, numbers[BOARD], "both", code=1)
    assert error["reason"] == "bad-params"
    # each from another peer; `ours` and `theirs` are seen from there
    assert verb(other, "resolve", NOTE, numbers[NOTE], "ours")["open"] == 0
    same(one, other, NOTE, BASE[NOTE].replace("words", "abcde"))
    verb(one, "resolve", BOARD, numbers[BOARD], "theirs")
    same(one, other, BOARD, BASE[BOARD].replace("words", "abcde"))
    for peer in two:
        peer.wait(lambda peer=peer: not places(peer), 60.0, "settled")  # type: ignore[misc]
    assert verb(one, "resolve", NOTE, numbers[NOTE], "a", code=1)["reason"] == "unknown-conflict"
