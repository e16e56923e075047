# SPDX-License-Identifier: MIT
"""What the node tells: status, peers, documents, history, conflicts."""

from __future__ import annotations

import pytest

from federation.errors import Refusal
from federation.node import queries
from federation.node.context import NodeSettings
from federation.wire import topics
from tests.node.network import YEAR, key_of
from tests.node.world import SimPeer, World


def pair(**settings: NodeSettings) -> tuple[World, SimPeer, SimPeer]:
    world = World()
    a, b = world.add(settings.get("a")), world.add(settings.get("b"))
    world.run(5)
    return world, a, b


def conflicted(mark: bytes = b"\xff") -> tuple[World, SimPeer, SimPeer]:
    """Two versions of x.md that cannot be merged, or can be: without the mark."""
    world, a, b = pair()
    a.go_offline()
    b.go_offline()
    a.sync("x.md", b"mine" + mark)
    b.sync("x.md", b"theirs" + mark)
    world.settle(30)
    return world, a, b


def test_the_status_of_a_new_peer() -> None:
    a = World().add(online=False)
    status = queries.status(a.node)
    assert status["peer_id"] == key_of(1).peer_id
    assert status["public_key"] == "0x" + key_of(1).public_key.hex()
    assert status["peers"] == {"known": 0, "online": 0, "connected": 0, "accepted": 0,
                               "blocked": 0, "waiting": 0}  # fmt: skip
    assert [status[name] for name in ("documents", "held", "conflicts", "outbox", "refused")] == (
        [0] * 5
    )


def test_the_status_counts() -> None:
    world, a, b = pair(a=NodeSettings(policy="ask"))
    b.sync("held.md", b"text")
    world.run(5)
    a.take(topics.SYNC, b"{}", retained=False)
    b.crash()
    world.run(100)
    a.sync("mine.md", b"text")
    a.do(lambda: a.node.send_message(b.peer_id, "note", "x"))
    status = queries.status(a.node)
    assert status["peers"] == {"known": 1, "online": 0, "connected": 0, "accepted": 0,
                               "blocked": 0, "waiting": 1}  # fmt: skip
    assert (status["documents"], status["held"], status["outbox"]) == (1, 1, 2)
    assert a.refused["replay"] > 0
    assert (status["refused"], status["repeated"]) == (1, a.refused["replay"])


def test_a_row_for_every_peer() -> None:
    world, a, b = pair()
    (row,) = queries.peers(a.node)
    assert row["peer_id"] == b.peer_id
    assert row["short"] == b.peer_id[:13]
    assert (row["name"], row["online"], row["connected"]) == ("peer 2", True, True)
    assert (row["trust"], row["clock"], row["caps"]) == (
        "announced",
        "ok",
        ["ack1", "delta1", "pack1"],
    )
    assert (row["unacknowledged"], row["held"]) == (0, 0)
    assert str(row["last_seen"]).startswith("2026-01-01T00:16:4")
    world.broker.partitions.add(frozenset({a.peer_id, b.peer_id}))
    a.sync("x.md", b"text")
    a.do(lambda: a.node.block(b.peer_id))
    (row,) = queries.peers(a.node)
    assert (row["trust"], row["online"], row["unacknowledged"]) == ("blocked", False, 0)


def test_trust_is_shown_as_the_policy_makes_it() -> None:
    _world, a, b = pair(a=NodeSettings(policy="ask"))
    assert queries.peers(a.node)[0]["trust"] == "unknown"
    a.do(lambda: a.node.accept(b.peer_id))
    assert queries.peers(a.node)[0]["trust"] == "accepted"


def test_both_see_the_same_words() -> None:
    _world, a, b = pair()
    ours, theirs = queries.words(a.node, b.peer_id), queries.words(b.node, a.peer_id)
    assert ours["words"] == theirs["words"]
    assert ours["fingerprint"] != theirs["fingerprint"]
    with pytest.raises(Refusal, match="unknown-peer"):
        queries.words(a.node, key_of(9).peer_id)


def test_who_lacks_what() -> None:
    world, a, b = pair()
    b.crash()
    a.sync("x.md", b"text")
    (row,) = queries.sync_status(a.node)
    assert (row.file, row.pending, row.acknowledged) == ("x.md", [b.peer_id], [])
    world.settle(30)
    (row,) = queries.sync_status(a.node)
    assert (row.pending, row.acknowledged) == ([], [b.peer_id])
    # what somebody else wrote is not ours to deliver
    (row,) = queries.sync_status(b.node)
    assert row.pending == []


def test_a_row_for_every_document() -> None:
    world, a, b = pair()
    a.sync("b/x.canvasl", b"text")
    a.sync("a.md", b"longer text")
    world.run(5)
    first, second = queries.documents(b.node)
    assert (first["file"], second["file"]) == ("a.md", "b/x.canvasl")
    assert (first["kind"], second["kind"]) == ("text", "canvasl")
    assert first["peer_id"] == a.peer_id
    assert (first["name"], first["size"], first["revisions"]) == ("peer 1", 11, 1)
    assert (first["conflict"], first["written"], first["clock"]) == (False, True, "ok")
    assert first["path"] == b.files.synced_path("a.md")
    assert queries.documents(a.node)[0]["name"] == "peer 1"


def test_a_wrong_clock_is_shown() -> None:
    world = World()
    a, b = world.add(), world.add(skew=YEAR)
    world.run(20)
    b.sync("x.md", b"text")
    world.run(5)
    assert queries.documents(a.node)[0]["clock"] == "unverified"
    assert queries.peers(a.node)[0]["clock"] == "unverified"


def test_the_history_of_a_document() -> None:
    _world, a, b = conflicted()
    a.sync("x.md", b"mine again\xff")
    rows = queries.history(a.node, "x.md")
    assert [row["state"] for row in rows].count("current") == 1
    states = {row["content_hash"]: row["state"] for row in rows}
    assert sorted(map(str, states.values())) == ["concurrent", "current", "past"]
    assert rows[-1]["state"] == "current"
    assert rows[-1]["parents"] == [rows[0]["revision"]]
    with pytest.raises(Refusal, match="unknown-document"):
        queries.history(b.node, "y.md")


def test_merged_heads_are_marked_and_what_they_show_is_nobodys_revision() -> None:
    world, a, b = conflicted(b"")
    for peer in (a, b):
        rows = queries.history(peer.node, "x.md")
        assert {row["peer_id"]: row["state"] for row in rows} == {
            a.peer_id: "merged", b.peer_id: "merged",
        }  # fmt: skip
        assert len(rows) == 2
        # the document is listed with the newest of its parts, under an id of its own
        (document,) = queries.documents(peer.node)
        assert document["revision"] not in {row["revision"] for row in rows}
        assert document["peer_id"] in (a.peer_id, b.peer_id)
        assert document["conflict"] is False
        assert queries.conflicts(peer.node) == []
    a.sync("x.md", a.files.synced["x.md"] + b"!", a.files.synced_path("x.md"))
    world.run(10)
    states = [row["state"] for row in queries.history(b.node, "x.md")]
    assert sorted(map(str, states)) == ["current", "past", "past"]


def test_conflicts_and_where_they_are_readable() -> None:
    _world, a, b = conflicted()
    for peer, own in ((a, b"mine\xff"), (b, b"theirs\xff")):
        (row,) = queries.conflicts(peer.node)
        assert row["places"] == []
        versions = row["versions"]
        assert isinstance(versions, list)
        assert len(versions) == 2
        for version in versions:
            content = peer.content(version["revision"])
            if version["revision"] == row["current"]:
                assert version["path"] == peer.files.synced_path("x.md")
                assert content == own
            else:
                assert peer.files.conflicts[version["path"]] == content
        assert queries.status(peer.node)["conflicts"] == 1
        assert queries.documents(peer.node)[0]["conflict"] is True


def test_the_places_of_a_canvas_that_two_changed_at_once() -> None:
    world, a, b = pair()
    a.sync("c.canvasl", b'{"id":"n","x":1}\n')
    world.run(5)
    a.go_offline()
    b.go_offline()
    a.sync("c.canvasl", b'{"id":"n","x":2}\n')
    b.sync("c.canvasl", b'{"id":"n"}\n')
    world.settle(30)
    rows = [queries.conflicts(peer.node) for peer in (a, b)]
    assert rows[0] == rows[1]
    ((row,), _) = rows
    assert row["versions"] == []
    places = row["places"]
    assert isinstance(places, list)
    (place,) = places
    assert (place["path"], place["base"]) == (["n", "x"], "1")
    sides = {tuple(place[side]["peers"]): place[side]["value"] for side in "ab"}
    assert sides == {(a.peer_id,): "2", (b.peer_id,): None}
    # an edit wins over a deletion, whoever made it
    assert place[place["kept"]]["value"] == "2"
    assert place["entry"] == '{"id":"n","x":2}'
    for peer in (a, b):
        assert queries.status(peer.node)["conflicts"] == 1
        assert queries.documents(peer.node)[0]["conflict"] is True
