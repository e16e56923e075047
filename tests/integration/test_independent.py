# SPDX-License-Identifier: MIT
"""Our peer and another implementation that was written from the contract alone."""

from __future__ import annotations

import ast
import json
import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.integration import independent_peer
from tests.integration.brokers import wait_until
from tests.integration.independent_peer import ANNOUNCE, SYNC, IndependentPeer, verifies
from tests.integration.pair import Both, both, broker, ours, settle, theirs, write
from tests.integration.peers import Peer

__all__ = ["both", "broker", "ours", "theirs"]  # fixtures
pytestmark = pytest.mark.mosquitto

#: What the contract requires, and allows, in a canvasl-sync and a peer-announce; beside it
#: stand the optional fields of version 1 that docs/reference/wire.md lists.
ALWAYS = {
    "canvasl-sync": {"type", "peer_id", "file", "content", "timestamp", "signature"},
    "peer-announce": {"type", "peer_id", "public_key", "timestamp", "signature"},
}
COMMON = {"v", "seq", "to", "name", "caps"}
LISTED = {"canvasl-sync": {"vector", "parents"}, "peer-announce": {"address", "session", "status"}}


def _wait_counted(ours: Peer, name: str, number: int) -> None:
    """Wait until so many messages were ``refused``, or ``repeated``."""
    ours.wait(lambda: ours.call("status")[name] == number, what=f"{number} {name}")


def test_it_shares_no_code() -> None:
    tree = ast.parse(Path(independent_peer.__file__).read_text())
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or ".")
    assert not [name for name in names if name.startswith(("federation", "tests", "."))]


# --- both ways ---------------------------------------------------------------------------

CONTENTS = {
    "ascii.canvasl": b'{"id":"n1","type":"text","text":"hello"}\n',
    "unicode.canvasl": '{"text":"Zoë \u2028 日本語 \U0001f600 e\u0301"}\n'.encode(),
    "empty.md": b"",
    "large.jsonl": b'{"id":"x"}\n' * 54_546,
    "crlf.txt": b'one\r\ntwo\rthree\n\n\tfour \\ " / \x01\x1f\x7f',
    "no-newline.org": b"* end",
    "bom.txt": b"\xef\xbb\xbfbom",
}


@pytest.mark.parametrize("file", CONTENTS)
def test_theirs_to_ours(file: str, both: Both) -> None:
    ours, theirs = both
    theirs.sync(file, CONTENTS[file].decode())
    ours.wait(lambda: ours.history(file), what="recorded")
    ours.wait((ours.synced / file).exists, what="written")
    assert (ours.synced / file).read_bytes() == CONTENTS[file]
    (event,) = [one for one in ours.events if one["event"] == "document-changed"]
    assert (event["file"], event["peer_id"]) == (file, theirs.peer_id)


def test_ours_to_theirs(both: Both, tmp_path: Path) -> None:
    ours, theirs = both
    for file, content in CONTENTS.items():
        answer = ours.call("sync.file", {"path": write(tmp_path / file, content)})
        assert answer["file"] == file
        assert (ours.synced / file).read_bytes() == content
    for file, content in CONTENTS.items():
        wait_until(partial(theirs.documents.get, file), 10, file)
        assert theirs.content(file) == content
    assert theirs.wrong == []


def test_sync_publishes_exactly_one_whole_text(both: Both, tmp_path: Path) -> None:
    ours, theirs = both
    path = write(tmp_path / "one.canvasl", b"one")
    ours.call("sync.file", {"path": path})
    ours.call("sync.file", {"path": write(tmp_path / "last.md", b"")})
    wait_until(lambda: "last.md" in theirs.documents, 60.0)
    (message,) = theirs.documents["one.canvasl"]
    fields = set(message)
    assert ALWAYS["canvasl-sync"] <= fields
    assert fields <= ALWAYS["canvasl-sync"] | COMMON | LISTED["canvasl-sync"]
    assert all(isinstance(message[name], str) for name in ALWAYS["canvasl-sync"])
    assert not theirs.messages(lambda topic, one: topic == SYNC and one["type"] != "canvasl-sync")


def test_our_announcements(both: Both) -> None:
    ours, theirs = both
    ours.call("peers.announce")
    wait_until(lambda: theirs.messages(lambda topic, _: topic == ANNOUNCE), 60.0)
    own = ours.call("status")
    messages = theirs.messages(lambda _, one: one["type"] == "peer-announce")
    for message in messages:
        assert verifies(message, own["public_key"])
        fields = set(message)
        assert ALWAYS["peer-announce"] <= fields
        assert fields <= ALWAYS["peer-announce"] | COMMON | LISTED["peer-announce"]
    topics = {topic for topic, one, _ in theirs.heard if one["type"] == "peer-announce"}
    assert topics == {ANNOUNCE, f"canvasl/peers/{own['peer_id']}/presence"}


# --- what changes nothing --------------------------------------------------------------------

Make = Callable[[IndependentPeer, IndependentPeer], tuple[str, dict[str, Any]]]


def _forged(theirs: IndependentPeer, _other: IndependentPeer) -> tuple[str, dict[str, Any]]:
    return SYNC, {**theirs.document("bad.md", "right"), "content": "forged"}


def _foreign(theirs: IndependentPeer, other: IndependentPeer) -> tuple[str, dict[str, Any]]:
    return SYNC, other.document("bad.md", "x", peer_id=theirs.peer_id)


def _unannounced(_theirs: IndependentPeer, other: IndependentPeer) -> tuple[str, dict[str, Any]]:
    return SYNC, other.document("bad.md", "x")


def _wrong_topic(theirs: IndependentPeer, _other: IndependentPeer) -> tuple[str, dict[str, Any]]:
    return ANNOUNCE, theirs.document("bad.md", "x")


def _unknown_field(theirs: IndependentPeer, _other: IndependentPeer) -> tuple[str, dict[str, Any]]:
    return SYNC, theirs.document("bad.md", "x", mode="0777")


def _version(theirs: IndependentPeer, _other: IndependentPeer) -> tuple[str, dict[str, Any]]:
    return SYNC, theirs.document("bad.md", "x", v=2)


def _elsewhere(theirs: IndependentPeer, _other: IndependentPeer) -> tuple[str, dict[str, Any]]:
    return SYNC, theirs.document("../bad.md", "x")


def _other_type(theirs: IndependentPeer, _other: IndependentPeer) -> tuple[str, dict[str, Any]]:
    return SYNC, {**theirs.document("bad.md", "x"), "type": "canvasl-binary"}


def _for_another(theirs: IndependentPeer, other: IndependentPeer) -> tuple[str, dict[str, Any]]:
    return SYNC, theirs.document("bad.md", "x", to=other.peer_id)


BAD: dict[str, tuple[str, Make]] = {
    "forged": ("bad-signature", _forged),
    "foreign": ("bad-signature", _foreign),
    "unannounced": ("unknown-peer", _unannounced),
    "wrong-topic": ("wrong-topic", _wrong_topic),
    "unknown-field": ("unknown-field", _unknown_field),
    "version": ("unsupported-version", _version),
    "elsewhere": ("path-traversal", _elsewhere),
    "other-type": ("missing-field", _other_type),
    "for-another": ("wrong-recipient", _for_another),
}


def test_bad_messages_change_nothing(both: Both) -> None:
    ours, theirs = both
    other = IndependentPeer(secrets.token_bytes(32), theirs.port)
    for number, (reason, make) in enumerate(BAD.values(), 1):
        topic, message = make(theirs, other)
        theirs.publish(topic, json.dumps(message).encode())
        _wait_counted(ours, "refused", number)
        assert f"reason={reason} " in ours.log.read_text() + " "
    # An oversized one is dropped before anybody counts it.
    theirs.sync("bad.md", "x" * (1 << 20))
    settle(ours, theirs)
    (document,) = ours.call("documents.list")["documents"]
    assert [one.name for one in ours.synced.iterdir()] == [document["file"]]
    assert ours.history("bad.md") == []
    assert ours.call("peers.list")["peers"][0]["peer_id"] == theirs.peer_id


def test_a_replay_changes_nothing(both: Both) -> None:
    ours, theirs = both
    first = theirs.sync("a.md", "one")
    theirs.sync("a.md", "two")
    ours.wait(lambda: len(ours.history("a.md")) == 2)
    before = ours.history("a.md"), len(ours.events)
    again = json.dumps(first).encode(), json.dumps(first, sort_keys=True, indent=1).encode()
    for number, payload in enumerate(again, 1):
        theirs.publish(SYNC, payload)
        _wait_counted(ours, "repeated", number)
    assert ours.call("status")["refused"] == 0, "the network may bring anything twice"
    assert (ours.history("a.md"), len(ours.events)) == before
    assert (ours.synced / "a.md").read_bytes() == b"two"
    ours.kill()
    ours.start()
    theirs.publish(SYNC, again[0])
    _wait_counted(ours, "repeated", 1)
    assert ours.history("a.md") == before[0]
