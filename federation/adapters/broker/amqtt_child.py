# SPDX-License-Identifier: MIT
"""The embedded broker where mosquitto is not installed: amqtt in a process of its own.

    python -m federation.adapters.broker.amqtt_child PORT PARENT-PID

Listens on 127.0.0.1 only, lets everybody of this machine in, keeps nothing on
disk; prints ``listening`` once it does, and ends with its parent or with
standard input.  amqtt speaks MQTT 3.1.1.

The sockets are ours, because amqtt 0.12 as it comes
- never answers the CONNECT of an MQTT 5 client, and takes packets of 256 MB;
- lets queues and outbound buffers grow without a bound;
- forgets the sessions of anonymous clients;
- formats every message, 1 MiB or not, for a debug log that nobody reads;
- may deliver nothing more to a client that took its own session over;
- walks over tables of subscriptions while others change them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any, Final

from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.broker import Broker

from federation.adapters.broker.reaper import die_with_parent

#: A packet, with room for the topic of a 1 MiB message.
MAX_PACKET: Final = 2 * 1024 * 1024
#: Connected clients.
MAX_CLIENTS: Final = 256
#: Messages taken in and not yet handed out, before we read no more.
BACKLOG: Final = 500
#: Bytes that one client may leave unread; a slower one is disconnected.
UNREAD: Final = 64 * 1024 * 1024
#: What is kept for a client that is away: messages, and bytes.
KEPT: Final = 5000
KEPT_BYTES: Final = 64 * 1024 * 1024
#: How long a session is kept (seconds).
SESSION_EXPIRY: Final = 24 * 3600
#: How long a new client may take for its CONNECT (seconds).
FIRST_PACKET: Final = 10.0
#: How long a client that took its own session over may take to leave (seconds).
TAKEOVER: Final = 2.0

READ_SIZE: Final = 256 * 1024
CONNECT: Final = 0x10
#: CONNACK of MQTT 3.1.1: unacceptable protocol version.
WRONG_VERSION: Final = b"\x20\x02\x00\x01"


class Kept(asyncio.Queue[Any]):
    """Messages for a client that is away; the newest are dropped when it is full."""

    def __init__(self) -> None:
        super().__init__(KEPT)
        self._bytes = 0

    async def put(self, item: Any) -> None:
        """Keep a message, or drop it; never waits."""
        if not self.full() and self._bytes + len(item.data) <= KEPT_BYTES:
            self._bytes += len(item.data)
            self.put_nowait(item)

    async def get(self) -> Any:
        """The oldest kept message."""
        item = await super().get()
        self._bytes -= len(item.data)
        return item


class Stable(dict[Any, Any]):
    """A table that may change while somebody walks over it."""

    def __iter__(self) -> Iterator[Any]:
        return iter(list(super().keys()))


class Reader(ReaderAdapter):  # type: ignore[misc]
    """amqtt's view of an inbound stream, cut into whole packets of a bounded size.

    amqtt cancels a read when a client is silent for its keepalive, so nothing
    that has arrived may live in a coroutine.
    """

    def __init__(self, stream: asyncio.StreamReader, broker: LocalBroker) -> None:
        self._stream = stream
        self._broker = broker
        self._buffer = bytearray()
        self._packet = memoryview(b"")
        self._heard = asyncio.get_running_loop().time()
        #: amqtt's session, once there is one.
        self.session: Any = None

    async def read(self, n: int = -1) -> bytes:
        """``n`` bytes of the current packet; the next one where it has ended."""
        if not self._packet:
            await self._broker.room(self.session)
            self._packet = memoryview(await self._next())
        size = len(self._packet) if n < 0 else n
        data = bytes(self._packet[:size])
        self._packet = self._packet[size:]
        return data

    def feed_eof(self) -> None:
        """Pretend that the client has gone."""
        self._stream.feed_eof()

    async def first(self) -> bytes:
        """The first packet, which stays to be read."""
        self._packet = memoryview(await self._next())
        return bytes(self._packet)

    async def _next(self) -> bytes:
        loop = asyncio.get_running_loop()
        while (packet := self._cut()) is None:
            keepalive = self.session.keep_alive if self.session else 0
            if keepalive and loop.time() - self._heard >= 1.5 * keepalive:
                raise asyncio.IncompleteReadError(b"", None)
            data = await self._stream.read(READ_SIZE)
            if not data:
                raise asyncio.IncompleteReadError(b"", None)
            self._heard = loop.time()
            self._buffer += data
        return packet

    def _cut(self) -> bytes | None:
        """The packet at the front of the buffer, if all of it is there."""
        buffer, length, position = self._buffer, 0, 1
        while True:
            if position >= len(buffer):
                return None
            byte = buffer[position]
            length |= (byte & 0x7F) << 7 * (position - 1)
            position += 1
            if not byte & 0x80:
                break
            if position > 4:
                raise asyncio.IncompleteReadError(b"", None)
        if length > MAX_PACKET:
            raise asyncio.IncompleteReadError(b"", None)
        if len(buffer) < position + length:
            return None
        packet = bytes(buffer[: position + length])
        del buffer[: position + length]
        return packet


class Writer(WriterAdapter):  # type: ignore[misc]
    """amqtt's view of an outbound stream; a client that does not read is disconnected.

    It never waits for the client: a stream that is slow must not hold tasks,
    each with its message, without a bound.
    """

    def __init__(self, stream: asyncio.StreamWriter) -> None:
        self._stream = stream
        self._transport: Any = stream.transport

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self._transport.get_write_buffer_size() > UNREAD:
            self._transport.abort()
        elif not self._transport.is_closing():
            self._transport.write(data)

    async def drain(self) -> None:
        """Find out whether the client is still there."""
        if self._transport.is_closing():
            raise ConnectionResetError

    def get_peer_info(self) -> tuple[str, int] | None:
        """Address and port of the client."""
        name = self._stream.get_extra_info("peername")
        return (name[0], name[1]) if name else None

    def get_ssl_info(self) -> None:
        """Nothing: there is no TLS on loopback."""

    async def close(self) -> None:
        """Let go of the client once it has what was written."""
        if not self._transport.is_closing():
            self._transport.close()
            asyncio.get_running_loop().call_later(TAKEOVER, self._transport.abort)


class LocalBroker(Broker):  # type: ignore[misc]
    """amqtt's broker behind sockets of our own."""

    def __init__(self) -> None:
        config = {
            "listeners": {"default": {"type": "external"}},
            "plugins": {},
            "session_expiry_interval": SESSION_EXPIRY,
        }
        super().__init__(config)
        self._subscriptions = Stable()
        self._clients = 0
        self._sending: set[asyncio.Task[Any]] = set()

    async def room(self, session: Any) -> None:
        """Wait until a client's next packet may be taken in."""
        while self._broadcast_queue.qsize() > BACKLOG or (  # noqa: ASYNC110
            session is not None and session.delivered_message_queue.qsize() > BACKLOG
        ):
            await asyncio.sleep(0.002)  # amqtt's queues tell nobody that they shrink

    async def serve(self, stream: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """One client, from its first byte to its end."""
        self._clients += 1
        reader, writer = Reader(stream, self), Writer(sink)
        try:
            # A client may leave at any moment, which is no news.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                if self._clients <= MAX_CLIENTS and await self._speaks_our_version(reader, writer):
                    await self.external_connected(reader, writer, "default")
        finally:
            self._clients -= 1
            await writer.close()

    @staticmethod
    async def _speaks_our_version(reader: Reader, writer: Writer) -> bool:
        async with asyncio.timeout(FIRST_PACKET):
            packet = await reader.first()
        at = packet.find(b"\x00\x04MQTT", 1, 12)
        if packet[0] != CONNECT or (at > 0 and packet[at + 6 : at + 7] == b"\x05"):
            writer.write(WRONG_VERSION)
            return False
        return True

    # --- what amqtt calls ---

    async def _authenticate(self, session: Any, _: Any) -> bool:
        return True

    async def _topic_filtering(self, session: Any, topic: str, action: Any) -> bool:
        return True

    async def _delete_session(self, client_id: str) -> None:
        await self._evict(client_id)
        await super()._delete_session(client_id)

    async def _handle_client_session(
        self,
        reader: Any,
        writer: Any,
        client_session: Any,
        handler: Any,
        server: Any,
        listener_name: str,
    ) -> None:
        await self._evict(client_session.client_id)
        reader.session = client_session
        if not isinstance(client_session.retained_messages, Kept):
            client_session.retained_messages = Kept()
        await super()._handle_client_session(
            reader, writer, client_session, handler, server, listener_name
        )

    async def _evict(self, client_id: str | None) -> None:
        """End the connection that a client has already, and wait for that end.

        Otherwise the old connection's end marks the session as disconnected
        while the new one uses it, and nothing is delivered any more.
        """
        session, handler = self._sessions.get(client_id or "", (None, None))
        if session is None or handler is None or session.transitions.state != "connected":
            return
        await handler.handle_connection_closed()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TAKEOVER):
                while session.transitions.state == "connected":  # noqa: ASYNC110
                    await asyncio.sleep(0.005)

    def _sent(self, task: asyncio.Task[Any]) -> None:
        """Forget a message, and that its client left before it had it."""
        self._sending.discard(task)
        if not task.cancelled():
            task.exception()

    async def _run_broadcast(self, running_tasks: Any) -> None:
        """Hand one message to everybody who subscribed to it."""
        item = await self._broadcast_queue.get()
        for pattern, subscribers in list(self._subscriptions.items()):
            if not self._matches(item["topic"], pattern):
                continue
            for session, granted in list(subscribers):
                qos = item.get("qos", granted)
                handler = self._get_handler(session)
                if session.transitions.state == "connected" and handler is not None:
                    sending = handler.mqtt_publish(item["topic"], item["data"], qos, retain=False)
                    task = asyncio.ensure_future(sending)
                    # Not among amqtt's tasks: it lets go of none before the oldest
                    # is done, and a client may take five seconds to acknowledge.
                    self._sending.add(task)
                    task.add_done_callback(self._sent)
                elif not session.clean_session and qos:
                    await self._retain_broadcast_message(item, qos, session)


async def run(port: int) -> None:
    """Serve until SIGTERM, or until standard input ends."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    pipe = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(pipe), sys.stdin)
    asyncio.ensure_future(pipe.read()).add_done_callback(lambda _: stop.set())
    broker = LocalBroker()
    await broker.start()
    server = await asyncio.start_server(broker.serve, "127.0.0.1", port, limit=READ_SIZE)
    print("listening", flush=True)
    await stop.wait()
    server.close()


def main() -> None:
    """Read the two arguments, and serve."""
    port, parent = int(sys.argv[1]), int(sys.argv[2])
    die_with_parent(parent)
    # Its warnings name clients and topics of others; nobody acts on them.
    logging.disable(logging.CRITICAL)
    asyncio.run(run(port))
    # There is nothing to save, and amqtt's own way out takes seconds.
    os._exit(0)


if __name__ == "__main__":
    main()
