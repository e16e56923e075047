# SPDX-License-Identifier: MIT
"""Our peer and another implementation that was written from the contract alone."""

from __future__ import annotations

import ast
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import independent_peer
from tests.integration.brokers import Mosquitto, wait_until
from tests.integration.independent_peer import ANNOUNCE, SYNC, IndependentPeer, now, verifies
from tests.integration.peers import Peer

pytestmark = pytest.mark.mosquitto

#: What the contract requires, and allows, in a canvasl-sync and a peer-announce; beside it
#: stand the optional fields of version 1 that docs/reference/wire.md lists.
ALWAYS = {
    "canvasl-sync": {"type", "peer_id", "file", "content", "timestamp", "signature"},
    "peer-announce": {"type", "peer_id", "public_key", "timestamp", "signature"},
}
COMMON = {"v", "seq", "to", "name", "caps"}
LISTED = {"canvasl-sync": {"vector", "parents"}, "peer-announce": {"address", "session", "status"}}


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
def both(ours: Peer, theirs: IndependentPeer) -> tuple[Peer, IndependentPeer]:
    """Both, when each knows the other."""
    ours.wait(lambda: ours.peer(theirs.peer_id), what="ours knows theirs")
    own = ours.call("status")["peer_id"]
    ours.wait(lambda: own in theirs.known, what="theirs knows ours")
    return ours, theirs


def _write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _settle(ours: Peer, theirs: IndependentPeer) -> None:
    """Wait until ours has met everything that theirs published so far."""
    name = f"fence-{secrets.token_hex(8)}.txt"
    theirs.sync(name, "")
    ours.wait(lambda: ours.history(name), what="the fence")


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
def test_theirs_to_ours(file: str, both: tuple[Peer, IndependentPeer]) -> None:
    ours, theirs = both
    theirs.sync(file, CONTENTS[file].decode())
    ours.wait(lambda: ours.history(file), what="recorded")
    ours.wait((ours.synced / file).exists, what="written")
    assert (ours.synced / file).read_bytes() == CONTENTS[file]
    (event,) = [one for one in ours.events if one["event"] == "document-changed"]
    assert (event["file"], event["peer_id"]) == (file, theirs.peer_id)


def test_ours_to_theirs(both: tuple[Peer, IndependentPeer], tmp_path: Path) -> None:
    ours, theirs = both
    for file, content in CONTENTS.items():
        answer = ours.call("sync.file", {"path": _write(tmp_path / file, content)})
        assert answer["file"] == file
        assert (ours.synced / file).read_bytes() == content
    for file, content in CONTENTS.items():
        wait_until(lambda one=file: one in theirs.documents, 10, file)
        assert theirs.content(file) == content
    assert theirs.wrong == []


def test_sync_publishes_exactly_one_whole_text(
    both: tuple[Peer, IndependentPeer], tmp_path: Path
) -> None:
    ours, theirs = both
    path = _write(tmp_path / "one.canvasl", b"one")
    ours.call("sync.file", {"path": path})
    ours.call("sync.file", {"path": _write(tmp_path / "last.md", b"")})
    wait_until(lambda: "last.md" in theirs.documents, 10)
    (message,) = theirs.documents["one.canvasl"]
    fields = set(message)
    assert ALWAYS["canvasl-sync"] <= fields
    assert fields <= ALWAYS["canvasl-sync"] | COMMON | LISTED["canvasl-sync"]
    assert all(isinstance(message[name], str) for name in ALWAYS["canvasl-sync"])
    assert not theirs.messages(lambda topic, one: topic == SYNC and one["type"] != "canvasl-sync")


def test_our_announcements(both: tuple[Peer, IndependentPeer]) -> None:
    ours, theirs = both
    ours.call("peers.announce")
    wait_until(lambda: theirs.messages(lambda topic, _: topic == ANNOUNCE), 10)
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


def test_bad_messages_change_nothing(both: tuple[Peer, IndependentPeer]) -> None:
    ours, theirs = both
    other = IndependentPeer(secrets.token_bytes(32), theirs.port)
    for number, (reason, make) in enumerate(BAD.values(), 1):
        topic, message = make(theirs, other)
        theirs.publish(topic, json.dumps(message).encode())
        ours.wait(lambda one=number: ours.call("status")["refused"] == one, what=reason)
        assert f"reason={reason} " in ours.log.read_text() + " "
    # An oversized one is dropped before anybody counts it.
    theirs.sync("bad.md", "x" * (1 << 20))
    _settle(ours, theirs)
    (document,) = ours.call("documents.list")["documents"]
    assert [one.name for one in ours.synced.iterdir()] == [document["file"]]
    assert ours.history("bad.md") == []
    assert ours.call("peers.list")["peers"][0]["peer_id"] == theirs.peer_id


def test_a_replay_changes_nothing(both: tuple[Peer, IndependentPeer]) -> None:
    ours, theirs = both
    first = theirs.sync("a.md", "one")
    theirs.sync("a.md", "two")
    ours.wait(lambda: len(ours.history("a.md")) == 2)
    before = ours.history("a.md"), len(ours.events)
    again = json.dumps(first).encode(), json.dumps(first, sort_keys=True, indent=1).encode()
    for number, payload in enumerate(again, 1):
        theirs.publish(SYNC, payload)
        ours.wait(lambda one=number: ours.call("status")["refused"] == one)
    assert (ours.history("a.md"), len(ours.events)) == before
    assert (ours.synced / "a.md").read_bytes() == b"two"
    ours.kill()
    ours.start()
    theirs.publish(SYNC, again[0])
    ours.wait(lambda: ours.call("status")["refused"] == 1)
    assert ours.history("a.md") == before[0]


# --- versions --------------------------------------------------------------------------------


def test_several_versions_each_succeed_the_last(both: tuple[Peer, IndependentPeer]) -> None:
    ours, theirs = both
    for number in range(20):
        theirs.sync("a.canvasl", f"{number}\n")
    ours.wait(lambda: len(ours.history("a.canvasl")) == 20)
    rows = ours.history("a.canvasl")
    assert [row["state"] for row in rows] == ["past"] * 19 + ["current"]
    assert [row["parents"] for row in rows[1:]] == [[row["revision"]] for row in rows[:-1]]
    assert (ours.synced / "a.canvasl").read_bytes() == b"19\n"
    assert ours.call("conflicts.list")["conflicts"] == []


def test_an_older_message_goes_to_the_history(both: tuple[Peer, IndependentPeer]) -> None:
    ours, theirs = both
    theirs.sync("a.md", "new", timestamp="2026-01-02T00:00:00Z")
    ours.wait(lambda: ours.history("a.md"))
    theirs.sync("a.md", "old", timestamp="2026-01-01T00:00:00Z")
    ours.wait(lambda: len(ours.history("a.md")) == 2)
    rows = {row["content_hash"]: row["state"] for row in ours.history("a.md")}
    assert rows == {_digest(b"new"): "current", _digest(b"old"): "past"}
    assert (ours.synced / "a.md").read_bytes() == b"new"
    assert ours.call("conflicts.list")["conflicts"] == []


def test_a_second_version_of_the_same_second(both: tuple[Peer, IndependentPeer]) -> None:
    ours, theirs = both
    moment = now(micro=False)
    for content in ("one", "two", "three"):
        theirs.sync("a.md", content, timestamp=moment)
    ours.wait(lambda: len(ours.history("a.md")) == 3)
    assert [row["state"] for row in ours.history("a.md")] == ["past", "past", "current"]
    assert (ours.synced / "a.md").read_bytes() == b"three"


def test_concurrent_with_our_edit(both: tuple[Peer, IndependentPeer], tmp_path: Path) -> None:
    ours, theirs = both
    theirs.sync("a.md", "base")
    ours.wait((ours.synced / "a.md").exists)
    (ours.synced / "a.md").write_bytes(b"base, ours")
    assert ours.call("sync.all")["imported"] == 1
    wait_until(lambda: theirs.content("a.md") == b"base, ours", 10)
    # It has not merged ours: it goes on from its own last version.
    theirs.sync("a.md", "base, theirs")
    ours.wait(lambda: len(ours.history("a.md")) == 3)
    (conflict,) = ours.call("conflicts.list")["conflicts"]
    found = {row["peer_id"]: Path(row["path"]).read_bytes() for row in conflict["versions"]}
    own = ours.call("status")["peer_id"]
    assert found == {own: b"base, ours", theirs.peer_id: b"base, theirs"}
    assert (ours.synced / "a.md").read_bytes() == b"base, ours"
    assert [one["event"] for one in ours.events].count("conflict-detected") == 1
    # A further one of theirs takes the place of theirs, not of ours.
    theirs.sync("a.md", "base, theirs, more")
    ours.wait(lambda: len(ours.history("a.md")) == 4)
    (conflict,) = ours.call("conflicts.list")["conflicts"]
    found = {row["peer_id"]: Path(row["path"]).read_bytes() for row in conflict["versions"]}
    assert found == {own: b"base, ours", theirs.peer_id: b"base, theirs, more"}
    # Everything is readable in the history, also what had to yield.
    hashes = [row["content_hash"] for row in ours.history("a.md")]
    assert _digest(b"base, theirs") in hashes
    # Restoring settles it, and they hear of it.
    theirs_now = next(row["revision"] for row in conflict["versions"] if row["peer_id"] != own)
    ours.call("documents.restore", {"file": "a.md", "revision": theirs_now})
    assert ours.call("conflicts.list")["conflicts"] == []
    wait_until(lambda: theirs.content("a.md") == b"base, theirs, more", 10)
    assert (ours.synced / "a.md").read_bytes() == b"base, theirs, more"


def test_the_same_new_name_on_both_sides(
    both: tuple[Peer, IndependentPeer], tmp_path: Path
) -> None:
    ours, theirs = both
    ours.call("sync.file", {"path": _write(tmp_path / "a.md", b"ours")})
    theirs.sync("a.md", "theirs")
    ours.wait(lambda: len(ours.history("a.md")) == 2)
    assert (ours.synced / "a.md").read_bytes() == b"ours"
    (conflict,) = ours.call("conflicts.list")["conflicts"]
    assert len(conflict["versions"]) == 2


def test_an_edit_that_nobody_synced_yet_is_not_overwritten(
    both: tuple[Peer, IndependentPeer],
) -> None:
    ours, theirs = both
    theirs.sync("a.md", "base")
    ours.wait((ours.synced / "a.md").exists)
    (ours.synced / "a.md").write_bytes(b"edited outside")
    theirs.sync("a.md", "theirs")
    ours.wait(lambda: len(ours.history("a.md")) == 3, what="both are recorded")
    assert (ours.synced / "a.md").read_bytes() == b"edited outside"
    (conflict,) = ours.call("conflicts.list")["conflicts"]
    found = {Path(row["path"]).read_bytes() for row in conflict["versions"]}
    assert found == {b"edited outside", b"theirs"}


# --- away, and back ---------------------------------------------------------------------------


def test_seen_again_it_gets_the_newest_of_every_document(
    broker: Mosquitto, theirs: IndependentPeer, tmp_path: Path
) -> None:
    flags = ("--trust-policy", "announced", "--limits-heartbeat", "1")
    third = IndependentPeer(secrets.token_bytes(32), broker.port)
    with Peer(tmp_path / "ours", broker.url, flags=flags) as ours:
        third.connect()
        for one in (theirs, third):
            one.announce()
            ours.wait(lambda one=one: ours.peer(one.peer_id))
        theirs.disconnect()
        third.sync("third.md", "of a third peer")
        third.disconnect()
        ours.wait(lambda: ours.history("third.md"))
        ours.wait(lambda: ours.call("status")["peers"]["online"] == 0, what="both are offline")
        for number in range(3):
            ours.call("sync.file", {"path": _write(tmp_path / "a.md", b"a%d" % number)})
        ours.call("sync.file", {"path": _write(tmp_path / "b.canvasl", b"b")})
        ours.kill()  # and we are restarted meanwhile
        ours.start()
        theirs.documents.clear()
        theirs.connect()
        wait_until(lambda: {"a.md", "b.canvasl", "third.md"} <= set(theirs.documents), 10)
        assert theirs.content("a.md") == b"a2"
        assert theirs.content("b.canvasl") == b"b"
        assert theirs.content("third.md") == b"of a third peer"
        assert len(theirs.documents["a.md"]) == 1
        # Served once: heartbeats do not bring it all again.
        theirs.announce()
        ours.call("sync.file", {"path": _write(tmp_path / "c.md", b"c")})
        wait_until(lambda: "c.md" in theirs.documents, 10)
        assert len(theirs.documents["a.md"]) == 1


def test_a_broker_that_forgot_everything(
    both: tuple[Peer, IndependentPeer], broker: Mosquitto, tmp_path: Path
) -> None:
    ours, theirs = both
    broker.kill()
    ours.wait(lambda: ours.call("status")["broker"]["state"] != "connected")
    ours.call("sync.file", {"path": _write(tmp_path / "a.md", b"while away")})
    broker.wipe()
    broker.start()
    ours.wait(lambda: ours.call("status")["broker"]["state"] == "connected")
    wait_until(lambda: _announced(theirs), 20, "theirs is back")
    wait_until(lambda: theirs.content("a.md") == b"while away", 10)


def _announced(theirs: IndependentPeer) -> bool:
    client = theirs._client
    assert client is not None
    if not client.is_connected():
        return False
    client.subscribe(SYNC, 1)
    theirs.announce()
    return True


def test_killed_it_is_offline_by_its_own_will(both: tuple[Peer, IndependentPeer]) -> None:
    ours, theirs = both
    own = ours.call("status")
    ours.kill()
    topic = f"canvasl/peers/{own['peer_id']}/presence"
    wait_until(
        lambda: theirs.messages(
            lambda where, one: where == topic and one.get("status") == "offline"
        ), 10, "the Last Will",
    )  # fmt: skip
    (will,) = theirs.messages(lambda _, one: one.get("status") == "offline")
    assert verifies(will, own["public_key"])
    # Retained: who comes later sees it too.
    later = IndependentPeer(secrets.token_bytes(32), theirs.port)
    later.connect()
    wait_until(lambda: later.heard, 10)
    (found,) = [(one, kept) for where, one, kept in later.heard if where == topic]
    assert found == (will, True)
    later.disconnect()


def test_stopped_it_says_offline(both: tuple[Peer, IndependentPeer]) -> None:
    ours, theirs = both
    public_key = ours.call("status")["public_key"]
    assert ours.stop() == 0
    wait_until(
        lambda: theirs.messages(lambda _, one: one.get("status") == "offline"), 10, "goodbye"
    )
    for message in theirs.messages(lambda _, one: one.get("status") == "offline"):
        assert verifies(message, public_key)


# --- policies ----------------------------------------------------------------------------------


def _with_policy(broker: Mosquitto, tmp_path: Path, policy: str) -> Peer:
    return Peer(tmp_path / "ours", broker.url, flags=("--trust-policy", policy))


def test_ask_holds_until_accepted(
    broker: Mosquitto, theirs: IndependentPeer, tmp_path: Path
) -> None:
    with _with_policy(broker, tmp_path, "ask") as ours:
        theirs.announce()
        ours.wait(lambda: ours.peer(theirs.peer_id))
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


def test_blocking_drops_what_was_held(
    broker: Mosquitto, theirs: IndependentPeer, tmp_path: Path
) -> None:
    with _with_policy(broker, tmp_path, "ask") as ours:
        theirs.announce()
        ours.wait(lambda: ours.peer(theirs.peer_id))
        theirs.sync("a.md", "one")
        ours.wait(lambda: ours.call("status")["held"] == 1)
        assert ours.call("trust.block", {"peer_id": theirs.peer_id})["dropped"] == 1
        assert ours.call("trust.accept", {"peer_id": theirs.peer_id})["released"] == 0
        assert ours.history("a.md") == []


def test_held_is_kept_while_it_cannot_be_taken(
    broker: Mosquitto, theirs: IndependentPeer, tmp_path: Path
) -> None:
    """It was acknowledged as held: a folder that cannot be written loses nothing."""
    with _with_policy(broker, tmp_path, "ask") as ours:
        theirs.announce()
        ours.wait(lambda: ours.peer(theirs.peer_id))
        theirs.sync("a.md", "one")
        ours.wait(lambda: ours.call("status")["held"] == 1)
        ours.synced.chmod(0o500)
        assert ours.call("trust.accept", {"peer_id": theirs.peer_id})["released"] == 0
        assert ours.call("status")["held"] == 1
        ours.synced.chmod(0o700)
        assert ours.call("trust.accept", {"peer_id": theirs.peer_id})["released"] == 1
        assert (ours.synced / "a.md").read_bytes() == b"one"


def test_held_and_then_sent_again_under_another_policy(
    broker: Mosquitto, theirs: IndependentPeer, tmp_path: Path
) -> None:
    with _with_policy(broker, tmp_path, "ask") as ours:
        theirs.announce()
        ours.wait(lambda: ours.peer(theirs.peer_id))
        message = theirs.sync("a.md", "one")
        ours.wait(lambda: ours.call("status")["held"] == 1)
    with _with_policy(broker, tmp_path, "announced") as ours:
        theirs.publish(SYNC, json.dumps(message).encode())
        ours.wait((ours.synced / "a.md").exists)
        ours.call("trust.accept", {"peer_id": theirs.peer_id})
        assert ours.call("status")["held"] == 0
        assert len(ours.history("a.md")) == 1


def test_two_held_messages_of_one_counter(
    broker: Mosquitto, theirs: IndependentPeer, tmp_path: Path
) -> None:
    """A fork among what is held is found when it is released: one counter, one message."""
    with _with_policy(broker, tmp_path, "ask") as ours:
        theirs.announce()
        ours.wait(lambda: ours.peer(theirs.peer_id))
        for content in ("one", "two"):
            message = theirs.document("a.md", content, seq=7)
            theirs.publish(SYNC, json.dumps(message).encode())
        theirs.sync("b.md", "b")
        ours.wait(lambda: ours.call("status")["held"] == 2)
        ours.call("trust.accept", {"peer_id": theirs.peer_id})
        assert [row["content_hash"] for row in ours.history("a.md")] == [_digest(b"one")]
        failed = [one for one in ours.events if one["event"] == "sync-failed"]
        assert [one["file"] for one in failed] == ["a.md"]
        assert len(ours.history("b.md")) == 1


def test_paired_takes_nothing_of_others(
    broker: Mosquitto, theirs: IndependentPeer, tmp_path: Path
) -> None:
    with _with_policy(broker, tmp_path, "paired") as ours:
        theirs.announce()
        ours.wait(lambda: ours.peer(theirs.peer_id))
        message = theirs.sync("a.md", "one")
        ours.wait(lambda: ours.call("status")["refused"] == 1)
        assert "untrusted-peer" in ours.log.read_text()
        assert (ours.call("status")["held"], ours.history("a.md")) == (0, [])
        ours.call("trust.accept", {"peer_id": theirs.peer_id})
        # It was refused, not seen: the same message is no replay now.
        theirs.publish(SYNC, json.dumps(message).encode())
        ours.wait((ours.synced / "a.md").exists)


def test_announced_takes_it_at_once(both: tuple[Peer, IndependentPeer]) -> None:
    ours, theirs = both
    row = ours.peer(theirs.peer_id)
    assert row is not None
    assert row["trust"] == "announced"
    theirs.sync("a.md", "one")
    ours.wait((ours.synced / "a.md").exists)
    _settle(ours, theirs)
    assert ours.call("status")["held"] == 0
