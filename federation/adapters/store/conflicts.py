# SPDX-License-Identifier: MIT
"""Conflicts that nobody has settled, and revisions that are named but not there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict

from federation.adapters.store.packing import pack_id, unpack_id
from federation.adapters.store.rows import NUMBER, is_id
from federation.replica.records import Clashing


class ConflictTables:
    """The tables ``conflicts``, ``settled`` and ``gaps``."""

    _db: sqlite3.Connection

    def open_conflicts(self, file: str | None = None) -> list[Clashing]:
        """What nobody has settled, of one document or of all, by document and id."""
        one, values = ("", ()) if file is None else ("file=? AND ", (file,))
        rows = self._db.execute(
            f"SELECT data FROM conflicts WHERE {one}NOT EXISTS (SELECT 1 FROM settled WHERE "
            "settled.file = conflicts.file AND settled.number = conflicts.number) "
            "ORDER BY file, number",
            values,
        )
        return [_clashing(text) for (text,) in rows]

    def put_conflicts(self, conflicts: Iterable[Clashing], *, standing: bool) -> None:
        """Record conflicts; ``standing`` ones stay when the view that has them is gone."""
        self._db.executemany(
            "INSERT INTO conflicts VALUES (?1,?2,?3,?4) ON CONFLICT (file, number) DO UPDATE "
            "SET data = ?4, standing = max(standing, ?3)",
            [(one.file, one.number, standing, json.dumps(asdict(one))) for one in conflicts],
        )

    def drop_passing(self, file: str) -> None:
        """Forget the conflicts of a view that is gone."""
        self._db.execute("DELETE FROM conflicts WHERE file=? AND standing=0", (file,))

    def settle(self, file: str, numbers: Iterable[str]) -> None:
        """Conflicts that somebody has settled: they do not come back."""
        self._db.executemany(
            "INSERT OR IGNORE INTO settled VALUES (?,?)", [(file, one) for one in numbers]
        )

    def settled(self, file: str) -> set[str]:
        """The ids of the conflicts of a document that were settled."""
        rows = self._db.execute("SELECT number FROM settled WHERE file=?", (file,))
        return {str(number) for (number,) in rows}

    def note_gaps(self, file: str, revision: str, parents: Iterable[str]) -> None:
        """A revision is here now; those of its parents that are not are gaps."""
        self._db.execute("DELETE FROM gaps WHERE revision=?", (revision,))
        for parent in parents:
            self._db.execute(
                "INSERT OR IGNORE INTO gaps SELECT ?1, ?2 WHERE NOT EXISTS "
                f"(SELECT 1 FROM revisions r WHERE {is_id('r.revision', '?3')})",
                (file, parent, pack_id(parent)),
            )

    def gaps(self, file: str) -> list[str]:
        """Revisions of a document that others name as parents and that are not here."""
        rows = self._db.execute("SELECT revision FROM gaps WHERE file=? ORDER BY revision", (file,))
        return [str(revision) for (revision,) in rows]

    def newest(self, file: str, most: int) -> list[str]:
        """The revisions of a document that tell another peer best what is here already.

        Those that no other one names come first: below each of them nothing is
        missing that is not a gap of its own.  Then the ones recorded last.
        """
        found: dict[str, None] = {}
        for ends in ("named=0 AND author<>0", "author<>0"):
            rows = self._db.execute(
                f"SELECT revision FROM revisions WHERE file={NUMBER.format('?1')} AND {ends} "
                "ORDER BY number DESC LIMIT ?2",
                (file, most),
            )
            found.update(dict.fromkeys(unpack_id(revision) for (revision,) in rows))
        return list(found)[:most]

    def files_with_gaps(self) -> list[str]:
        """The documents whose history is not complete, by name."""
        return [
            str(file)
            for (file,) in self._db.execute("SELECT DISTINCT file FROM gaps ORDER BY file")
        ]


def _clashing(text: str) -> Clashing:
    fields = json.loads(text)
    return Clashing(**{**fields, "path": tuple(fields["path"])})
