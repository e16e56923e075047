# SPDX-License-Identifier: MIT
"""The documents: recording revisions, local and received ones.

Everything here happens inside one transaction of the store; files are written
afterwards, by effect, and again later if that failed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from federation import limits
from federation.errors import Refusal
from federation.events import WriteFile
from federation.node import settling
from federation.node.context import Context
from federation.node.deleting import delete
from federation.node.heads import Heads, Recorded
from federation.node.packing import Packing, get_content, is_text, put_content
from federation.replica.choice import fits, own_side
from federation.replica.kinds import merge_kind
from federation.replica.names import check_name
from federation.replica.records import Document, Revision
from federation.replica.spaces import check_document
from federation.replica.succession import (
    dot_of,
    parents_after,
    vector_after,
    vector_from_json,
)
from federation.wire import canonical, envelope
from federation.wire.messages import Message


class Library:
    """The documents of ``commons``."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.heads = Heads(context)
        self.packing = Packing(context)

    # --- local changes -------------------------------------------------------
    def import_content(
        self,
        file: str,
        content: bytes,
        path: str | None,
        opened: str | Sequence[str] | None = None,
        *,
        apart: bool = False,
    ) -> Recorded:
        """Record what the user has in ``path`` (absolute), or None for no path.

        Its base is the revision last synced from that path, else the current
        head; ``opened``, the hash of the content that an editor began with (or
        several, oldest first), says better.  ``apart``: what comes from a path
        that nothing was synced from was made from nothing that is here, unless
        it is an earlier version; so is what lies where the synced file was
        never written.  Content that the base, the head or the path has
        already is no change.
        """
        context = self._context
        store = context.store
        check_document(file, *self._extensions())
        if len(content) > context.settings.max_document:
            raise Refusal("file-too-large", f"{file}: {len(content)} bytes")
        self._check_place(file)
        document = store.document(file)
        base: list[Revision] = []
        replaces = None
        if document is not None:
            current = self.heads.get(document.current)
            last = self._last(document, path)
            base = self._base(current, last, opened)
            digest = _digest(content)
            known: list[Revision | None] = [current, *base, last]
            if current.deleted and not apart and base and base[0].content_hash == digest:
                base, known = [current], []  # the same again, after it was deleted
            apart = apart or path == context.files.synced_path(file)
            if apart and last is None and opened is None and not current.deleted:
                base, known = [], [current, store.with_content(file, digest)]
            found = (one for one in known if one is not None and one.content_hash == digest)
            same = next((one for one in found if not one.deleted), None)
            if same is not None:
                self._unchanged(same, path, current)
                return Recorded(same, "unchanged")
            if path and last is None and base == [current] and current.author != context.peer_id:
                replaces = current.author
        recorded = self._write_saved(file, content, base)
        if path:
            shown = recorded.shown or recorded.revision
            as_saved = shown if shown.content_hash == _digest(content) else recorded.revision
            store.set_synced_from(path, file, as_saved.revision)
        return replace(recorded, replaces=replaces)

    def _last(self, document: Document, path: str | None) -> Revision | None:
        """What a path held when that was last recorded, or written there by us."""
        store, files = self._context.store, self._context.files
        known = store.synced_from(path) if path else None
        if known is None and document.written and path == files.synced_path(document.file):
            known = (document.file, document.written)  # the state directory was moved
        return store.revision(known[1]) if known and known[0] == document.file else None

    def _write_saved(self, file: str, content: bytes, base: Sequence[Revision]) -> Recorded:
        """Record what the user saved; see ``node.manual`` for what that may leave out."""
        manual, common = self.heads.manual, None
        if self._context.settings.strategy == "manual" and base and is_text(content):
            common = self.heads.common(file)
        chosen = manual.overwritten(file, content, base)
        return self._write(file, manual.for_all(file, content, base, common, chosen), base, chosen)

    def _base(
        self, current: Revision, last: Revision | None, opened: str | Sequence[str] | None
    ) -> list[Revision]:
        """What a content was made from: ``last`` was synced from its path, if any was.

        Text that an editor began with, and that no revision has, was written
        beside everything that is here now.
        """
        if opened is None:
            return [last or current]
        names = [opened] if isinstance(opened, str) else [*reversed(opened)]
        for one in filter(None, (current, last)):
            if one.content_hash == names[0]:
                return [one]
        for name in names:
            found = self._context.store.with_content(current.file, name)
            if found is not None:
                return [found]
        if last is None:
            return []
        # where the path showed a merge, the editor's text is at least what we wrote of it
        own = [one for one in self._signed(last) if one.author == self._context.peer_id]
        return own or [last]

    def _unchanged(self, same: Revision, path: str | None, current: Revision) -> None:
        """The path holds a revision that there is; the synced file gets the newest one."""
        context = self._context
        if path:
            context.store.set_synced_from(path, same.file, same.revision)
        if same is not current and path == context.files.synced_path(same.file):
            context.effects.append(WriteFile(same.file, current.revision))

    def restore(self, file: str, prefix: str) -> Recorded:
        """Make the content of an earlier revision the newest: it succeeds all heads."""
        revision = self.find(file, prefix)
        content = self._context.store.content(revision.content_hash)
        heads = self._context.store.heads(file)
        return self._write(file, content, heads, deleted=revision.deleted)

    def delete(self, file: str, path: str | None) -> Recorded | None:
        """Record a deletion; None where there is nothing to delete."""
        return delete(
            self._context, file, path,
            lambda name, base, settled: self._write(name, b"", base, settled, deleted=True),
        )  # fmt: skip

    def resolve(self, file: str, number: str, choice: str, value: str | None) -> Recorded:
        """Settle a conflict on every peer.

        ``choice`` is ``a``, ``b``, ``ours`` or ``theirs`` (the side of this peer
        and the other one), ``both`` (of lines), ``kept`` or ``value``.  The number
        may be the first digits of it.  Refused: ``unknown-conflict``,
        ``conflict-moved`` where the place is gone, ``bad-params`` for a choice
        that the conflict does not have and a value that would make the document
        invalid.
        """
        self.require(file)
        open_ones = self._context.store.open_conflicts(file)
        found = [one for one in open_ones if one.number.startswith(number)]
        if len(found) != 1:
            raise Refusal("unknown-conflict", f"{number}{' is of several' if found else ''}")
        (one,) = found
        shown = self.heads.get(self.require(file).current)
        if not one.path and choice not in ("both", "value"):
            keep = settling.side(one, choice, self._context.peer_id) != "a"
            return self._keep_or_delete(self.require(file), keep)
        content = self._context.store.content(shown.content_hash)
        if choice == "value" and not fits(merge_kind(file), one, value):
            raise Refusal("bad-params", "value: a whole entry is needed here")
        ones = [one] if choice == "value" else settling.together(one, open_ones)
        for each in ones:
            chosen = settling.chosen(each, choice, value, content, self._context.peer_id)
            # what is kept is what the user sees here, whatever that is by now
            if choice != "kept":
                content = settling.settled(each, content, chosen, must=True)
        before = self._context.store.content(shown.content_hash)
        settling.check_edges(merge_kind(file), before, content)
        if choice == "value":
            settling.check_value(one, value, before, content)
        return self._write(file, content, [shown], resolves=[each.number for each in ones])

    def _keep_or_delete(self, document: Document, keep: bool) -> Recorded:
        """Settle the conflict of deletions with an edit of the document."""
        found = self._context.store.open_conflicts(document.file)
        settled = [one.number for one in found if not keep or not one.path]
        shown = self.heads.get(document.current)
        content = self._context.store.content(shown.content_hash) if keep else b""
        return self._write(document.file, content, [shown], settled, deleted=not keep)

    def join(self, file: str) -> Recorded | None:
        """Sign what several heads show together; None where one head says it already."""
        document = self._context.store.document(file)
        shown = self.heads.get(document.current) if document is not None else None
        if shown is None or shown.author or len(shown.parents) < 2:
            return None
        if shown.size > self._context.settings.max_document:
            return None  # nobody would take it
        content = self.heads.common(file)
        return None if content is None else self._write(file, content, [shown])

    def join_own(self, file: str) -> Recorded | None:
        """Join the heads where so many of them are ours that others take no more."""
        heads = self._context.store.heads(file)
        own = sum(head.author == self._context.peer_id for head in heads)
        return self.join(file) if own >= limits.HEADS_PER_AUTHOR else None

    def go_on(self, base: Revision, content: bytes) -> Recorded:
        """Record what was made from a revision, whatever else is there by now."""
        if len(content) > self._context.settings.max_document:
            raise Refusal("file-too-large", f"{base.file}: {len(content)} bytes")
        return self._write(base.file, content, [base])

    def prefer(self, file: str) -> Recorded | None:
        """Strategies ``prefer_local`` and ``prefer_remote``: settle what we have a side in."""
        strategy = self._context.settings.strategy
        document = self._context.store.document(file)
        if document is None or strategy not in ("prefer_local", "prefer_remote"):
            return None
        me = self._context.peer_id
        shown = self.heads.get(document.current)
        content = self._context.store.content(shown.content_hash)
        settled: list[str] = []
        for one in self._context.store.open_conflicts(file):
            side = own_side(one, me)
            if side is None or not one.path:
                continue
            wanted = one.a if (side == "a") == (strategy == "prefer_local") else one.b
            if wanted != one.kept:
                try:
                    content = settling.settled(one, content, wanted, must=True)
                except Refusal:  # somebody wrote over it: that is for people
                    continue
            settled.append(one.number)
        return self._write(file, content, [shown], resolves=settled) if settled else None

    def _write(
        self, file: str, content: bytes, base: Sequence[Revision], resolves: Sequence[str] = (),
        *, deleted: bool = False,
    ) -> Recorded:  # fmt: skip
        """Sign and record a revision of our own made from ``base``.

        What was made from a merged version was made from all that is in it.
        """
        context = self._context
        base = [part for one in base for part in self._signed(one)]
        heads = context.store.heads(file)
        binary = not is_text(content)
        seq = context.store.next_seq()
        # A head that claims to have seen what is not written yet lies, and would swallow it:
        # by naming that head as a parent we succeed it, for everybody.
        me, known = context.peer_id, {one.revision for one in base}
        liars = [one for one in heads if one.vector.get(me, 0) >= seq]
        base = [*base, *(one for one in liars if one.revision not in known)]
        vector = vector_after(base, heads, me, seq, self.heads.ancestry.contains)
        message: dict[str, object] = {
            "type": "canvasl-binary" if binary else "canvasl-sync",
            "peer_id": context.peer_id,
            "file": file,
            "timestamp": context.timestamp(),
            "seq": seq,
            "vector": vector,
            "parents": parents_after(
                base, vector, context.store.revision, context.store.missing(file)
            ),
        }
        if resolves:
            message["resolves"] = list(resolves)
        if deleted:
            message["deleted"] = True
        put_content(message, content)
        signed, revision_id = envelope.sign_revision(message, context.key)
        revision = self._revision_of(signed, content, context.now.wall_us, revision_id)
        recorded = self.heads.record(revision, content, local=True, resolves=resolves)
        return replace(recorded, message=canonical.encode(signed))

    def _signed(self, revision: Revision) -> list[Revision]:
        """A revision with the heads that say the same, or those that a merged one was made of."""
        if not revision.author:
            return [self.heads.get(name) for name in revision.parents]
        heads = self._context.store.heads(revision.file)
        says = (revision.content_hash, revision.deleted)
        same = [one for one in heads if (one.content_hash, one.deleted) == says]
        return same if revision.revision in [one.revision for one in same] else [revision]

    def _extensions(self) -> tuple[frozenset[str], ...]:
        extensions = self._context.settings.extensions
        return () if extensions is None else (extensions,)

    # --- received changes -----------------------------------------------------
    def check_received(self, message: Message) -> bytes:
        """The content of a checked document message, if its name may be written."""
        file = str(message.fields["file"])
        check_name(file, *self._extensions())
        content = get_content(message.fields)
        if len(content) > self._context.settings.max_document:
            raise Refusal("oversize", f"{len(content)} bytes")
        self._check_place(file)
        return content

    def _check_place(self, file: str) -> None:
        """Whether the file can be there: on the disk, and beside documents not written yet."""
        store = self._context.store
        self._context.files.check(file)
        if _is_there(store.document(file)):
            return
        if store.is_folder(file):
            raise Refusal("path-not-regular", file)
        folder = file
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            if _is_there(store.document(folder)):
                raise Refusal("path-not-directory", file)

    def receive(self, message: Message, revision_id: str, content: bytes) -> Recorded:
        """Record another peer's revision."""
        revision = self._revision_of(message.fields, content, message.timestamp_us, revision_id)
        named = message.fields.get("resolves")
        resolves = [str(one) for one in named] if isinstance(named, list) else []
        return self.heads.record(revision, content, local=False, resolves=resolves)

    def _revision_of(
        self, message: Mapping[str, object], content: bytes, timestamp_us: int, revision_id: str
    ) -> Revision:
        file, author = str(message["file"]), str(message["peer_id"])
        seq, vector = message.get("seq"), message.get("vector")
        parents = message.get("parents")
        last = None if vector is not None else self._context.store.last_of_author(file, author)
        seq, counted = dot_of(seq if isinstance(seq, int) else None, timestamp_us, last)
        if isinstance(vector, dict):
            known = vector_from_json(vector)
        else:
            known = {} if last is None else {author: min(last.seq, seq - 1)}
            parents = [] if last is None else [last.revision]
        binary = "data" in message
        head = {key: value for key, value in message.items() if key not in ("content", "data")}
        return Revision(
            revision=revision_id, file=file, author=author, seq=seq,
            timestamp=str(message["timestamp"]), timestamp_us=timestamp_us,
            received_us=self._context.now.wall_us,
            content_hash=hashlib.sha256(content).hexdigest(), size=len(content),
            binary=binary, plain=vector is None, counted=counted,
            envelope=canonical.encode(head).decode(), vector=known,
            parents=tuple(str(one) for one in parents) if isinstance(parents, list) else (),
            deleted=message.get("deleted") is True,
        )  # fmt: skip

    # --- reading --------------------------------------------------------------
    def require(self, file: str) -> Document:
        """The document of this name; unknown-document otherwise."""
        document = self._context.store.document(file)
        if document is None:
            raise Refusal("unknown-document", file)
        return document

    def find(self, file: str, prefix: str) -> Revision:
        """A revision of a document by the first digits of its id."""
        self.require(file)
        found = self._context.store.find_revisions(file, prefix)
        if len(found) > 1:
            hint = "give more digits: `history FILE` lists them"
            raise Refusal("unknown-revision", f"more than one begins with {prefix}", hint=hint)
        if not found:
            raise Refusal("unknown-revision", f"{prefix} of {file}")
        return found[0]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_there(document: Document | None) -> bool:
    return document is not None and not document.deleted
