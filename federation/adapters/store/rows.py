# SPDX-License-Identifier: MIT
"""The rows of the table ``revisions``: written and read in the forms of ``packing.py``."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from federation.adapters.store import packing
from federation.adapters.store.memory import Memory
from federation.errors import Fault
from federation.replica.records import Revision

_NAMED = "(SELECT name FROM names WHERE number=r.{})"
_COLUMNS: Final = (
    f"r.number, r.revision, {_NAMED.format('file')}, {_NAMED.format('author')}, r.seq, "
    "r.timestamp, r.timestamp_us, r.lag, r.content_hash, r.size, r.binary, r.plain, r.counted, "
    "r.vector, r.parents, r.envelope"
)
#: the number of a file or an author; for one that is not known, none has it
NUMBER: Final = "(SELECT number FROM names WHERE name={})"

#: somebody signed the revision ``r``: it is no view
SIGNED: Final = f"r.author IS NOT {NUMBER.format(chr(39) * 2)}"


def is_id(column: str, value: str) -> str:
    """The condition that a column of ids is a value; both are packed.

    The indexes have eight bytes of an id, which tell apart what is there.
    """
    return f"substr({column},1,8)=substr({value},1,8) AND {column}={value}"


_NUMBER_OF: Final = f"SELECT number FROM revisions r WHERE {is_id('r.revision', '?1')}"
_BY_ID: Final = is_id("r.revision", "?1")
_INSERT: Final = (
    "INSERT INTO revisions (number, revision, file, author, seq, said, timestamp, "
    "timestamp_us, lag, content_hash, size, binary, plain, counted, joins, named, vector, "
    "parents, envelope, content) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)


class Rows:
    """The revisions of one database."""

    def __init__(self, db: sqlite3.Connection, memory: Memory | None = None) -> None:
        self._db = db
        self._memory = memory or Memory(db)
        db.create_function("packed", 1, packing.pack_id, deterministic=True)

    # --- reading --------------------------------------------------------------------
    def select(self, where: str, *values: object) -> list[Revision]:
        """The revisions ``r`` of which a condition holds."""
        return [one for _number, one in self.numbered(where, *values)]

    def numbered(self, where: str, *values: object) -> list[tuple[int, Revision]]:
        """The same with their numbers, which count up as they are recorded."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM revisions r WHERE {where}", values)
        found = rows.fetchall()
        ids: dict[int, str] = {row[0]: packing.unpack_id(row[1]) for row in found}
        return [(row[0], self._remembered(row, ids)) for row in found]

    def get(self, name: str) -> Revision | None:
        """A revision by its id."""
        known = self._memory.revision(name)
        if known is not None:
            return known
        if self._number(name) is None:  # so it is mostly, and that takes a third of the time
            return None
        found = self.select(_BY_ID, packing.pack_id(name))
        return found[0] if found else None

    def _remembered(self, row: tuple[Any, ...], ids: dict[int, str]) -> Revision:
        known = self._memory.revision(ids[row[0]])
        if known is None:
            known = self._revision(row, ids)
            self._memory.put_revision(row[0], known)
        return known

    def _revision(self, row: tuple[Any, ...], ids: dict[int, str]) -> Revision:
        vector = {self._name(author): seq for author, seq in packing.unpack_vector(row[13])}
        parents = tuple(
            one if isinstance(one, str) else self._id(one, ids)
            for one in packing.unpack_parents(row[14])
        )
        about = packing.About(
            file=row[2], author=row[3], seq=row[4],
            timestamp=packing.unpack_timestamp(row[5], row[6]),
            binary=bool(row[10]), plain=bool(row[11]), counted=bool(row[12]),
            vector=vector, parents=parents,
        )  # fmt: skip
        envelope = packing.unpack_envelope(row[15], about)
        return Revision(
            revision=ids[row[0]], file=about.file, author=about.author, seq=about.seq,
            timestamp=about.timestamp, timestamp_us=row[6], received_us=row[6] + row[7],
            content_hash=packing.unpack_id(row[8]), size=row[9], binary=about.binary,
            plain=about.plain, counted=about.counted, vector=vector, parents=parents,
            envelope=envelope, deleted=packing.says_deleted(envelope),
        )  # fmt: skip

    def _id(self, number: int, ids: dict[int, str]) -> str:
        """The id of a row."""
        if number not in ids:
            row = self._db.execute(
                "SELECT revision FROM revisions WHERE number=?", (number,)
            ).fetchone()
            if row is None:
                raise Fault(f"the revision number {number} is not in the store")
            ids[number] = packing.unpack_id(row[0])
        return ids[number]

    def _name(self, number: int) -> str:
        """The author of this number."""
        known = self._memory.name_of(number)
        if known is None:
            row = self._db.execute("SELECT name FROM names WHERE number=?", (number,)).fetchone()
            if row is None:
                raise Fault(f"the name number {number} is not in the store")
            known = str(row[0])
            self._memory.put_name(number, known)
        return known

    # --- writing --------------------------------------------------------------------
    def add(
        self, revision: Revision, content: int | None, number: int | None = None,
        *, named: bool = False,
    ) -> None:  # fmt: skip
        """Write a revision; ``content`` is the number of its content.

        ``named``: a signed revision has it as a parent; so has one while it is a gap.
        """
        name = packing.pack_id(revision.revision)
        if self._number(revision.revision) is not None:
            raise Fault(f"the revision {revision.revision} is recorded already")
        parents = [(one, self._number(one)) for one in revision.parents]
        cursor = self._db.execute(
            _INSERT,
            (
                number, name, self._numbered(revision.file), self._numbered(revision.author),
                revision.seq, None if revision.counted else packing.said(revision.envelope),
                packing.pack_timestamp(revision), revision.timestamp_us,
                revision.received_us - revision.timestamp_us,
                packing.pack_id(revision.content_hash), revision.size, revision.binary,
                revision.plain, revision.counted, revision.author != "" and len(parents) > 1,
                named or self._is_named(revision.revision), self._vector(revision.vector),
                packing.pack_parents(parents), packing.pack_envelope(revision), content,
            ),
        )  # fmt: skip
        if revision.author and parents:
            self._db.executemany(
                "UPDATE revisions SET named=1 WHERE number=? AND named=0",
                [(number,) for _name, number in parents if number is not None],
            )
        if cursor.lastrowid is not None:
            self._memory.put_revision(cursor.lastrowid, revision)

    def _is_named(self, revision: str) -> bool:
        """Whether another one names it as a parent and waits for it."""
        if not self._memory.any("gaps"):
            return False
        named = self._db.execute("SELECT 1 FROM gaps WHERE revision=?", (revision,))
        return named.fetchone() is not None

    def _number(self, revision: str) -> int | None:
        known = self._memory.number(revision)
        if known is not None:
            return known
        row = self._db.execute(_NUMBER_OF, (packing.pack_id(revision),)).fetchone()
        return None if row is None else int(row[0])

    def _numbered(self, name: str) -> int:
        """The number of a file or an author; a new one gets the next."""
        known = self._memory.number_of(name)
        if known is None:
            row = self._db.execute("SELECT number FROM names WHERE name=?", (name,)).fetchone()
            if row is None:
                self._db.execute("INSERT INTO names (name) VALUES (?)", (name,))
                row = self._db.execute("SELECT last_insert_rowid()").fetchone()
            known = int(row[0])
            self._memory.put_name(known, name)
        return known

    def _vector(self, vector: Mapping[str, int]) -> bytes:
        return packing.pack_vector((self._numbered(author), seq) for author, seq in vector.items())
