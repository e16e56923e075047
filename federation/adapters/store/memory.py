# SPDX-License-Identifier: MIT
"""What the store was asked for last, in memory: for one message the same rows are read often.

Nothing here is anywhere else than in the database.  Whoever changes a row changes
what is kept of it, or drops that; a transaction or a part of one that is undone
drops all of it (``forget``).  One connection owns the database, so nobody else
changes a row.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from typing import Final

from federation import limits
from federation.replica.records import Document, Peer, Revision

#: whether there is a row in a table that is empty almost always
_ANY: Final = {
    "conflicts": "SELECT 1 FROM conflicts WHERE file>='' LIMIT 1",
    "gaps": "SELECT 1 FROM gaps WHERE revision>='' LIMIT 1",
}


class Memory:
    """A few rows of one database, as records."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._revisions: OrderedDict[str, tuple[int, Revision]] = OrderedDict()
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._any: dict[str, bool] = {}
        #: peer id -> peer
        self.peers: dict[str, Peer] = {}
        #: name -> document; None: there is none
        self.documents: dict[str, Document | None] = {}
        #: name -> the heads of a document that has one head or none
        self.heads: dict[str, tuple[str, ...]] = {}

    def forget(self) -> None:
        """Rows may have become what they were before: all of them are read again."""
        for kept in (self._revisions, self._numbers, self._names, self._any,
                     self.peers, self.documents, self.heads):  # fmt: skip
            kept.clear()

    # --- revisions ------------------------------------------------------------------
    # A revision never changes: what compaction drops is its content, which is not here.
    def revision(self, name: str) -> Revision | None:
        """The revision of this id, if it is remembered."""
        found = self._revisions.get(name)
        if found is None:
            return None
        self._revisions.move_to_end(name)
        return found[1]

    def number(self, name: str) -> int | None:
        """The number of its row, if it is remembered."""
        found = self._revisions.get(name)
        return None if found is None else found[0]

    def put_revision(self, number: int, revision: Revision) -> None:
        """Remember a revision; those not used for longest are forgotten."""
        if len(revision.envelope) > limits.RECENT_ENVELOPE:
            return
        self._revisions[revision.revision] = (number, revision)
        self._revisions.move_to_end(revision.revision)
        if len(self._revisions) > limits.RECENT_REVISIONS:
            self._revisions.popitem(last=False)

    # --- names of files and authors ---------------------------------------------------
    def number_of(self, name: str) -> int | None:
        """The number of a file or an author, if it is remembered."""
        return self._numbers.get(name)

    def name_of(self, number: int) -> str | None:
        """The file or the author of this number, if it is remembered."""
        return self._names.get(number)

    def put_name(self, number: int, name: str) -> None:
        """Remember the number of a name."""
        if len(self._numbers) >= limits.RECENT_REVISIONS:
            self._numbers.clear()
            self._names.clear()
        self._numbers[name] = number
        self._names[number] = name

    # --- small tables -----------------------------------------------------------------
    def any(self, table: str) -> bool:
        """Whether the table (``conflicts``, ``gaps``) has any row."""
        found = self._any.get(table)
        if found is None:
            row = self._db.execute(_ANY[table]).fetchone()
            found = self._any[table] = row is not None
        return found

    def changed(self, table: str) -> None:
        """Rows of the table were written or deleted."""
        self._any.pop(table, None)

    def bound(self) -> None:
        """Forget what is kept of documents and peers once that is much."""
        for kept in (self.peers, self.documents, self.heads):
            if len(kept) > limits.RECENT_REVISIONS:
                kept.clear()
