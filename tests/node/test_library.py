# SPDX-License-Identifier: MIT
"""Recording documents: bases, conflicts, restoring, plain authors, liars."""

from __future__ import annotations

import pytest

from federation import limits
from federation.errors import Refusal
from federation.events import WriteFile
from federation.node.context import NodeSettings
from federation.node.library import is_text
from federation.wire import topics
from tests.node.network import YEAR, key_of
from tests.node.world import SimPeer, World


def one_peer() -> SimPeer:
    return World().add(online=False)


def apart(count: int = 2) -> tuple[World, list[SimPeer]]:
    """Peers that have x.md in common and are offline now."""
    world = World()
    peers = [world.add() for _ in range(count)]
    world.run(5)
    peers[0].sync("x.md", b"base", "/0/x.md")
    world.run(5)
    for peer in peers[1:]:
        peer.sync("x.md", b"base", f"/{peers.index(peer)}/x.md")
    for peer in peers:
        peer.go_offline()
    return world, peers


def test_text_is_utf8_without_nul() -> None:
    assert is_text(b"")
    assert is_text("é\n".encode())
    assert not is_text(b"a\0b")
    assert not is_text(b"\xff")


# --- importing ----------------------------------------------------------------------------
def test_the_same_content_is_no_change() -> None:
    a = one_peer()
    first = a.sync("x.md", b"text", "/home/x.md")
    again = a.sync("x.md", b"text", "/home/x.md")
    elsewhere = a.sync("x.md", b"text", "/other/x.md")
    assert (first.place, again.place, elsewhere.place) == ("current", "unchanged", "unchanged")
    assert len(a.store.revisions("x.md")) == 1


def test_another_path_edits_what_is_there_now() -> None:
    a = one_peer()
    a.sync("x.md", b"one", "/home/x.md")
    a.sync("x.md", b"two", "/other/x.md")
    assert a.heads("x.md") == {b"two"}


def test_a_path_is_an_edit_of_what_was_last_synced_from_it() -> None:
    world, (a, b) = apart()
    b.sync("x.md", b"theirs", "/1/x.md")
    b.go_online()
    a.go_online()
    world.run(20)
    # the user of a has not seen it: the file at the path is still the base
    assert a.sync("x.md", b"base", "/0/x.md").place == "unchanged"
    assert a.heads("x.md") == {b"theirs"}
    a.sync("x.md", b"mine", "/0/x.md")
    world.run(20)
    assert a.heads("x.md") == b.heads("x.md") == {b"theirs", b"mine"}
    world.check_converged()


def test_going_back_to_an_older_text_is_a_change() -> None:
    a = one_peer()
    for content in (b"one", b"two", b"one"):
        a.sync("x.md", content, "/home/x.md")
    assert [row.parents != () for row in a.store.revisions("x.md")] == [False, True, True]
    assert a.heads("x.md") == {b"one"}


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("../x.md", b"", "path-traversal"),
        ("x.exe", b"", "path-forbidden-ext"),
        ("x.md", b"x" * 101, "file-too-large"),
        ("broken.md", b"", "path-symlink-escape"),
    ],
)
def test_what_may_not_be_imported_changes_nothing(file: str, content: bytes, reason: str) -> None:
    a = World().add(NodeSettings(max_document=100), online=False)
    a.files.broken["broken.md"] = "path-symlink-escape"
    root = a.node.library.heads.root
    with pytest.raises(Refusal) as caught:
        a.sync(file, content)
    assert caught.value.reason == reason
    assert a.store.documents() == []
    assert a.node.library.heads.root == root
    assert a.sync("ok.md", b"").revision.seq == a.store.seq_floor() + 1


def test_configured_extensions_are_taken() -> None:
    a = World().add(NodeSettings(extensions=frozenset({".csv"})), online=False)
    a.sync("x.csv", b"1,2")
    with pytest.raises(Refusal, match="path-forbidden-ext"):
        a.sync("x.md", b"")


# --- conflicts ----------------------------------------------------------------------------
def test_concurrent_changes_are_both_kept_everywhere_and_told_once() -> None:
    world, (a, b) = apart()
    a.sync("x.md", b"mine", "/0/x.md")
    b.sync("x.md", b"theirs", "/1/x.md")
    world.settle(60)
    world.check_converged()
    assert a.heads("x.md") == {b"mine", b"theirs"}
    # each user still sees their own work in place
    assert a.files.synced["x.md"] == b"mine"
    assert b.files.synced["x.md"] == b"theirs"
    for peer in (a, b):
        (told,) = peer.events("conflict-detected")
        assert peer.files.conflicts[str(told["path"])] in (b"mine", b"theirs")
        assert told["current"] != told["revision"]


def test_restoring_one_version_settles_it_everywhere() -> None:
    world, peers = apart(3)
    for number, peer in enumerate(peers):
        peer.sync("x.md", f"{number}".encode(), f"/{number}/x.md")
    world.settle(100)
    assert peers[0].heads("x.md") == {b"0", b"1", b"2"}
    kept = next(head for head in peers[0].store.heads("x.md") if head.size == 1)
    content = peers[0].content(kept.revision)
    peers[0].do(lambda: peers[0].node.restore("x.md", kept.revision[:12]))
    world.run(20)
    world.check_converged()
    for peer in peers:
        assert peer.heads("x.md") == {content}
        assert peer.files.synced["x.md"] == content
        assert peer.files.conflicts == {}


def test_who_saves_on_in_a_conflict_keeps_the_others_version() -> None:
    world, (a, b) = apart()
    a.sync("x.md", b"mine", "/0/x.md")
    b.sync("x.md", b"theirs", "/1/x.md")
    world.settle(60)
    for number in range(20):
        a.sync("x.md", f"mine {number}".encode(), "/0/x.md")
        world.run(1)
    world.run(10)
    assert a.heads("x.md") == b.heads("x.md") == {b"mine 19", b"theirs"}
    world.check_converged()
    assert len(a.events("conflict-detected")) == 1


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
    b.take(topics.SYNC, a.node.library.message_of(with_second), retained=False)
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


def test_versions_beside_each_other_are_bounded() -> None:
    world, (a, b) = apart()
    a.go_online()
    for number in range(limits.HEADS + 10):
        message = b.node.context.signed(
            "canvasl-sync", file="x.md", content=f"{number}", seq=100 + number, vector={},
            parents=[],
        )  # fmt: skip
        a.take(topics.SYNC, message, retained=False)
    assert len(a.heads("x.md")) <= limits.HEADS
    assert a.refused["queue-full"] > 0
    # the user can still save, and settle it
    a.sync("x.md", b"mine", "/0/x.md")
    current = a.store.document("x.md")
    assert current is not None
    a.do(lambda: a.node.restore("x.md", current.current))
    assert a.heads("x.md") == {b"mine"}
    world.run(1)


# --- liars --------------------------------------------------------------------------------
@pytest.mark.parametrize("claim", [1, 100, 2**53 - 1])
def test_who_claims_to_have_seen_the_future_does_not_take_the_file(claim: int) -> None:
    world, (a, b) = apart()
    message = b.node.context.signed(
        "canvasl-sync", file="x.md", content="lie", seq=100, vector={a.peer_id: claim},
        parents=[],
    )  # fmt: skip
    a.take(topics.SYNC, message, retained=False)
    recorded = a.sync("x.md", b"mine", "/0/x.md")
    assert recorded.place == "current"
    assert b"mine" in a.heads("x.md")
    assert a.files.synced["x.md"] == b"mine"
    a.sync("x.md", b"mine again", "/0/x.md")
    assert a.files.synced["x.md"] == b"mine again"
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
        world.run(2)
    assert a.heads("p.md") == b.heads("p.md") == {b"edited", b"three"}
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


# --- the root of all heads ----------------------------------------------------------------
def test_the_root_is_the_same_however_it_came_about() -> None:
    world, peers = apart(3)
    for number, peer in enumerate(peers):
        for file in ("x.md", f"{number}.md"):
            peer.sync(file, f"{number}".encode(), f"/{number}/{file}")
    world.settle(100)
    roots = {peer.node.library.heads.root for peer in peers}
    assert len(roots) == 1
    for peer in peers:
        peer.node.library.heads.reload()
    assert {peer.node.library.heads.root for peer in peers} == roots
    assert len(roots.pop()) == 64


def test_a_failed_turn_leaves_the_root_as_it_was() -> None:
    a = one_peer()
    a.sync("x.md", b"one")
    root = a.node.library.heads.root

    def fail() -> None:
        a.node.sync_content("x.md", b"two", None)
        raise Refusal("disk-full")

    with pytest.raises(Refusal):
        a.do(fail)
    assert a.node.library.heads.root == root
    assert a.heads("x.md") == {b"one"}


# --- files that wait, and finding ---------------------------------------------------------
def test_what_was_not_written_is_written_after_a_crash() -> None:
    a = one_peer()
    a.lose_effects = True
    a.turn(lambda now: a.node.at(now, lambda: a.node.sync_content("x.md", b"text", None)))
    assert a.files.synced == {"x.md": b"text"}
    a.turn()
    assert a.node.library.heads.unwritten() == []
    a.sync("x.md", b"more")
    document = a.store.document("x.md")
    assert document is not None
    assert a.node.library.heads.unwritten() == [WriteFile("x.md", document.current)]


def test_finding_revisions() -> None:
    a = one_peer()
    revision = a.sync("x.md", b"one").revision
    library = a.node.library
    assert library.find("x.md", revision.revision[:8]).revision == revision.revision
    assert library.require("x.md").kind == "text"
    for call, reason in (
        (lambda: library.find("x.md", "0" * 64), "unknown-revision"),
        (lambda: library.find("x.md", ""), None),
        (lambda: library.find("y.md", "00000000"), "unknown-document"),
        (lambda: library.require("y.md"), "unknown-document"),
    ):
        if reason is None:
            assert call() is not None
            continue
        with pytest.raises(Refusal) as caught:
            call()
        assert caught.value.reason == reason
    a.sync("x.md", b"two")
    with pytest.raises(Refusal, match="more than one"):
        library.find("x.md", "")


@pytest.mark.parametrize("content", [b"text", b"\xff\0", b"", "é\u2028".encode()])
def test_a_revision_is_handed_on_in_its_authors_words(content: bytes) -> None:
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    revision = a.sync("x.canvasl", content).revision
    world.run(5)
    theirs = b.store.revision(revision.revision)
    assert theirs is not None
    assert b.node.library.message_of(theirs) == a.node.library.message_of(revision)
    assert theirs.author == key_of(1).peer_id
