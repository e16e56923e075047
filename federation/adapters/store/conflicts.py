# SPDX-License-Identifier: MIT
"""Conflicts that nobody has settled, and revisions that are named but not there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from federation import limits
from federation.adapters.store.packing import pack_id, unpack_id
from federation.adapters.store.rows import NUMBER, is_id
from federation.replica.records import Clashing

if TYPE_CHECKING:
    import sqlite3

    from federation.adapters.store.memory import Memory

_ID = is_id("revision", "?1")


class ConflictTables:
    """The tables ``conflicts``, ``settled`` and ``gaps``."""

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

    def note_gaps(self, file: str, revision: str, parents: Iterable[str]) -> None:
        """A revision is here now; those of its parents that are not are gaps."""
        filled = self._memory.any("gaps") and self._db.execute(
            "DELETE FROM gaps WHERE revision=?", (revision,)
        ).rowcount  # fmt: skip
        if filled:
            self._memory.changed("gaps")
            # the history goes on to come
            self._db.execute(
                "UPDATE gaps SET tries=0 WHERE file=? AND tries<?", (file, limits.GAP_TRIES)
            )
        self.note_lost(file, [one for one in parents if not self._is_here(one)])

    def _is_here(self, revision: str) -> bool:
        here = f"SELECT 1 FROM revisions WHERE {_ID}"
        return (
            self._memory.number(revision) is not None
            or self._db.execute(here, (pack_id(revision),)).fetchone() is not None
        )

    def note_lost(self, file: str, revisions: Iterable[str]) -> None:
        """Revisions of a document that are needed and not here, or not their contents."""
        for one in revisions:
            (count,) = self._db.execute(
                "SELECT count(*) FROM gaps WHERE file=? AND tries<?", (file, limits.GAP_TRIES)
            ).fetchone()
            if count < limits.GAPS:
                self._db.execute(
                    "INSERT OR IGNORE INTO gaps (file, revision) VALUES (?,?)", (file, one)
                )
                self._memory.changed("gaps")

    def missing(self, file: str) -> set[str]:
        """The gaps of a document that may still be filled: those not asked for in vain."""
        if not self._memory.any("gaps"):
            return set()
        rows = self._db.execute(
            "SELECT revision FROM gaps WHERE file=? AND tries<?", (file, limits.GAP_TRIES)
        )
        return {str(revision) for (revision,) in rows}

    def tried(self, file: str, revisions: Iterable[str]) -> bool:
        """Gaps were asked for once more; whether some of them are given up with that.

        Of those, limits.GAPS are remembered, in case that they come all the same.
        """
        before = self.missing(file)
        self._db.executemany(
            "UPDATE gaps SET tries=tries+1 WHERE file=? AND revision=?",
            [(file, one) for one in revisions],
        )
        if self.missing(file) == before:
            return False
        self._db.execute(
            "DELETE FROM gaps WHERE file=?1 AND tries>=?2 AND revision NOT IN (SELECT revision "
            "FROM gaps WHERE file=?1 AND tries>=?2 ORDER BY tries, revision LIMIT ?3)",
            (file, limits.GAP_TRIES, limits.GAPS),
        )
        self._memory.changed("gaps")
        return True

    def gaps(self, file: str) -> list[str]:
        """Revisions of a document that others name as parents and that are not here."""
        if not self._memory.any("gaps"):
            return []
        rows = self._db.execute("SELECT revision FROM gaps WHERE file=? ORDER BY revision", (file,))
        return [str(revision) for (revision,) in rows]

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

    def files_with_gaps(self) -> list[str]:
        """The documents whose history is not complete, by name."""
        return [
            str(file)
            for (file,) in self._db.execute("SELECT DISTINCT file FROM gaps ORDER BY file")
        ]


def _clashing(text: str) -> Clashing:
    fields = json.loads(text)
    tuples = {key: tuple(fields.get(key, ())) for key in ("path", "heads_a")}
    return Clashing(**{**fields, **tuples})
