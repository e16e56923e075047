# SPDX-License-Identifier: MIT
"""Delivery: publishing revisions, acknowledging them, comparing with peers.

The only retransmission is comparison: whoever lacks something asks for it by
its id, and gets it in its author's own signed words from anybody who has it.
"""

from __future__ import annotations

from collections.abc import Iterable

from federation import limits
from federation.events import Acknowledge
from federation.machines import presence
from federation.machines.awaiting import Awaiting
from federation.machines.comparison import Comparison, Event, State
from federation.node.book import Book
from federation.node.context import Context
from federation.node.gaps import Gaps
from federation.node.handing import Handing
from federation.node.letters import Letters
from federation.node.library import Library
from federation.node.lists import pairs, texts
from federation.node.post import send, send_to
from federation.replica.records import Revision
from federation.replica.spaces import may_leave
from federation.wire import topics
from federation.wire.messages import Message


class Delivery:
    """What goes to which peer, and what came from it."""

    def __init__(self, context: Context, book: Book, library: Library) -> None:
        self._context = context
        self._book = book
        self._library = library
        self._gaps = Gaps(context, library.heads)
        self._comparisons: dict[str, Comparison] = {}
        self._awaiting = Awaiting()
        #: revisions that were refused for good: never asked for again
        self._refused: dict[str, None] = {}
        self._handing = Handing(context, book, library)
        self._handing.publish = lambda revision: self.publish(revision, announce=False)
        self.letters = Letters(context, book, self.comparison)
        book.on_presence = self._presence_changed
        book.on_doubt = self._ask_if_there

    def comparison(self, peer_id: str) -> Comparison:
        """The comparison machine of a peer."""
        if peer_id not in self._comparisons:
            self._comparisons[peer_id] = Comparison()
        return self._comparisons[peer_id]

    # --- publishing ---------------------------------------------------------
    def publish(
        self, revision: Revision, *, message: bytes | None = None, announce: bool = True,
        whole: bool = False,
    ) -> None:  # fmt: skip
        """Publish a revision to everybody, and expect its acknowledgements.

        Only what changed, where all who are there understand that; ``whole``:
        the whole text, wherever it fits one message.
        """
        if not may_leave(revision.file):
            return
        context = self._context
        about = (revision.file, revision.revision)
        if announce:
            context.notify("sync-started", file=revision.file, revision=revision.revision)
        if whole:
            message = message or self._library.packing.message_of(revision)
        if message is None or not whole or len(message) > limits.WIRE_MESSAGE:
            delta = self._delta_of(revision)
            message = delta or message or self._library.packing.message_of(revision)
        send(context, topics.SYNC, message, about=about)
        waiting = {
            peer.peer_id
            for peer in self._book.online()
            if "ack1" in peer.caps
            and context.store.acknowledged(peer.peer_id, revision.file) != revision.revision
        }
        self._awaiting.expect(*about, waiting, context.now.mono)
        for peer_id in waiting:
            self.comparison(peer_id).receive(Event.CHANGED, context.now.mono)

    def _delta_of(self, revision: Revision) -> bytes | None:
        """A revision as a change of the one before, if everybody who hears it can use that."""
        online = self._book.online()
        if not online or not all("delta1" in peer.caps for peer in online):
            return None
        fields = self._library.packing.delta_of(revision)
        message = None if fields is None else self._context.signed("canvasl-delta", **fields)
        return message if message is not None and len(message) <= limits.WIRE_MESSAGE else None

    def merged(self, file: str) -> None:
        """A document shows a merged version now: what follows from that."""
        self._handing.joining.changed(file)
        preferred = self._library.prefer(file)
        if preferred is not None:
            self.publish(preferred.revision, message=preferred.message)

    def published(self, about: tuple[str, str], result: str) -> None:
        """What became of a publish: ``ok``, ``refused:…``, ``lost``, ``offline``, ``full``.

        A peer that cannot acknowledge counts as served when the broker took the
        message while that peer was online; nothing better can be known of it.
        """
        file, revision = about
        context = self._context
        self._handing.published(about, result)
        if result == "ok":
            for peer in self._book.online():
                if "ack1" not in peer.caps:
                    context.store.acknowledge(peer.peer_id, file, revision)
        elif result.startswith("refused"):
            context.notify(
                "sync-failed",
                file=file,
                revision=revision,
                peer_id=None,
                reason=f"the broker refused the message ({result[8:]})",
            )

    # --- acknowledging --------------------------------------------------------
    def acknowledge(self, peers: Iterable[str], kind: str, one: str) -> None:
        """Acknowledge to these peers at the end of the turn.

        ``kind``: ``stored``, ``held`` or ``messages``.
        """
        for peer_id in peers:
            if peer_id != self._context.peer_id:
                self._context.effects.append(Acknowledge(peer_id, kind, one))

    def flush(self) -> None:
        """One acknowledgement for each peer, for all of this turn."""
        context = self._context
        gathered: dict[str, dict[str, list[str]]] = {}
        for effect in context.effects:
            if isinstance(effect, Acknowledge):
                kinds = gathered.setdefault(effect.peer_id, {})
                kinds.setdefault(effect.kind, []).append(effect.one)
        context.effects = [one for one in context.effects if not isinstance(one, Acknowledge)]
        for peer_id, kinds in gathered.items():
            for kind, ids in kinds.items():
                kinds[kind] = list(dict.fromkeys(ids))
            most = limits.HEADS_PER_MESSAGE
            for start in range(0, max(map(len, kinds.values())), most):
                pages = {kind: ids[start : start + most] for kind, ids in kinds.items()}
                filled: dict[str, object] = {kind: page for kind, page in pages.items() if page}
                send_to(self._context, peer_id, "sync-ack", **filled)

    def receive_ack(self, message: Message) -> None:
        """A peer has these revisions and messages durably."""
        store = self._context.store
        for kind in ("stored", "held"):
            for revision_id in texts(message.fields.get(kind)):
                revision = store.revision(revision_id)
                if revision is not None:
                    self.has(message.peer_id, revision)
        for message_id in texts(message.fields.get("messages")):
            store.drop_message(message_id, message.peer_id)

    def has(self, peer_id: str, revision: Revision) -> None:
        """Note that a peer has a revision."""
        context = self._context
        heads = context.store.heads(revision.file)
        if all(head.revision != revision.revision for head in heads):
            return
        if context.store.acknowledged(peer_id, revision.file) != revision.revision:
            context.store.acknowledge(peer_id, revision.file, revision.revision)
        completed = self._awaiting.acknowledged(peer_id, revision.revision)
        if completed is not None:
            self._completed(completed, revision.revision)
        comparison = self.comparison(peer_id)
        if comparison.state is State.ASKED and not self._awaiting.owes(peer_id):
            comparison.receive(Event.LISTS_COMPARED, context.now.mono)

    def _completed(self, file: str, revision_id: str) -> None:
        have = self._context.store.acknowledgements_of(file)
        self._context.notify(
            "sync-completed",
            file=file,
            revision=revision_id,
            peers=sorted(peer for peer, revision in have.items() if revision == revision_id),
        )

    def missing(self, revision_id: str) -> list[str]:
        """Online peers that have not acknowledged a revision we published."""
        return self._awaiting.missing(revision_id)

    # --- comparing ------------------------------------------------------------
    def _presence_changed(self, peer_id: str, event: presence.Event) -> None:
        context = self._context
        peer = context.store.peer(peer_id)
        live = self._book.presence_of(peer_id)
        comparison = self.comparison(peer_id)
        if peer is None or not live.online:
            comparison.receive(Event.OFFLINE, context.now.mono)
            self._handing.forget(peer_id)
            for file, revision_id in self._awaiting.forget(peer_id):
                self._completed(file, revision_id)
            return
        if "ack1" in peer.caps:
            comparison.receive(Event.ONLINE, context.now.mono)
            # one that is there has just heard us, and asks (node/proof.py)
            comparison.due = max(comparison.due, self._book.asks_at)
            if event is presence.Event.ANNOUNCED and comparison.due <= context.now.mono:
                self.say_hello(peer_id)
        else:
            self._handing.publish_again()

    def say_hello(self, peer_id: str, echo: str | None = None) -> None:
        """Ask a peer to answer, or answer it; our root goes along."""
        context = self._context
        peer = context.store.peer(peer_id)
        nonce = self._book.proof.question("" if peer is None else peer.announce)
        comparison = self.comparison(peer_id)
        fields: dict[str, object] = {"root": self._library.heads.root, "nonce": nonce}
        if echo is not None:
            # nobody answers an answer: its nonce must not push out one that is waited for
            fields["echo"] = echo
        else:
            comparison.remember_nonce(nonce, context.now.mono)
            comparison.receive(Event.HELLO_SENT, context.now.mono)
        send_to(self._context, peer_id, "sync-hello", **fields)

    def _ask_if_there(self, peer_id: str) -> None:
        """A peer may be there: ask, but not once for each message that a broker had queued."""
        comparison = self.comparison(peer_id)
        asked = max(comparison.nonces.values(), default=float("-inf"))
        long_ago = self._context.now.mono - asked >= limits.RESEND_FIRST
        if long_ago and comparison.state is not State.DUE:
            self.say_hello(peer_id)

    def receive_hello(self, message: Message) -> None:
        """A peer's root: answer it; list our heads where the roots differ."""
        peer_id, fields = message.peer_id, message.fields
        echo = fields.get("echo")
        comparison = self.comparison(peer_id)
        root = str(fields["root"])
        if isinstance(echo, str):
            there = comparison.take_nonce(echo)
            if not there:
                return
        else:
            self.say_hello(peer_id, echo=str(fields["nonce"]))
            there = self._book.proof.shown(peer_id, str(fields["nonce"]))
            if not there and comparison.state is State.DUE:
                self.say_hello(peer_id)
        if there:
            self._book.answered(peer_id)
            self.letters.resend(peer_id)
        if root == self._library.heads.root:
            self._in_step(peer_id)
        else:
            self._handing.list_heads(peer_id, root)

    def _in_step(self, peer_id: str) -> None:
        """Equal roots: the peer has every head that we have."""
        context = self._context
        self._handing.in_step(peer_id)
        context.store.acknowledge_all(peer_id)
        for file, revision_id in self._awaiting.forget(peer_id):
            self._completed(file, revision_id)
        self.comparison(peer_id).receive(Event.ROOTS_EQUAL, context.now.mono)
        self._fill_gaps(peer_id)

    def receive_heads(self, message: Message) -> None:
        """A page of a peer's heads: note what it has, find what we lack."""
        context = self._context
        store = context.store
        comparison = self.comparison(message.peer_id)
        for file, revision_id in pairs(message.fields["heads"]):
            revision = store.revision(revision_id)
            if revision is not None:
                self.has(message.peer_id, revision)
            elif store.is_held(revision_id):
                self.acknowledge([message.peer_id], "held", revision_id)
            elif revision_id not in self._refused:
                comparison.lacks(revision_id, file)
        if comparison.missing:
            comparison.receive(Event.MISSING_FOUND, context.now.mono)
            self._ask(message.peer_id)
        elif message.fields["last"]:
            comparison.receive(Event.LISTS_COMPARED, context.now.mono)
            self._fill_gaps(message.peer_id)

    def _ask(self, peer_id: str) -> None:
        store = self._context.store
        comparison = self.comparison(peer_id)
        heads: list[str] = []
        histories: dict[str, list[str]] = {}
        for revision_id in comparison.next_wants(self._context.now.mono):
            file = comparison.missing[revision_id]
            # of one that is here only the content is wanted, not what it was made from
            if store.is_gap(file, revision_id) and store.revision(revision_id) is None:
                histories.setdefault(file, []).append(revision_id)
            else:
                heads.append(revision_id)
        if heads:
            send_to(self._context, peer_id, "sync-want", revisions=heads)
        for file, wants in histories.items():
            have = store.newest(file, limits.WANTS)
            send_to(self._context, peer_id, "sync-want", revisions=wants, have=have)

    def _fill_gaps(self, peer_id: str) -> None:
        """A peer has all our heads: it may have what we lack of the histories, too."""
        noted = self._gaps.noted()
        self.lacks(peer_id, self._gaps.in_turn(noted))
        for file, gaps in noted.items():
            if not self.comparison(peer_id).asked.isdisjoint(gaps):
                self._gaps.asked(file, gaps)

    def lacks_history(self, peers: Iterable[str], file: str) -> None:
        """Ask one of these peers for the revisions that others of the document name."""
        if gaps := [(file, one) for one in self._context.store.gaps(file)]:
            any(self.lacks(peer_id, gaps) for peer_id in peers)

    def lacks(self, peer_id: str, wanted: Iterable[tuple[str, str]]) -> bool:
        """Ask a peer for (document, revision) that it may have; False while it is not asked."""
        comparison, now = self.comparison(peer_id), self._context.now.mono
        if comparison.state is State.IDLE:
            return False
        new = [one for one in wanted if comparison.may_try(one[1], now)]
        for file, revision_id in sorted(new, key=lambda one: comparison.tries(one[1])):
            comparison.lacks(revision_id, file)
        if new:
            comparison.receive(Event.MISSING_FOUND, now)
            self._ask(peer_id)
        return True

    def receive_want(self, message: Message) -> None:
        """A peer asks for revisions: it gets them in portions."""
        revisions = texts(message.fields["revisions"])
        have = message.fields.get("have")
        if have is not None:
            revisions = self._library.packing.ancestry(revisions, set(texts(have)))
        self._handing.want(message.peer_id, revisions)

    def arrived(self, revision_id: str, *, refused: bool) -> None:
        """A revision came, from anybody: nobody is asked for it any more."""
        if refused:
            self._refused[revision_id] = None
            while len(self._refused) > limits.SEEN_PER_PEER:
                self._refused.pop(next(iter(self._refused)))
        for peer_id, comparison in self._comparisons.items():
            if revision_id not in comparison.missing:
                continue
            if revision_id in comparison.asked:
                comparison.progress(self._context.now.mono)
            comparison.fetched(revision_id)
            if not comparison.missing:
                comparison.receive(Event.ALL_FETCHED, self._context.now.mono)
            elif not comparison.asked:
                self._ask(peer_id)

    def forgive(self) -> None:
        """Trust changed: what was refused before may be asked for again."""
        self._refused.clear()
        for comparison in self._comparisons.values():
            comparison.tried.clear()
        for peer in self._book.online():
            if "ack1" in peer.caps:
                self.say_hello(peer.peer_id)

    # --- time ---------------------------------------------------------------------
    def next_timer(self) -> float:
        """The next moment to act (monotonic seconds)."""
        return min([self._handing.next_timer(), *(one.due for one in self._comparisons.values())])

    def handle_timer(self) -> None:
        """Ask again, or compare again, where it is time."""
        now = self._context.now.mono
        self._handing.handle_timer()
        for file, revision_id, peers in self._awaiting.overdue(now):
            waiting = "1 online peer has" if len(peers) == 1 else f"{len(peers)} online peers have"
            why = f"{waiting} not acknowledged it; it is tried again"
            self._context.notify(
                "sync-failed", file=file, revision=revision_id, peer_id=peers[0], reason=why
            )
        for peer_id, comparison in list(self._comparisons.items()):
            if comparison.due > now:
                continue
            comparison.ask_again()
            comparison.missing.clear()
            if not self._context.link_up:
                # the announcement after the next connection begins again
                comparison.receive(Event.OFFLINE, now)
                continue
            comparison.receive(Event.TIMER, now)
            if comparison.state is State.DUE:
                self.say_hello(peer_id)

    def offline(self) -> None:
        """The broker is gone: nothing is awaited until somebody is seen again."""
        self._handing.offline()
        for comparison in self._comparisons.values():
            comparison.receive(Event.OFFLINE, self._context.now.mono)
