# SPDX-License-Identifier: MIT
"""Live edits: every keystroke travels at once, and becomes a revision in a pause.

Who edits a document says only what changed, in a small signed message on the
document's own topic; whoever has the document open hears it.  A moment after
the last change all of it becomes an ordinary revision, and that is what
everybody keeps and merges.  So a lost message costs nothing but a moment, and
peers that do not listen pay nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from federation import limits
from federation.errors import Refusal
from federation.events import Follow
from federation.node.book import Book
from federation.node.context import Context
from federation.node.heads import Recorded
from federation.node.library import Library
from federation.node.post import send_to
from federation.replica.edits import Change, Draft, from_json
from federation.replica.records import Peer, Revision
from federation.replica.spaces import may_leave
from federation.wire import topics
from federation.wire.messages import Message


@dataclass(slots=True)
class _Own:
    """A document that front ends have open here."""

    draft: Draft
    #: front ends
    users: int = 0
    #: bytes of the base and of all that was typed on top of it
    size: int = 0
    #: changes since it was opened first
    total: int = 0
    #: changes of the draft that were sent, and that are in the store
    sent: int = 0
    kept: int = 0
    #: when the oldest and the newest change came that no revision has (monotonic seconds)
    oldest: float = field(default=float("inf"))
    newest: float = field(default=float("inf"))
    #: when the oldest change came that is not in the store
    unkept: float = field(default=float("inf"))
    #: what was made a revision last: where that was undone, it is typed text again
    before: Draft | None = None

    def quiet(self) -> None:
        """Nothing is there that no revision has."""
        self.oldest = self.newest = self.unkept = float("inf")

    def busy(self, now: float) -> None:
        """Something is."""
        self.oldest, self.unkept = min(self.oldest, now), min(self.unkept, now)
        self.newest = now

    @property
    def due(self) -> float:
        """When it is to become a revision."""
        pause, longest = self.newest + limits.EDIT_PAUSE, self.oldest + limits.EDIT_LONGEST
        return min(pause, longest)


class _Pace:
    """Who gets something now and then only, for each document."""

    def __init__(self) -> None:
        #: (document, peer) -> when it was last (monotonic seconds)
        self._last: dict[tuple[str, str], float] = {}

    def allows(self, key: tuple[str, str], now: float) -> bool:
        """Whether it is time again; then that is noted."""
        if now - self._last.get(key, float("-inf")) < limits.EDIT_ASK:
            return False
        self._last[key] = now
        if len(self._last) > limits.LIVE_DRAFTS:
            self._last.pop(next(iter(self._last)))
        return True


class Live:
    """The documents that are open here, and what others type in them."""

    def __init__(self, context: Context, book: Book, library: Library) -> None:
        self._context = context
        self._book = book
        self._library = library
        self._own: dict[str, _Own] = {}
        #: (document, author) -> what that author has typed, least recent first
        self._others: OrderedDict[tuple[str, str], Draft] = OrderedDict()
        #: asking for changes that were missed, and answering who missed some
        self._asking, self._answering = _Pace(), _Pace()
        #: publish a revision that was made of a draft
        self.publish: Callable[[Recorded], None] = lambda _recorded: None

    # --- what front ends do ------------------------------------------------------
    def open(self, file: str, content_hash: str | None) -> dict[str, object]:
        """A front end begins to edit; what it must have opened, and what others type in it.

        ``content_hash``: SHA-256 of its text, ``unknown-base`` where that is not
        what the document shows.
        """
        self.checkpoint(file)
        shown = self._library.heads.get(self._library.require(file).current)
        if shown.deleted:
            raise Refusal("unknown-document", file)
        if content_hash is not None and shown.content_hash != content_hash:
            raise Refusal("unknown-base", f"{file} shows another text now")
        joined = self._library.join(file)
        if joined is not None:
            self.publish(joined)
            shown = joined.revision
        own = self._own.get(file)
        if own is None:
            if len(self._own) >= limits.OPEN_DOCUMENTS:
                raise Refusal("queue-full", f"{limits.OPEN_DOCUMENTS} open documents")
            own = self._own[file] = _Own(self._draft(shown), size=shown.size)
            self._follow(file, True)
        elif own.draft.base != shown.revision:
            own.draft, own.size = self._draft(shown), shown.size
            own.sent = 0
        own.users += 1
        return {
            "file": file,
            "revision": shown.revision,
            "content_hash": shown.content_hash,
            "length": own.draft.length,
            "start": own.total,
            "drafts": self.drafts(file),
        }

    def close(self, file: str) -> None:
        """A front end has done with a document."""
        own = self._own.get(file)
        if own is None:
            return
        own.users -= 1
        if own.users <= 0:
            self.checkpoint(file)
            del self._own[file]
            for key in [key for key in self._others if key[0] == file]:
                del self._others[key]
            self._follow(file, False)

    def _follow(self, file: str, on: bool) -> None:
        """Listen to what others type, or no longer."""
        if may_leave(file):
            self._context.effects.append(Follow(topics.live(file), on))

    def edit(self, file: str, start: int, changes: Sequence[Change]) -> dict[str, object]:
        """Changes that a front end made; ``start``: how many there were before.

        Refused: ``document-not-open``, ``edit-out-of-step`` (another front end
        was faster: open it again), ``edit-out-of-range``.
        """
        own = self._own.get(file)
        if own is None:
            raise Refusal("document-not-open", file)
        if start != own.total:
            raise Refusal("edit-out-of-step", f"{start}, but {own.total} have been made")
        most = self._context.settings.max_document
        size = own.size + sum(len(one.insert.encode()) for one in changes)
        if size > most:
            raise Refusal("file-too-large", f"more than {most} bytes")
        own.draft.add(changes)
        own.size = size
        own.total += len(changes)
        own.busy(self._context.now.mono)
        if own.users > 1:
            self._tell(file, self._context.peer_id, own.draft, len(changes))
        return {"file": file, "start": own.total}

    def text(self, file: str) -> str:
        """What the editor of a document here has."""
        own = self._own.get(file)
        if own is None:
            raise Refusal("document-not-open", file)
        return own.draft.text(self._before(own)[1])

    def _before(self, own: _Own) -> tuple[Revision, str]:
        """The revision that a draft changes, and its text."""
        base = self._library.heads.get(own.draft.base)
        return base, self._context.store.content(base.content_hash).decode("utf-8")

    def drafts(self, file: str) -> list[dict[str, object]]:
        """What others have typed that is no revision yet."""
        return [
            {"peer_id": author, "base": draft.base, "changes": [list(one) for one in draft.changes]}
            for (name, author), draft in self._others.items()
            if name == file
        ]

    # --- messages ------------------------------------------------------------------
    def flush(self) -> None:
        """One message for each document, for all of this turn."""
        for file, own in self._own.items():
            if own.sent < own.draft.count:
                self._send(file, own.draft, own.sent)
                own.sent = own.draft.count

    def _send(self, file: str, draft: Draft, start: int, to: str | None = None) -> None:
        """Changes from number ``start`` on, in messages of a bounded size."""
        if not may_leave(file):
            return
        for low in range(start, draft.count, limits.EDITS_PER_MESSAGE):
            part = draft.changes[low : low + limits.EDITS_PER_MESSAGE]
            fields: dict[str, object] = {
                "file": file, "base": draft.base, "start": low, "changes": part
            }  # fmt: skip
            if to is None:
                message = self._context.signed("canvasl-edit", **fields)
                if len(message) <= limits.WIRE_MESSAGE:  # else the revision brings it
                    self._context.publish(topics.live(file), message)
            else:
                send_to(self._context, to, "canvasl-edit", **fields)

    def receive_edit(self, message: Message, peer: Peer) -> None:
        """Somebody types: tell who has the document open."""
        if not self._book.may_write(peer):
            raise Refusal("untrusted-peer", peer.peer_id)
        fields = message.fields
        file, base = str(fields["file"]), str(fields["base"])
        if file not in self._own or not may_leave(file):
            return
        key = (file, peer.peer_id)
        draft = self._others.get(key)
        if draft is None or draft.base != base:
            revision = self._context.store.revision(base)
            if revision is None or revision.file != file:
                self._ask(key, base, 0)
                return
            draft = self._draft(revision)
        start = cast("int", fields["start"])
        changes = from_json(cast("list[list[object]]", fields["changes"]))
        if start > draft.count:
            self._ask(key, base, draft.count)
            return
        new = changes[draft.count - start :]
        if not new:
            return
        draft.add(new)
        self._others[key] = draft
        self._others.move_to_end(key)
        while len(self._others) > limits.LIVE_DRAFTS:
            self._others.popitem(last=False)
        self._tell(file, peer.peer_id, draft, len(new))
        if draft.count > limits.DRAFT_CHANGES or draft.weight > limits.DRAFT_TEXT:
            # its author makes revisions more often than that: this one is wrong, or gone
            del self._others[key]

    def _ask(self, key: tuple[str, str], base: str, start: int) -> None:
        """Some changes were missed: ask their author, but not for every message again."""
        if not self._asking.allows(key, self._context.now.mono):
            return
        file, author = key
        fields: dict[str, object] = {"file": file, "base": base, "start": start}
        send_to(self._context, author, "edit-want", **fields)

    def receive_want(self, message: Message, peer: Peer) -> None:
        """Somebody missed some of our changes."""
        fields = message.fields
        file = str(fields["file"])
        own = self._own.get(file)
        if own is None or not may_leave(file) or not self._book.may_write(peer):
            return
        if self._answering.allows((file, peer.peer_id), self._context.now.mono):
            start = cast("int", fields["start"]) if fields["base"] == own.draft.base else 0
            self._send(file, own.draft, min(start, own.sent), peer.peer_id)

    def _tell(self, file: str, author: str, draft: Draft, new: int) -> None:
        changes = [list(one) for one in draft.changes[draft.count - new :]]
        self._context.notify(
            "document-edited",
            file=file,
            peer_id=author,
            base=draft.base,
            start=draft.count - new,
            changes=changes,
        )

    # --- revisions -------------------------------------------------------------------
    def recorded(self, revision: Revision) -> None:
        """A revision came: what its author had typed before is in it."""
        self._others.pop((revision.file, revision.author), None)

    def checkpoint(self, file: str) -> Recorded | None:
        """Make a revision of what was typed here; None where nothing was."""
        own = self._own.get(file)
        if own is None or not own.draft.count or own.oldest == float("inf"):
            return None
        self.flush()
        base, before = self._before(own)
        text = own.draft.text(before)
        if text == before:
            own.quiet()
            return None
        recorded = self._library.go_on(base, text.encode("utf-8"))
        own.quiet()
        own.before = own.draft
        own.draft = Draft(recorded.revision.revision, len(text))
        own.size = recorded.revision.size
        own.sent = own.kept = 0
        self._context.store.drop_drafts(file)
        self.publish(recorded)
        return recorded

    def _draft(self, revision: Revision) -> Draft:
        """An empty draft; refused for what is no text."""
        if revision.binary:
            raise Refusal("not-text", revision.file)
        text = self._context.store.content(revision.content_hash)
        return Draft(revision.revision, len(text.decode("utf-8")))

    def start(self) -> None:
        """What was typed before a crash becomes a revision."""
        store = self._context.store
        for file, base, changes in store.drafts():
            revision = store.revision(base)
            if revision is not None:
                own = self._own[file] = _Own(self._draft(revision), users=1)
                own.draft.add(from_json(changes))
                own.sent = own.kept = own.draft.count
                own.busy(self._context.now.mono)
                self.close(file)
            store.drop_drafts(file)

    def undo(self) -> None:
        """A turn was undone in the store, and with it what was kept or made a revision in it."""
        for own in self._own.values():
            lost = self._context.store.revision(own.draft.base) is None
            if lost and own.before is not None:
                own.before.add(own.draft.changes)
                own.draft, own.before = own.before, None
                own.sent = 0
            if lost or own.kept:
                own.kept = 0
                own.busy(self._context.now.mono)

    # --- time --------------------------------------------------------------------------
    def next_timer(self) -> float:
        """When the next draft is to be kept, or to become a revision (monotonic seconds)."""
        return min(
            (min(own.due, own.unkept + limits.LAZY) for own in self._own.values()),
            default=float("inf"),
        )

    def handle_timer(self) -> None:
        """Keep what was typed, and make revisions where it is time."""
        now = self._context.now.mono
        for file, own in list(self._own.items()):
            many = own.draft.count >= limits.DRAFT_CHANGES // 2
            if own.due <= now or many or own.draft.weight >= limits.DRAFT_TEXT // 2:
                self._checkpoint_later(file, own)
            elif own.unkept + limits.LAZY <= now:
                own.unkept = float("inf")
                new = own.draft.changes[own.kept :]
                self._context.store.put_draft(file, own.draft.base, own.kept, new)
                own.kept = own.draft.count

    def _checkpoint_later(self, file: str, own: _Own) -> None:
        """A revision where it is possible; else it is tried again, and people are told."""
        try:
            self.checkpoint(file)
        except Refusal as refusal:
            own.oldest = own.newest = self._context.now.mono
            self._context.notify(
                "sync-failed", file=file, revision=None, peer_id=None, reason=refusal.message
            )
