# SPDX-License-Identifier: MIT
"""Bugs put in on purpose: the seeded world must notice each of them within a few stories.

A simulation that never fails proves nothing.  Every bug here is one that a
careless change could make.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

import pytest

from federation.node.delivery import Delivery
from federation.node.inbox import Inbox
from federation.replica.records import Peer, Revision
from federation.replica.view import View, Viewer
from federation.wire import envelope
from federation.wire.messages import Message
from tests.simulation.people import check, story

STORIES = 25


def lost_acknowledgement(patch: pytest.MonkeyPatch) -> None:
    """What arrived is acknowledged, and not kept."""
    count = itertools.count()
    real = Inbox._accept

    def accept(self: Inbox, message: Message, revision_id: str, content: bytes) -> None:
        if next(count) % 7:
            real(self, message, revision_id, content)

    patch.setattr(Inbox, "_accept", accept)


def double_apply(patch: pytest.MonkeyPatch) -> None:
    """A message that comes twice is heard twice."""
    real = Inbox._document

    def document(self: Inbox, message: Message, peer: Peer, via: Peer | None = None) -> None:
        known = self._context.store.revision(envelope.revision_id(message))
        if known is not None and known.author != self._context.peer_id:
            from federation.events import Heard
            from federation.wire import topics

            self._context.effects.append(Heard(topics.SYNC, message.raw, None))
        real(self, message, peer, via)

    patch.setattr(Inbox, "_document", document)


def unstable_order(patch: pytest.MonkeyPatch) -> None:
    """The heads are merged in the order in which they came."""
    real = Viewer._fold
    count = itertools.count()

    def merged(self: Viewer, file: str, kind: str, heads: Iterable[Revision]) -> View | None:
        turned = sorted(heads, key=lambda head: head.revision, reverse=next(count) % 2 == 0)
        folded = real(self, kind, turned, 0)
        if folded is None:
            return None
        return View(turned[0].revision[::-1], folded[0], ())

    patch.setattr(Viewer, "merged", merged)


def no_history(patch: pytest.MonkeyPatch) -> None:
    """What two versions were made from is never fetched."""
    # neither at once, nor when two peers compare what they have
    patch.setattr(Delivery, "lacks_history", lambda _self, _peers, _file: None)
    patch.setattr(Delivery, "_fill_gaps", lambda _self, _peer: None)


@pytest.mark.parametrize("bug", [lost_acknowledgement, double_apply, unstable_order, no_history])
def test_a_planted_bug_is_noticed(
    bug: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    bug(monkeypatch)
    for seed in range(STORIES):
        try:
            check(story(seed))
        except (AssertionError, KeyError):
            return
    pytest.fail(f"{STORIES} stories did not notice it")
