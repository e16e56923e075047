# SPDX-License-Identifier: MIT
"""What several heads show: views, the conflicts in them, and how these are settled."""

from __future__ import annotations

import itertools
import json

import pytest

from federation.node.context import Strategy
from federation.wire import topics
from tests.node.clashes import (
    FILE,
    clash,
    line,
    reason,
    resolve,
    save,
    settings,
    shown,
    the_conflict,
)
from tests.node.network import Faults
from tests.node.test_delivery import sent
from tests.node.world import World


# --- views --------------------------------------------------------------------------------
def test_different_properties_and_entries_are_all_there_in_any_order_of_arrival() -> None:
    world = World()
    writers = [world.add() for _ in range(3)]
    world.run(5)
    base = b"".join(b'{"id":"%d","x":0}\n' % number for number in range(3))
    save(writers[0], base)
    world.run(5)
    for number, peer in enumerate(writers):
        peer.go_offline()
        changed = base.replace(b'"%d","x":0' % number, b'"%d","x":9' % number)
        save(peer, changed + b'{"id":"new%d"}\n' % number)
    first = writers[0].store.revisions(FILE)[0]
    messages = [peer.node.library.packing.message_of(peer.store.heads(FILE)[0]) for peer in writers]
    messages.append(writers[0].node.library.packing.message_of(first))
    found = set()
    for number, order in enumerate(itertools.permutations(messages)):
        looker = world.add(online=False, number=100 + number)
        for peer in writers:
            looker.take(topics.ANNOUNCE, peer.node.book.announcement(), retained=False)
        for message in order:
            looker.take(topics.SYNC, message, retained=False)
        assert len(looker.store.heads(FILE)) == 3
        document = looker.store.document(FILE)
        assert document is not None
        found.add((document.current, looker.files.synced[FILE]))
        assert looker.store.open_conflicts(FILE) == []
    ((_number, content),) = found
    assert content.count(b'"x":9') == 3
    assert all(b'"new%d"' % number in content for number in range(3))


def test_a_view_is_recorded_once_and_never_sent() -> None:
    world, (a, b) = clash()
    for peer in (a, b):
        document = peer.store.document(FILE)
        assert document is not None
        view = peer.node.library.heads.get(document.current)
        assert (view.author, view.envelope, len(view.parents)) == ("", "{}", 2)
        assert {one.author for one in peer.store.heads(FILE)} == {a.peer_id, b.peer_id}
        world.broker.log.clear()
        # who asks for it by its id gets nothing, and breaks nothing
        raw = b.node.context.signed("sync-want", to=a.peer_id, revisions=[document.current])
        a.take(topics.inbox(a.peer_id), raw, retained=False)
        world.run(5)
        assert sent(world, "sync-deliver", b) == []
        peer.restart()
        world.run(30)
        assert [one.author for one in peer.store.revisions(FILE)].count("") == 1


def test_a_view_that_a_liar_names_as_a_parent_changes_no_merge() -> None:
    """Only some have ever seen it: what it was made of may not count there either."""
    world, (a, b) = clash()
    document = a.store.document(FILE)
    assert document is not None
    lie = b.node.context.signed(
        "canvasl-sync", file=FILE, content=line(x=3, y=0).decode(), vector={},
        seq=b.store.last_seq(b.peer_id) + 1, parents=[document.current],
    )  # fmt: skip
    late = world.add(online=False)
    for peer in (a, b):
        late.take(topics.ANNOUNCE, peer.node.book.announcement(), retained=False)
    # the late one has the two versions, but never as the only ones
    first, *others = (a.node.library.packing.message_of(one) for one in a.store.revisions(FILE)
                      if one.author)  # fmt: skip
    for message in (first, lie, *others):
        late.take(topics.SYNC, message, retained=False)
    a.take(topics.SYNC, lie, retained=False)
    assert a.store.heads(FILE) != []
    assert late.store.all_heads() == a.store.all_heads()
    assert late.files.synced[FILE] == a.files.synced[FILE]


def test_equal_heads_are_one_text_and_nobodys_merge() -> None:
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    save(a, line(x=0))
    world.run(5)
    for peer in (a, b):
        peer.go_offline()
        save(peer, line(x=1))
    world.settle(60)
    world.check_converged()
    assert len(a.store.heads(FILE)) == 2
    assert all(one.author for one in a.store.revisions(FILE))
    assert a.store.open_conflicts(FILE) == []
    save(b, line(x=2))
    world.run(10)
    assert len(a.store.heads(FILE)) == 1


# --- conflicts ----------------------------------------------------------------------------
def test_one_value_changed_twice_is_one_conflict_alike_on_all() -> None:
    world, peers = clash(others=1)
    world.check_converged()
    one = the_conflict(peers[0])
    assert (one.path, one.base) == (("n", "x"), "0")
    assert {one.a: one.author_a, one.b: one.author_b} == {
        "1": peers[0].peer_id, "2": peers[1].peer_id,
    }  # fmt: skip
    for peer in peers:
        assert the_conflict(peer) == one
        assert shown(peer)["x"] == json.loads(one.kept or "null")
        (told,) = peer.events("conflict-detected")
        assert told["conflicts"] == [one.number]
        assert (told["path"], told["current"]) == (peer.files.synced_path(FILE), one.view)


def test_a_conflict_stands_through_later_edits_and_is_told_once() -> None:
    world, (a, b) = clash()
    one = the_conflict(a)
    for number in range(1, 4):
        for peer in (a, b):
            save(peer, line(x=shown(peer)["x"], y=number, who=peer.peer_id))
            world.run(10)
    world.check_converged()
    assert len(a.store.heads(FILE)) == 1
    for peer in (a, b):
        assert the_conflict(peer).number == one.number
        assert len(peer.events("conflict-detected")) == 1
        peer.restart()
        assert the_conflict(peer).number == one.number


@pytest.mark.parametrize(
    ("choice", "value", "x"),
    [("a", None, "a"), ("b", None, "b"), ("kept", None, "kept"), ("value", "5", 5),
     ("value", None, None)],
)  # fmt: skip
@pytest.mark.parametrize("later", [False, True])
def test_settled_on_one_peer_it_is_settled_on_all_and_does_not_come_back(
    choice: str, value: str | None, x: object, later: bool
) -> None:
    world, peers = clash(others=1)
    one = the_conflict(peers[1])
    if isinstance(x, str):
        x = json.loads({"a": one.a, "b": one.b, "kept": one.kept}[x] or "null")
    if later:
        save(peers[0], line(x=shown(peers[0])["x"], y=7))
        world.run(10)
    resolve(peers[2], choice, value)
    world.run(20)
    world.check_converged()
    for peer in peers:
        assert peer.store.open_conflicts(FILE) == []
        assert ("x" in shown(peer)) == (x is not None)
        assert shown(peer).get("x") == x
        assert shown(peer)["y"] == (7 if later else 0)
        assert peer.store.conflicted() == []
    # the versions that it came from stay in the history, and bring it back to nobody
    for peer in peers:
        peer.restart()
    world.run(60)
    late = world.add()
    world.run(30)
    world.check_converged()
    for peer in (*peers, late):
        assert peer.store.open_conflicts(FILE) == []
        assert len(peer.events("conflict-detected")) <= 1
    assert reason(late, one.number) == "unknown-conflict"


def test_what_somebody_wrote_over_it_yields_to_the_value_that_is_chosen() -> None:
    """Also to the one that stood when the conflict was found."""
    world, (a, b) = clash()
    one = the_conflict(a)
    save(b, line(x=77, y=0))
    world.run(10)
    assert the_conflict(a).number == one.number
    resolve(a, "a" if one.kept == one.a else "b")
    world.run(10)
    world.check_converged()
    assert shown(b)["x"] == json.loads(one.kept or "null")


def test_both_choose_at_once_one_choice_stands() -> None:
    world, (a, b) = clash()
    for peer in (a, b):
        peer.go_offline()
    resolve(a, "a")
    resolve(b, "b")
    world.settle(60)
    world.check_converged()
    assert a.store.open_conflicts(FILE) == []
    assert shown(a)["x"] in (1, 2)


def test_what_cannot_be_settled() -> None:
    world, (a, b) = clash()
    number = the_conflict(a).number
    assert reason(a, "0" * 64 if number[0] != "0" else "f" * 64) == "unknown-conflict"
    for value in ("no JSON", "1 2", "1,", "{", "NaN", "1\n2", "", "'1'"):
        assert reason(a, number, "value", value) == "bad-params"
    # the entry is gone: only what is there now can be kept
    save(a, b'{"other":true}\n')
    world.run(10)
    assert reason(b, number) == "conflict-moved"
    resolve(b, "kept")
    world.run(10)
    world.check_converged()
    assert a.files.synced[FILE] == b'{"other":true}\n'
    assert a.store.open_conflicts(FILE) == []


@pytest.mark.parametrize("who", [0, 1])
def test_bytes_that_are_no_text_have_no_places(who: int) -> None:
    """Somebody made it a binary document while a conflict was open."""
    world, peers = clash("auto_merge", "manual")
    number = the_conflict(peers[0]).number
    peers[who].sync(FILE, b"\xff\0", peers[who].files.synced_path(FILE))
    world.run(20)
    world.check_converged()
    assert peers[0].files.synced[FILE] == b"\xff\0"
    if who == 0:
        assert reason(peers[1], number) == "conflict-moved"
        resolve(peers[0], "kept")
        world.run(20)
    # who is asked to choose, and writes over it, has chosen
    assert [peer.store.open_conflicts(FILE) for peer in peers] == [[], []]


@pytest.mark.parametrize("strategy", ["auto_merge", "manual"])
def test_a_deletion_that_is_chosen_deletes_nothing_else(strategy: Strategy) -> None:
    world = World()
    a, b = world.add(settings(strategy)), world.add()
    world.run(5)
    twin = b'{"id":"twin","text":"long enough to resemble the other one","x":1}\n'
    lost = twin.replace(b"twin", b"lost")
    save(a, twin + lost)
    world.run(5)
    for peer in (a, b):
        peer.go_offline()
    save(a, twin)
    save(b, twin + lost.replace(b"1}", b"2}"))
    world.settle(60)
    one = the_conflict(b)
    assert None in (one.a, one.b)
    # the edit survived the deletion; later somebody deletes the entry all the same
    assert b"lost" in b.files.synced[FILE]
    save(b, twin)
    world.run(10)
    assert a.files.synced[FILE] == twin
    resolve(b, "a" if one.a is None else "b")
    world.run(10)
    world.check_converged()
    assert a.files.synced[FILE] == twin
    assert a.store.open_conflicts(FILE) == []


def test_a_number_that_may_be_two_settles_neither() -> None:
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    save(a, line(x=0, y=0))
    world.run(5)
    for number, peer in enumerate((a, b), 1):
        peer.go_offline()
        save(peer, line(x=number, y=number))
    world.settle(60)
    assert len(a.store.open_conflicts(FILE)) == 2
    assert reason(a, "") == "unknown-conflict"
    first, second = (one.number for one in a.store.open_conflicts(FILE))
    a.do(lambda: a.node.resolve(FILE, second, "a", None))
    world.run(10)
    assert the_conflict(b).number == first


def test_a_late_joiner_sees_the_same_view_and_conflicts() -> None:
    world, (a, b) = clash()
    passing = world.add()
    world.run(30)
    world.check_converged()
    assert the_conflict(passing) == the_conflict(a)
    # also those of a merge that a revision took over long ago
    for number in range(1, 30):
        save(b, line(x=shown(b)["x"], y=number))
        world.run(1)
    b.crash()
    late = world.add()
    world.run(60)
    assert the_conflict(late).number == the_conflict(a).number
    assert late.files.synced == a.files.synced
    ours = [one.revision for one in a.store.revisions(FILE) if one.author]
    theirs = [one.revision for one in late.store.revisions(FILE) if one.author]
    assert sorted(ours) == sorted(theirs)
    assert late.store.gaps(FILE) == []


def test_gaps_are_fetched_also_through_loss() -> None:
    world = World(7)
    a, b = world.add(), world.add()
    world.run(5)
    for number in range(300):
        save(a, line(x=number))
    world.settle(200)
    late = world.add()
    world.broker.faults = Faults(loss=0.3, twice=0.2, delay=1.0)
    world.run(400)
    world.settle(400)
    world.check_converged()
    assert late.store.gaps(FILE) == b.store.gaps(FILE) == []
    assert len(late.store.revisions(FILE)) == 300
    for revision in a.store.revisions(FILE):
        assert late.content(revision.revision) == a.content(revision.revision)
    # a portion at a time, not one question for each
    wants = [one for one in sent(world, "sync-want", a) if "have" in one]
    assert 2 <= len(wants) < 60


def test_an_author_with_many_heads_joins_them_and_loses_none() -> None:
    """Several working copies of one file, each edited: others take only so many at once."""
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    lines = [f"line {number}\n" for number in range(9)]
    for number in range(9):
        a.sync("x.md", "".join(lines).encode(), f"/copy/{number}/x.md")
    world.run(5)
    for number in range(9):
        changed = [*lines[:number], f"edited {number}\n", *lines[number + 1 :]]
        a.sync("x.md", "".join(changed).encode(), f"/copy/{number}/x.md")
        world.run(1)
    world.run(60)
    expected = "".join(f"edited {number}\n" for number in range(9)).encode()
    assert a.files.synced["x.md"] == b.files.synced["x.md"] == expected
    assert b.refused["queue-full"] == 0
    world.check_converged()


def test_many_who_edited_apart_end_with_the_same() -> None:
    world = World()
    peers = [world.add() for _ in range(18)]
    world.run(10)
    lines = [f"line {number}\n" for number in range(18)]
    peers[0].sync("x.md", "".join(lines).encode())
    world.run(10)
    for peer in peers:
        peer.go_offline()
    for number, peer in enumerate(peers):
        changed = [*lines[:number], f"edited {number}\n", *lines[number + 1 :]]
        peer.sync("x.md", "".join(changed).encode())
    for peer in peers:
        peer.go_online()
    world.run(300, 500_000)
    expected = "".join(f"edited {number}\n" for number in range(18)).encode()
    assert {peer.files.synced["x.md"] for peer in peers} == {expected}
    world.check_converged()
