# SPDX-License-Identifier: MIT
"""The tables of messages that wait, and of those that were seen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from federation import limits
from federation.replica.records import Held, Outgoing

if TYPE_CHECKING:
    import sqlite3


class MessageTables:
    """The part of the store that ``ports.MessageStore`` describes."""

    _db: sqlite3.Connection

    def hold(self, held: Held, now_us: int) -> None:
        """Keep a message until its author is accepted."""
        self._db.execute(
            "INSERT OR IGNORE INTO held (revision, peer_id, file, raw, held_us) VALUES (?,?,?,?,?)",
            (held.revision, held.peer_id, held.file, held.raw, now_us),
        )

    def held(self, peer_id: str, *, after: int = 0, most: int = -1) -> list[Held]:
        """What is held from a peer, oldest first; ``most`` of it behind the number ``after``."""
        rows = self._db.execute(
            "SELECT revision, peer_id, file, raw, number FROM held "
            "INDEXED BY held_by_peer WHERE peer_id=? AND number>? ORDER BY number LIMIT ?",
            (peer_id, after, most),
        )
        return [Held(*row) for row in rows]

    def put_draft(
        self, file: str, base: str, start: int, changes: Sequence[Sequence[object]]
    ) -> None:
        """Keep what was typed on top of a revision: the changes from number ``start`` on."""
        self._db.execute("DELETE FROM drafts WHERE file=? AND start>=?", (file, start))
        self._db.execute(
            "INSERT OR REPLACE INTO drafts (file, start, base, changes) VALUES (?,?,?,?)",
            (file, start, base, json.dumps(changes, ensure_ascii=False)),
        )

    def drafts(self) -> list[tuple[str, str, list[list[object]]]]:
        """(document, base, changes) of everything that was typed and is no revision yet."""
        rows = self._db.execute("SELECT file, base, changes FROM drafts ORDER BY file, start")
        found: dict[tuple[str, str], list[list[object]]] = {}
        for file, base, changes in rows:
            found.setdefault((file, base), []).extend(json.loads(changes))
        return [(file, base, changes) for (file, base), changes in found.items()]

    def drop_drafts(self, file: str) -> None:
        """What was typed in a document is a revision now."""
        self._db.execute("DELETE FROM drafts WHERE file=?", (file,))

    def is_held(self, revision: str) -> bool:
        """Whether this revision is held."""
        row = self._db.execute("SELECT 1 FROM held WHERE revision=?", (revision,)).fetchone()
        return row is not None

    def held_counts(self) -> dict[str, tuple[int, int]]:
        """Peer id -> (documents, bytes)."""
        rows = self._db.execute("SELECT peer_id, documents, bytes FROM held_sizes")
        return {str(peer): (int(count), int(size)) for peer, count, size in rows}

    def held_from(self, peer_id: str) -> tuple[int, int]:
        """(documents, bytes) held from one peer; it costs the same however many there are."""
        row = self._db.execute(
            "SELECT documents, bytes FROM held_sizes WHERE peer_id=?", (peer_id,)
        ).fetchone()
        return (0, 0) if row is None else (int(row[0]), int(row[1]))

    def drop_held(self, peer_id: str) -> int:
        """Forget what is held from a peer; how many that were."""
        return self._db.execute("DELETE FROM held WHERE peer_id=?", (peer_id,)).rowcount

    def drop_one_held(self, revision: str) -> None:
        """Forget one held message."""
        self._db.execute("DELETE FROM held WHERE revision=?", (revision,))

    def queue_message(self, message: Outgoing, now_us: int) -> None:
        """Keep a message until its recipient acknowledges it."""
        self._db.execute(
            "INSERT OR IGNORE INTO outgoing (message_id, recipient, raw, queued_us) "
            "VALUES (?,?,?,?)",
            (message.message_id, message.to, message.raw, now_us),
        )

    def queued_messages(self, to: str) -> list[Outgoing]:
        """The unacknowledged messages for a peer, oldest first."""
        rows = self._db.execute(
            "SELECT message_id, recipient, raw FROM outgoing WHERE recipient=? ORDER BY number",
            (to,),
        )
        return [Outgoing(*row) for row in rows]

    def count_queued(self) -> dict[str, int]:
        """Peer id -> messages waiting for its acknowledgement."""
        rows = self._db.execute("SELECT recipient, count(*) FROM outgoing GROUP BY recipient")
        return {str(peer): int(count) for peer, count in rows}

    def drop_message(self, message_id: str, to: str) -> bool:
        """Forget an acknowledged message; whether there was one."""
        cursor = self._db.execute(
            "DELETE FROM outgoing WHERE recipient=? AND message_id=?", (to, message_id)
        )
        return cursor.rowcount > 0

    def first_time(self, peer_id: str, message_id: str) -> bool:
        """Remember a message of a peer; False when it was seen before.

        The newest limits.SEEN_PER_PEER of each peer are remembered.
        """
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO seen (peer_id, message_id) VALUES (?,?)", (peer_id, message_id)
        )
        if cursor.rowcount == 0:
            return False
        if (cursor.lastrowid or 0) % 256 == 0:
            self._db.execute(
                "DELETE FROM seen WHERE peer_id=? AND number NOT IN "
                "(SELECT number FROM seen WHERE peer_id=? ORDER BY number DESC LIMIT ?)",
                (peer_id, peer_id, limits.SEEN_PER_PEER),
            )
        return True
