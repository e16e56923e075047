# SPDX-License-Identifier: MIT
"""A broker that does what the test says, on loopback, without a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

from federation.adapters.mqtt import ConnectionInfo, MqttCallbacks, MqttConnection, MqttOptions
from federation.adapters.mqtt.client import SessionSettings, Will
from federation.broker_url import BrokerUrl

T = TypeVar("T")

#: Nothing here takes this long; a test that waits has failed.
PATIENCE = 60.0

CONNACK_4 = b"\x20\x02\x00\x00"
CONNACK_5 = b"\x20\x03\x00\x00\x00"
WRONG_VERSION = b"\x20\x02\x00\x01"


def settings(**changes: Any) -> SessionSettings:
    """How a connection of these tests is made, unless told otherwise."""
    usual: dict[str, Any] = {
        "level": 5, "client_id": "me", "username": None, "password": None, "persistent": False,
        "keepalive": 15, "max_payload": 1000, "no_local": False, "will": None,
    }  # fmt: skip
    return SessionSettings(**{**usual, **changes})


def length(number: int) -> bytes:
    """A remaining length."""
    out = bytearray()
    while True:
        number, byte = divmod(number, 128)
        out.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(out)


def publish(topic: str, payload: bytes, *, packet_id: int = 0, five: bool = True) -> bytes:
    """A PUBLISH to a client, with QoS 1 if it has a packet id."""
    body = len(topic.encode()).to_bytes(2) + topic.encode()
    body += packet_id.to_bytes(2) if packet_id else b""
    body += (b"\x00" if five else b"") + payload
    return bytes((0x32 if packet_id else 0x30,)) + length(len(body)) + body


class Client:
    """The broker's side of one connection.  Like a real one, it closes after a DISCONNECT."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._packets: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()

    async def read(self) -> None:
        """Take packets until the client is gone."""
        while True:
            try:
                packet = await self._read_packet()
            except (OSError, asyncio.IncompleteReadError):
                return
            self._packets.put_nowait(packet)
            if packet[0] == 0xE0:
                self.close()
                return

    async def _read_packet(self) -> tuple[int, bytes]:
        first = (await self._reader.readexactly(1))[0]
        size = shift = 0
        while True:
            byte = (await self._reader.readexactly(1))[0]
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return first, await self._reader.readexactly(size)

    async def packet(self) -> tuple[int, bytes]:
        """The next packet: its first byte, and what follows the length."""
        async with asyncio.timeout(PATIENCE):
            return await self._packets.get()

    async def expect(self, kind: int) -> bytes:
        """The body of the next packet, which is of this kind."""
        first, body = await self.packet()
        assert first & 0xF0 == kind, f"{first:#x} instead of {kind:#x}: {body!r}"
        return body

    async def greet(self, connack: bytes = CONNACK_5) -> bytes:
        """Take the CONNECT, and answer it; its body."""
        body = await self.expect(0x10)
        self.send(connack)
        return body

    def send(self, data: bytes) -> None:
        """Bytes to the client."""
        self._writer.write(data)

    def close(self) -> None:
        """End the connection."""
        self._writer.close()


class FakeBroker:
    """Listens; ``accept`` gives one connection after another."""

    def __init__(self) -> None:
        self._clients: asyncio.Queue[Client] = asyncio.Queue()
        self._all: list[Client] = []
        self._server: asyncio.Server | None = None
        self.url = BrokerUrl("mqtt", "127.0.0.1", 0)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = BrokerUrl("mqtt", "127.0.0.1", port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for client in self._all:
            client.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(reader, writer)
        self._all.append(client)
        self._clients.put_nowait(client)
        await client.read()

    async def accept(self) -> Client:
        """The next connection."""
        async with asyncio.timeout(PATIENCE):
            return await self._clients.get()


class Owner:
    """What a connection's owner hears, as queues; callbacks may be told to fail."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[tuple[str, bytes, bool]] = asyncio.Queue()
        self.ups: asyncio.Queue[ConnectionInfo] = asyncio.Queue()
        self.downs: asyncio.Queue[str] = asyncio.Queue()
        self.unreachable: asyncio.Queue[str] = asyncio.Queue()
        self.will: Callable[[], Will | None] = lambda: None
        self.fails = False

    def connection(self, url: BrokerUrl, **options: object) -> MqttConnection:
        """A connection that tells this owner."""
        callbacks = MqttCallbacks(
            on_message=self._message,
            on_up=self._tell(self.ups),
            on_down=self._tell(self.downs),
            on_unreachable=self._tell(self.unreachable),
            make_will=lambda: self.will(),
        )
        settings = {"client_id": "me", **options}
        # Jitter at its strongest: the shortest delays.
        return MqttConnection(url, MqttOptions(**settings), callbacks, random=lambda: 1.0)  # type: ignore[arg-type]

    def _message(self, topic: str, payload: bytes, retained: bool) -> None:
        self.messages.put_nowait((topic, payload, retained))
        if self.fails:
            raise RuntimeError("an owner's defect")

    def _tell(self, queue: asyncio.Queue[T]) -> Callable[[T], None]:
        def tell(value: T) -> None:
            queue.put_nowait(value)
            if self.fails:
                raise RuntimeError("an owner's defect")

        return tell


async def soon(awaitable: Awaitable[T]) -> T:
    """Its result, or a failed test."""
    return await asyncio.wait_for(awaitable, PATIENCE)


async def turn() -> None:
    """One turn of the loop: what was ready has run."""
    loop = asyncio.get_running_loop()
    passed = loop.create_future()
    loop.call_soon(passed.set_result, None)
    await passed


async def connected(
    broker: FakeBroker, owner: Owner, connack: bytes = CONNACK_5, **options: object
) -> tuple[MqttConnection, Client]:
    """A connection that is up, and the broker's side of it."""
    connection = owner.connection(broker.url, **options)
    await connection.start()
    client = await broker.accept()
    await client.greet(connack)
    await soon(owner.ups.get())
    return connection, client
