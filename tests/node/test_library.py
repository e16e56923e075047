# SPDX-License-Identifier: MIT
"""Recording documents: bases, restoring, the root of all heads, files."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from federation.errors import Refusal
from federation.events import WriteFile
from federation.node.context import NodeSettings
from federation.node.heads import Recorded
from federation.node.packing import is_text
from tests.node.network import key_of
from tests.node.world import SimPeer, World


def one_peer() -> SimPeer:
    return World().add(online=False)


def apart(count: int = 2, base: bytes = b"base") -> tuple[World, list[SimPeer]]:
    """Peers that have x.md in common and are offline now."""
    world = World()
    peers = [world.add() for _ in range(count)]
    world.run(5)
    peers[0].sync("x.md", base, "/0/x.md")
    world.run(5)
    for peer in peers[1:]:
        peer.sync("x.md", base, f"/{peers.index(peer)}/x.md")
    for peer in peers:
        peer.go_offline()
    return world, peers


def shown(peer: SimPeer) -> bytes:
    """What x.md shows."""
    document = peer.store.document("x.md")
    assert document is not None
    return peer.content(document.current)


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


def test_what_a_path_was_known_to_hold_is_no_change_whatever_an_editor_began_with() -> None:
    """Who watches the folder was faster than the editor, and others sent something since."""
    world, (a, b) = apart(base=b"base\n")
    b.sync("x.md", b"base\ntheirs\n", "/1/x.md")
    a.sync("x.md", b"mine\nbase\n", "/0/x.md")
    for peer in (a, b):
        peer.go_online()
    world.run(30)
    assert shown(a) == b"mine\nbase\ntheirs\n"
    count, began = len(a.store.revisions("x.md")), hashlib.sha256(b"base\n").hexdigest()
    again = a.do(lambda: a.node.sync_content("x.md", b"mine\nbase\n", "/0/x.md", began))
    assert isinstance(again, Recorded)
    assert again.place == "unchanged"
    assert len(a.store.revisions("x.md")) == count


def test_what_lies_where_nothing_was_written_yet_is_made_from_nothing() -> None:
    a = one_peer()
    a.sync("x.md", b"one\n", "/home/x.md")
    a.sync("x.md", b"two\n", "/home/x.md")
    home = a.node.context.files.synced_path("x.md")

    def forget() -> None:
        document = a.store.document("x.md")
        assert document is not None
        a.store.put_document(replace(document, written=None))
        a.store.set_synced_from(home, "another.md", "0" * 64)

    a.do(lambda: None)  # what was written is noted
    a.do(forget)
    assert a.sync("x.md", b"one\n", home).place == "unchanged", "it is an earlier version"
    a.do(lambda: None)
    a.do(forget)
    assert a.sync("x.md", b"mine\n", home).place == "merged"
    assert sorted(shown(a).splitlines()) == [b"mine", b"two"]


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
    assert b.node.library.packing.message_of(theirs) == a.node.library.packing.message_of(revision)
    assert theirs.author == key_of(1).peer_id
