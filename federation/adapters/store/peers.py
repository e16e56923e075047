# SPDX-License-Identifier: MIT
"""The tables of peers and of what they have acknowledged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from federation.replica.records import Peer

if TYPE_CHECKING:
    import sqlite3

    from federation.adapters.store.memory import Memory

_COLUMNS = (
    "peer_id, public_key, name, address, caps, trust, first_seen_us, last_seen_us, "
    "announce, announced_us"
)


def _peer(row: tuple[Any, ...]) -> Peer:
    return Peer(
        peer_id=row[0], public_key=row[1], name=row[2], address=row[3],
        caps=tuple(json.loads(row[4])), trust=row[5], first_seen_us=row[6],
        last_seen_us=row[7], announce=row[8], announced_us=row[9],
    )  # fmt: skip


class PeerTables:
    """The part of the store that ``ports.PeerStore`` describes."""

    _db: sqlite3.Connection
    _memory: Memory

    def peer(self, peer_id: str) -> Peer | None:
        """The known peer of this id."""
        known = self._memory.peers.get(peer_id)
        if known is not None:
            return known
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM peers WHERE peer_id=?", (peer_id,)
        ).fetchone()
        if row is None:
            return None
        peer = self._memory.peers[peer_id] = _peer(row)
        return peer

    def peers(self) -> list[Peer]:
        """All known peers, by id."""
        return [
            _peer(row) for row in self._db.execute(f"SELECT {_COLUMNS} FROM peers ORDER BY peer_id")
        ]

    def put_peer(self, peer: Peer) -> None:
        """Insert or replace a peer."""
        self._db.execute(
            f"INSERT OR REPLACE INTO peers ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                peer.peer_id, peer.public_key, peer.name, peer.address, json.dumps(peer.caps),
                peer.trust, peer.first_seen_us, peer.last_seen_us, peer.announce,
                peer.announced_us,
            ),
        )  # fmt: skip
        self._memory.peers.pop(peer.peer_id, None)

    def count_unknown(self) -> int:
        """How many peers nobody has accepted or blocked."""
        row = self._db.execute("SELECT count(*) FROM peers WHERE trust='unknown'").fetchone()
        return int(row[0])

    def acknowledged(self, peer_id: str, file: str) -> str | None:
        """The revision of a document that a peer is known to have."""
        row = self._db.execute(
            "SELECT revision FROM acknowledged WHERE peer_id=? AND file=?", (peer_id, file)
        ).fetchone()
        return None if row is None else str(row[0])

    def acknowledge(self, peer_id: str, file: str, revision: str) -> None:
        """Remember that a peer has a revision durably."""
        self._db.execute(
            "INSERT OR REPLACE INTO acknowledged VALUES (?,?,?)", (peer_id, file, revision)
        )

    def acknowledge_all(self, peer_id: str) -> None:
        """Remember that a peer has every head; of each document one is noted."""
        self._db.execute(
            "INSERT OR REPLACE INTO acknowledged SELECT ?, d.file, coalesce("
            "(SELECT h.revision FROM heads h WHERE h.file=d.file AND h.revision=d.current), "
            "(SELECT min(h.revision) FROM heads h WHERE h.file=d.file), d.current) "
            "FROM documents d WHERE d.file NOT GLOB '~*' "
            "EXCEPT SELECT peer_id, file, revision FROM acknowledged",
            (peer_id,),
        )

    def acknowledgements_of(self, file: str) -> dict[str, str]:
        """Peer id -> the revision of this document that it has."""
        rows = self._db.execute("SELECT peer_id, revision FROM acknowledged WHERE file=?", (file,))
        return {str(peer_id): str(revision) for peer_id, revision in rows}

    def acknowledgements(self) -> dict[str, dict[str, str]]:
        """File -> peer id -> revision."""
        table: dict[str, dict[str, str]] = {}
        for peer_id, file, revision in self._db.execute("SELECT * FROM acknowledged"):
            table.setdefault(file, {})[peer_id] = revision
        return table
