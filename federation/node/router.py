# SPDX-License-Identifier: MIT
"""The node: what the daemon drives.

``receive_*`` takes what comes from outside, plain verbs what the user wants,
``next_timer`` and ``handle_timer`` are its clock.  Every call happens inside a
transaction of the store; the effects it leaves are carried out after that
transaction is durable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from federation.errors import Refusal
from federation.events import Effect, Instant, Refused
from federation.identity.keys import SigningKey
from federation.node.book import Book
from federation.node.context import Context, NodeSettings
from federation.node.delivery import Delivery
from federation.node.heads import Recorded
from federation.node.inbox import Inbox
from federation.node.library import Library
from federation.node.live import Live
from federation.ports import Files, Randomness, Store

T = TypeVar("T")


class Node:
    """One peer, without its sockets."""

    def __init__(
        self,
        store: Store,
        files: Files,
        key: SigningKey,
        settings: NodeSettings,
        random: Randomness,
    ) -> None:
        session = random(16).hex()
        store.add_own_session(session)
        self.context = Context(store, files, key, settings, random, session)
        self.book = Book(self.context)
        self.library = Library(self.context)
        self.delivery = Delivery(self.context, self.book, self.library)
        self.live = Live(self.context, self.book, self.library)
        self.live.publish = self._publish
        self.inbox = Inbox(self.context, self.book, self.library, self.delivery, self.live)
        self.refused: dict[str, int] = {}

    # --- from outside ---------------------------------------------------------
    def receive_message(self, topic: str, payload: bytes, *, retained: bool, now: Instant) -> None:
        """A message from the broker; what is wrong with it becomes an effect."""
        self.context.now = now
        try:
            self.inbox.receive(topic, payload, retained=retained)
        except Refusal as refusal:
            self.receive_refused(topic, refusal.reason, refusal.detail, now)

    def receive_refused(self, topic: str, reason: str, detail: str, now: Instant) -> None:
        """A message was refused, here or before it was read at all."""
        self.context.now = now
        self.refused[reason] = self.refused.get(reason, 0) + 1
        self.context.effects.append(Refused(topic, reason, detail, None))

    def receive_start(self, now: Instant) -> None:
        """The first turn: counters go on, and held documents are taken where they may be now."""
        self.context.now = now
        self.context.store.start_counting(max(now.wall_us // 1000, 0))
        for peer_id in self.context.store.held_counts():
            peer = self.context.store.peer(peer_id)
            if peer is not None and self.book.may_write(peer):
                self.inbox.release(peer)
        self.live.start()

    def receive_link_up(self, now: Instant) -> None:
        """The broker answers."""
        self.context.now = now
        self.context.link_up = True
        self.book.link_up()

    def receive_link_down(self, now: Instant) -> None:
        """The broker is gone."""
        self.context.now = now
        self.context.link_up = False
        self.book.link_down()
        self.delivery.offline()

    def receive_published(self, about: tuple[str, str], result: str, now: Instant) -> None:
        """What became of a publish that a document depends on."""
        self.context.now = now
        self.delivery.published(about, result)

    def receive_written(self, file: str, revision: str, now: Instant) -> None:
        """The synced file of a document now holds this revision."""
        self.context.now = now
        self.library.heads.written(file, revision)

    # --- the user's verbs --------------------------------------------------------
    def at(self, now: Instant, verb: Callable[[], T]) -> T:
        """Run a verb of the user at a moment."""
        self.context.now = now
        return verb()

    def sync_content(
        self,
        file: str,
        content: bytes,
        path: str | None,
        opened: str | Sequence[str] | None = None,
        *,
        apart: bool = False,
    ) -> Recorded:
        """Import what the user has, and publish the newest version.

        ``opened``: the hash of the content that it was made from, if known, or
        several, oldest first, of which the newest counts that is recorded.
        ``apart``: a file that was never synced is beside a document of its name.
        """
        self.live.checkpoint(file)
        recorded = self.library.import_content(file, content, path, opened, apart=apart)
        if recorded.revision.author == self.context.peer_id:
            self._publish(recorded, whole=True)
        return recorded

    def _publish(self, recorded: Recorded, *, whole: bool = False) -> None:
        """Publish what the user made, and what follows from it."""
        self.delivery.publish(recorded.revision, message=recorded.message, whole=whole)
        if recorded.place == "merged":
            self.delivery.merged(recorded.revision.file)
            joined = self.library.join_own(recorded.revision.file)
            if joined is not None:
                self.delivery.publish(joined.revision, message=joined.message)

    def import_changed(self, file: str, content: bytes, path: str, *, apart: bool = False) -> bool:
        """Import and publish a file only if its content is new; whether it was.

        ``apart``: a file that was never synced is beside a document of its name.
        """
        recorded = self.library.import_content(file, content, path, apart=apart)
        if recorded.place == "unchanged":
            return False
        self._publish(recorded)
        return True

    def delete(self, file: str, path: str | None = None) -> Recorded | None:
        """Delete a document for everybody; None where there is nothing to delete."""
        recorded = self.library.delete(file, path)
        if recorded is not None:
            self._publish(recorded)
        return recorded

    def restore(self, file: str, prefix: str) -> Recorded:
        """Bring an earlier revision back as the newest."""
        recorded = self.library.restore(file, prefix)
        self.delivery.publish(recorded.revision, message=recorded.message)
        return recorded

    def resolve(self, file: str, number: str, choice: str, value: str | None) -> Recorded:
        """Settle a conflict, for everybody."""
        recorded = self.library.resolve(file, number, choice, value)
        self.delivery.publish(recorded.revision, message=recorded.message)
        return recorded

    def accept(self, peer_id: str) -> int:
        """Accept a peer; how many held documents were taken."""
        peer = self.book.decide(peer_id, "accepted")
        released = self.inbox.release(peer)
        self.delivery.forgive()
        return released

    def block(self, peer_id: str) -> int:
        """Block a peer; how many held documents were dropped."""
        self.book.decide(peer_id, "blocked")
        dropped, _size = self.context.store.held_from(peer_id)
        self.context.store.drop_held(peer_id)
        return dropped

    def hello(self, peer_id: str) -> None:
        """Ask a peer to answer, and compare documents with it."""
        peer = self.book.require(peer_id)
        if peer.trust == "blocked":
            raise Refusal("revoked-peer", peer_id)
        self.delivery.say_hello(peer.peer_id)

    def compare_all(self) -> list[str]:
        """Compare documents with every online peer; their ids."""
        peers = [peer for peer in self.book.online() if "ack1" in peer.caps]
        for peer in peers:
            self.delivery.say_hello(peer.peer_id)
        return [peer.peer_id for peer in peers]

    def send_message(self, peer_id: str, kind: str, content: str) -> str:
        """Send a message to a peer's user; its id."""
        peer = self.book.require(peer_id)
        if peer.trust == "blocked":
            raise Refusal("revoked-peer", peer_id)
        return self.delivery.letters.send(peer_id, kind, content)

    def announce(self) -> bool:
        """Announce this peer now; False while there is no broker."""
        self.book.announce(retained=True)
        return self.context.link_up

    # --- time and effects ---------------------------------------------------------
    def next_timer(self) -> float:
        """The next moment at which ``handle_timer`` has work (monotonic seconds)."""
        return min(
            self.book.next_timer(),
            self.delivery.next_timer(),
            self.inbox.next_timer(),
            self.live.next_timer(),
        )

    def handle_timer(self, now: Instant) -> None:
        """Heartbeats, missed ones, comparisons, half-received messages."""
        self.context.now = now
        self.book.handle_timer()
        self.delivery.handle_timer()
        self.inbox.handle_timer()
        self.live.handle_timer()

    def take_effects(self) -> list[Effect]:
        """What is to be done now that this turn is durable."""
        self.live.flush()
        self.delivery.flush()
        effects, self.context.effects = self.context.effects, []
        return effects

    def mark(self) -> int:
        """Where the effects of the next event begin."""
        return len(self.context.effects)

    def undo(self, mark: int = 0) -> None:
        """What came after ``mark`` effects was undone in the store: forget it here too."""
        del self.context.effects[mark:]
        self.library.heads.reload()
        self.live.undo()
