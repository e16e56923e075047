# SPDX-License-Identifier: MIT
"""Versions of several authors: merged, or beside each other; liars; plain authors."""

from __future__ import annotations

import base64

import pytest

from federation import limits
from federation.wire import topics
from tests.node.network import YEAR
from tests.node.test_library import apart
from tests.node.world import World


# --- together, or beside each other ------------------------------------------------------------
def test_concurrent_changes_of_a_text_are_merged_alike_everywhere() -> None:
    world, (a, b) = apart(base=b"one\ntwo\nthree\n")
    first = a.sync("x.md", b"ONE\ntwo\nthree\n", "/0/x.md").revision
    second = b.sync("x.md", b"one\ntwo\nTHREE\n", "/1/x.md").revision
    world.settle(60)
    world.check_converged()
    for peer, theirs in ((a, second), (b, first)):
        assert peer.heads("x.md") == {b"ONE\ntwo\nthree\n", b"one\ntwo\nTHREE\n"}
        assert peer.files.synced["x.md"] == b"ONE\ntwo\nTHREE\n"
        # nothing was signed for it, and nothing lies beside it
        assert [one.author for one in peer.store.revisions("x.md")].count("") == 1
        assert peer.files.conflicts == {}
        assert not peer.events("conflict-detected")
        told = peer.events("document-changed")[-1]
        assert (told["peer_id"], told["size"]) == (theirs.author, 14)
        assert told["revision"] not in (first.revision, second.revision)
    # the next edit takes both in
    a.sync("x.md", b"ONE\ntwo\nTHREE\nfour\n", a.files.synced_path("x.md"))
    world.run(20)
    world.check_converged()
    (head,) = b.store.heads("x.md")
    assert set(head.parents) == {first.revision, second.revision}
    assert b.files.synced["x.md"] == b"ONE\ntwo\nTHREE\nfour\n"


def test_concurrent_bytes_are_both_kept_everywhere_and_told_once() -> None:
    world, (a, b) = apart(base=b"\xffbase")
    a.sync("x.md", b"\xffmine", "/0/x.md")
    b.sync("x.md", b"\xfftheirs", "/1/x.md")
    world.settle(60)
    world.check_converged()
    assert a.heads("x.md") == {b"\xffmine", b"\xfftheirs"}
    # each user still sees their own work in place
    assert a.files.synced["x.md"] == b"\xffmine"
    assert b.files.synced["x.md"] == b"\xfftheirs"
    for peer in (a, b):
        (told,) = peer.events("conflict-detected")
        assert peer.files.conflicts[str(told["path"])] in (b"\xffmine", b"\xfftheirs")
        assert told["current"] != told["revision"]


@pytest.mark.parametrize("mark", [b"", b"\xff"])
def test_restoring_one_version_settles_it_everywhere(mark: bytes) -> None:
    world, peers = apart(3, b"base" + mark)
    for number, peer in enumerate(peers):
        peer.sync("x.md", f"{number}".encode() + mark, f"/{number}/x.md")
    world.settle(100)
    assert peers[0].heads("x.md") == {b"0" + mark, b"1" + mark, b"2" + mark}
    kept = peers[0].store.heads("x.md")[0]
    content = peers[0].content(kept.revision)
    peers[0].do(lambda: peers[0].node.restore("x.md", kept.revision[:12]))
    world.run(20)
    world.check_converged()
    for peer in peers:
        assert peer.heads("x.md") == {content}
        assert peer.files.synced["x.md"] == content
        assert peer.files.conflicts == {}


@pytest.mark.parametrize(("mark", "told"), [(b"", 0), (b"\xff", 1)])
def test_who_saves_on_elsewhere_keeps_the_others_version(mark: bytes, told: int) -> None:
    world, (a, b) = apart(base=b"one\ntwo\nthree\n" + mark)
    a.sync("x.md", b"mine\ntwo\nthree\n" + mark, "/0/x.md")
    b.sync("x.md", b"one\ntwo\ntheirs\n" + mark, "/1/x.md")
    world.settle(60)
    for number in range(20):
        a.sync("x.md", f"mine {number}\ntwo\nthree\n".encode() + mark, "/0/x.md")
        world.run(1)
    world.run(10)
    heads = {b"mine 19\ntwo\nthree\n" + mark, b"one\ntwo\ntheirs\n" + mark}
    assert a.heads("x.md") == b.heads("x.md") == heads
    world.check_converged()
    assert len(a.events("conflict-detected")) == told
    if not mark:
        assert b.files.synced["x.md"] == b"mine 19\ntwo\ntheirs\n"


def test_two_paths_of_one_peer_conflict_and_nobody_swallows_either() -> None:
    world = World()
    a, b, c = world.add(), world.add(), world.add()
    world.run(5)
    a.sync("x.md", b"base", "/one/x.md")
    a.sync("x.md", b"base", "/two/x.md")
    world.run(5)
    c.go_offline()
    world.broker.partitions.add(frozenset({a.peer_id, b.peer_id}))
    a.sync("x.md", b"one", "/one/x.md")
    world.broker.partitions.clear()
    # b gets the second version only, and writes on
    with_second = a.sync("x.md", b"two", "/two/x.md").revision
    b.take(topics.SYNC, a.node.library.packing.message_of(with_second), retained=False)
    b.sync("x.md", b"two, and more")
    world.settle(100)
    world.check_converged()
    assert a.heads("x.md") == {b"one", b"two, and more"}


def test_who_missed_many_steps_of_a_conflict_gets_no_third_version() -> None:
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    for path in ("/one/x.md", "/two/x.md"):
        a.sync("x.md", b"base", path)
    a.sync("x.md", b"one", "/one/x.md")
    a.sync("x.md", b"two", "/two/x.md")
    world.run(10)
    b.go_offline()
    for number in range(limits.PARENTS - 2):
        a.sync("x.md", f"two {number}".encode(), "/two/x.md")
    world.settle(60)
    world.check_converged()
    assert len(b.heads("x.md")) == 2


@pytest.mark.parametrize("mark", [b"", b"\xff"])
def test_versions_beside_each_other_are_bounded(mark: bytes) -> None:
    world, (a, b) = apart(base=b"base" + mark)
    a.go_online()
    for number in range(limits.HEADS + 10):
        content = f"{number}".encode() + mark
        kind, text = (
            ("canvasl-binary", {"data": base64.b64encode(content).decode()})
            if mark
            else ("canvasl-sync", {"content": content.decode()})
        )
        message = b.node.context.signed(
            kind, file="x.md", seq=100 + number, vector={}, parents=[], **text
        )
        a.take(topics.SYNC, message, retained=False)
    assert len(a.heads("x.md")) <= limits.HEADS
    assert a.refused["queue-full"] > 0
    # the user can still save, and settle it
    a.sync("x.md", b"mine" + mark, "/0/x.md")
    assert b"mine" + mark in a.heads("x.md")
    current = a.store.document("x.md")
    assert current is not None
    content = a.content(current.current)
    assert (content == b"mine" + mark) == bool(mark)
    a.do(lambda: a.node.restore("x.md", current.current))
    assert a.heads("x.md") == {content}
    world.run(1)


# --- liars --------------------------------------------------------------------------------
@pytest.mark.parametrize("claim", [1, 100, 2**53 - 1])
@pytest.mark.parametrize("mark", [b"", b"\xff"])
def test_who_claims_to_have_seen_the_future_does_not_take_the_file(claim: int, mark: bytes) -> None:
    world, (a, b) = apart(base=b"one\ntwo\n" + mark)
    message = b.node.context.signed(
        "canvasl-sync", file="x.md", content="one\nlie\n", seq=100, vector={a.peer_id: claim},
        parents=[],
    )  # fmt: skip
    a.take(topics.SYNC, message, retained=False)
    for text in (b"mine\ntwo\n" + mark, b"mine again\ntwo\n" + mark):
        recorded = a.sync("x.md", text, "/0/x.md")
        assert text in a.heads("x.md")
        if mark or recorded.place == "current":
            assert recorded.place == "current"
            assert a.files.synced["x.md"] == text
        else:
            # beside the lie, which is a text like others
            assert recorded.place == "merged"
            assert text.splitlines()[0] in a.files.synced["x.md"]
    world.run(1)


# --- plain authors ------------------------------------------------------------------------
def test_a_plain_author_succeeds_itself_by_its_own_clock() -> None:
    world = World()
    a = world.add()
    plain = world.add_plain()
    for content in ("one", "two", "three"):
        plain.sync("p.md", content)
        world.run(1)
    assert a.heads("p.md") == {b"three"}
    old = [row for row in a.store.revisions("p.md") if a.content(row.revision) == b"one"]
    assert old[0].plain


def test_an_older_plain_message_goes_to_the_history() -> None:
    world = World()
    a = world.add()
    plain = world.add_plain()
    world.run(2)
    early = plain._signed(type="canvasl-sync", file="p.md", content="early")
    world.run(1)
    plain.sync("p.md", "late")
    world.run(1)
    a.take(topics.SYNC, early, retained=False)
    assert a.heads("p.md") == {b"late"}
    assert len(a.store.revisions("p.md")) == 2
    a.take(topics.SYNC, early, retained=False)
    assert a.refused["replay"] == 1
    assert set(a.heard.values()) == {1}


def test_a_plain_author_and_an_edit_in_between_are_both_kept() -> None:
    world = World()
    a, b = world.add(), world.add()
    plain = world.add_plain()
    world.run(2)
    plain.sync("p.md", "one")
    world.run(1)
    a.sync("p.md", b"edited")
    world.run(1)
    assert b.heads("p.md") == {b"edited"}
    plain.sync("p.md", "two")
    world.run(1)
    assert a.heads("p.md") == b.heads("p.md") == {b"edited", b"two"}
    world.check_converged()


def test_a_plain_author_that_begins_to_count_loses_nothing() -> None:
    """Its first counters are far below the clock that stood for them before."""
    world = World()
    a, b = world.add(), world.add()
    plain = world.add_plain()
    world.run(5)
    plain.sync("p.md", "one")
    world.run(2)
    a.sync("p.md", b"edited")
    world.run(2)
    for seq, content in ((1, "two"), (2, "three")):
        message = plain._signed(type="canvasl-sync", file="p.md", content=content, seq=seq)
        world.broker.publish(plain.peer_id, topics.SYNC, message)
        world.run(1)
    assert a.heads("p.md") == b.heads("p.md") == {b"edited", b"three"}
    world.run(3)
    # one of those that merge signed it for the author that knows whole texts alone
    assert a.heads("p.md") == b.heads("p.md") == {b"edited\nthree"}
    fork = plain._signed(type="canvasl-sync", file="p.md", content="fork", seq=2)
    world.broker.publish(plain.peer_id, topics.SYNC, fork)
    world.run(2)
    assert a.refused["fork"] == b.refused["fork"] == 1
    world.run(100)
    world.check_converged()


@pytest.mark.parametrize("skew", [20 * YEAR, -20 * YEAR])
def test_the_clock_of_a_plain_author_decides_only_among_its_own(skew: float) -> None:
    world = World()
    a = world.add()
    plain = world.add_plain(skew=skew)
    world.run(2)
    for content in ("one", "two"):
        plain.sync("p.md", content)
        world.run(1)
    a.sync("p.md", b"edited")
    plain.sync("q.md", "other")
    world.run(1)
    assert a.heads("p.md") == {b"edited"}
    assert a.heads("q.md") == {b"other"}
