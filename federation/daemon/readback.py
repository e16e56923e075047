# SPDX-License-Identifier: MIT
"""Reading back what other programs wrote into ``synced/``.

At the start, and when the user wants everything compared, each synced file is
looked at; one that does not look as it did is read, and what it holds is an
edit of the revision that it held before.  A file that is gone stays gone: a
deletion is neither told to others nor undone here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from federation import limits
from federation.adapters.stamps import Stamp, stamps
from federation.errors import Refusal
from federation.events import Notice

if TYPE_CHECKING:
    from federation.daemon.peer import RunningPeer

log = logging.getLogger(__name__)
#: refusals that would meet the next file, too
_NOT_OF_THE_FILE = frozenset({"disk-full", "shutting-down", "internal-error"})


class Readback:
    """The synced files of one peer, compared with what was written there."""

    def __init__(self, peer: RunningPeer) -> None:
        self._peer = peer

    async def at_start(self) -> None:
        """Take what was written while the peer was not there; ends by itself.

        What is still to be written by us is looked at then.  A file that
        changed a moment ago may be half written: it is read a moment later.
        """
        try:
            seen = await self._changed(waiting=False)
            young = {file for file, one in seen.items() if _is_young(one)}
            taken = await self._take({f: one for f, one in seen.items() if f not in young})
            if young:
                await asyncio.sleep(limits.SETTLED)
                seen = await self._changed(waiting=False)
                taken += await self._take({f: one for f, one in seen.items() if f in young})
        except Refusal as refusal:
            log.warning("not every synced file was read: %s", refusal)
        except Exception:
            log.exception("not every synced file was read; a change of a file finds the others")
        else:
            log.info("read what was written meanwhile", extra={"documents": taken})

    async def take_all(self) -> int:
        """Take what was written up to now; how many documents have a new revision."""
        return await self._take(await self._changed(waiting=True))

    async def _changed(self, *, waiting: bool) -> dict[str, Stamp]:
        """The files that do not look as noted; with ``waiting`` those that lag behind, too."""
        peer = self._peer
        seen = await peer.apart(stamps, peer.disk.synced)
        noted = await peer.turns.ask(lambda _now: peer.store.looks(waiting=waiting))
        return {
            file: seen[file]
            for file, text in noted.items()
            if file in seen and seen[file].text != text and (waiting or peer.spaces.takes(file))
        }

    async def _take(self, files: Mapping[str, Stamp]) -> int:
        """Read these files; how many held something new."""
        taken, names = 0, list(files)
        for start in range(0, len(names), limits.READ_BACK):
            some = names[start : start + limits.READ_BACK]
            answers = await asyncio.gather(*(self._one(file, files[file]) for file in some))
            taken += sum(answers)
        return taken

    async def _one(self, file: str, seen: Stamp) -> bool:
        peer, node = self._peer, self._peer.node
        try:
            return await peer.turns.ask(lambda now: node.at(now, lambda: self._record(file, seen)))
        except Refusal as refusal:
            if refusal.reason in _NOT_OF_THE_FILE:
                raise
            # One file that cannot be taken does not keep the others back.
            reason = {"revision": None, "peer_id": None, "reason": refusal.message}
            peer.outlet.notice(Notice("sync-failed", {"file": file, **reason}))
            return False

    def _record(self, file: str, seen: Stamp) -> bool:
        """In a turn: what was last written there is the base of what is there now."""
        peer, store = self._peer, self._peer.store
        document, path = store.document(file), peer.disk.synced_path(file)
        content = peer.disk.read_synced(file)
        if content is None or document is None or document.written is None:
            return False
        changed = peer.node.import_changed(file, content, path)
        if not _is_young(seen):
            store.set_stamp(file, seen.text)
        return changed


def _is_young(seen: Stamp) -> bool:
    """Whether a file may change again without looking different, or is half written."""
    return seen.age < limits.SETTLED
