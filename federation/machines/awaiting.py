# SPDX-License-Identifier: MIT
"""Acknowledgements that online peers still owe us.

Only the newest revision of a document is awaited.  Nothing here resends
anything: the comparison with each peer does.  What stays unacknowledged for
long is reported once, because a broker may refuse a message and not say so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from federation import limits


@dataclass(slots=True)
class _Entry:
    file: str
    peers: set[str]
    #: monotonic seconds
    since: float
    reported: bool = False


@dataclass(slots=True)
class Awaiting:
    """Revision -> the online peers that have not acknowledged it."""

    _entries: dict[str, _Entry] = field(default_factory=dict)
    _by_file: dict[str, str] = field(default_factory=dict)
    _by_peer: dict[str, set[str]] = field(default_factory=dict)

    def expect(self, file: str, revision: str, peers: Iterable[str], mono: float) -> None:
        """Await a revision from these peers; an older one of the document no longer."""
        older = self._by_file.get(file)
        if older is not None:
            self._drop(older)
        waiting = set(peers)
        if not waiting:
            return
        self._entries[revision] = _Entry(file, waiting, mono)
        self._by_file[file] = revision
        for peer_id in waiting:
            self._by_peer.setdefault(peer_id, set()).add(revision)

    def acknowledged(self, peer_id: str, revision: str) -> str | None:
        """A peer has a revision; the document when now every online peer has it."""
        entry = self._entries.get(revision)
        if entry is None or peer_id not in entry.peers:
            return None
        entry.peers.discard(peer_id)
        self._by_peer[peer_id].discard(revision)
        if entry.peers:
            return None
        self._drop(revision)
        return entry.file

    def forget(self, peer_id: str) -> list[tuple[str, str]]:
        """Nothing is awaited of a peer any more; (document, revision) that this completes."""
        completed: list[tuple[str, str]] = []
        for revision in list(self._by_peer.pop(peer_id, ())):
            entry = self._entries[revision]
            entry.peers.discard(peer_id)
            if not entry.peers:
                completed.append((entry.file, revision))
                self._drop(revision)
        return completed

    def owes(self, peer_id: str) -> bool:
        """Whether a peer still owes us anything."""
        return bool(self._by_peer.get(peer_id))

    def missing(self, revision: str) -> list[str]:
        """The peers that have not acknowledged a revision."""
        entry = self._entries.get(revision)
        return sorted(entry.peers) if entry is not None else []

    def overdue(self, mono: float) -> list[tuple[str, str, list[str]]]:
        """(document, revision, peers) of what is late; each is told once."""
        late: list[tuple[str, str, list[str]]] = []
        for revision, entry in self._entries.items():
            if not entry.reported and mono >= entry.since + limits.UNACKNOWLEDGED:
                entry.reported = True
                late.append((entry.file, revision, sorted(entry.peers)))
        return late

    def _drop(self, revision: str) -> None:
        entry = self._entries.pop(revision)
        self._by_file.pop(entry.file, None)
        for peer_id in entry.peers:
            self._by_peer.get(peer_id, set()).discard(revision)
