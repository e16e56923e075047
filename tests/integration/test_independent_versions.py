# SPDX-License-Identifier: MIT
"""Versions of our peer and of another implementation: succession, conflicts, being away."""

from __future__ import annotations

import secrets
from functools import partial
from pathlib import Path

import pytest

from tests.integration.brokers import Mosquitto, wait_until
from tests.integration.independent_peer import SYNC, IndependentPeer, now, verifies
from tests.integration.pair import Both, both, broker, digest, ours, theirs, write
from tests.integration.peers import Peer

__all__ = ["both", "broker", "ours", "theirs"]  # fixtures
pytestmark = pytest.mark.mosquitto


def test_several_versions_each_succeed_the_last(both: Both) -> None:
    ours, theirs = both
    for number in range(20):
        theirs.sync("a.canvasl", f"{number}\n")
    ours.wait(lambda: len(ours.history("a.canvasl")) == 20)
    rows = ours.history("a.canvasl")
    assert [row["state"] for row in rows] == ["past"] * 19 + ["current"]
    assert [row["parents"] for row in rows[1:]] == [[row["revision"]] for row in rows[:-1]]
    assert (ours.synced / "a.canvasl").read_bytes() == b"19\n"
    assert ours.call("conflicts.list")["conflicts"] == []


def test_an_older_message_goes_to_the_history(both: Both) -> None:
    ours, theirs = both
    theirs.sync("a.md", "new", timestamp="2026-01-02T00:00:00Z")
    ours.wait(lambda: ours.history("a.md"))
    theirs.sync("a.md", "old", timestamp="2026-01-01T00:00:00Z")
    ours.wait(lambda: len(ours.history("a.md")) == 2)
    rows = {row["content_hash"]: row["state"] for row in ours.history("a.md")}
    assert rows == {digest(b"new"): "current", digest(b"old"): "past"}
    assert (ours.synced / "a.md").read_bytes() == b"new"
    assert ours.call("conflicts.list")["conflicts"] == []


def test_a_second_version_of_the_same_second(both: Both) -> None:
    ours, theirs = both
    moment = now(micro=False)
    for content in ("one", "two", "three"):
        theirs.sync("a.md", content, timestamp=moment)
    ours.wait(lambda: len(ours.history("a.md")) == 3)
    assert [row["state"] for row in ours.history("a.md")] == ["past", "past", "current"]
    assert (ours.synced / "a.md").read_bytes() == b"three"


def test_merged_with_our_edit(both: Both) -> None:
    ours, theirs = both
    theirs.sync("a.md", "one\ntwo\nthree\n")
    ours.wait((ours.synced / "a.md").exists)
    (ours.synced / "a.md").write_bytes(b"ONE\ntwo\nthree\n")
    assert ours.call("sync.all")["imported"] == 1
    wait_until(lambda: theirs.content("a.md") == b"ONE\ntwo\nthree\n", 60.0)
    # It has not merged ours: it goes on from its own last version, again and again.
    for last in ("THREE", "THREE!", "THREE!!"):
        theirs.sync("a.md", f"one\ntwo\n{last}\n")
        merged = f"ONE\ntwo\n{last}\n".encode()
        ours.wait(lambda merged=merged: (ours.synced / "a.md").read_bytes() == merged)  # type: ignore[misc]
        # and gets what is made of both
        wait_until(lambda merged=merged: theirs.content("a.md") == merged, 60.0)  # type: ignore[misc]
    assert ours.call("conflicts.list")["conflicts"] == []
    # Everything is readable in the history.
    hashes = [row["content_hash"] for row in ours.history("a.md")]
    assert digest(b"one\ntwo\nTHREE\n") in hashes
    assert digest(b"ONE\ntwo\nthree\n") in hashes


def test_one_value_changed_by_both(both: Both) -> None:
    ours, theirs = both
    theirs.sync("a.canvasl", '{"id":"n","x":0}\n')
    ours.wait((ours.synced / "a.canvasl").exists)
    (ours.synced / "a.canvasl").write_bytes(b'{"id":"n","x":1}\n')
    assert ours.call("sync.all")["imported"] == 1
    theirs.sync("a.canvasl", '{"id":"n","x":2}\n')
    ours.wait(lambda: ours.call("conflicts.list")["conflicts"], what="the conflict")
    (conflict,) = ours.call("conflicts.list")["conflicts"]
    (place,) = conflict["places"]
    own = ours.call("status")["peer_id"]
    sides = {tuple(place[side]["peers"]): place[side]["value"] for side in "ab"}
    assert sides == {(own,): "1", (theirs.peer_id,): "2"}
    ours.wait(lambda: [one["event"] for one in ours.events].count("conflict-detected") == 1)
    # Settling it is a version like any other, and they hear of it.
    ours.call("conflicts.resolve", {"file": "a.canvasl", "number": place["number"],
                                    "choice": "value", "value": "3"})  # fmt: skip
    wait_until(lambda: theirs.content("a.canvasl") == b'{"id":"n","x":3}\n', 60.0)
    assert (ours.synced / "a.canvasl").read_bytes() == b'{"id":"n","x":3}\n'
    assert ours.call("conflicts.list")["conflicts"] == []


def test_concurrent_with_bytes_of_ours(both: Both, tmp_path: Path) -> None:
    ours, theirs = both
    theirs.sync("a.md", "base")
    ours.wait((ours.synced / "a.md").exists)
    (ours.synced / "a.md").write_bytes(b"base, ours\xff")
    assert ours.call("sync.all")["imported"] == 1
    # It has not merged ours: it goes on from its own last version.
    theirs.sync("a.md", "base, theirs")
    ours.wait(lambda: len(ours.history("a.md")) == 3)
    (conflict,) = ours.call("conflicts.list")["conflicts"]
    found = {row["peer_id"]: Path(row["path"]).read_bytes() for row in conflict["versions"]}
    own = ours.call("status")["peer_id"]
    assert found == {own: b"base, ours\xff", theirs.peer_id: b"base, theirs"}
    assert (ours.synced / "a.md").read_bytes() == b"base, ours\xff"
    ours.wait(lambda: [one["event"] for one in ours.events].count("conflict-detected") == 1)
    # A further one of theirs takes the place of theirs, not of ours.
    theirs.sync("a.md", "base, theirs, more")
    ours.wait(lambda: len(ours.history("a.md")) == 4)
    (conflict,) = ours.call("conflicts.list")["conflicts"]
    found = {row["peer_id"]: Path(row["path"]).read_bytes() for row in conflict["versions"]}
    assert found == {own: b"base, ours\xff", theirs.peer_id: b"base, theirs, more"}
    # Everything is readable in the history, also what had to yield.
    hashes = [row["content_hash"] for row in ours.history("a.md")]
    assert digest(b"base, theirs") in hashes
    # Restoring settles it, and they hear of it.
    theirs_now = next(row["revision"] for row in conflict["versions"] if row["peer_id"] != own)
    ours.call("documents.restore", {"file": "a.md", "revision": theirs_now})
    assert ours.call("conflicts.list")["conflicts"] == []
    wait_until(lambda: theirs.content("a.md") == b"base, theirs, more", 60.0)
    assert (ours.synced / "a.md").read_bytes() == b"base, theirs, more"


def test_the_same_new_name_on_both_sides(both: Both, tmp_path: Path) -> None:
    ours, theirs = both
    ours.call("sync.file", {"path": write(tmp_path / "a.canvasl", b'{"id":"ours"}\n')})
    ours.call("sync.file", {"path": write(tmp_path / "b.md", b"ours\xff")})
    theirs.sync("a.canvasl", '{"id":"theirs"}\n')
    theirs.sync("b.md", "theirs")
    ours.wait(lambda: b"theirs" in (ours.synced / "a.canvasl").read_bytes(), what="merged")
    lines = (ours.synced / "a.canvasl").read_bytes().splitlines()
    assert sorted(lines) == [b'{"id":"ours"}', b'{"id":"theirs"}']
    ours.wait(lambda: len(ours.history("b.md")) == 2)
    assert (ours.synced / "b.md").read_bytes() == b"ours\xff"
    (conflict,) = ours.call("conflicts.list")["conflicts"]
    assert (conflict["file"], len(conflict["versions"])) == ("b.md", 2)


def test_an_edit_that_nobody_synced_yet_is_not_overwritten(both: Both) -> None:
    ours, theirs = both
    for name, mark in (("a.md", b""), ("b.md", b"\xff")):
        theirs.sync(name, "one\ntwo\nthree\n")
        ours.wait((ours.synced / name).exists)
        ours.wait(lambda name=name: _written(ours, name), what="it is noted as written")  # type: ignore[misc]
        (ours.synced / name).write_bytes(b"edited\ntwo\nthree\n" + mark)
        theirs.sync(name, "one\ntwo\ntheirs\n")
    ours.wait(lambda: (ours.synced / "a.md").read_bytes() == b"edited\ntwo\ntheirs\n",
              what="both are in it")  # fmt: skip
    ours.wait(lambda: ours.call("conflicts.list")["conflicts"], what="both are recorded")
    assert (ours.synced / "b.md").read_bytes() == b"edited\ntwo\nthree\n\xff"
    (conflict,) = ours.call("conflicts.list")["conflicts"]
    found = {Path(row["path"]).read_bytes() for row in conflict["versions"]}
    assert found == {b"edited\ntwo\nthree\n\xff", b"one\ntwo\ntheirs\n"}


def _written(ours: Peer, name: str) -> bool:
    rows = ours.call("documents.list")["documents"]
    return any(row["file"] == name and row["written"] for row in rows)


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
            ours.wait(partial(ours.peer, one.peer_id))
        theirs.disconnect()
        third.sync("third.md", "of a third peer")
        third.disconnect()
        ours.wait(lambda: ours.history("third.md"))
        ours.wait(lambda: ours.call("status")["peers"]["online"] == 0, what="both are offline")
        for number in range(3):
            ours.call("sync.file", {"path": write(tmp_path / "a.md", b"a%d" % number)})
        ours.call("sync.file", {"path": write(tmp_path / "b.canvasl", b"b")})
        ours.kill()  # and we are restarted meanwhile
        ours.start()
        theirs.documents.clear()
        theirs.connect()
        wait_until(lambda: {"a.md", "b.canvasl", "third.md"} <= set(theirs.documents), 60.0)
        assert theirs.content("a.md") == b"a2"
        assert theirs.content("b.canvasl") == b"b"
        assert theirs.content("third.md") == b"of a third peer"
        assert len(theirs.documents["a.md"]) == 1
        # Served once: heartbeats do not bring it all again.
        theirs.announce()
        ours.call("sync.file", {"path": write(tmp_path / "c.md", b"c")})
        wait_until(lambda: "c.md" in theirs.documents, 60.0)
        assert len(theirs.documents["a.md"]) == 1


def test_a_broker_that_forgot_everything(both: Both, broker: Mosquitto, tmp_path: Path) -> None:
    ours, theirs = both
    broker.kill()
    ours.wait(lambda: ours.call("status")["broker"]["state"] != "connected")
    ours.call("sync.file", {"path": write(tmp_path / "a.md", b"while away")})
    broker.wipe()
    broker.start()
    ours.wait(lambda: ours.call("status")["broker"]["state"] == "connected")
    wait_until(lambda: _announced(theirs), 60.0, "theirs is back")
    wait_until(lambda: theirs.content("a.md") == b"while away", 60.0)


def _announced(theirs: IndependentPeer) -> bool:
    client = theirs._client
    assert client is not None
    if not client.is_connected():
        return False
    client.subscribe(SYNC, 1)
    theirs.announce()
    return True


def test_killed_it_is_offline_by_its_own_will(both: Both) -> None:
    ours, theirs = both
    own = ours.call("status")
    ours.kill()
    topic = f"canvasl/peers/{own['peer_id']}/presence"
    wait_until(
        lambda: theirs.messages(
            lambda where, one: where == topic and one.get("status") == "offline"
        ), 60.0, "the Last Will",
    )  # fmt: skip
    (will,) = theirs.messages(lambda _, one: one.get("status") == "offline")
    assert verifies(will, own["public_key"])
    # Retained: who comes later sees it too.
    later = IndependentPeer(secrets.token_bytes(32), theirs.port)
    later.connect()
    wait_until(lambda: later.heard, 60.0)
    (found,) = [(one, kept) for where, one, kept in later.heard if where == topic]
    assert found == (will, True)
    later.disconnect()


def test_stopped_it_says_offline(both: Both) -> None:
    ours, theirs = both
    public_key = ours.call("status")["public_key"]
    assert ours.stop() == 0
    wait_until(
        lambda: theirs.messages(lambda _, one: one.get("status") == "offline"), 60.0, "goodbye"
    )
    for message in theirs.messages(lambda _, one: one.get("status") == "offline"):
        assert verifies(message, public_key)
