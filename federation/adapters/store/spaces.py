# SPDX-License-Identifier: MIT
"""The tables of spaces, of the folders that show them, and of the files in these.

A *place* is a folder that is watched: the path of its root is its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from federation.machines.folder import Known, Root, Seen
from federation.replica.records import Space

if TYPE_CHECKING:
    import sqlite3


class SpaceTables:
    """Spaces and places, for the daemon; the core knows nothing of them."""

    _db: sqlite3.Connection

    def spaces(self) -> list[Space]:
        """All spaces that anything was ever set of, by name."""
        rows = self._db.execute(
            "SELECT name, kind, folder, auto_sync, interval FROM spaces ORDER BY name"
        )
        return [Space(row[0], row[1], row[2], bool(row[3]), row[4]) for row in rows]

    def put_space(self, space: Space) -> None:
        """Insert or replace a space."""
        self._db.execute(
            "INSERT OR REPLACE INTO spaces VALUES (?,?,?,?,?)",
            (space.name, space.kind, space.folder, space.auto_sync, space.interval),
        )

    def drop_space(self, name: str) -> None:
        """Forget a space; its documents and their history stay."""
        self._db.execute("DELETE FROM spaces WHERE name=?", (name,))

    # --- places ---------------------------------------------------------------------
    def root(self, place: str) -> Root | None:
        """The folder that was adopted as this place."""
        row = self._db.execute(
            "SELECT device, inode, marker FROM roots WHERE place=?", (place,)
        ).fetchone()
        return None if row is None else Root(*row)

    def set_root(self, place: str, root: Root) -> None:
        """Remember which folder this place is."""
        self._db.execute(
            "INSERT OR REPLACE INTO roots VALUES (?,?,?,?)",
            (place, root.device, root.inode, root.marker),
        )

    def files_of(self, place: str) -> dict[str, Known]:
        """Name -> what the file was last known to hold, and what it looked like."""
        rows = self._db.execute(
            "SELECT name, digest, size, mtime_ns, inode FROM files WHERE place=?", (place,)
        )
        return {
            name: Known(digest, Seen(size, time, inode)) for name, digest, size, time, inode in rows
        }

    def put_file(self, place: str, name: str, known: Known) -> None:
        """Remember what a file holds."""
        seen = known.seen
        self._db.execute(
            "INSERT OR REPLACE INTO files VALUES (?,?,?,?,?,?)",
            (place, name, known.digest, seen.size, seen.mtime_ns, seen.inode),
        )

    def drop_file(self, place: str, name: str) -> None:
        """A file is there no more."""
        self._db.execute("DELETE FROM files WHERE place=? AND name=?", (place, name))

    def leave_place(self, place: str) -> None:
        """Forget what the files of a place look like; what was synced from there stays known."""
        self._db.execute("DELETE FROM files WHERE place=?", (place,))

    def drop_place(self, place: str) -> None:
        """Forget a place with all of its files, and what was synced from there."""
        self._db.execute("DELETE FROM roots WHERE place=?", (place,))
        self._db.execute("DELETE FROM files WHERE place=?", (place,))
        # "0" comes right behind "/"
        self._db.execute("DELETE FROM paths WHERE path>? AND path<?", (place + "/", place + "0"))
