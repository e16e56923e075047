# SPDX-License-Identifier: MIT
"""Merged versions for peers that do not merge.

A view of several heads is nobody's message.  While a peer is online that knows
only whole texts, one of us signs the merged text as a revision of its own: a
moment after the last change, and of all that could do it the one whose version
is part of it and whose id comes first.
"""

from __future__ import annotations

from federation import limits
from federation.node.book import Book
from federation.node.context import Context
from federation.node.heads import Recorded
from federation.node.library import Library


class Joining:
    """Documents whose merged version is to be signed soon."""

    def __init__(self, context: Context, book: Book, library: Library) -> None:
        self._context = context
        self._book = book
        self._library = library
        #: document -> when (monotonic seconds)
        self._due: dict[str, float] = {}

    def changed(self, file: str) -> None:
        """A document shows a merged version now."""
        if self._plain() or self._many(file):
            self._due[file] = self._context.now.mono + limits.JOIN

    def plain_peer(self) -> None:
        """A peer came that does not merge: it lacks every merged version."""
        for document in self._context.store.documents():
            shown = self._context.store.revision(document.current)
            if shown is not None and not shown.author:
                self.changed(document.file)

    def _many(self, file: str) -> bool:
        """Whether there are so many heads that soon no more are taken."""
        return len(self._context.store.heads(file)) >= limits.HEADS_JOIN

    def _plain(self) -> bool:
        return any("ack1" not in peer.caps for peer in self._book.online())

    def next_timer(self) -> float:
        """When the next document is due (monotonic seconds)."""
        return min(self._due.values(), default=float("inf"))

    def handle_timer(self) -> list[Recorded]:
        """What was signed now."""
        now = self._context.now.mono
        due = [file for file, at in self._due.items() if at <= now]
        for file in due:
            del self._due[file]
        joined = [self._library.join(file) for file in due if self._is_ours(file)]
        return [one for one in joined if one is not None]

    def _is_ours(self, file: str) -> bool:
        """Whether it is us who sign it."""
        me = self._context.peer_id
        there = {peer.peer_id for peer in self._book.online() if "ack1" in peer.caps} | {me}
        authors = {head.author for head in self._context.store.heads(file)} & there
        wanted = self._plain() or self._many(file)
        return wanted and (not authors or min(authors) == me)
