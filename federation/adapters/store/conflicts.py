# SPDX-License-Identifier: MIT
"""Conflicts that nobody has settled, and the ends of what is known of a history."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from federation.adapters.store.packing import unpack_id
from federation.adapters.store.rows import NUMBER
from federation.replica.records import Clashing

if TYPE_CHECKING:
    import sqlite3

    from federation.adapters.store.memory import Memory


class ConflictTables:
    """The tables ``conflicts`` and ``settled``."""

    _db: sqlite3.Connection
    _memory: Memory

    def open_conflicts(self, file: str | None = None) -> list[Clashing]:
        """What nobody has settled, of one document or of all, by document and id."""
        if not self._memory.any("conflicts"):
            return []
        one, values = ("", ()) if file is None else ("WHERE file=? ", (file,))
        rows = self._db.execute(
            f"SELECT file, number, data FROM conflicts {one}ORDER BY file, number, standing, view",
            values,
        )
        found: dict[tuple[str, str], str] = {}
        for name, number, text in rows:
            found.setdefault((name, number), text)
        return [_clashing(text) for text in found.values()]

    def instances(self, file: str, numbers: Iterable[str]) -> list[Clashing]:
        """Every merge's record of the open conflicts with these ids."""
        rows = [
            row
            for number in dict.fromkeys(numbers)
            for row in self._db.execute(
                "SELECT data FROM conflicts WHERE file=? AND number=? ORDER BY view",
                (file, number),
            )
        ]
        return [_clashing(text) for (text,) in rows]

    def put_conflicts(self, conflicts: Iterable[Clashing], *, standing: bool) -> None:
        """Record conflicts; ``standing`` ones stay when the view that has them is gone."""
        self._db.executemany(
            "INSERT INTO conflicts VALUES (?1,?2,?3,?4,?5) ON CONFLICT (file, number, view) "
            "DO UPDATE SET data = ?5, standing = max(standing, ?4)",
            [
                (one.file, one.number, one.view, standing, json.dumps(asdict(one)))
                for one in conflicts
            ],
        )
        self._memory.changed("conflicts")

    def drop_passing(self, file: str) -> None:
        """Forget the conflicts of a view that is gone."""
        if self._memory.any("conflicts"):
            self._db.execute("DELETE FROM conflicts WHERE file=? AND standing=0", (file,))
            self._memory.changed("conflicts")

    def drop_conflict(self, one: Clashing) -> None:
        """Forget what one merge recorded of a conflict: it was settled."""
        self._db.execute(
            "DELETE FROM conflicts WHERE file=? AND number=? AND view=?",
            (one.file, one.number, one.view),
        )
        self._memory.changed("conflicts")

    def drop_merge(self, file: str, view: str) -> None:
        """Forget all conflicts that one merge recorded."""
        if self._memory.any("conflicts"):
            self._db.execute("DELETE FROM conflicts WHERE file=? AND view=?", (file, view))
            self._memory.changed("conflicts")

    def settle(self, file: str, numbers: Iterable[str], revision: str) -> None:
        """Note the conflicts that a revision names as settled."""
        self._db.executemany(
            "INSERT OR IGNORE INTO settled VALUES (?,?,?)",
            [(file, one, revision) for one in numbers],
        )

    def settled(self, file: str) -> dict[str, list[str]]:
        """The conflicts of a document that were settled -> the revisions that did."""
        rows = self._db.execute(
            "SELECT number, revision FROM settled WHERE file=? ORDER BY number, revision", (file,)
        )
        found: dict[str, list[str]] = {}
        for number, revision in rows:
            found.setdefault(str(number), []).append(str(revision))
        return found

    def ends(self, file: str, most: int) -> list[str]:
        """The signed revisions of a document that no other one names, newest first."""
        return self._newest(file, "named=0 AND author<>0", most)

    def _newest(self, file: str, which: str, most: int) -> list[str]:
        rows = self._db.execute(
            f"SELECT revision FROM revisions WHERE file={NUMBER.format('?1')} AND {which} "
            "ORDER BY number DESC LIMIT ?2",
            (file, most),
        )
        return [unpack_id(revision) for (revision,) in rows]

    def newest(self, file: str, most: int) -> list[str]:
        """The revisions of a document that tell another peer best what is here already.

        Those that no other one names come first: below each of them nothing is
        missing that is not a gap of its own.  Then the ones recorded last.
        """
        found = [*self.ends(file, most), *self._newest(file, "author<>0", most)]
        return list(dict.fromkeys(found))[:most]


def _clashing(text: str) -> Clashing:
    fields = json.loads(text)
    tuples = {key: tuple(fields.get(key, ())) for key in ("path", "heads_a")}
    return Clashing(**{**fields, **tuples})
