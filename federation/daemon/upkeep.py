# SPDX-License-Identifier: MIT
"""Keeping histories within their bounds while the peer runs.

Now and then, and a while after the start: documents with more old contents
than the configuration allows lose what nobody needs, a portion a turn, so the
user's requests come in between.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from federation import limits
from federation.errors import Refusal
from federation.events import Instant

if TYPE_CHECKING:
    from federation.daemon.peer import RunningPeer

log = logging.getLogger(__name__)


class Upkeep:
    """The histories of one peer, compacted when they are too long."""

    def __init__(self, peer: RunningPeer) -> None:
        self._peer = peer

    async def run(self) -> None:
        """Look after the histories until cancelled."""
        while True:
            await asyncio.sleep(limits.UPKEEP)
            try:
                await self.compact()
            except Refusal as refusal:
                log.warning("the histories were not compacted: %s", refusal)
            except Exception:
                log.exception("the histories were not compacted; they will be, later")

    async def compact(self) -> int:
        """Bring every document within the bounds; how many contents were dropped."""
        peer = self._peer
        most, most_bytes = peer.options.history_revisions, peer.options.history_bytes
        files = await peer.turns.ask(lambda _now: peer.store.crowded(most, most_bytes))
        dropped = 0
        for file in files:
            some = partial(self._some, file)
            while count := await peer.turns.ask(some):
                dropped += count
        if dropped:
            log.info("old contents were dropped", extra={"contents": dropped})
        return dropped

    def _some(self, file: str, now: Instant) -> int:
        """In a turn: drop some of the contents of a document."""
        options = self._peer.options
        fresh = now.wall_us - int(limits.HISTORY_FRESH * 1_000_000)
        return self._peer.store.compact(
            file, options.history_revisions, fresh, options.history_bytes
        )
