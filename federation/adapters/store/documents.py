# SPDX-License-Identifier: MIT
"""The tables of documents, their revisions and contents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from federation import limits
from federation.adapters.store.contents import Contents
from federation.adapters.store.packing import id_range, pack_id, unpack_id
from federation.adapters.store.rows import NUMBER, SIGNED, Rows, is_id
from federation.errors import Fault, Refusal
from federation.replica.records import Document, Revision

if TYPE_CHECKING:
    import sqlite3

    from federation.adapters.store.memory import Memory

#: the revision ``r`` belongs to the document ?1; it is what the document ``d`` shows
_IN_FILE = f"r.file={NUMBER.format('?1')}"
#: the same, where an id leads there: the plus keeps SQLite from reading the whole history
_OF_FILE = f"+{_IN_FILE}"
_HEADS = (
    "r.number IN (SELECT s.number FROM heads h JOIN revisions s ON "
    f"{is_id('s.revision', 'packed(h.revision)')} WHERE h.file=?) ORDER BY r.number"
)
#: written and current are what the file holds and what it is to hold
_UNSETTLED = (
    "WHERE written IS NOT current "
    "OR file IN (SELECT file FROM heads GROUP BY file HAVING count(*) > 1) OR file IN (SELECT "
    "n.name FROM revisions r JOIN names n ON n.number=r.file GROUP BY r.file HAVING count(*) > 2)"
)
_CURRENT = is_id("r.revision", "packed(d.current)")


def _document(row: tuple[Any, ...]) -> Document:
    return Document(row[0], row[1], row[2], row[3], bool(row[4]))


class DocumentTables:
    """The part of the store that ``ports.DocumentStore`` describes."""

    _db: sqlite3.Connection
    _contents: Contents
    _rows: Rows
    _memory: Memory

    def document(self, file: str) -> Document | None:
        """The document of this name."""
        known = self._memory.documents
        if file not in known:
            row = self._db.execute("SELECT * FROM documents WHERE file=?", (file,)).fetchone()
            known[file] = None if row is None else _document(row)
        return known[file]

    def documents(self, *, unsettled: bool = False) -> list[Document]:
        """All documents, the deleted ones too, by name.

        ``unsettled``: whose file lags behind, or that may have had versions side
        by side: with what settled them, these are three revisions.
        """
        where = _UNSETTLED if unsettled else ""
        rows = self._db.execute(f"SELECT * FROM documents {where} ORDER BY file")
        return [_document(row) for row in rows]

    def count_documents(self) -> int:
        """How many documents that are not deleted."""
        (count,) = self._db.execute("SELECT count(*) FROM documents WHERE NOT deleted").fetchone()
        return int(count)

    def conflicted(self) -> list[str]:
        """The documents with conflicts or with versions that cannot be merged, by name."""
        rows = self._db.execute("SELECT DISTINCT file FROM conflicts")
        found = {str(file) for (file,) in rows}
        # few documents have several heads; only these are looked at one by one
        rows = self._db.execute(
            "SELECT d.file FROM documents d JOIN heads h ON h.file=d.file "
            "AND h.revision=d.current WHERE d.file IN "
            "(SELECT file FROM heads GROUP BY file HAVING count(*) > 1)"
        )
        found.update(str(file) for (file,) in rows.fetchall() if self._differ(file))
        return sorted(found)

    def is_conflicted(self, file: str) -> bool:
        """Whether a document is one of ``conflicted``."""
        if self._memory.any("conflicts"):
            row = self._db.execute("SELECT 1 FROM conflicts WHERE file=? LIMIT 1", (file,))
            if row.fetchone() is not None:
                return True
        document, heads = self.document(file), self.heads(file)
        apart = document is not None and any(one.revision == document.current for one in heads)
        return apart and len(heads) > 1 and self._differ(file)

    def _differ(self, file: str) -> bool:
        """Whether the heads of a document say different things."""
        return len({head.content_hash for head in self.heads(file) if not head.deleted}) > 1

    def standing(self, author: str) -> tuple[int, dict[str, int]]:
        """Documents whose current revision is of ``author``, and who has how many of these."""
        rows = self._db.execute(
            "WITH own AS MATERIALIZED (SELECT d.file, d.current FROM documents d "
            f"JOIN revisions r ON {_CURRENT} WHERE r.author = {NUMBER.format('?')} "
            "AND d.file NOT GLOB '~*') "
            "SELECT '', count(*) FROM own UNION ALL "
            "SELECT a.peer_id, count(*) FROM own JOIN acknowledged a "
            "ON a.file = own.file AND a.revision = own.current GROUP BY a.peer_id",
            (author,),
        )
        have = {str(peer_id): int(count) for peer_id, count in rows}
        return have.pop(""), have

    def own_documents(self, author: str) -> set[str]:
        """The documents whose current revision is of ``author``."""
        rows = self._db.execute(
            f"SELECT d.file FROM documents d JOIN revisions r ON {_CURRENT} "
            f"WHERE r.author = {NUMBER.format('?')} AND d.file NOT GLOB '~*'",
            (author,),
        )
        return {str(file) for (file,) in rows}

    def looks(self, *, waiting: bool) -> dict[str, str | None]:
        """File -> the stamp noted for it, if any; ``waiting``: those that lag behind, too."""
        rows = self._db.execute(
            "SELECT d.file, s.stamp FROM documents d LEFT JOIN stamps s ON s.file = d.file "
            "WHERE ? OR d.written = d.current",
            (waiting,),
        )
        return {str(file): stamp for file, stamp in rows}

    def set_stamp(self, file: str, stamp: str) -> None:
        """Remember what a synced file looks like whose content is recorded."""
        self._db.execute("INSERT OR REPLACE INTO stamps VALUES (?,?)", (file, stamp))

    def is_folder(self, file: str) -> bool:
        """Whether there are documents below this name."""
        # "0" comes right behind "/"
        row = self._db.execute(
            "SELECT 1 FROM documents WHERE file>? AND file<? AND NOT deleted LIMIT 1",
            (file + "/", file + "0"),
        ).fetchone()
        return row is not None

    def put_document(self, document: Document) -> None:
        """Insert or replace a document."""
        self._db.execute(
            "INSERT OR REPLACE INTO documents VALUES (?,?,?,?,?)",
            (document.file, document.kind, document.current, document.written, document.deleted),
        )
        self._memory.documents[document.file] = document

    def heads(self, file: str) -> list[Revision]:
        """The revisions of a document that no other one succeeds."""
        known = self._memory.heads.get(file)
        if known is not None:
            return [one for one in map(self._rows.get, known) if one is not None]
        rows = self._db.execute("SELECT revision FROM heads WHERE file=? LIMIT 2", (file,))
        names = tuple(str(name) for (name,) in rows)
        if len(names) > 1:
            return self._rows.select(_HEADS, file)
        self._memory.heads[file] = names
        return [one for one in map(self._rows.get, names) if one is not None]

    def all_heads(self) -> list[tuple[str, str]]:
        """(file, revision) of every head of every document, sorted."""
        rows = self._db.execute("SELECT file, revision FROM heads ORDER BY file, revision")
        return [(str(file), str(revision)) for file, revision in rows]

    def set_heads(self, file: str, revisions: Iterable[str]) -> None:
        """Replace the heads of a document."""
        after = tuple(revisions)
        before = self._memory.heads.get(file)
        if before == after:
            return
        if before != ():
            self._db.execute("DELETE FROM heads WHERE file=?", (file,))
        for revision in after:
            self._db.execute("INSERT INTO heads VALUES (?,?)", (file, revision))
        if len(after) < 2:
            self._memory.heads[file] = after
        else:
            self._memory.heads.pop(file, None)

    def revision(self, revision: str) -> Revision | None:
        """A revision by its whole id."""
        return self._rows.get(revision)

    def joins(self, file: str, most: int) -> list[Revision]:
        """The newest revisions of a document that have several parents."""
        where = f"{_IN_FILE} AND r.joins=1 ORDER BY r.number DESC LIMIT ?2"
        return self._rows.select(where, file, most)

    def find_revisions(self, file: str, prefix: str) -> list[Revision]:
        """The revisions of a document whose ids begin so (two at most)."""
        ids = id_range(prefix)
        if ids is None:
            return []
        where = (
            "substr(r.revision,1,8) BETWEEN substr(?2,1,8) AND substr(?3,1,8) "
            f"AND r.revision BETWEEN ?2 AND ?3 AND {_OF_FILE} LIMIT 2"
        )
        return self._rows.select(where, file, *ids)

    def with_content(self, file: str, content_hash: str) -> Revision | None:
        """The newest revision of a document that has this content."""
        where = f"{is_id('r.content_hash', '?2')} AND {_OF_FILE} ORDER BY r.number DESC LIMIT 1"
        found = self._rows.select(where, file, pack_id(content_hash))
        return found[0] if found else None

    def revisions(
        self, file: str, limit: int | None = None, before: str | None = None, *,
        signed: bool = False,
    ) -> list[Revision]:  # fmt: skip
        """A document's revisions in the order they were recorded; ``limit``: the last of them.

        ``before`` (a revision): those recorded before that one; ``signed``: no views.
        """
        number = limits.SAFE_INTEGER
        if before is not None:
            row = self._db.execute(
                f"SELECT number FROM revisions r WHERE {is_id('r.revision', '?2')} AND {_OF_FILE}",
                (file, pack_id(before)),
            ).fetchone()
            if row is None:
                raise Refusal("unknown-revision", before)
            (number,) = row
        most = -1 if limit is None else limit
        where = f"{_IN_FILE} AND r.number<?2 AND ({SIGNED} OR NOT ?4)"
        where += " ORDER BY r.number DESC LIMIT ?3"
        return self._rows.select(where, file, number, most, signed)[::-1]

    def count_revisions(self) -> dict[str, int]:
        """File -> how many revisions."""
        rows = self._db.execute(
            "SELECT n.name, count(*) FROM revisions r JOIN names n ON n.number=r.file "
            "GROUP BY r.file"
        )
        return {str(file): int(count) for file, count in rows}

    def add_revision(self, revision: Revision, content: bytes, *, named: bool = False) -> None:
        """Record a revision and its content; ``named``: others have it as a parent."""
        self._rows.add(revision, self._keep(revision, content), named=named)

    def restore_content(self, revision: Revision, content: bytes) -> None:
        """Have a content again that was dropped."""
        self._keep(revision, content)

    def _keep(self, revision: Revision, content: bytes) -> int:
        """The number of a revision's content, which is kept once however many have it."""
        digest = pack_id(revision.content_hash)
        same = is_id("content_hash", "?1")
        known = self._db.execute(
            f"SELECT content FROM revisions WHERE {same} LIMIT 1", (digest,)
        ).fetchone()
        if known is not None and known[0] is not None:
            return int(known[0])
        number = self._contents.keep(revision.content_hash, content, self._like(revision))
        if known is not None:  # it was dropped, and older revisions have it again, too
            self._db.execute(f"UPDATE revisions SET content=?2 WHERE {same}", (digest, number))
        return number

    def _like(self, revision: Revision) -> tuple[int, str] | None:
        """A content that a new one may be like: of a parent, else of the revision before."""
        columns = "SELECT content, content_hash FROM revisions r WHERE content IS NOT NULL AND"
        parent = f"{columns} {_OF_FILE} AND {is_id('r.revision', '?2')}"
        for name in revision.parents:
            row = self._db.execute(parent, (revision.file, pack_id(name))).fetchone()
            if row is not None:
                return int(row[0]), unpack_id(row[1])
        row = self._db.execute(
            f"{columns} {_IN_FILE} ORDER BY r.number DESC LIMIT 1", (revision.file,)
        ).fetchone()
        return None if row is None else (int(row[0]), unpack_id(row[1]))

    def content(self, content_hash: str) -> bytes:
        """A recorded content; ``content-dropped`` after compaction, Fault for a damaged one."""
        row = self._db.execute(
            f"SELECT content FROM revisions WHERE {is_id('content_hash', '?1')} LIMIT 1",
            (pack_id(content_hash),),
        ).fetchone()
        if row is None:
            raise Fault(f"the content {content_hash} is not in the store")
        if row[0] is None:
            raise Refusal("content-dropped", content_hash[:12])
        return self._contents.read(row[0], content_hash)

    def has_content(self, file: str, content_hash: str) -> bool:
        """Whether some revision of a document has this content."""
        row = self._db.execute(
            f"SELECT 1 FROM revisions r WHERE {is_id('r.content_hash', '?2')} AND {_OF_FILE}",
            (file, pack_id(content_hash)),
        ).fetchone()
        return row is not None

    def last_of_author(self, file: str, author: str) -> Revision | None:
        """The newest revision of an author in a document, by counter."""
        where = f"{_IN_FILE} AND r.author={NUMBER.format('?2')} ORDER BY r.seq DESC LIMIT 1"
        found = self._rows.select(where, file, author)
        return found[0] if found else None

    def last_seq(self, author: str) -> int:
        """The highest counter an author's message has carried; 0 for none."""
        row = self._db.execute(
            f"SELECT max(seq) FROM revisions WHERE author={NUMBER.format('?')} AND counted=1",
            (author,),
        ).fetchone()
        return int(row[0] or 0)

    def revision_at(self, author: str, seq: int) -> str | None:
        """The revision that an author's message of this counter made."""
        # one that began to count late has its place in the order by its clock, not by its counter
        row = self._db.execute(
            f"SELECT revision FROM revisions WHERE author={NUMBER.format('?1')} AND counted=1 "
            "AND seq=?2 UNION ALL SELECT revision FROM revisions "
            f"WHERE author={NUMBER.format('?1')} AND counted=0 AND said=?2 LIMIT 1",
            (author, seq),
        ).fetchone()
        return None if row is None else unpack_id(row[0])

    def synced_from(self, path: str) -> tuple[str, str] | None:
        """(file, revision) last synced from a local path."""
        row = self._db.execute("SELECT file, revision FROM paths WHERE path=?", (path,)).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    def set_synced_from(self, path: str, file: str, revision: str) -> None:
        """Remember which revision a local path holds."""
        self._db.execute("INSERT OR REPLACE INTO paths VALUES (?,?,?)", (path, file, revision))
