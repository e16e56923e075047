# SPDX-License-Identifier: MIT
"""Strategy ``manual``: one peer's view of a conflict, and what of it others get to see."""

from __future__ import annotations

import json

import pytest

from tests.node.clashes import FILE, clash, line, save, settings, shown, the_conflict
from tests.node.world import World

SALTS = range(4)


@pytest.mark.parametrize("salt", SALTS)
def test_manual_edits_elsewhere_impose_the_own_value_on_nobody(salt: int) -> None:
    world, (a, b, looker) = clash("manual", "auto_merge", others=1, salt=salt)
    common = shown(looker)["x"]
    for number in range(3):
        save(a, line(**{**shown(a), "id": "n", "y": number}))
        assert (shown(a)["x"], shown(a)["y"]) == (1, number)
        world.run(20)
        assert [(shown(one)["x"], shown(one)["y"]) for one in (a, b, looker)] == [
            (1, number), (common, number), (common, number),
        ]  # fmt: skip
        save(b, line(**{**shown(b), "id": "n", "z": number}))
        world.run(20)
        assert (shown(a)["x"], shown(a)["z"]) == (1, number)
    assert the_conflict(a).number == the_conflict(looker).number
    # writing over it is a choice still, for all
    save(a, line(**{**shown(a), "id": "n", "x": 7}))
    world.run(20)
    world.check_converged()
    assert [shown(one)["x"] for one in (a, b, looker)] == [7, 7, 7]
    assert all(one.store.open_conflicts(FILE) == [] for one in (a, b, looker))


@pytest.mark.parametrize("salt", SALTS)
def test_manual_from_a_path_of_the_user_s_own(salt: int) -> None:
    """What a path held is the user's view, too: syncing it again changes nothing."""
    world, (a, b) = clash("manual", "auto_merge", salt=salt)
    common = shown(b)["x"]
    a.sync(FILE, line(**{**shown(a), "id": "n", "y": 1}), "/home/elsewhere")
    a.sync(FILE, line(**{**shown(a), "id": "n", "y": 2}), "/home/elsewhere")
    revisions = len(a.store.revisions(FILE))
    a.sync(FILE, line(**{**shown(a), "id": "n", "y": 2}), "/home/elsewhere")
    assert len(a.store.revisions(FILE)) == revisions
    world.run(20)
    assert (shown(a)["x"], shown(b)["x"], shown(b)["y"]) == (1, common, 2)


@pytest.mark.parametrize("salt", SALTS)
def test_manual_joins_what_everybody_sees(salt: int) -> None:
    """Where versions are so many that they have to be joined, no own value goes with that."""
    world, (a, b) = clash("manual", "auto_merge", salt=salt)
    common = shown(b)["x"]
    a.do(lambda: a.node.library.join(FILE))
    assert shown(a)["x"] == 1
    assert a.store.content(a.store.heads(FILE)[0].content_hash) == b.files.synced[FILE]
    assert shown(b)["x"] == common
    world.run(300)
    assert the_conflict(a) == the_conflict(b)


@pytest.mark.parametrize("salt", SALTS)
def test_manual_shows_no_edge_without_its_entry(salt: int) -> None:
    """What one deleted stays where the edge of somebody else needs it."""
    world = World()
    a, b, c = (world.add(settings(one)) for one in ("manual", "auto_merge", "auto_merge"))
    world.run(5)
    n, other = line(x=0), line(id="m", salt=salt)
    save(a, n + other)
    world.run(5)
    for peer in (a, b, c):
        peer.go_offline()
    save(a, other)
    save(b, line(x=1) + other)
    save(c, n + other + line(id="e", fromNode="m", toNode="n"))
    world.settle(60)
    found = a.store.open_conflicts(FILE)
    assert [one.path for one in found] == [("n",)]
    for peer in (a, b, c):
        names = [json.loads(one)["id"] for one in peer.files.synced[FILE].splitlines()]
        assert sorted(names) == ["e", "m", "n"]
    save(a, a.files.synced[FILE] + line(id="more"))
    world.run(20)
    assert [one.number for one in b.store.open_conflicts(FILE)] == [found[0].number]
    assert a.files.synced[FILE] == b.files.synced[FILE]
