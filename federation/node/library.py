# SPDX-License-Identifier: MIT
"""The documents: recording revisions, local and received ones.

Everything here happens inside one transaction of the store; files are written
afterwards, by effect, and again later if that failed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from federation import limits
from federation.errors import Fault, Refusal
from federation.events import DropConflicts, Effect, WriteConflict, WriteFile
from federation.node.context import Context
from federation.replica.names import check_name, kind_of
from federation.replica.records import Document, Revision
from federation.replica.succession import (
    dot_of,
    is_older,
    parents_after,
    place,
    vector_after,
    vector_from_json,
)
from federation.wire import canonical, envelope, forms
from federation.wire.messages import Message


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a revision: ``current``, ``concurrent``, ``past`` or ``unchanged``."""

    revision: Revision
    place: str
    #: the signed message, where it was made just now
    message: bytes | None = None


def is_text(data: bytes) -> bool:
    """Whether a document travels as text: UTF-8 without NUL."""
    if b"\x00" in data:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class Library:
    """The documents of ``commons``."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._root = 0
        self.reload()

    # --- the root of all heads ---------------------------------------------
    def reload(self) -> None:
        """Compute the root again from the store."""
        self._root = sum(self._leaf(*head) for head in self._context.store.all_heads()) % 2**256

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
        old = {head.revision for head in before}
        self._root -= sum(self._leaf(file, revision) for revision in old - set(after))
        self._root += sum(self._leaf(file, revision) for revision in set(after) - old)
        self._root %= 2**256
        self._context.store.set_heads(file, after)

    # --- recording ----------------------------------------------------------
    def _record(self, revision: Revision, content: bytes, *, local: bool) -> Recorded:
        """Put a revision among the heads of its document.

        What the user syncs here is what the user sees here; what comes from
        others replaces the current version only when its author had seen it.
        """
        store = self._context.store
        document = store.document(revision.file)
        heads = store.heads(revision.file)
        where = place(revision, heads)
        last = store.last_of_author(revision.file, revision.author)
        past = where.past or is_older(revision, last)
        beside = [head for head in heads if head.revision in where.beside]
        same = sum(head.author == revision.author for head in beside)
        full = len(beside) >= limits.HEADS or (same >= limits.HEADS_PER_AUTHOR and not local)
        if full and not past:
            raise Refusal("queue-full", f"{len(beside)} concurrent versions of {revision.file}")
        store.add_revision(revision, content)
        if past:
            return Recorded(revision, "past")
        left = [head.revision for head in heads if head.revision not in where.superseded]
        self._set_heads(revision.file, heads, [*left, revision.revision])
        stays = document is not None and document.current in left
        if document is not None and stays and not local:
            self._settle(document, heads, [*left, revision.revision])
            self._conflict(revision, document.current)
            return Recorded(revision, "concurrent")
        written = document.written if document else None
        placed = Document(revision.file, kind_of(revision.file), revision.revision, written)
        store.put_document(placed)
        self._context.effects.append(WriteFile(revision.file, revision.revision))
        self._settle(placed, heads, [*left, revision.revision])
        if document is not None and stays:
            self._conflict(self._get(document.current), revision.revision)
        return Recorded(revision, "current")

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
        )

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
        effects: list[Effect] = []
        for one in store.documents():
            if one.written != one.current:
                effects.append(WriteFile(one.file, one.current))
            # two versions side by side and what settled them are three revisions
            heads = [head.revision for head in store.heads(one.file)]
            if len(heads) > 1 or counts.get(one.file, 0) >= 3:
                others = tuple(head for head in heads if head != one.current)
                effects.append(DropConflicts(one.file, others))
                effects.extend(WriteConflict(one.file, other) for other in others)
        return effects

    # --- local changes -------------------------------------------------------
    def import_content(self, file: str, content: bytes, path: str | None) -> Recorded:
        """Record what the user has in ``path`` (absolute), or None for no path.

        Its base is the revision last synced from that path, else the current
        head.  Content that the base or the head has already is no change.
        """
        context = self._context
        store = context.store
        check_name(file, *self._extensions())
        if len(content) > context.settings.max_document:
            raise Refusal("file-too-large", f"{len(content)} bytes")
        self._check_place(file)
        document = store.document(file)
        base: list[Revision] = []
        if document is not None:
            current = self._get(document.current)
            known = store.synced_from(path) if path else None
            base = [current]
            if known is not None and known[0] == file:
                base = [store.revision(known[1]) or current]
            digest = hashlib.sha256(content).hexdigest()
            if digest in (current.content_hash, base[0].content_hash):
                same = current if digest == current.content_hash else base[0]
                if path:
                    store.set_synced_from(path, file, same.revision)
                return Recorded(same, "unchanged")
        recorded = self._write(file, content, base)
        if path:
            store.set_synced_from(path, file, recorded.revision.revision)
        return recorded

    def restore(self, file: str, prefix: str) -> Recorded:
        """Make the content of an earlier revision the newest: it succeeds all heads."""
        revision = self.find(file, prefix)
        content = self._context.store.content(revision.content_hash)
        return self._write(file, content, self._context.store.heads(file))

    def _write(self, file: str, content: bytes, base: Sequence[Revision]) -> Recorded:
        """Sign and record a revision of our own made from ``base``."""
        context = self._context
        heads = context.store.heads(file)
        binary = not is_text(content)
        seq = context.store.next_seq()
        # A head that claims to have seen what is not written yet lies, and would swallow it:
        # by naming that head as a parent we succeed it, for everybody.
        me, known = context.peer_id, {one.revision for one in base}
        liars = [one for one in heads if one.vector.get(me, 0) >= seq]
        base = [*base, *(one for one in liars if one.revision not in known)]
        vector = vector_after(base, heads, me, seq)
        message: dict[str, object] = {
            "type": "canvasl-binary" if binary else "canvasl-sync",
            "peer_id": context.peer_id,
            "file": file,
            "timestamp": context.timestamp(),
            "seq": seq,
            "vector": vector,
            "parents": parents_after(base, vector, context.store.revision),
        }
        _put_content(message, content)
        signed, revision_id = envelope.sign_revision(message, context.key)
        revision = self._revision_of(signed, context.now.wall_us, revision_id)
        recorded = self._record(revision, content, local=True)
        return replace(recorded, message=canonical.encode(signed))

    def _extensions(self) -> tuple[frozenset[str], ...]:
        extensions = self._context.settings.extensions
        return () if extensions is None else (extensions,)

    # --- received changes -----------------------------------------------------
    def check_received(self, message: Message) -> bytes:
        """The content of a checked document message, if its name may be written."""
        file = str(message.fields["file"])
        check_name(file, *self._extensions())
        content = _get_content(message.fields)
        if len(content) > self._context.settings.max_document:
            raise Refusal("oversize", f"{len(content)} bytes")
        self._check_place(file)
        return content

    def _check_place(self, file: str) -> None:
        """Whether the file can be there: on the disk, and beside documents not written yet."""
        store = self._context.store
        self._context.files.check(file)
        if store.document(file) is not None:
            return
        if store.is_folder(file):
            raise Refusal("path-not-regular", file)
        folder = file
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            if store.document(folder) is not None:
                raise Refusal("path-not-directory", file)

    def receive(self, message: Message, revision_id: str, content: bytes) -> Recorded:
        """Record another peer's revision."""
        revision = self._revision_of(message.fields, message.timestamp_us, revision_id)
        return self._record(revision, content, local=False)

    def _revision_of(
        self, message: Mapping[str, object], timestamp_us: int, revision_id: str
    ) -> Revision:
        content = _get_content(message)
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
        )  # fmt: skip

    # --- reading --------------------------------------------------------------
    def _get(self, revision: str) -> Revision:
        found = self._context.store.revision(revision)
        if found is None:
            raise Fault(f"the revision {revision} is not in the store")
        return found

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
        if len(found) != 1:
            raise Refusal("unknown-revision", f"{prefix} ({'ambiguous' if found else 'none'})")
        return found[0]

    def message_of(self, revision: Revision) -> bytes:
        """A revision as its author signed it."""
        message = json.loads(revision.envelope)
        content = self._context.store.content(revision.content_hash)
        _put_content(message, content)
        return canonical.encode(message)


def _put_content(message: dict[str, object], content: bytes) -> None:
    if message["type"] == "canvasl-binary":
        message["data"] = forms.encode_base64(content)
    else:
        message["content"] = content.decode("utf-8")


def _get_content(message: Mapping[str, object]) -> bytes:
    if "data" in message:
        return forms.decode_base64(str(message["data"]))
    return str(message["content"]).encode("utf-8")
