# SPDX-License-Identifier: MIT
"""The receive pipeline: named stages, each refusing with its own reason.

size, UTF-8, JSON, schema, encodings, topic (all in ``wire.messages``) · known
or blocked · recipient · signature · replay · file name and place · trust ·
record.  A refusal leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Callable

from federation import limits
from federation.errors import Refusal
from federation.events import Heard
from federation.machines.assembly import Assembler, Piece
from federation.node.book import Book
from federation.node.context import Context
from federation.node.delivery import Delivery
from federation.node.library import Library
from federation.node.live import Live
from federation.node.packing import get_content
from federation.replica.records import Held, Peer
from federation.wire import envelope, forms, packed, topics
from federation.wire.messages import Message, parse

#: refusals of a document that another try may not meet
PASSING = frozenset({
    "path-io-error", "disk-full", "queue-full", "unknown-peer", "peer-limit",
    "path-local-modified", "rate-limited",
})  # fmt: skip
#: refusals that say nothing of the document itself: a forged copy has the name of the true one
ANOTHER_COPY = frozenset({"bad-signature", "replay"})
#: refusals of a change whose base is not here
NO_BASE = frozenset({"unknown-base", "content-dropped"})


class Inbox:
    """Everything that arrives from other peers."""

    def __init__(
        self, context: Context, book: Book, library: Library, delivery: Delivery, live: Live
    ) -> None:
        self._context = context
        self._book = book
        self._library = library
        self._delivery = delivery
        self._live = live
        self.assembler = Assembler()
        #: peer -> how far what was held from it has been taken
        self._releasing: dict[str, int] = {}
        self._handlers: dict[str, Callable[[Message, Peer], None]] = {
            "canvasl-sync": self._document,
            "canvasl-binary": self._document,
            "canvasl-piece": self._piece,
            "packed-piece": self._piece,
            "sync-deliver": self._deliver,
            "canvasl-delta": self._deliver,
            "canvasl-edit": live.receive_edit,
            "edit-want": live.receive_want,
            "sync-ack": lambda message, _peer: delivery.receive_ack(message),
            "sync-hello": lambda message, _peer: delivery.receive_hello(message),
            "sync-heads": lambda message, _peer: delivery.receive_heads(message),
            "sync-want": lambda message, _peer: delivery.receive_want(message),
            "peer-message": self._message,
        }

    def receive(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """Take one message from the broker; raises Refusal."""
        self._take(parse(payload, topic), retained=retained)

    def _take(self, message: Message, *, retained: bool = False, via: Peer | None = None) -> None:
        if message.type == "peer-announce":
            self._book.receive_announcement(message, retained=retained)
            return
        context = self._context
        if message.peer_id == context.peer_id:
            self._own(message, via)
            return
        peer = self._book.require(message.peer_id)
        if peer.trust == "blocked":
            raise Refusal("revoked-peer", message.peer_id)
        if message.fields.get("to", context.peer_id) != context.peer_id:
            raise Refusal("wrong-recipient")
        envelope.verify(message, peer.public_key)
        if via is not None:
            self._document(message, peer, via)
        else:
            self._handlers[message.type](message, peer)

    def _own(self, message: Message, via: Peer | None) -> None:
        """A message under our own id: an echo, our earlier work, or that of a copied key."""
        context = self._context
        if envelope.digest(message.raw) in context.echoes:
            return
        envelope.verify(message, context.key.public_key)
        if message.type not in ("canvasl-sync", "canvasl-binary"):
            return
        known = context.store.revision(envelope.revision_id(message))
        if known is not None:
            self._library.heads.regain(known, get_content(message.fields))
            return
        seq = message.fields.get("seq")
        if via is not None and isinstance(seq, int) and seq < context.store.seq_floor():
            # This identity came from a backup: what it wrote before comes back to it.
            own = Peer(context.peer_id, context.key.public_key, trust="accepted")
            self._document(message, own, via)
            return
        context.notify(
            "identity-changed",
            peer_id=context.peer_id,
            reason="a document signed with this identity was not written here",
        )
        raise Refusal("self-peer", "document")

    # --- documents -----------------------------------------------------------
    def _document(self, message: Message, peer: Peer, via: Peer | None = None) -> None:
        context = self._context
        revision_id = envelope.revision_id(message)
        senders = [peer.peer_id] + ([via.peer_id] if via else [])
        known = context.store.revision(revision_id)
        if known is not None:
            self._delivery.acknowledge(senders, "stored", revision_id)
            self._delivery.arrived(revision_id, refused=False)
            if self._library.heads.regain(known, get_content(message.fields)):
                return
            raise Refusal("replay", str(message.fields["file"]))
        self._check_seq(message)
        content = self._library.check_received(message)
        if not self._book.may_write(peer):
            self._hold(message, peer, revision_id)
            self._delivery.acknowledge(senders, "held", revision_id)
            self._delivery.arrived(revision_id, refused=False)
            return
        self._accept(message, revision_id, content)
        self._delivery.acknowledge(senders, "stored", revision_id)
        self._delivery.lacks_history(reversed(senders), str(message.fields["file"]))
        self._delivery.arrived(revision_id, refused=False)

    def _check_seq(self, message: Message) -> None:
        """One counter, one message; and no message may use the counter up."""
        seq = message.fields.get("seq")
        if not isinstance(seq, int):
            return
        store = self._context.store
        if store.revision_at(message.peer_id, seq) is not None:
            raise Refusal("fork", f"{seq}")
        if seq > store.last_seq(message.peer_id) + limits.SEQ_JUMP:
            raise Refusal("seq-jump", f"{seq}")

    def _hold(self, message: Message, peer: Peer, revision_id: str) -> None:
        """Keep a document until its author is accepted, within bounds."""
        context = self._context
        if context.settings.policy == "paired":
            raise Refusal("untrusted-peer", peer.peer_id)
        if context.store.is_held(revision_id):
            self._delivery.acknowledge([peer.peer_id], "held", revision_id)
            self._delivery.arrived(revision_id, refused=False)
            raise Refusal("replay", str(message.fields["file"]))
        _count, size = context.store.held_from(peer.peer_id)
        if size + len(message.raw) > context.settings.max_held:
            raise Refusal("held-limit", peer.peer_id)
        file = str(message.fields["file"])
        held = Held(revision_id, peer.peer_id, file, message.raw)
        context.store.hold(held, context.now.wall_us)
        count, _size = context.store.held_from(peer.peer_id)
        context.notify("document-held", file=file, peer_id=peer.peer_id, held=count)

    def _accept(self, message: Message, revision_id: str, content: bytes) -> None:
        context = self._context
        asked = context.store.is_gap(str(message.fields["file"]), revision_id)
        recorded = self._library.receive(message, revision_id, content)
        revision = recorded.revision
        self._live.recorded(revision)
        if recorded.place in ("current", "merged"):
            shown = recorded.shown or revision
            context.notify(
                "document-changed",
                file=revision.file,
                peer_id=revision.author,
                revision=shown.revision,
                path=context.files.synced_path(revision.file),
                size=shown.size,
                deleted=shown.deleted,
            )
        if recorded.place == "merged":
            self._delivery.merged(revision.file)
        if asked and recorded.place == "past":
            # history that we asked for is no news: its time is over
            return
        large = None
        if len(message.raw) > limits.RPC_NOTIFICATION or revision.size > limits.HOOK_CONTENT:
            large = (revision.file, revision.revision, recorded.place)
        about = {
            "peer_id": revision.author, "file": revision.file, "revision": revision.revision
        }  # fmt: skip
        context.effects.append(Heard(topics.SYNC, message.raw, large, about))

    def release(self, peer: Peer) -> int:
        """Take what was held from a peer that is accepted now; how many documents.

        What cannot be taken right now (a full disk, say) stays held: it was
        acknowledged.  Accepting the peer once more tries it again.  Of many,
        the rest is taken in the next turns, and counted here already.
        """
        documents, _size = self._context.store.held_from(peer.peer_id)
        self._releasing[peer.peer_id] = 0
        released = self._release_some(peer.peer_id)
        return documents if peer.peer_id in self._releasing else len(released)

    def next_timer(self) -> float:
        """When there is something to do (monotonic seconds)."""
        return float("-inf") if self._releasing else self.assembler.next_timer()

    def handle_timer(self) -> None:
        """Take more of what was held; give up half-received messages."""
        for peer_id in list(self._releasing):
            self._release_some(peer_id)
        self.assembler.handle_timer(self._context.now.mono)

    def _release_some(self, peer_id: str) -> set[str]:
        """Take some of what was held from a peer; the documents that were taken."""
        context = self._context
        released: set[str] = set()
        some = context.store.held(peer_id, after=self._releasing[peer_id], most=limits.RELEASE)
        if len(some) < limits.RELEASE:
            del self._releasing[peer_id]
        else:
            self._releasing[peer_id] = some[-1].number
        for held in some:
            refusal = self._release(held)
            if refusal is None:
                released.add(held.file)
                self._delivery.acknowledge([peer_id], "stored", held.revision)
            else:
                context.notify(
                    "sync-failed",
                    file=held.file,
                    revision=held.revision,
                    peer_id=peer_id,
                    reason=refusal.message,
                )
            if refusal is None or refusal.reason not in PASSING:
                context.store.drop_one_held(held.revision)
        return released

    def _release(self, held: Held) -> Refusal | None:
        """Take one held document; why not, if not.  One that came again meanwhile is there."""
        if self._context.store.revision(held.revision) is not None:
            return None
        message = parse(held.raw, topics.SYNC, limit=limits.ASSEMBLED_MESSAGE)
        try:
            self._check_seq(message)
            self._accept(message, held.revision, self._library.check_received(message))
        except Refusal as refusal:
            return refusal
        return None

    # --- roads -----------------------------------------------------------------
    def _deliver(self, message: Message, peer: Peer) -> None:
        """A document from somebody who has it, in its author's own words."""
        announce = message.fields.get("announce")
        if "base" in message.fields:
            found = self._patched(message, peer)
            if found is None:
                return
            payload = found
        else:
            payload = str(message.fields["payload"]).encode()
        inner = parse(payload, topics.SYNC, limit=limits.ASSEMBLED_MESSAGE)
        if inner.type not in ("canvasl-sync", "canvasl-binary"):
            raise Refusal("wrong-type", "payload")
        if isinstance(announce, str) and self._context.store.peer(inner.peer_id) is None:
            introduction = parse(announce.encode(), topics.ANNOUNCE)
            if introduction.peer_id == inner.peer_id:
                self._book.receive_announcement(introduction, retained=True, live=False)
        try:
            self._take(inner, via=peer)
        except Refusal as refusal:
            # what trust forbids now is asked for again when trust changes (Delivery.forgive)
            if refusal.reason not in PASSING | ANOTHER_COPY:
                self._delivery.arrived(envelope.revision_id(inner), refused=True)
            raise

    def _patched(self, message: Message, peer: Peer) -> bytes | None:
        """What a change makes; None where its base is not here: then the whole is asked for.

        So it is for strangers: to put a text together costs more than to send a change.
        """
        delta = message.type == "canvasl-delta"
        if not delta or self._book.may_write(peer):
            try:
                return self._library.packing.patched(message)
            except Refusal as refusal:
                if not delta or refusal.reason not in NO_BASE:
                    raise
        file, revision = str(message.fields["file"]), str(message.fields["revision"])
        if self._context.store.revision(revision) is None:
            self._delivery.lacks(peer.peer_id, [(file, revision)])
        return None

    def _piece(self, message: Message, peer: Peer) -> None:
        fields = message.fields
        piece = Piece(
            str(fields["id"]),
            _int(fields["index"]),
            _int(fields["count"]),
            _int(fields["size"]),
            message.body or forms.decode_base64(str(fields["data"])),
            _int(fields.get("whole", 0)),
        )
        stranger = not self._book.may_write(peer)
        mono = self._context.now.mono
        whole = self.assembler.receive(peer.peer_id, piece, mono, stranger=stranger)
        self._delivery.comparison(peer.peer_id).progress(mono)
        if whole is None:
            return
        if piece.whole:
            whole = packed.unpack(whole, piece.whole)
        topic = topics.inbox(self._context.peer_id) if "to" in fields else topics.SYNC
        inner = parse(whole, topic, limit=limits.ASSEMBLED_MESSAGE)
        if inner.type in ("canvasl-piece", "packed-piece"):
            raise Refusal("wrong-type", "a piece made of pieces")
        self._take(inner)

    def _message(self, message: Message, peer: Peer) -> None:
        """A message from its user to ours."""
        context = self._context
        if not self._book.may_write(peer):
            raise Refusal("untrusted-peer", peer.peer_id)
        self._delivery.acknowledge([peer.peer_id], "messages", envelope.digest(message.raw))
        # by what was signed: the same message in another spelling of its JSON is the same
        if not context.store.first_time(peer.peer_id, envelope.revision_id(message)):
            raise Refusal("replay", "message")
        own = topics.inbox(context.peer_id)
        context.effects.append(Heard(own, message.raw, about={"peer_id": peer.peer_id}))


def _int(value: object) -> int:
    return value if isinstance(value, int) else -1
