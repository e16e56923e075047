# SPDX-License-Identifier: MIT
"""The heads of every document: placing a revision among them, and what they show.

Everything here happens inside one transaction of the store; files are written
afterwards, by effect, and again later if that failed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from federation import limits
from federation.errors import Fault, Refusal
from federation.events import DropConflicts, Effect, WriteConflict, WriteFile
from federation.node.conflicts import Conflicts
from federation.node.context import Context
from federation.node.manual import Manual
from federation.replica.ancestry import Ancestry
from federation.replica.kinds import merge_kind
from federation.replica.names import kind_of
from federation.replica.records import Document, Revision
from federation.replica.spaces import may_leave
from federation.replica.succession import is_older, place, reach
from federation.replica.view import Viewer, view_id
from federation.replica.walks import Walks


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a revision.

    ``place``: ``current``; ``merged`` with concurrent ones; ``concurrent``
    beside them, for what cannot be merged; ``past``; or ``unchanged``.
    """

    revision: Revision
    place: str
    #: the signed message, where it was made just now
    message: bytes | None = None
    #: whose version it follows, where a path was synced for the first time
    replaces: str | None = None
    #: what the document shows now, where that is another
    shown: Revision | None = None


class Heads:
    """The heads of the documents of ``commons``."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._root = 0
        self._viewer = Viewer(self._signed, self._content, context.store.missing)
        self._walks = Walks()
        # a view depends on nothing but its heads: what it walks is not remembered
        self.ancestry = Ancestry(self._signed, context.store.missing, self._walks)
        self.manual = Manual(context, self._content)
        self.conflicts = Conflicts(context, self._viewer, self._signed)
        self.reload()

    # --- the root of all heads ---------------------------------------------
    def reload(self) -> None:
        """Begin again with what the store has."""
        self._walks.forget()
        self._root = sum(self._leaf(*head) for head in self.shared()) % 2**256

    def shared(self) -> list[tuple[str, str]]:
        """(file, revision) of every head that other peers may know of, sorted."""
        return [head for head in self._context.store.all_heads() if may_leave(head[0])]

    @staticmethod
    def _leaf(file: str, revision: str) -> int:
        leaf = hashlib.sha256(f"canvasl-head/v1\0{revision}\0{file}".encode()).digest()
        return int.from_bytes(leaf, "big")

    @property
    def root(self) -> str:
        """64 hex digits: the same for peers that hold the same heads.

        A sum over all heads, so that one change costs the same however many
        documents there are.  It only saves work; what is exchanged is verified.
        """
        return f"{self._root:064x}"

    def _set_heads(self, file: str, before: Sequence[Revision], after: Sequence[str]) -> None:
        self._context.store.set_heads(file, after)
        if not may_leave(file):
            return
        old = {head.revision for head in before}
        self._root -= sum(self._leaf(file, revision) for revision in old - set(after))
        self._root += sum(self._leaf(file, revision) for revision in set(after) - old)
        self._root %= 2**256

    # --- recording ----------------------------------------------------------
    def record(
        self, revision: Revision, content: bytes, *, local: bool, resolves: Iterable[str] = ()
    ) -> Recorded:
        """Put a revision among the heads of its document, and show what they make together."""
        store = self._context.store
        heads = store.heads(revision.file)
        named = store.is_gap(revision.file, revision.revision)
        self._note_gaps(revision)
        self._forget()
        where = place(revision, heads, self.ancestry.contains, named=named)
        past = where.past or self._is_late(revision)
        beside = [head for head in heads if head.revision in where.beside]
        same = sum(head.author == revision.author for head in beside)
        full = len(beside) >= limits.HEADS or (same >= limits.HEADS_PER_AUTHOR and not local)
        if full and not past:
            raise Refusal("queue-full", f"{len(beside)} concurrent versions of {revision.file}")
        store.add_revision(revision, content, named=named)
        self.conflicts.settle(revision, list(resolves))
        complete = not store.missing(revision.file)
        joins = store.joins(revision.file, limits.JOINS) if named and complete else []
        for join in [revision, *joins]:
            self.conflicts.stand(join)
        left = [head.revision for head in heads if head.revision not in where.superseded]
        after = left or [head.revision for head in heads] if past else [*left, revision.revision]
        if named and complete:
            after += self._overlooked(revision.file, after)
        self._set_heads(revision.file, heads, after)
        if past:
            names = {name for head in heads for name in head.parents}
            news = complete or revision.revision in names
            others = set(after) != {head.revision for head in heads}
            if others or (len(heads) > 1 and not local and news):
                # one of the versions that these were made from
                self._show(revision, heads, local=local)
            return Recorded(revision, "past")
        return self._show(revision, heads, local=local)

    def _forget(self) -> None:
        """What was found out of the history before is not all there is."""
        self.ancestry.forget()
        self._viewer.ancestry.forget()

    def _is_late(self, revision: Revision) -> bool:
        """Whether a message without a vector comes after a newer one of its author."""
        if not revision.plain:
            return False
        store = self._context.store
        return is_older(revision, store.last_of_author(revision.file, revision.author))

    def go_on_without(self, file: str) -> None:
        """Some of what is missing of a history is waited for no longer."""
        store = self._context.store
        heads = store.heads(file)
        if not heads:
            return
        self._forget()
        names = [head.revision for head in heads]
        self._set_heads(file, heads, [*names, *self._overlooked(file, names)])
        for join in store.joins(file, limits.JOINS):
            self.conflicts.stand(join)
        self._show(heads[0], heads, local=False)

    def regain(self, revision: Revision, content: bytes) -> bool:
        """Take a content that was dropped here, and is needed; False for one that is not."""
        store = self._context.store
        if not store.is_gap(revision.file, revision.revision):
            return False
        store.restore_content(revision, content)
        self._note_gaps(revision)
        self.go_on_without(revision.file)
        return True

    def _note_gaps(self, revision: Revision) -> None:
        """What a revision names and is not here: what a parent of it has named is not its own."""
        found = [self._signed(name) for name in revision.parents]
        below = {name for one in found if one is not None for name in one.parents}
        fresh = [name for name in revision.parents if name not in below]
        self._context.store.note_gaps(revision.file, revision.revision, fresh, revision.author)

    def _overlooked(self, file: str, names: Sequence[str]) -> list[str]:
        """Heads that were taken for seen, by a vector's word, until the history was complete."""
        heads = [self.get(name) for name in names]
        found: list[str] = []
        for name in self._context.store.ends(file, limits.HEADS):
            one = self.get(name)
            room = len(names) + len(found) < limits.HEADS
            # messages without a vector have their order from their author's clock
            new = name not in names and not one.plain and room
            if new and not place(one, heads, self.ancestry.contains).past:
                found.append(name)
        return found

    def _show(self, cause: Revision, before: Sequence[Revision], *, local: bool) -> Recorded:
        """Make what the heads say now the current version of the document."""
        store = self._context.store
        file, kind = cause.file, kind_of(cause.file)
        document = store.document(file)
        heads = store.heads(file)
        store.drop_passing(file)
        if len({(head.content_hash, head.deleted) for head in heads}) == 1:
            shown: Revision | None = min(heads, key=lambda head: head.revision)
        else:
            view = self._viewer.merged(file, merge_kind(file), heads)
            if view is not None:
                self.conflicts.lacks(file, view)
                self.conflicts.note(cause, view.conflicts, standing=False)
            shown = None if view is None else self._virtual(heads, view.content)
        if shown is None:
            return self._side_by_side(cause, document, before, heads, local=local)
        if self._context.settings.strategy == "manual" and not shown.deleted:
            shown = self._own_values(heads, shown)
        written = document.written if document else None
        placed = Document(file, kind, shown.revision, written, shown.deleted)
        if document is None or document.current != shown.revision:
            store.put_document(placed)
            self._context.effects.append(WriteFile(file, shown.revision))
        if len(before) > 1:
            self._context.effects.append(DropConflicts(file, ()))
        if shown.revision == cause.revision:
            return Recorded(cause, "current")
        return Recorded(cause, "merged", shown=shown)

    def _virtual(self, heads: Sequence[Revision], content: bytes) -> Revision:
        """What some heads show, recorded like a revision that nobody signed."""
        store = self._context.store
        digest = hashlib.sha256(content).hexdigest()
        parents = tuple(sorted(head.revision for head in heads))
        number = view_id(parents, digest)
        known = store.revision(number)
        if known is not None:
            return known
        vector: dict[str, int] = {}
        for head in heads:
            for author, seq in reach(head).items():
                vector[author] = max(vector.get(author, 0), seq)
        newest = max(heads, key=lambda head: head.timestamp_us)
        revision = Revision(
            revision=number, file=newest.file, author="", seq=0,
            timestamp=newest.timestamp, timestamp_us=newest.timestamp_us,
            received_us=self._context.now.wall_us,
            content_hash=digest, size=len(content), binary=False, plain=False, counted=True,
            envelope="{}", vector=vector, parents=parents,
        )  # fmt: skip
        store.add_revision(revision, content)
        return revision

    def _own_values(self, heads: Sequence[Revision], shown: Revision) -> Revision:
        """What strategy ``manual`` makes of what everybody sees."""
        content = self._context.store.content(shown.content_hash)
        own = self.manual.shown(shown.file, content)
        return shown if own == content else self._virtual(heads, own)

    def common(self, file: str) -> bytes | None:
        """What everybody sees of a document; None for what cannot be merged."""
        heads = self._context.store.heads(file)
        if len({(head.content_hash, head.deleted) for head in heads}) == 1:
            return self._content(heads[0])
        view = self._viewer.merged(file, merge_kind(file), heads)
        return None if view is None else view.content

    def _signed(self, name: str) -> Revision | None:
        """A revision that somebody signed.

        A view is only what one peer saw: one that is named as a parent, by a
        peer that lies, would else give another merge where it was never seen.
        """
        revision = self._context.store.revision(name)
        return revision if revision is not None and revision.author else None

    def _content(self, revision: Revision) -> bytes | None:
        """What a revision says; None where it was dropped from the history."""
        try:
            return self._context.store.content(revision.content_hash)
        except Refusal:
            return None

    # --- what cannot be merged -----------------------------------------------------
    def _side_by_side(
        self, cause: Revision, document: Document | None, before: Sequence[Revision],
        heads: Sequence[Revision], *, local: bool,
    ) -> Recorded:  # fmt: skip
        """Bytes that are no text: one version is shown, the others lie beside it.

        What the user syncs here is what the user sees here; what comes from
        others replaces the current version only when its author had seen it.
        """
        # a deletion beside versions that cannot be merged is seen in the history only
        names = [head.revision for head in heads if not head.deleted]
        stays = document is not None and document.current in names
        current = document.current if document and stays and not local else cause.revision
        if current not in names:
            current = names[0]
        placed = Document(cause.file, kind_of(cause.file), current,
                          document.written if document else None)  # fmt: skip
        self._context.store.put_document(placed)
        if document is None or document.current != current:
            self._context.effects.append(WriteFile(cause.file, current))
        self._settle(placed, before, names)
        if current != cause.revision:
            self._conflict(cause, current)
            return Recorded(cause, "concurrent")
        if document is not None and stays and document.current != current:
            self._conflict(self.get(document.current), current)
        return Recorded(cause, "current")

    def _settle(self, document: Document, before: Sequence[Revision], after: Sequence[str]) -> None:
        """Keep the readable copies of concurrent versions as the heads are."""
        others = tuple(one for one in after if one != document.current)
        if len(before) > 1:
            self._context.effects.append(DropConflicts(document.file, others))
        self._context.effects.extend(WriteConflict(document.file, one) for one in others)

    def _conflict(self, other: Revision, current: str) -> None:
        context = self._context
        context.notify(
            "conflict-detected",
            file=other.file,
            peer_id=other.author,
            revision=other.revision,
            path=context.files.conflict_path(other.file, other.revision),
            current=current,
            conflicts=[],
        )

    def get(self, revision: str) -> Revision:
        """A revision that must be there."""
        found = self._context.store.revision(revision)
        if found is None:
            raise Fault(f"the revision {revision} is not in the store")
        return found

    # --- files -------------------------------------------------------------------------
    def written(self, file: str, revision: str) -> None:
        """The synced file now holds this revision."""
        store = self._context.store
        document = store.document(file)
        if document is not None:
            store.put_document(replace(document, written=revision))
            store.set_synced_from(self._context.files.synced_path(file), file, revision)

    def unwritten(self) -> list[Effect]:
        """What a crash may have left: files that lag behind, and conflicts not shown or settled."""
        store = self._context.store
        counts = store.count_revisions()
        versions: dict[str, list[str]] = {}
        for file, revision in store.all_heads():
            versions.setdefault(file, []).append(revision)
        effects: list[Effect] = []
        for one in store.documents(unsettled=True):
            if one.written != one.current:
                effects.append(WriteFile(one.file, one.current))
            heads = versions.get(one.file, [])
            if len(heads) > 1 or counts.get(one.file, 0) >= 3:
                found = [self.get(head) for head in heads] if len(heads) > 1 else []
                merged = one.current not in heads
                alike = len({(head.content_hash, head.deleted) for head in found}) == 1
                others = tuple(
                    head.revision
                    for head in found
                    if not (merged or alike or head.deleted or head.revision == one.current)
                )
                effects.append(DropConflicts(one.file, others))
                effects.extend(WriteConflict(one.file, other) for other in others)
        return effects
