# SPDX-License-Identifier: MIT
"""Deletions that others made: many at once wait for a yes, as those in a folder do.

What they deleted is recorded, and deleted for everybody else; only the files
here stay, until somebody says that they may go or that all of it comes back.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import TYPE_CHECKING

from federation import limits
from federation.events import Instant, Notice, WriteFile
from federation.machines.folder.deletions import is_mass
from federation.replica.spaces import COMMONS

if TYPE_CHECKING:
    from federation.daemon.peer import RunningPeer

_KEY = "held removals"
_GONE_KEY = "removed before"


class Removals:
    """Files of ``commons`` that others deleted, and that are not removed yet."""

    def __init__(self, peer: RunningPeer) -> None:
        self._peer = peer
        self._held: set[str] = set(json.loads(peer.store.meta(_KEY) or "[]"))
        #: what was removed just before something was held: it comes back with that
        self._gone: set[str] = set(json.loads(peer.store.meta(_GONE_KEY) or "[]"))
        #: what was removed of late: document -> when (monotonic seconds)
        self._recent: dict[str, float] = {}
        self._agreed: set[str] = set()
        self._telling = self._noting = False

    @property
    def held(self) -> list[str]:
        """The documents whose files wait for a yes: those that are still there, and deleted."""
        return sorted(file for file in self._held if self._is_there(file))

    def holds(self, file: str) -> bool:
        """Whether the file of a document waits for a yes."""
        return file in self._held and self._is_there(file)

    def _is_there(self, file: str) -> bool:
        """Whether a document is deleted, and its file is not."""
        document = self._peer.store.document(file)
        gone = document is not None and document.deleted
        return gone and os.path.lexists(self._peer.disk.synced_path(file))

    def may_remove(self, file: str) -> bool:
        """Whether the file of a document that is deleted may go now."""
        store, now = self._peer.store, time.monotonic()
        document = store.document(file)
        revision = None if document is None else store.revision(document.current)
        own = revision is None or revision.author == self._peer.node.context.peer_id
        if own or file in self._agreed or not os.path.lexists(self._peer.disk.synced_path(file)):
            self._agreed.discard(file)
            return True
        if file in self._held:
            return False
        if not self._peer.options.hold_all:
            return True
        window = now - limits.MASS_DELETE_WINDOW
        self._recent = {one: at for one, at in self._recent.items() if at > window}
        gone = len(self._recent) + 1
        # the first that is found answers: to list all for each would cost their square
        waiting = any(map(self._is_there, self._held))
        if not waiting and not is_mass(gone, store.count_documents() + gone):
            self._recent[file] = now
            return True
        if not waiting:
            self._gone.clear()  # of another time, and nobody asked for it
        self._gone.update(self._recent)
        self._held.add(file)
        self._note()
        return False

    def decide(self, *, delete: bool) -> int:
        """In a turn: what is held goes, or all of it comes back; how many documents."""
        node, files = self._peer.node, self.held
        if delete:
            self._agreed.update(files)
        else:
            files = sorted({*files, *self._gone, *self._recent})
            for file in files:
                signed = [one for one in self._peer.store.revisions(file) if one.author]
                document = node.library.require(file)
                living = [one for one in signed if not one.deleted]
                if document.deleted and living:
                    node.restore(file, living[-1].revision)
            self._recent.clear()
        self._held.clear()
        self._gone.clear()
        self._note()
        return len(files)

    def writes(self) -> list[WriteFile]:
        """What is to be done once a turn has agreed: the files go."""
        store = self._peer.store
        documents = [store.document(file) for file in sorted(self._agreed)]
        return [WriteFile(one.file, one.current) for one in documents if one is not None]

    def _note(self) -> None:
        """Remember what is held, and tell; once for many."""
        if not self._noting:
            self._noting = True
            self._peer.turns.post_lazily(self._write)
        if not self._telling:
            self._telling = True
            asyncio.get_running_loop().call_later(limits.LAZY, self._tell)

    def _write(self, _now: Instant) -> None:
        self._noting = False
        for key, names in ((_KEY, self._held), (_GONE_KEY, self._gone)):
            self._peer.store.set_meta(key, json.dumps(sorted(names)))

    def _tell(self) -> None:
        self._telling = False
        peer = self._peer
        if peer.stopping.is_set():
            return
        held = self.held
        fields = {"space": COMMONS, "folder": str(peer.disk.synced), "count": len(held),
                  "documents": held[: limits.HELD_SHOWN]}  # fmt: skip
        peer.outlet.notice(Notice("deletions-held", fields))
