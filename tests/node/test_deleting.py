# SPDX-License-Identifier: MIT
"""Deletions: they travel, come back, and take nothing from those who edited meanwhile."""

from __future__ import annotations

import json

import pytest

from federation.errors import Refusal
from federation.node.context import NodeSettings, Strategy
from tests.node.world import SimPeer, World

PATH = "/synced/x.md"


def two(seed: int = 1) -> tuple[World, SimPeer, SimPeer]:
    """Two peers that have one document."""
    world = World(seed)
    a, b = world.add(), world.add()
    world.run(5)
    a.sync("x.md", b"one\n", PATH)
    world.run(5)
    assert b.files.synced["x.md"] == b"one\n"
    return world, a, b


def delete(peer: SimPeer, path: str | None = PATH) -> None:
    peer.do(lambda: peer.node.delete("x.md", path))


def is_gone(peer: SimPeer) -> bool:
    document = peer.store.document("x.md")
    return document is not None and document.deleted and "x.md" not in peer.files.synced


def test_a_deletion_is_a_signed_message_with_an_empty_text() -> None:
    world, a, b = two()
    delete(a)
    world.run(5)
    assert is_gone(a)
    assert is_gone(b)
    (head,) = b.store.heads("x.md")
    assert head.deleted
    fields = json.loads(b.node.library.packing.message_of(head))
    assert (fields["content"], fields["deleted"]) == ("", True)
    assert (a.store.count_documents(), b.store.count_documents()) == (0, 0)
    world.check_converged()


def test_there_is_nothing_to_delete_twice() -> None:
    _world, a, _b = two()
    assert a.do(lambda: a.node.delete("y.md")) is None
    delete(a)
    count = len(a.store.revisions("x.md"))
    delete(a)
    delete(a, None)
    assert len(a.store.revisions("x.md")) == count


def test_an_older_version_comes_back_as_it_was() -> None:
    world, a, b = two()
    (first,) = a.store.heads("x.md")
    delete(b)
    world.run(5)
    a.do(lambda: a.node.restore("x.md", first.revision))
    world.run(5)
    assert a.files.synced["x.md"] == b.files.synced["x.md"] == b"one\n"
    # and the deletion, too, is a version that one can go back to
    gone = next(one for one in a.store.revisions("x.md") if one.deleted)
    a.do(lambda: a.node.restore("x.md", gone.revision))
    world.run(5)
    assert is_gone(b)


def test_after_a_deletion_the_name_is_free() -> None:
    world, a, b = two()
    delete(a)
    world.run(5)
    b.sync("x.md", b"", "/elsewhere/x.md")
    world.run(5)
    assert not is_gone(a)
    assert a.files.synced["x.md"] == b"", "an empty document is no deleted one"
    delete(a, None)
    world.run(5)
    b.sync("x.md/y.md", b"below", None)
    world.run(5)
    assert a.files.synced == {"x.md/y.md": b"below"}


def test_the_same_text_again_is_a_new_document() -> None:
    world, a, b = two()
    delete(b)
    world.run(5)
    recorded = a.sync("x.md", b"one\n", PATH)
    world.run(5)
    assert recorded.place == "current"
    assert b.files.synced["x.md"] == b"one\n"
    assert a.store.conflicted() == []


def apart() -> tuple[World, SimPeer, SimPeer]:
    """One deleted it, the other edited it, and they have not met since."""
    world, a, b = two()
    a.go_offline()
    delete(a)
    b.sync("x.md", b"one\ntwo\n", PATH)
    a.go_online()
    world.run(10)
    for peer in (a, b):
        assert peer.files.synced["x.md"] == b"one\ntwo\n"
    world.check_converged()
    return world, a, b


@pytest.mark.parametrize("chooser", [0, 1])
@pytest.mark.parametrize("choice", ["a", "b", "kept", "ours", "theirs"])
def test_an_edit_survives_until_somebody_chooses(chooser: int, choice: str) -> None:
    world, *peers = apart()
    number = peers[0].store.open_conflicts("x.md")[0].number
    for peer in peers:
        (one,) = peer.store.open_conflicts("x.md")
        assert one.number == number
        assert (one.path, one.a, one.kept) == ((), None, one.b)
        assert one.author_a == peers[0].peer_id
        assert one.author_b == peers[1].peer_id
    peer = peers[chooser]
    peer.do(lambda: peer.node.resolve("x.md", number, choice, None))
    world.run(10)
    for peer in peers:
        assert peer.store.conflicted() == []
        assert is_gone(peer) == (choice in ("a", ("ours", "theirs")[chooser]))
    world.check_converged()


def test_another_value_cannot_stand_for_a_document() -> None:
    _world, a, _b = apart()
    (one,) = a.store.open_conflicts("x.md")
    for choice, value in (("value", "text"), ("value", None), ("both", None)):
        with pytest.raises(Refusal) as caught:
            a.do(
                lambda choice=choice, value=value: a.node.resolve(  # type: ignore[misc]
                    "x.md", one.number, choice, value
                )
            )
        assert caught.value.reason == "bad-params"


def test_who_goes_on_editing_keeps_the_conflict_open() -> None:
    world, a, b = apart()
    b.sync("x.md", b"one\ntwo\nthree\n", PATH)
    world.run(10)
    assert len(a.store.heads("x.md")) == 1
    assert a.store.conflicted() == b.store.conflicted() == ["x.md"]
    assert a.store.is_conflicted("x.md")
    delete(b)  # with the conflict in sight: that is a choice
    world.run(10)
    assert is_gone(a)
    assert a.store.conflicted() == b.store.conflicted() == []
    assert not a.store.is_conflicted("x.md")


def test_deleted_by_both_it_is_deleted() -> None:
    world, a, b = two()
    a.go_offline()
    delete(a)
    delete(b)
    a.go_online()
    world.run(10)
    assert is_gone(a)
    assert is_gone(b)
    assert a.store.conflicted() == b.store.conflicted() == []
    a.sync("x.md", b"anew", PATH)
    world.run(10)
    assert b.files.synced["x.md"] == b"anew"
    assert a.store.conflicted() == b.store.conflicted() == []
    world.check_converged()


def test_one_deletion_beside_an_edit_to_an_empty_text() -> None:
    world, a, b = two()
    a.go_offline()
    delete(a)
    b.sync("x.md", b"", PATH)
    a.go_online()
    world.run(10)
    assert a.files.synced["x.md"] == b.files.synced["x.md"] == b""
    assert a.store.conflicted() == b.store.conflicted() == ["x.md"]


def test_a_deletion_beside_versions_that_cannot_be_merged() -> None:
    world, a, b = two()
    c = world.add()
    world.run(10)
    for peer in (b, c):
        peer.go_offline()
    delete(a)
    b.sync("x.md", b"\xffb", PATH)
    c.sync("x.md", b"\xffc", PATH)
    for peer in (b, c):
        peer.go_online()
    world.run(20)
    for peer in (a, b, c):
        assert peer.files.synced["x.md"] in (b"\xffb", b"\xffc")
        assert set(peer.files.conflicts.values()) | {peer.files.synced["x.md"]} == {
            b"\xffb", b"\xffc",
        }  # fmt: skip
    world.check_converged()


def test_what_was_deleted_elsewhere_is_no_edit_of_what_is_here() -> None:
    """A deletion in a folder is made from what its file held, and leaves newer versions alone."""
    world, a, b = two()
    b.sync("x.md", b"one\ntwo\n", PATH)
    a.store.set_synced_from("/folder/x.md", "x.md", a.store.heads("x.md")[0].revision)
    world.run(10)
    delete(a, "/folder/x.md")
    world.run(10)
    assert b.files.synced["x.md"] == b"one\ntwo\n"
    assert b.store.conflicted() == ["x.md"]


def test_the_strategies_never_delete_by_themselves() -> None:
    strategies: tuple[Strategy, ...] = ("prefer_local", "prefer_remote", "manual")
    for strategy in strategies:
        world = World(2)
        settings = NodeSettings(policy="announced", strategy=strategy)
        a, b = world.add(settings), world.add()
        world.run(5)
        a.sync("x.md", b"one\n", PATH)
        world.run(5)
        a.go_offline()
        delete(a)
        b.sync("x.md", b"one\ntwo\n", PATH)
        a.go_online()
        world.run(10)
        assert a.files.synced["x.md"] == b"one\ntwo\n", strategy
        assert b.store.conflicted() == ["x.md"]
