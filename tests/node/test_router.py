# SPDX-License-Identifier: MIT
"""Whole nodes in a seeded world: whatever the network does, nothing is lost and all agree."""

from __future__ import annotations

import functools
import hashlib
import random

import pytest

from federation.errors import Refusal
from federation.node.context import NodeSettings, Policy
from federation.node.heads import Recorded
from federation.wire import topics
from tests.node.network import YEAR, Faults
from tests.node.world import SimPeer, World

FILES = ("a.canvasl", "b.md", "deep/c.json")


def act(world: World, chance: random.Random) -> None:
    """One thing that a user, a network or a machine does."""
    peer = chance.choice(world.peers)
    kind = chance.choice(["edit"] * 6 + ["offline", "online", "crash", "cut", "heal", "wipe",
                         "restore", "lost turn"])  # fmt: skip
    if not peer.running:
        peer.restart()
    elif kind == "edit":
        edit(peer, chance)
    elif kind == "offline" and peer.connected:
        peer.go_offline(clean=chance.random() < 0.3)
    elif kind == "online" and not peer.connected:
        peer.go_online()
    elif kind == "crash":
        peer.crash()
    elif kind == "cut":
        other = chance.choice(world.peers)
        world.broker.partitions.add(frozenset({peer.peer_id, other.peer_id}))
    elif kind == "heal":
        world.broker.partitions.clear()
    elif kind == "wipe":
        world.broker.wipe()
    elif kind == "restore":
        restore(peer, chance)
    elif kind == "lost turn":
        peer.lose_effects = True


def edit(peer: SimPeer, chance: random.Random) -> None:
    """Sync something; from one of two local paths, or from none."""
    file = chance.choice(FILES)
    path = chance.choice([None, f"/home/{file}", f"/other/{file}"])
    content = f"{peer.peer_id[5:9]} {chance.getrandbits(40)}\n".encode()
    try:
        revision = peer.sync(file, content, path).revision
    except Refusal as refusal:
        assert refusal.reason == "queue-full"
        return
    assert peer.store.revision(revision.revision) is not None
    assert peer.content(revision.revision) == content


def restore(peer: SimPeer, chance: random.Random) -> None:
    file = chance.choice(FILES)
    revisions = peer.store.revisions(file)
    if revisions:
        peer.do(lambda: peer.node.restore(file, chance.choice(revisions).revision))


def troubled(seed: int, count: int) -> World:
    world = World(seed)
    for _ in range(count):
        world.add()
    world.run(5)
    world.broker.faults = Faults(0.2, 0.2, 1.5, sessions=world.random.random() < 0.5)
    return world


def check_heard(world: World) -> None:
    """The hooks ran once for each revision of others that was news; once at most after a crash.

    What is fetched later to complete a history is no news.
    """
    for peer in world.peers:
        theirs = {
            one.revision for file in peer.store.count_revisions()
            for one in peer.store.revisions(file) if one.author not in ("", peer.peer_id)
        }  # fmt: skip
        assert set(peer.heard) <= theirs
        assert all(count == 1 for count in peer.heard.values()), world.seed
        heads = {
            head.revision for file in peer.store.count_revisions()
            for head in peer.store.heads(file) if head.author != peer.peer_id
        }  # fmt: skip
        assert peer.lost_effects or heads <= set(peer.heard), world.seed


@pytest.mark.parametrize("seed", range(24))
def test_after_any_trouble_all_have_the_same(seed: int) -> None:
    world = troubled(seed, 3 + seed % 3)
    for _ in range(40):
        act(world, world.random)
        world.run(world.random.random() * 3)
        world.check_acknowledged()
    world.settle()
    world.check_converged()
    world.check_acknowledged()
    check_heard(world)


@pytest.mark.parametrize("seed", range(6))
def test_wrong_clocks_lose_nothing(seed: int) -> None:
    world = World(seed)
    for _ in range(3):
        world.add(skew=world.random.choice([-20, 0, 20]) * YEAR)
    world.run(20)
    world.broker.faults = Faults(0.1, 0.1, 1.0)
    for _ in range(20):
        peer = world.random.choice(world.peers)
        if world.random.random() < 0.3:
            peer.skew = world.random.choice([-20, 0, 20]) * YEAR  # stepped while it runs
        edit(peer, world.random)
        world.run(world.random.random() * 10)
    world.settle(300)
    world.check_converged()
    world.check_acknowledged()
    check_heard(world)


@pytest.mark.parametrize("seed", range(6))
def test_careful_peers_take_all_once_they_accept_each_other(seed: int) -> None:
    world = World(seed)
    policies: list[Policy] = ["ask", "paired", "announced"]
    for _ in range(4):
        world.add(NodeSettings(policy=world.random.choice(policies)))
    world.run(5)
    world.broker.faults = Faults(0.1, 0.1, 1.0)
    for number in range(40):
        peer, other = world.random.sample(world.peers, 2)
        edit(peer, world.random)
        if number % 4 == 0:
            verb = world.random.choice([peer.node.accept, peer.node.block])
            try:
                peer.do(functools.partial(verb, other.peer_id))
            except Refusal as refusal:
                assert refusal.reason == "unknown-peer"
        world.run(world.random.random() * 3)
    world.broker.faults = Faults()
    world.run(60)
    for peer in world.peers:
        for other in world.peers:
            if other is not peer:
                peer.do(functools.partial(peer.node.accept, other.peer_id))
    world.settle(300)
    world.check_converged()
    world.check_acknowledged()  # not before: what was held may be dropped by block
    check_heard(world)
    assert all(peer.store.held_counts() == {} for peer in world.peers)


def test_a_refused_message_becomes_an_effect_and_is_counted() -> None:
    world = World()
    a = world.add()
    for raw in (b"", b"{}", b"[1]", b"\xff", b"{" * 1000, b"null"):
        a.take(topics.SYNC, raw, retained=False)
    a.take("some/other/topic", b"{}", retained=False)
    assert sum(a.node.refused.values()) == a.refused.total() == 7
    assert a.store.documents() == []


def test_a_restart_has_a_session_of_its_own() -> None:
    world = World()
    a = world.add()
    first = a.node.context.session
    a.restart()
    assert a.node.context.session != first
    assert {first, a.node.context.session} <= a.store.own_sessions()


def test_importing_what_changed() -> None:
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    a.sync("x.md", b"one")
    a.turn()
    path = a.files.synced_path("x.md")
    assert a.do(lambda: a.node.import_changed("x.md", b"one", path)) is False
    assert a.do(lambda: a.node.import_changed("x.md", b"two", path)) is True
    world.run(5)
    assert b.heads("x.md") == {b"two"}


def opened(content: bytes) -> str:
    """What an editor says that it began with."""
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(("mark", "place"), [(b"", "merged"), (b"\xff", "current")])
def test_what_an_editor_began_with_is_the_base_of_what_it_saves(mark: bytes, place: str) -> None:
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    begun, theirs = b"one\n-\n-\n" + mark, b"one\n-\n-\ntheirs\n" + mark
    a.sync("x.md", begun)
    world.run(5)
    b.sync("x.md", theirs)
    world.run(5)
    path = a.files.synced_path("x.md")
    assert a.files.synced["x.md"] == theirs  # written while the editor had the first text open
    mine = [b"mine %d\n-\n-\n" % number + mark for number in range(5)]
    saved = a.do(lambda: a.node.sync_content("x.md", mine[1], path, opened(begun)))
    assert isinstance(saved, Recorded)
    assert (saved.place, saved.replaces) == (place, None)
    world.run(5)
    assert a.heads("x.md") == b.heads("x.md") == {theirs, mine[1]}
    # one editor saves again before the first save was looked at
    a.do(lambda: a.node.sync_content("x.md", mine[3], path, opened(mine[2])))
    assert a.heads("x.md") == {theirs, mine[3]}
    # and one that had the newest text settles nothing else
    a.do(lambda: a.node.sync_content("x.md", mine[4], path, opened(mine[3])))
    assert a.heads("x.md") == {theirs, mine[4]}
    world.run(5)
    world.check_converged()
    if not mark:
        assert b.files.synced["x.md"] == b"mine 4\n-\n-\ntheirs\n"


def test_of_several_texts_that_an_editor_saved_the_newest_recorded_one_is_the_base() -> None:
    world = World()
    a = world.add()
    path = a.files.synced_path("x.md")
    texts = [b"one %d\n" % number for number in range(6)]
    a.sync("x.md", texts[0])
    # what another program would have written, had it not been the editor
    a.do(lambda: a.node.sync_content("x.md", texts[2], path))
    saved = [opened(text) for text in texts[:5]]
    a.do(lambda: a.node.sync_content("x.md", texts[5], path, saved))
    assert a.heads("x.md") == {texts[5]}
    # none of them is recorded: what was synced from the path last
    a.do(lambda: a.node.sync_content("x.md", b"six\n", path, [opened(b"x"), opened(b"y")]))
    assert a.heads("x.md") == {b"six\n"}


def test_text_that_no_revision_has_stands_beside_what_came_meanwhile() -> None:
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    b.sync("x.md", b"theirs")
    world.run(5)
    a.store.set_synced_from(a.files.synced_path("x.md"), "other.md", "")
    a.do(lambda: a.node.sync_content("x.md", b"new file", a.files.synced_path("x.md"), opened(b"")))
    assert a.heads("x.md") == {b"theirs", b"new file"}


def test_an_old_text_saved_again_lets_the_newest_be_written() -> None:
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    a.sync("x.md", b"one")
    world.run(5)
    b.sync("x.md", b"theirs")
    world.run(5)
    path = a.files.synced_path("x.md")
    a.files.synced["x.md"] = b"one"
    again = a.do(lambda: a.node.sync_content("x.md", b"one", path, opened(b"one")))
    assert isinstance(again, Recorded)
    assert again.place == "unchanged"
    assert a.heads("x.md") == {b"theirs"}
    assert a.files.synced["x.md"] == b"theirs"


def test_the_first_sync_of_a_path_says_whose_text_it_follows() -> None:
    world = World()
    a, b = world.add(), world.add()
    world.run(5)
    assert b.sync("x.md", b"theirs", "/b/x.md").replaces is None
    world.run(5)
    assert a.sync("x.md", b"mine", "/a/x.md").replaces == b.peer_id
    assert a.sync("x.md", b"mine again", "/a/x.md").replaces is None
    assert a.sync("x.md", b"from elsewhere", "/c/x.md").replaces is None
    assert a.heads("x.md") == {b"from elsewhere"}


def test_a_defect_undone_leaves_no_effect_behind() -> None:
    world = World()
    a = world.add()
    mark = a.node.mark()
    a.node.context.notify("ready")
    a.node.undo(mark)
    assert a.node.mark() == mark
    assert a.node.take_effects() == []


def test_the_next_timer_is_never_far_in_the_past() -> None:
    world = World()
    a, _b = world.add(), world.add()
    for _ in range(200):
        world.run(world.random.random() * 5)
        a.turn()
        assert a.node.next_timer() > world.now
