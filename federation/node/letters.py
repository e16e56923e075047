# SPDX-License-Identifier: MIT
"""Messages from one peer's user to another's: kept until they are acknowledged."""

from __future__ import annotations

from collections.abc import Callable

from federation import limits
from federation.errors import Refusal
from federation.machines.comparison import Comparison, Event
from federation.node.book import Book
from federation.node.context import Context
from federation.replica.records import Outgoing
from federation.wire import envelope, forms, topics


class Letters:
    """What users send to each other."""

    def __init__(
        self, context: Context, book: Book, comparison: Callable[[str], Comparison]
    ) -> None:
        self._context = context
        self._book = book
        self._comparison = comparison

    def send(self, peer_id: str, kind: str, content: str) -> str:
        """Queue a message for a peer, and send it when it is online.

        Refused (``nul-in-text``, ``oversize``) is what its receiver would refuse for ever.
        """
        context = self._context
        forms.KIND.check("kind", kind)
        forms.SHORT_TEXT.check("content", content)
        if context.store.count_queued().get(peer_id, 0) >= limits.OUTBOX_PER_PEER:
            raise Refusal("queue-full", f"{limits.OUTBOX_PER_PEER} messages wait for {peer_id}")
        raw = context.signed("peer-message", to=peer_id, kind=kind, content=content,
                             seq=context.store.next_seq())  # fmt: skip
        if len(raw) > limits.WIRE_MESSAGE:
            raise Refusal("oversize", f"{len(raw)} bytes with its escapes")
        message_id = envelope.digest(raw)
        context.store.queue_message(Outgoing(message_id, peer_id, raw), context.now.wall_us)
        if self._book.presence_of(peer_id).online:
            context.publish(topics.inbox(peer_id), raw)
            self._comparison(peer_id).receive(Event.CHANGED, context.now.mono)
        return message_id

    def resend(self, peer_id: str) -> None:
        """Send again what a peer, which is there now, has not acknowledged."""
        for message in self._context.store.queued_messages(peer_id):
            self._context.publish(topics.inbox(peer_id), message.raw)
