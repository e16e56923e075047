# SPDX-License-Identifier: MIT
"""Which contents of a history are kept: pins, and compaction."""

from __future__ import annotations

from collections.abc import Sequence

from federation import limits
from federation.adapters.store.documents import DocumentTables
from federation.adapters.store.packing import pack_id, unpack_id
from federation.adapters.store.rows import NUMBER, SIGNED, is_id
from federation.adapters.store.savepoint import attempt
from federation.errors import Refusal
from federation.replica import retention
from federation.replica.records import Revision
from federation.replica.retention import Kept


class HistoryTables(DocumentTables):
    """The part of the store that ``ports.HistoryStore`` describes."""

    # --- pins -----------------------------------------------------------------------
    def pin(self, file: str, revision: str, on: bool) -> None:
        """Keep the content of a revision whatever is compacted, or no longer."""
        if not on:
            self._db.execute("DELETE FROM pins WHERE file=? AND revision=?", (file, revision))
            return
        row = self._db.execute(
            f"SELECT content FROM revisions r WHERE {is_id('r.revision', '?1')} "
            f"AND +file={NUMBER.format('?2')}",
            (pack_id(revision), file),
        ).fetchone()
        if row is None:
            raise Refusal("unknown-revision", revision)
        if row[0] is None:
            raise Refusal("content-dropped", revision[:12])
        self._db.execute("INSERT OR IGNORE INTO pins VALUES (?,?)", (file, revision))

    def pinned(self, file: str) -> set[str]:
        """The pinned revisions of a document."""
        rows = self._db.execute("SELECT revision FROM pins WHERE file=?", (file,))
        return {str(revision) for (revision,) in rows}

    # --- everything, in order ---------------------------------------------------------
    def recorded(self, after: int, most: int) -> list[tuple[int, Revision]]:
        """The signed revisions of all documents behind a number, with their numbers."""
        where = f"r.number>?1 AND {SIGNED} ORDER BY r.number LIMIT ?2"
        return self._rows.numbered(where, after, most)

    def last_recorded(self) -> int:
        """The number of the newest signed revision; 0 for none."""
        row = self._db.execute(
            f"SELECT r.number FROM revisions r WHERE {SIGNED} ORDER BY r.number DESC LIMIT 1"
        ).fetchone()
        return 0 if row is None else int(row[0])

    def count_recorded(self, after: int) -> int:
        """How many signed revisions are behind a number."""
        (count,) = self._db.execute(
            f"SELECT count(*) FROM revisions r WHERE r.number>? AND {SIGNED}", (after,)
        ).fetchone()
        return int(count)

    # --- compaction -----------------------------------------------------------------
    def dropped(self, file: str) -> set[str]:
        """The revisions of a document whose contents were dropped."""
        rows = self._db.execute(
            f"SELECT revision FROM revisions WHERE file={NUMBER.format('?')} AND content IS NULL",
            (file,),
        )
        return {unpack_id(revision) for (revision,) in rows}

    def crowded(self, more_than: int, bytes_: int) -> list[str]:
        """The documents with more contents than this, or more bytes of them, by name."""
        rows = self._db.execute(
            "SELECT n.name FROM revisions r JOIN contents c ON c.number = r.content "
            "JOIN names n ON n.number = r.file "
            "GROUP BY r.file HAVING count(*) > ? OR sum(length(c.data)) > ? ORDER BY 1",
            (more_than, bytes_),
        )
        return [str(file) for (file,) in rows]

    def compact(
        self, file: str, keep_recent: int, keep_since_us: int, keep_bytes: int | None = None
    ) -> int:
        """Drop contents that nobody needs; how many, limits.HISTORY_DROPPED at most.

        All or nothing: called again until it drops none, each call may be a
        transaction of its own.
        """

        def work() -> int:
            candidates = retention.droppable(
                self._kept(file),
                self._needed(file),
                keep_recent=keep_recent,
                keep_since_us=keep_since_us,
                keep_bytes=keep_bytes,
            )
            return self._drop(candidates)

        return attempt(self._db, work, self._memory.forget)

    def _kept(self, file: str) -> list[Kept]:
        """The revisions whose contents are here, in the order they were recorded."""
        rows = self._db.execute(
            "SELECT c.number, r.revision, r.timestamp_us + r.lag, length(c.data) FROM revisions r "
            f"JOIN contents c ON c.number = r.content WHERE r.file={NUMBER.format('?')} "
            "ORDER BY r.number",
            (file,),
        )
        return [Kept(number, unpack_id(name), *rest) for number, name, *rest in rows]

    def _needed(self, file: str) -> set[str]:
        """The revisions that must stay readable, however old they are.

        Heads; what the document shows and its file holds; what people pinned, what
        local paths were synced from and what peers have: the next edits start
        there.  And what those were made from, and what merging that looks at.
        """
        heads = self.heads(file)
        document = self.document(file)
        shown = set() if document is None else {document.current, document.written or ""}
        found = [one for name in shown if (one := self.revision(name)) is not None]
        needed = self.pinned(file) | shown
        for one in (*heads, *found):
            needed |= {one.revision, *one.parents}
        for table in ("paths", "acknowledged"):
            rows = self._db.execute(f"SELECT revision FROM {table} WHERE file=?", (file,))
            others = {str(revision) for (revision,) in rows} - needed
            found += [one for name in others if (one := self.revision(name)) is not None]
            needed |= others
        # an edit of what was made from several is merged over what those were made from
        groups = {one.parents for one in (*heads, *found) if len(one.parents) > 1}
        for group in {tuple(head.revision for head in heads), *groups}:
            merged = [one for name in group if (one := self.revision(name)) is not None]
            needed |= set(group) | retention.bases(self.revision, merged)
        return needed

    def _drop(self, candidates: Sequence[Kept]) -> int:
        """Drop the first of these, but for contents that other revisions need, too."""
        waiting: dict[int, set[str]] = {}
        for one in candidates:
            waiting.setdefault(one.number, set()).add(one.revision)
        chosen: list[int] = []
        for number, revisions in waiting.items():
            if len(chosen) == limits.HISTORY_DROPPED:
                break
            if self._carriers(next(iter(revisions))) == revisions:
                chosen.append(number)
        self._contents.forget(chosen)
        for number in chosen:
            self._db.executemany(
                f"UPDATE revisions SET content=NULL WHERE {is_id('revision', '?1')}",
                [(pack_id(revision),) for revision in waiting[number]],
            )
        return len(chosen)

    def _carriers(self, revision: str) -> set[str]:
        """All revisions, of any document, with the content of this one."""
        one = self._rows.get(revision)
        digest = "" if one is None else one.content_hash
        rows = self._db.execute(
            f"SELECT revision FROM revisions WHERE {is_id('content_hash', '?1')}",
            (pack_id(digest),),
        )
        return {unpack_id(name) for (name,) in rows}
