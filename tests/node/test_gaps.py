# SPDX-License-Identifier: MIT
"""When a missing revision is waited for no longer (more: simulation/test_missing_history)."""

from __future__ import annotations

import pytest

from federation import limits
from federation.node.gaps import Gaps
from tests.node.clashes import FILE, line, save
from tests.node.world import SimPeer, World

NAMES = ["aa" * 32, "bb" * 32]


@pytest.fixture
def peer() -> SimPeer:
    world = World()
    made = world.add()
    save(made, line(x=1))
    head = made.store.heads(FILE)[0]
    made.store.note_gaps(FILE, head.revision, NAMES)
    return made


def ask(peer: SimPeer, gaps: Gaps, names: list[str], times: int) -> None:
    for _ in range(times):
        peer.world.now += limits.GAP_TRY
        peer.do(lambda: gaps.asked(FILE, names))


def test_a_gap_is_given_up_after_some_questions(peer: SimPeer) -> None:
    gaps = Gaps(peer.node.context, peer.node.library.heads)
    ask(peer, gaps, NAMES[:1], limits.GAP_TRIES - 1)
    assert peer.store.missing(FILE) == set(NAMES)
    # at once, questions count once
    for _ in range(limits.GAP_TRIES):
        peer.do(lambda: gaps.asked(FILE, NAMES[:1]))
    assert peer.store.missing(FILE) == set(NAMES)
    ask(peer, gaps, NAMES[:1], 1)
    assert peer.store.missing(FILE) == set(NAMES[1:])
    # it is taken all the same if it comes
    assert set(peer.store.gaps(FILE)) == set(NAMES)


def test_what_comes_shows_that_there_is_more(peer: SimPeer) -> None:
    gaps = Gaps(peer.node.context, peer.node.library.heads)
    ask(peer, gaps, NAMES, limits.GAP_TRIES - 1)
    peer.store.note_gaps(FILE, NAMES[1], ())
    ask(peer, gaps, NAMES, limits.GAP_TRIES - 1)
    assert peer.store.missing(FILE) == set(NAMES[:1])


def test_missing_revisions_are_bounded(peer: SimPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GAPS", 3)
    gaps = Gaps(peer.node.context, peer.node.library.heads)
    for round_ in range(3):
        peer.store.note_lost(FILE, [f"{round_}{number:063}" for number in range(9)])
        assert len(peer.store.missing(FILE)) == 3
        ask(peer, gaps, peer.store.gaps(FILE), limits.GAP_TRIES)
        assert peer.store.missing(FILE) == set()
        assert len(peer.store.gaps(FILE)) == 3
