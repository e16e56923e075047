# SPDX-License-Identifier: MIT
"""The tables of documents, their revisions and contents."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from federation import limits
from federation.adapters.store.contents import Contents
from federation.errors import Fault, Refusal
from federation.replica.records import Document, Revision

if TYPE_CHECKING:
    import sqlite3

_COLUMNS = (
    "revision, file, author, seq, timestamp, timestamp_us, received_us, content_hash, size, "
    "binary, plain, counted, vector, parents, envelope"
)


def _revision(row: tuple[Any, ...]) -> Revision:
    return Revision(
        revision=row[0], file=row[1], author=row[2], seq=row[3], timestamp=row[4],
        timestamp_us=row[5], received_us=row[6], content_hash=row[7], size=row[8],
        binary=bool(row[9]), plain=bool(row[10]), counted=bool(row[11]),
        vector=json.loads(row[12]), parents=tuple(json.loads(row[13])), envelope=row[14],
    )  # fmt: skip


class DocumentTables:
    """The part of the store that ``ports.DocumentStore`` describes."""

    _db: sqlite3.Connection
    _contents: Contents

    def document(self, file: str) -> Document | None:
        """The document of this name."""
        row = self._db.execute("SELECT * FROM documents WHERE file=?", (file,)).fetchone()
        return None if row is None else Document(*row)

    def documents(self) -> list[Document]:
        """All documents, by name."""
        return [Document(*row) for row in self._db.execute("SELECT * FROM documents ORDER BY file")]

    def count_documents(self) -> int:
        """How many documents."""
        (count,) = self._db.execute("SELECT count(*) FROM documents").fetchone()
        return int(count)

    def conflicted(self) -> list[str]:
        """The documents with conflicts or with versions that cannot be merged, by name."""
        rows = self._db.execute(
            "SELECT file FROM conflicts WHERE NOT EXISTS (SELECT 1 FROM settled WHERE "
            "settled.file=conflicts.file AND settled.number=conflicts.number) UNION "
            "SELECT d.file FROM documents d WHERE d.current IN (SELECT revision FROM heads h "
            "WHERE h.file=d.file) AND (SELECT count(DISTINCT r.content_hash) FROM heads h "
            "JOIN revisions r ON r.revision=h.revision WHERE h.file=d.file) > 1 ORDER BY 1"
        )
        return [str(file) for (file,) in rows]

    def standing(self, author: str) -> tuple[int, dict[str, int]]:
        """Documents whose current revision is of ``author``, and who has how many of these."""
        rows = self._db.execute(
            "WITH own AS MATERIALIZED (SELECT d.file, d.current FROM documents d "
            "JOIN revisions r ON r.revision = d.current WHERE r.author = ?) "
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
            "SELECT d.file FROM documents d JOIN revisions r ON r.revision = d.current "
            "WHERE r.author = ?",
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
            "SELECT 1 FROM documents WHERE file>? AND file<? LIMIT 1", (file + "/", file + "0")
        ).fetchone()
        return row is not None

    def put_document(self, document: Document) -> None:
        """Insert or replace a document."""
        self._db.execute(
            "INSERT OR REPLACE INTO documents VALUES (?,?,?,?)",
            (document.file, document.kind, document.current, document.written),
        )

    def _select(self, where: str, *values: object) -> list[Revision]:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM revisions WHERE {where}", values)
        return [_revision(row) for row in rows]

    def heads(self, file: str) -> list[Revision]:
        """The revisions of a document that no other one succeeds."""
        return self._select(
            "revision IN (SELECT revision FROM heads WHERE file=?) ORDER BY number", file
        )

    def all_heads(self) -> list[tuple[str, str]]:
        """(file, revision) of every head of every document, sorted."""
        rows = self._db.execute("SELECT file, revision FROM heads ORDER BY file, revision")
        return [(str(file), str(revision)) for file, revision in rows]

    def set_heads(self, file: str, revisions: Iterable[str]) -> None:
        """Replace the heads of a document."""
        self._db.execute("DELETE FROM heads WHERE file=?", (file,))
        self._db.executemany(
            "INSERT INTO heads VALUES (?,?)", [(file, revision) for revision in revisions]
        )

    def revision(self, revision: str) -> Revision | None:
        """A revision by its whole id."""
        found = self._select("revision=?", revision)
        return found[0] if found else None

    def joins(self, file: str, most: int) -> list[Revision]:
        """The newest revisions of a document that have several parents."""
        where = "file=? AND json_array_length(parents) > 1 AND author<>'' ORDER BY number DESC"
        return self._select(f"{where} LIMIT ?", file, most)

    def find_revisions(self, file: str, prefix: str) -> list[Revision]:
        """The revisions of a document whose ids begin so (two at most)."""
        return self._select(
            "file=? AND revision>=? AND revision<? LIMIT 2", file, prefix, prefix + "g"
        )

    def revisions(
        self, file: str, limit: int | None = None, before: str | None = None
    ) -> list[Revision]:
        """A document's revisions in the order they were recorded; ``limit``: the last of them.

        ``before`` (a revision): those recorded before that one.
        """
        number = limits.SAFE_INTEGER
        if before is not None:
            row = self._db.execute(
                "SELECT number FROM revisions WHERE revision=? AND file=?", (before, file)
            ).fetchone()
            if row is None:
                raise Refusal("unknown-revision", before)
            (number,) = row
        most = -1 if limit is None else limit
        found = self._select("file=? AND number<? ORDER BY number DESC LIMIT ?", file, number, most)
        return found[::-1]

    def count_revisions(self) -> dict[str, int]:
        """File -> how many revisions."""
        rows = self._db.execute("SELECT file, count(*) FROM revisions GROUP BY file")
        return {str(file): int(count) for file, count in rows}

    def add_revision(self, revision: Revision, content: bytes) -> None:
        """Record a revision and its content."""
        number = self._keep(revision, content)
        self._db.execute(
            f"INSERT INTO revisions ({_COLUMNS}, content) "
            "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                revision.revision, revision.file, revision.author, revision.seq,
                revision.timestamp, revision.timestamp_us, revision.received_us,
                revision.content_hash, revision.size, revision.binary, revision.plain,
                revision.counted, json.dumps(dict(revision.vector)),
                json.dumps(revision.parents),
                revision.envelope, number,
            ),
        )  # fmt: skip

    def _keep(self, revision: Revision, content: bytes) -> int:
        """The number of a revision's content, which is kept once however many have it."""
        known = self._db.execute(
            "SELECT content FROM revisions WHERE content_hash=? LIMIT 1", (revision.content_hash,)
        ).fetchone()
        if known is not None and known[0] is not None:
            return int(known[0])
        number = self._contents.keep(revision.content_hash, content, self._like(revision))
        if known is not None:  # it was dropped, and older revisions have it again, too
            self._db.execute(
                "UPDATE revisions SET content=? WHERE content_hash=?",
                (number, revision.content_hash),
            )
        return number

    def _like(self, revision: Revision) -> tuple[int, str] | None:
        """A content that a new one may be like: of a parent, else of the revision before."""
        for parent in revision.parents:
            row = self._db.execute(
                "SELECT content, content_hash FROM revisions "
                "WHERE revision=? AND file=? AND content IS NOT NULL",
                (parent, revision.file),
            ).fetchone()
            if row is not None:
                return int(row[0]), str(row[1])
        row = self._db.execute(
            "SELECT content, content_hash FROM revisions "
            "WHERE file=? AND content IS NOT NULL ORDER BY number DESC LIMIT 1",
            (revision.file,),
        ).fetchone()
        return None if row is None else (int(row[0]), str(row[1]))

    def content(self, content_hash: str) -> bytes:
        """A recorded content; ``content-dropped`` after compaction, Fault for a damaged one."""
        row = self._db.execute(
            "SELECT content FROM revisions WHERE content_hash=? LIMIT 1", (content_hash,)
        ).fetchone()
        if row is None:
            raise Fault(f"the content {content_hash} is not in the store")
        if row[0] is None:
            raise Refusal("content-dropped", content_hash[:12])
        return self._contents.read(row[0], content_hash)

    def has_content(self, file: str, content_hash: str) -> bool:
        """Whether some revision of a document has this content."""
        row = self._db.execute(
            "SELECT 1 FROM revisions WHERE content_hash=? AND file=?", (content_hash, file)
        ).fetchone()
        return row is not None

    def last_of_author(self, file: str, author: str) -> Revision | None:
        """The newest revision of an author in a document, by counter."""
        found = self._select("file=? AND author=? ORDER BY seq DESC LIMIT 1", file, author)
        return found[0] if found else None

    def last_seq(self, author: str) -> int:
        """The highest counter an author's message has carried; 0 for none."""
        row = self._db.execute(
            "SELECT max(seq) FROM revisions WHERE author=? AND counted=1", (author,)
        ).fetchone()
        return int(row[0] or 0)

    def revision_at(self, author: str, seq: int) -> str | None:
        """The revision that an author's message of this counter made."""
        # one that began to count late has its place in the order by its clock, not by its counter
        row = self._db.execute(
            "SELECT revision FROM revisions WHERE author=?1 AND counted=1 AND seq=?2 UNION ALL "
            "SELECT revision FROM revisions WHERE author=?1 AND counted=0 "
            "AND json_extract(envelope, '$.seq')=?2 LIMIT 1",
            (author, seq),
        ).fetchone()
        return None if row is None else str(row[0])

    def synced_from(self, path: str) -> tuple[str, str] | None:
        """(file, revision) last synced from a local path."""
        row = self._db.execute("SELECT file, revision FROM paths WHERE path=?", (path,)).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    def set_synced_from(self, path: str, file: str, revision: str) -> None:
        """Remember which revision a local path holds."""
        self._db.execute("INSERT OR REPLACE INTO paths VALUES (?,?,?)", (path, file, revision))
