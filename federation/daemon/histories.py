# SPDX-License-Identifier: MIT
"""The methods about histories: listing, pinning, comparing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from federation.adapters.doors import FrontEnd, Handler
from federation.errors import Refusal
from federation.events import Instant
from federation.node import queries
from federation.node.packing import is_text
from federation.replica.differences import unified
from federation.replica.records import Revision
from federation.rpc import params as p

if TYPE_CHECKING:
    from federation.daemon.peer import RunningPeer

Answer = dict[str, object]


class Histories:
    """What can be asked about the revisions of the running peer's documents."""

    def __init__(self, peer: RunningPeer) -> None:
        self._peer = peer

    def handlers(self) -> Mapping[str, Handler]:
        """Method name -> handler."""
        return {
            "documents.history": self.history,
            "history.pin": self.pin,
            "history.diff": self.diff,
        }

    async def history(self, _front_end: FrontEnd, given: p.History) -> Answer:
        """``documents.history``; one more than asked for tells whether there are older ones."""
        node = self._peer.node
        most = None if given.limit is None else given.limit + 1
        rows = await self._peer.turns.ask(
            lambda _now: queries.history(node, given.file, most, given.before)
        )
        more = given.limit is not None and len(rows) > given.limit
        return {"file": given.file, "revisions": rows[1:] if more else rows, "more": more}

    async def pin(self, _front_end: FrontEnd, given: p.Pin) -> Answer:
        """``history.pin``."""
        peer = self._peer

        def change(_now: Instant) -> Revision:
            found = peer.node.library.find(given.file, given.revision)
            if not found.author:  # what several show together is nobody's revision
                raise Refusal("unknown-revision", f"{given.revision} of {given.file}")
            peer.store.pin(given.file, found.revision, given.on)
            return found

        revision = await peer.turns.ask(change)
        return {"file": given.file, "revision": revision.revision, "pinned": given.on}

    async def diff(self, _front_end: FrontEnd, given: p.Diff) -> Answer:
        """``history.diff``: compared in a thread, for long texts take a while."""
        peer = self._peer
        library, store = peer.node.library, peer.store

        def find(_now: Instant) -> list[tuple[Revision, bytes]]:
            shown = library.require(given.file).current
            found = [library.find(given.file, one) for one in (given.old, given.new or shown)]
            return [(one, store.content(one.content_hash)) for one in found]

        (old, before), (new, after) = await peer.turns.ask(find)
        answer: Answer = {
            "file": given.file, "old": old.revision, "new": new.revision,
            "same": before == after, "text": None, "whole": True,
        }  # fmt: skip
        if is_text(before) and is_text(after):
            names = (self._label(given.file, old), self._label(given.file, new))
            texts = (before.decode(), after.decode())
            answer["text"], answer["whole"] = await peer.apart(unified, *texts, names)
        return answer

    def _label(self, file: str, revision: Revision) -> str:
        """How a revision is called above its differences."""
        node = self._peer.node
        own = revision.author == node.context.peer_id
        name = node.context.settings.name if own else node.book.name(revision.author)
        who = name or revision.author[:13] or "merged"
        return f"{file}\t{revision.revision[:12]} {revision.timestamp} {who}"
