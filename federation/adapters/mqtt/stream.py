# SPDX-License-Identifier: MIT
"""The bytes of one broker connection, between a socket and the MQTT library.

The library believes that this is its socket: it reads the packets that the
gate passed (:meth:`Stream.offer`) and its writes are only collected.  The
adapter reads and writes the real socket, one system call for all packets of a
turn of the loop instead of several for each.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections import deque
from typing import Final

from federation.adapters.mqtt.websocket import WebSocketCodec

#: Bytes taken from the socket at once: enough to be fast, too few to matter.
READ_SIZE: Final = 256 * 1024
#: Small packets are joined up to this before they are written.
WRITE_SIZE: Final = 256 * 1024

_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)


class Stream:
    """A connected, non-blocking socket with buffers on both sides."""

    def __init__(self, sock: socket.socket, codec: WebSocketCodec | None = None) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._tls = sock if isinstance(sock, ssl.SSLSocket) else None
        self._codec = codec
        self._packet = memoryview(b"")
        self._collected: list[bytes] = []
        self._collected_bytes = 0
        self._frames: deque[bytes] = deque()
        self._sending = memoryview(b"")
        #: The other side has closed.
        self.ended = False
        #: The library wants no more of it.
        self.given_up = False
        #: TLS must write before it can read on.
        self.read_needs_write = False

    # --- what the library calls ---

    def recv(self, buffer_size: int) -> bytes:
        """The next bytes of the packet on offer; BlockingIOError behind its end."""
        if not self._packet:
            raise BlockingIOError
        data = bytes(self._packet[:buffer_size])
        self._packet = self._packet[buffer_size:]
        return data

    def send(self, buffer: bytes | bytearray) -> int:
        """Collect whole packets, to be sent at the next :meth:`flush`."""
        self._collected.append(bytes(buffer))
        self._collected_bytes += len(buffer)
        return len(buffer)

    def fileno(self) -> int:
        """The socket's descriptor, -1 once closed."""
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:
        """Nothing: it never blocks."""

    def close(self) -> None:
        """Note that the library gave up; its owner has yet to leave the selector."""
        self.given_up = True

    # --- what the adapter calls ---

    def shut(self) -> None:
        """Close the socket; what was not sent is lost."""
        self._collected.clear()
        self._collected_bytes = 0
        self._frames.clear()
        self._sending = memoryview(b"")
        self._socket.close()

    @property
    def unsent(self) -> int:
        """Bytes that the socket has not taken yet."""
        return self._collected_bytes + len(self._sending)

    @property
    def has_more(self) -> bool:
        """Whether bytes have arrived that the selector does not know of."""
        return self._tls is not None and self._tls.pending() > 0

    @property
    def inside_frame(self) -> bool:
        """Whether the other side owes us the rest of a WebSocket frame."""
        return self._codec is not None and self._codec.inside_frame

    def offer(self, packet: bytes) -> None:
        """Let the library read this whole packet, and nothing behind it."""
        self._packet = memoryview(packet)

    def read(self) -> bytes:
        """What has arrived; empty when nothing has, or at the end (``ended``).

        Raises OSError when the connection broke, BrokerError for a broken
        WebSocket.
        """
        self.read_needs_write = False
        try:
            data = self._socket.recv(READ_SIZE)
        except (BlockingIOError, ssl.SSLWantReadError):
            return b""
        except ssl.SSLWantWriteError:
            self.read_needs_write = True
            return b""
        if not data:
            self.ended = True
            return b""
        self._acknowledge_now()
        if self._codec is None:
            return data
        payload = self._codec.decode(data)
        if replies := self._codec.take_replies():
            self._frames.append(replies)
        self.ended = self._codec.closed
        return payload

    def _acknowledge_now(self) -> None:
        """Acknowledge to the broker's TCP without the usual 40 ms of delay.

        A broker that leaves Nagle's algorithm on (mosquitto, as shipped) keeps
        the next packet back until the last one is acknowledged.  Linux forgets
        this option by itself, so it is set after every read; elsewhere the
        broker's own ``set_tcp_nodelay`` does the same.
        """
        if _QUICKACK is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def flush(self) -> bool:
        """Write what was collected; whether some of it must wait.

        Raises OSError when the connection broke.
        """
        while True:
            if not self._sending:
                self._sending = memoryview(self._next_chunk())
                if not self._sending:
                    return False
            try:
                sent = self._socket.send(self._sending)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                # TLS insists on the same bytes again: they stay in _sending.
                return True
            self._sending = self._sending[sent:]

    def _next_chunk(self) -> bytes:
        if self._frames:
            return self._frames.popleft()
        size = count = 0
        for packet in self._collected:
            if size and size + len(packet) > WRITE_SIZE:
                break
            size += len(packet)
            count += 1
        # The list is as long as one turn of the loop made it; joining from the
        # front is the rule, a rest the exception.
        chunk = b"".join(self._collected[:count])
        del self._collected[:count]
        self._collected_bytes -= size
        return self._codec.encode(chunk) if self._codec and chunk else chunk
