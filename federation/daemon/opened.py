# SPDX-License-Identifier: MIT
"""Documents that front ends have open: what they type, and what others type there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from federation.adapters.doors import FrontEnd
from federation.errors import Refusal
from federation.events import Instant
from federation.replica.edits import from_json
from federation.rpc import params as p

if TYPE_CHECKING:
    from federation.daemon.peer import RunningPeer

Answer = dict[str, object]


class Opened:
    """Who has which document open."""

    def __init__(self, peer: RunningPeer) -> None:
        self._peer = peer
        self._files: dict[FrontEnd, set[str]] = {}

    async def open(self, front_end: FrontEnd, given: p.OpenDocument) -> Answer:
        """``documents.open``."""
        mine = self._files.get(front_end, set())
        if given.file in mine:
            await self.close(front_end, p.Document(file=given.file))
        node = self._peer.node
        found = await self._peer.turns.ask(
            lambda now: node.at(now, lambda: node.live.open(given.file, given.base))
        )
        self._files.setdefault(front_end, set()).add(given.file)
        if front_end.closed:
            self.forget(front_end)
        return found

    async def close(self, front_end: FrontEnd, given: p.Document) -> Answer:
        """``documents.close``."""
        files = self._files.get(front_end, set())
        if given.file not in files:
            raise Refusal("document-not-open", given.file)
        files.discard(given.file)
        node = self._peer.node
        await self._peer.turns.ask(lambda now: node.at(now, lambda: node.live.close(given.file)))
        return {"file": given.file}

    async def edit(self, front_end: FrontEnd, given: p.Edit) -> Answer:
        """``documents.edit``."""
        if given.file not in self._files.get(front_end, set()):
            raise Refusal("document-not-open", given.file)
        changes = from_json(given.changes)
        node = self._peer.node

        def edit(now: Instant) -> Answer:
            return node.at(now, lambda: node.live.edit(given.file, given.start, changes))

        done = self._peer.turns.at_once(edit)
        return done if done is not None else await self._peer.turns.ask(edit)

    def tell(self, event: str, body: dict[str, object]) -> None:
        """Tell what somebody types to those who have that document open."""
        for front_end, files in self._files.items():
            if body["file"] in files:
                front_end.notify(event, body)

    def forget(self, front_end: FrontEnd) -> None:
        """A front end is gone: what it typed becomes a revision now."""
        node = self._peer.node
        for file in self._files.pop(front_end, set()):

            def close(now: Instant, file: str = file) -> None:
                node.at(now, lambda: node.live.close(file))

            self._peer.turns.post(close)
