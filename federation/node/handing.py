# SPDX-License-Identifier: MIT
"""Handing on: what peers asked for goes out in portions.

One question of a few bytes may ask for megabytes, and strangers may ask, since
``commons`` is open.  So an answer is noted first, each once; then portions of
bounded size leave at a bounded pace, one peer after another and those whose
documents we take before all others.  Nobody who asks can make others wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from federation import limits
from federation.errors import Refusal
from federation.node.book import Book
from federation.node.context import Context
from federation.node.joining import Joining
from federation.node.library import Library
from federation.node.post import send_to
from federation.replica.records import Revision
from federation.replica.spaces import may_leave

#: what a message costs beside its content, in bytes
_EACH = 1024
#: what an entry of a list costs
_ENTRY = 128


class Handing:
    """Lists of heads, revisions asked for, and documents for peers that cannot ask."""

    def __init__(self, context: Context, book: Book, library: Library) -> None:
        self._context = context
        self._book = book
        self._library = library
        #: peer -> revisions it asked for, in its order
        self._wanted: dict[str, dict[str, None]] = {}
        #: peer -> the revision that it was given last
        self._handed: dict[str, str] = {}
        #: peer -> authors whose announcements it got since it asked last
        self._introduced: dict[str, set[str]] = {}
        #: peer -> when its list may go out (monotonic seconds)
        self._lists: dict[str, float] = {}
        #: peer -> when its last list went out, and for which roots: ours and its own
        self._listed: dict[str, tuple[float, str, str]] = {}
        #: documents to publish again, and those of them whose result we wait for
        self._again: dict[str, None] = {}
        self._under_way: set[tuple[str, str]] = set()
        #: a result that has not come by then was lost with its turn
        self._given_up_at = float("inf")
        #: nothing leaves before this moment
        self._not_before = float("-inf")
        self.joining = Joining(context, book, library)
        #: publish a revision to everybody
        self.publish: Callable[[Revision], None] = lambda _revision: None

    # --- what is asked for -----------------------------------------------------
    def want(self, peer_id: str, revisions: Iterable[str]) -> None:
        """A peer asks for revisions; those that we do not have are passed over."""
        self._introduced.pop(peer_id, None)
        wanted = self._wanted.setdefault(peer_id, {})
        for revision_id in revisions:
            if len(wanted) >= limits.HEADS_PER_MESSAGE:
                break
            wanted[revision_id] = None
        self.handle_timer()

    def list_heads(self, peer_id: str, root: str) -> None:
        """A peer, whose root is another than ours, gets the list of our heads."""
        now = self._context.now.mono
        at, *roots = self._listed.get(peer_id, (float("-inf"), "", ""))
        if now - at < limits.LIST_AGAIN and roots == [self._library.heads.root, root]:
            return
        self._listed[peer_id] = (at, self._library.heads.root, root)
        self._lists.setdefault(peer_id, at + limits.LIST_AGAIN)
        self.handle_timer()

    def publish_again(self) -> None:
        """Publish what a peer that cannot ask may have missed.

        Other people's documents too, unless their author is there to do it.
        """
        self._again = dict.fromkeys(one.file for one in self._context.store.documents())
        self.joining.plain_peer()
        self.handle_timer()

    def published(self, about: tuple[str, str], result: str) -> None:
        """What became of a publish, whoever wanted it."""
        if about not in self._under_way:
            return
        self._under_way.discard(about)
        if result == "full":
            self._again = {about[0]: None, **self._again}
            self._not_before = self._context.now.mono + limits.RESEND_FIRST

    def forget(self, peer_id: str) -> None:
        """A peer is gone: it gets nothing more until it asks again."""
        self._wanted.pop(peer_id, None)
        self._handed.pop(peer_id, None)
        self._introduced.pop(peer_id, None)
        self._lists.pop(peer_id, None)

    def in_step(self, peer_id: str) -> None:
        """A peer has all that we have: no list is owed to it."""
        self._lists.pop(peer_id, None)

    def offline(self) -> None:
        """The broker is gone: everybody asks again when it is back."""
        self._wanted.clear()
        self._handed.clear()
        self._introduced.clear()
        self._lists.clear()
        self._again.clear()
        self._under_way.clear()

    # --- portions ----------------------------------------------------------------
    def next_timer(self) -> float:
        """When the next portion may leave (monotonic seconds)."""
        due = min([self.joining.next_timer(), *self._lists.values()])
        if self._again:
            due = min(due, self._given_up_at if self._under_way else float("-inf"))
        if self._wanted:
            due = float("-inf")
        return max(due, self._not_before) if self._context.link_up else float("inf")

    def handle_timer(self) -> None:
        """Let one portion leave, if it is time."""
        now = self._context.now.mono
        if now < self.next_timer():
            return
        if now >= self._given_up_at:
            self._under_way.clear()
        for joined in self.joining.handle_timer():
            self.publish(joined.revision)
        cost = self._hand_lists(now)
        # the waiting peers in turn, and of each one revision
        turns = sorted(self._wanted, key=self._is_stranger)
        while turns and cost < limits.DELIVERY:
            peer_id = turns.pop(0)
            cost += self._hand_one(peer_id)
            if peer_id in self._wanted:
                turns.append(peer_id)
                turns.sort(key=self._is_stranger)
        if not self._under_way:
            cost += self._publish_some(limits.DELIVERY - cost)
        self._not_before = max(self._not_before, now + cost / limits.DELIVERY_RATE)

    def _is_stranger(self, peer_id: str) -> bool:
        peer = self._context.store.peer(peer_id)
        return peer is None or not self._book.may_write(peer)

    def _hand_lists(self, now: float) -> int:
        """Send the lists that are due, up to a portion; what that cost."""
        cost = 0
        for peer_id in [peer for peer, due in self._lists.items() if due <= now]:
            if cost >= limits.DELIVERY:
                break
            del self._lists[peer_id]
            cost += self._hand_list(peer_id)
        return cost

    def _hand_list(self, peer_id: str) -> int:
        own = self._library.heads.root
        _at, _own, root = self._listed[peer_id]
        self._listed[peer_id] = (self._context.now.mono, own, root)
        heads = [list(head) for head in self._library.heads.shared()]
        pages = [
            heads[start : start + limits.HEADS_PER_MESSAGE]
            for start in range(0, len(heads), limits.HEADS_PER_MESSAGE)
        ] or [[]]
        for number, page in enumerate(pages):
            last = number == len(pages) - 1
            send_to(
                self._context, peer_id, "sync-heads", heads=page, page=number, last=last, root=own
            )
        return len(pages) * _EACH + len(heads) * _ENTRY

    def _hand_one(self, peer_id: str) -> int:
        """Send the next revision that a peer asked for; what that cost."""
        wanted = self._wanted[peer_id]
        revision_id = next(iter(wanted), None)
        if revision_id is not None:
            del wanted[revision_id]
        if not wanted:
            del self._wanted[peer_id]
        revision = None if revision_id is None else self._context.store.revision(revision_id)
        # a merge is nobody's message
        if revision is None or not revision.author or not may_leave(revision.file):
            return 0
        try:
            fields, cost = self._payload(peer_id, revision)
        except Refusal:  # its content was dropped here: others may have it
            return _EACH
        self._handed[peer_id] = revision.revision
        introduced = self._introduced.setdefault(peer_id, set())
        author = self._context.store.peer(revision.author)
        if author is not None and revision.author not in introduced:
            introduced.add(revision.author)
            fields["announce"] = author.announce
        send_to(self._context, peer_id, "sync-deliver", **fields)
        return cost + _EACH

    def _payload(self, peer_id: str, revision: Revision) -> tuple[dict[str, object], int]:
        """A revision, as what changed since its parent where the peer was just given that."""
        before = self._handed.pop(peer_id, None)
        if before is not None and before in revision.parents:
            patched = self._library.packing.patch_of(revision, before)
            if patched is not None:
                payload, patch = patched
                fields: dict[str, object] = {"payload": payload, "base": before, "patch": patch}
                return fields, len(patch)
        message = self._library.packing.message_of(revision).decode()
        return {"payload": message}, revision.size

    def _publish_some(self, room: int) -> int:
        """Publish some of the documents that are to go out again; what that cost.

        The next ones follow when the broker has these: its queue is never filled.
        """
        store = self._context.store
        online = self._book.online()
        plain = [peer.peer_id for peer in online if "ack1" not in peer.caps]
        there = {peer.peer_id for peer in online if "ack1" in peer.caps}
        cost = 0
        while self._again and cost < room and len(self._under_way) < limits.OUTBOUND // 4:
            file = next(iter(self._again))
            del self._again[file]
            document = store.document(file)
            revision = None if document is None else store.revision(document.current)
            if revision is None or not revision.author or revision.author in there:
                continue
            if not may_leave(file):
                continue
            if any(
                peer_id != revision.author
                and store.acknowledged(peer_id, file) != revision.revision
                for peer_id in plain
            ):
                self._under_way.add((file, revision.revision))
                self._given_up_at = self._context.now.mono + limits.UNACKNOWLEDGED
                self.publish(revision)
                cost += revision.size + _EACH
        return cost
