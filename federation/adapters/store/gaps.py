# SPDX-License-Identifier: MIT
"""Revisions that are named and not here: who named them, and how often they were asked for.

Names cost nothing to invent.  So all room and all turns are shared among those
who name, and nobody who named much that never came is waited for again.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from federation import limits
from federation.adapters.store.memory import Memory
from federation.adapters.store.packing import pack_id
from federation.adapters.store.rows import is_id

_ABSENT = f"SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM revisions WHERE {is_id('revision', '?1')})"
_WAITED = "file=?1 AND tries<?2"
_GIVEN_UP = "file=?1 AND tries>=?2"


class GapTables:
    """The table ``gaps``."""

    _db: sqlite3.Connection
    _memory: Memory

    def note_gaps(self, file: str, revision: str, parents: Iterable[str], by: str = "") -> None:
        """A revision is here now; those of its parents that are not are gaps, named ``by`` someone.

        Who named the revision while it was not here has its parents from it: they
        are its author's then.
        """
        absent = [one for one in parents if self._is_absent(one)]
        if not (absent or self._memory.any("gaps")):
            return
        filled = self._db.execute(
            "SELECT author, asked FROM gaps WHERE revision=?", (revision,)
        ).fetchall()
        if filled:
            self._db.execute("DELETE FROM gaps WHERE revision=?", (revision,))
            self._memory.changed("gaps")
            # the history goes on to come
            self._db.execute(f"UPDATE gaps SET tries=0 WHERE {_WAITED}", (file, limits.GAP_TRIES))
        for one in absent:
            for namer, _asked in filled:
                self._db.execute(
                    "UPDATE OR REPLACE gaps SET author=? WHERE revision=? AND file=? AND author=?",
                    (by, one, file, namer),
                )
        # a history that is fed bit by bit is waited for as one
        self._note(file, absent, by, max((asked for _namer, asked in filled), default=0))

    def _is_absent(self, revision: str) -> bool:
        if self._memory.number(revision) is not None:
            return False
        return self._db.execute(_ABSENT, (pack_id(revision),)).fetchone() is not None

    def note_lost(self, file: str, revisions: Iterable[str], by: str = "") -> None:
        """Revisions of a document that are needed and not here, or not their contents.

        Named ``by`` this author; by nobody (``""``) where a merge needs them.
        """
        self._note(file, revisions, by, 0)

    def _note(self, file: str, revisions: Iterable[str], by: str, asked: int) -> None:
        """Note gaps; what led to them was ``asked`` for so often already."""
        waited = Counter(dict(self._by_author(_WAITED, file)))
        vain = by != "" and dict(self._by_author(_GIVEN_UP, file)).get(by, 0)
        hopeless = vain >= limits.GAP_DEBT or asked >= limits.GAP_ASKS
        for one in revisions:
            known = self._db.execute(
                "SELECT 1 FROM gaps WHERE revision=? AND file=? AND author=?", (one, file, by)
            )
            if known.fetchone() or not (hopeless or self._has_room(file, by, waited)):
                continue
            self._db.execute(
                "INSERT INTO gaps (file, revision, author, tries, asked) VALUES (?,?,?,?,?)",
                (file, one, by, limits.GAP_TRIES * hopeless, asked),
            )
            self._memory.changed("gaps")
            waited[by] += not hopeless
        if hopeless:
            self._forget(file)

    def _by_author(self, which: str, file: str) -> list[tuple[str, int]]:
        return self._db.execute(
            f"SELECT author, count(*) FROM gaps WHERE {which} GROUP BY author",
            (file, limits.GAP_TRIES),
        ).fetchall()

    def _has_room(self, file: str, author: str, waited: Counter[str]) -> bool:
        """Whether one more is waited for; whoever has most makes room for who has less."""
        if waited.total() < limits.GAPS:
            return True
        most = max(waited, key=lambda name: (waited[name], name))
        if waited[most] <= waited[author] + 1:
            return False
        self._db.execute(
            "DELETE FROM gaps WHERE file=?1 AND author=?3 AND revision=(SELECT revision FROM gaps "
            f"WHERE {_WAITED} AND author=?3 ORDER BY tries DESC, revision DESC LIMIT 1)",
            (file, limits.GAP_TRIES, most),
        )
        waited[most] -= 1
        return True

    def missing(self, file: str) -> set[str]:
        """The gaps of a document that may still be filled: those not asked for in vain."""
        if not self._memory.any("gaps"):
            return set()
        rows = self._db.execute(
            f"SELECT revision FROM gaps WHERE {_WAITED}", (file, limits.GAP_TRIES)
        )
        return {str(revision) for (revision,) in rows}

    def tried(self, file: str, revisions: Iterable[str]) -> bool:
        """Gaps were asked for once more; whether some of them are given up with that.

        What came meanwhile begins the counting anew, but not for ever.  Of those given
        up, limits.GAPS are remembered, in case that they come all the same.
        """
        before = self.missing(file)
        self._db.executemany(
            "UPDATE gaps SET asked=asked+1, tries=max(tries, CASE WHEN asked+1>=?3 THEN ?4-1 "
            "ELSE 0 END)+1 WHERE file=?1 AND revision=?2",
            [(file, one, limits.GAP_ASKS, limits.GAP_TRIES) for one in revisions],
        )
        if self.missing(file) == before:
            return False
        self._forget(file)
        return True

    def _forget(self, file: str) -> None:
        """Keep no more of what was given up than there is room for, of everybody alike."""
        rows = self._db.execute(
            f"SELECT author, revision FROM gaps WHERE {_GIVEN_UP} ORDER BY tries, revision",
            (file, limits.GAP_TRIES),
        ).fetchall()
        if len(rows) > limits.GAPS:
            gone = [(file, author, one) for author, one in _in_turn(rows)[limits.GAPS :]]
            self._db.executemany("DELETE FROM gaps WHERE file=? AND author=? AND revision=?", gone)
            self._memory.changed("gaps")

    def gaps(self, file: str) -> list[str]:
        """Revisions of a document that others name as parents and that are not here.

        Those of everybody who named any in turn, and first what is still waited for.
        """
        if not self._memory.any("gaps"):
            return []
        rows = self._db.execute(
            "SELECT author, revision FROM gaps WHERE file=? ORDER BY tries, revision", (file,)
        ).fetchall()
        return list(dict.fromkeys(revision for _author, revision in _in_turn(rows)))

    def is_gap(self, file: str, revision: str) -> bool:
        """Whether others name a revision of a document as a parent and it is not here."""
        if not self._memory.any("gaps"):
            return False
        row = self._db.execute("SELECT 1 FROM gaps WHERE revision=? AND file=?", (revision, file))
        return row.fetchone() is not None

    def files_with_gaps(self) -> list[str]:
        """The documents whose history is not complete, in turn by who named what is missing."""
        rows = self._db.execute(
            "SELECT author, file FROM gaps GROUP BY author, file ORDER BY min(tries), file"
        ).fetchall()
        return list(dict.fromkeys(file for _author, file in _in_turn(rows)))


def _in_turn(rows: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Everybody's first, everybody's second, and so on; each row begins with its owner."""
    by_owner: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        by_owner.setdefault(row[0], []).append(row)
    turns = zip_longest(*by_owner.values())
    return [row for turn in turns for row in turn if row is not None]
