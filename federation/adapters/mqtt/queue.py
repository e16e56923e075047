# SPDX-License-Identifier: MIT
"""Messages on their way to the broker: a bounded queue and a send window.

    offer -> waiting (bounded) -> take -> in flight (the window) -> finished

The window is counted in messages and in bytes, so that pieces of 1 MiB do not
fill the socket's buffers in front of everything that comes after them.  Pure.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from federation import limits

#: Messages, and bytes, that may be without their PUBACK at once.
WINDOW: Final = 64
WINDOW_BYTES: Final = 4 * limits.MIB
#: Bytes that may wait to be sent (messages: limits.OUTBOUND): the pieces of the largest
#: document, which are base64, fit.
QUEUE_BYTES: Final = limits.ASSEMBLED_MESSAGE * 3 // 2
#: What a message costs beside its payload: a small one is never free.
MESSAGE_COST: Final = 256

T = TypeVar("T")


@dataclass(slots=True)
class Outgoing(Generic[T]):
    """One message to publish; ``ticket`` is whatever its result is told to."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    ticket: T

    @property
    def size(self) -> int:
        """Bytes that it counts for."""
        return len(self.payload) + len(self.topic) + MESSAGE_COST


class SendQueue(Generic[T]):
    """First in, first out; nothing overtakes."""

    def __init__(
        self,
        *,
        count: int = limits.OUTBOUND,
        size: int = QUEUE_BYTES,
        window: int = WINDOW,
        window_bytes: int = WINDOW_BYTES,
    ) -> None:
        self._count, self._size = count, size
        self._most, self._most_bytes = window, window_bytes
        self._window = window
        self._waiting: deque[Outgoing[T]] = deque()
        self._waiting_bytes = 0
        self._in_flight: dict[int, Outgoing[T]] = {}
        self._in_flight_bytes = 0

    def __len__(self) -> int:
        """Messages that wait; those in flight are not among them."""
        return len(self._waiting)

    @property
    def in_flight(self) -> int:
        """Messages without their PUBACK."""
        return len(self._in_flight)

    def limit_window(self, receive_maximum: int) -> None:
        """Heed what the broker takes at once, for this connection."""
        self._window = max(1, min(self._most, receive_maximum))

    def offer(self, message: Outgoing[T]) -> bool:
        """Queue a message; False when the queue is full."""
        full = len(self._waiting) >= self._count
        if full or self._waiting_bytes + message.size > self._size:
            return False
        self._waiting.append(message)
        self._waiting_bytes += message.size
        return True

    def take(self, unsent: int = 0) -> Outgoing[T] | None:
        """The next message that may go out now; ``unsent``: bytes not yet on the wire.

        One message always fits an empty window, however large it is.
        """
        if not self._waiting:
            return None
        message = self._waiting[0]
        if message.qos:
            used = self._in_flight_bytes
            if len(self._in_flight) >= self._window:
                return None
        else:
            used = unsent
        if used and used + message.size > self._most_bytes:
            return None
        self._waiting.popleft()
        self._waiting_bytes -= message.size
        return message

    def started(self, packet_id: int, message: Outgoing[T]) -> None:
        """A message with QoS > 0 was handed over under this packet id."""
        self._in_flight[packet_id] = message
        self._in_flight_bytes += message.size

    def finished(self, packet_id: int) -> Outgoing[T] | None:
        """The message that the broker just acknowledged, if it is one of ours."""
        message = self._in_flight.pop(packet_id, None)
        if message is not None:
            self._in_flight_bytes -= message.size
        return message

    def clear(self) -> tuple[list[Outgoing[T]], list[Outgoing[T]]]:
        """The connection is gone: (never sent, sent and not acknowledged)."""
        never, unknown = list(self._waiting), list(self._in_flight.values())
        self._waiting.clear()
        self._in_flight.clear()
        self._waiting_bytes = self._in_flight_bytes = 0
        self._window = self._most
        return never, unknown
