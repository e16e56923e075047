# SPDX-License-Identifier: MIT
"""What the core asks of the world, as shapes: store, files, randomness.

The node is handed objects of these shapes.  ``adapters/`` has the real ones;
the tests have others.  No method here waits for a network.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from federation.replica.records import Clashing, Document, Held, Outgoing, Peer, Revision


class PeerStore(Protocol):
    """Peers and what they have."""

    def peer(self, peer_id: str) -> Peer | None:
        """The known peer of this id."""
        ...

    def peers(self) -> list[Peer]:
        """All known peers, by id."""
        ...

    def put_peer(self, peer: Peer) -> None:
        """Insert or replace a peer."""
        ...

    def count_unknown(self) -> int:
        """How many peers nobody has accepted or blocked."""
        ...

    def acknowledged(self, peer_id: str, file: str) -> str | None:
        """The revision of a document that a peer is known to have."""
        ...

    def acknowledge(self, peer_id: str, file: str, revision: str) -> None:
        """Remember that a peer has a revision durably."""
        ...

    def acknowledge_all(self, peer_id: str) -> None:
        """Remember that a peer has every head; of each document one is noted."""
        ...

    def acknowledgements_of(self, file: str) -> dict[str, str]:
        """Peer id -> the revision of this document that it has."""
        ...

    def acknowledgements(self) -> dict[str, dict[str, str]]:
        """File -> peer id -> revision."""
        ...


class DocumentStore(Protocol):
    """Documents, revisions and their contents."""

    def document(self, file: str) -> Document | None:
        """The document of this name."""
        ...

    def documents(self, *, unsettled: bool = False) -> list[Document]:
        """All by name, or those whose file lags behind, or may have had versions side by side."""
        ...

    def count_documents(self) -> int:
        """How many documents that are not deleted."""
        ...

    def conflicted(self) -> list[str]:
        """The documents with conflicts or with versions that cannot be merged, by name."""
        ...

    def standing(self, author: str) -> tuple[int, dict[str, int]]:
        """Shared documents whose current revision is of ``author``; how many of them peers have."""
        ...

    def own_documents(self, author: str) -> set[str]:
        """The shared documents whose current revision is of ``author``."""
        ...

    def is_folder(self, file: str) -> bool:
        """Whether there are documents below this name."""
        ...

    def put_document(self, document: Document) -> None:
        """Insert or replace a document."""
        ...

    def heads(self, file: str) -> list[Revision]:
        """The revisions of a document that no other one succeeds."""
        ...

    def all_heads(self) -> list[tuple[str, str]]:
        """(file, revision) of every head of every document, sorted."""
        ...

    def set_heads(self, file: str, revisions: Iterable[str]) -> None:
        """Replace the heads of a document."""
        ...

    def revision(self, revision: str) -> Revision | None:
        """A revision by its whole id."""
        ...

    def joins(self, file: str, most: int) -> list[Revision]:
        """The newest revisions of a document that have several parents."""
        ...

    def find_revisions(self, file: str, prefix: str) -> list[Revision]:
        """The revisions of a document whose ids begin so (two at most)."""
        ...

    def with_content(self, file: str, content_hash: str) -> Revision | None:
        """The newest revision of a document that has this content."""
        ...

    def revisions(
        self, file: str, limit: int | None = None, before: str | None = None, *,
        signed: bool = False,
    ) -> list[Revision]:  # fmt: skip
        """The last ones recorded ``before`` one (or ``unknown-revision``); ``signed``: no views."""
        ...

    def count_revisions(self) -> dict[str, int]:
        """File -> how many revisions."""
        ...

    def add_revision(self, revision: Revision, content: bytes, *, named: bool = False) -> None:
        """Record a revision and its content; ``named``: others have it as a parent."""
        ...

    def restore_content(self, revision: Revision, content: bytes) -> None:
        """Have a content again that was dropped."""
        ...

    def content(self, content_hash: str) -> bytes:
        """A recorded content; ``content-dropped`` after compaction, Fault for a damaged one."""
        ...

    def last_of_author(self, file: str, author: str) -> Revision | None:
        """The newest revision of an author in a document, by counter."""
        ...

    def last_seq(self, author: str) -> int:
        """The highest counter an author's message has carried; 0 for none."""
        ...

    def revision_at(self, author: str, seq: int) -> str | None:
        """The revision that an author's message of this counter made."""
        ...

    def synced_from(self, path: str) -> tuple[str, str] | None:
        """(file, revision) last synced from a local path."""
        ...

    def set_synced_from(self, path: str, file: str, revision: str) -> None:
        """Remember which revision a local path holds."""
        ...


class HistoryStore(Protocol):
    """Which contents of a history are kept."""

    def pin(self, file: str, revision: str, on: bool) -> None:
        """Keep the content of a revision whatever is compacted, or no longer.

        ``unknown-revision``, or ``content-dropped`` where it is too late.
        """
        ...

    def pinned(self, file: str) -> set[str]:
        """The pinned revisions of a document."""
        ...

    def dropped(self, file: str) -> set[str]:
        """The revisions of a document whose contents were dropped."""
        ...

    def recorded(self, after: int, most: int) -> list[tuple[int, Revision]]:
        """The signed revisions of all documents behind a number, with their numbers."""
        ...

    def last_recorded(self) -> int:
        """The number of the newest signed revision; 0 for none."""
        ...

    def count_recorded(self, after: int) -> int:
        """How many signed revisions are behind a number."""
        ...

    def crowded(self, more_than: int, bytes_: int) -> list[str]:
        """The documents with more contents than this, or more bytes of them, by name."""
        ...

    def compact(
        self, file: str, keep_recent: int, keep_since_us: int, keep_bytes: int | None = None
    ) -> int:
        """Drop contents that nobody needs; how many, limits.HISTORY_DROPPED at most.

        Kept are the last ``keep_recent``, those that came at ``keep_since_us`` or later,
        and, whatever ``keep_bytes`` says, what somebody needs: heads, what merging them
        looks at, what is shown or in a file, pinned, or had by paths and peers.
        """
        ...


class ConflictStore(Protocol):
    """Conflicts that nobody has settled, and gaps in histories."""

    def open_conflicts(self, file: str | None = None) -> list[Clashing]:
        """What nobody has settled, of one document or of all, by document and id."""
        ...

    def put_conflicts(self, conflicts: Iterable[Clashing], *, standing: bool) -> None:
        """Record conflicts; ``standing`` ones stay when the view that has them is gone."""
        ...

    def drop_passing(self, file: str) -> None:
        """Forget the conflicts of a view that is gone."""
        ...

    def instances(self, file: str, numbers: Iterable[str]) -> list[Clashing]:
        """Every merge's record of the open conflicts with these ids."""
        ...

    def drop_conflict(self, one: Clashing) -> None:
        """Forget what one merge recorded of a conflict."""
        ...

    def drop_merge(self, file: str, view: str) -> None:
        """Forget all that one merge recorded."""
        ...

    def settle(self, file: str, numbers: Iterable[str], revision: str) -> None:
        """Note the conflicts that a revision names as settled."""
        ...

    def settled(self, file: str) -> dict[str, list[str]]:
        """The conflicts of a document that were settled -> the revisions that did."""
        ...

    def note_gaps(self, file: str, revision: str, parents: Iterable[str], by: str = "") -> None:
        """A revision is here now; those of its parents that are not are gaps, named by ``by``."""
        ...

    def note_lost(self, file: str, revisions: Iterable[str], by: str = "") -> None:
        """Revisions of a document that are needed and not here, or not their contents."""
        ...

    def missing(self, file: str) -> set[str]:
        """The gaps of a document that may still be filled: those not asked for in vain."""
        ...

    def tried(self, file: str, revisions: Iterable[str]) -> bool:
        """Gaps were asked for once more; whether some of them are given up with that."""
        ...

    def gaps(self, file: str) -> list[str]:
        """Revisions of a document that others name and that are not here: each namer's in turn."""
        ...

    def is_gap(self, file: str, revision: str) -> bool:
        """Whether a revision of a document is one of its gaps."""
        ...

    def ends(self, file: str, most: int) -> list[str]:
        """The signed revisions of a document that no other one names, newest first."""
        ...

    def newest(self, file: str, most: int) -> list[str]:
        """The ids of the revisions of a document that were recorded last."""
        ...

    def files_with_gaps(self) -> list[str]:
        """The documents whose history is not complete: each namer's in turn."""
        ...


class MessageStore(Protocol):
    """Messages that wait, and messages that were seen."""

    def hold(self, held: Held, now_us: int) -> None:
        """Keep a message until its author is accepted."""
        ...

    def held(self, peer_id: str, *, after: int = 0, most: int = -1) -> list[Held]:
        """What is held from a peer, oldest first; ``most`` of it behind the number ``after``."""
        ...

    def is_held(self, revision: str) -> bool:
        """Whether this revision is held."""
        ...

    def held_counts(self) -> dict[str, tuple[int, int]]:
        """Peer id -> (documents, bytes)."""
        ...

    def held_from(self, peer_id: str) -> tuple[int, int]:
        """(documents, bytes) held from one peer."""
        ...

    def drop_held(self, peer_id: str) -> int:
        """Forget what is held from a peer; how many that were."""
        ...

    def drop_one_held(self, revision: str) -> None:
        """Forget one held message."""
        ...

    def queue_message(self, message: Outgoing, now_us: int) -> None:
        """Keep a message until its recipient acknowledges it."""
        ...

    def queued_messages(self, to: str) -> list[Outgoing]:
        """The unacknowledged messages for a peer, oldest first."""
        ...

    def count_queued(self) -> dict[str, int]:
        """Peer id -> messages waiting for its acknowledgement."""
        ...

    def drop_message(self, message_id: str, to: str) -> bool:
        """Forget an acknowledged message; whether there was one."""
        ...

    def put_draft(
        self, file: str, base: str, start: int, changes: Sequence[Sequence[object]]
    ) -> None:
        """Keep what was typed on top of a revision: the changes from number ``start`` on."""
        ...

    def drafts(self) -> list[tuple[str, str, list[list[object]]]]:
        """(document, base, changes) of everything that was typed and is no revision yet."""
        ...

    def drop_drafts(self, file: str) -> None:
        """What was typed in a document is a revision now."""
        ...

    def first_time(self, peer_id: str, message_id: str) -> bool:
        """Remember a message of a peer; False when it was seen before."""
        ...


class Store(PeerStore, DocumentStore, HistoryStore, ConflictStore, MessageStore, Protocol):
    """Everything the peer keeps.  All calls happen inside one transaction."""

    def next_seq(self) -> int:
        """A counter that was never used before, also after a crash."""
        ...

    def start_counting(self, at_least: int) -> None:
        """Never use a counter below this one from now on."""
        ...

    def seq_floor(self) -> int:
        """The first counter of this store: own revisions below it are from before it."""
        ...

    def own_sessions(self) -> set[str]:
        """The newest sessions of this peer."""
        ...

    def meta(self, key: str) -> str | None:
        """A value of the peer's own notes."""
        ...

    def set_meta(self, key: str, value: str) -> None:
        """Write one of the peer's own notes."""
        ...

    def add_own_session(self, session: str) -> None:
        """Remember a session of this peer."""
        ...


class Files(Protocol):
    """The synced folder, as the node needs it: may a name be written there?"""

    def check(self, file: str) -> None:
        """Raise the Refusal that writing this document would meet."""
        ...

    def synced_path(self, file: str) -> str:
        """Where the document's file is."""
        ...

    def conflict_path(self, file: str, revision: str) -> str:
        """Where a concurrent version is readable."""
        ...


class Randomness(Protocol):
    """A source of random bytes."""

    def __call__(self, size: int, /) -> bytes:
        """``size`` random bytes."""
        ...
