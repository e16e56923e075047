# SPDX-License-Identifier: MIT
"""A broker in this process: it carries messages, and refuses what a test tells it to."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from federation.broker_url import BrokerUrl
from federation.wire import topics
from tests.adapters.mqtt.fakes import Client, publish


class Published(NamedTuple):
    """One PUBLISH as it came."""

    client: str
    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass
class _Session:
    client: Client
    name: str
    filters: dict[str, int] = field(default_factory=dict)


class MiniBroker:
    """MQTT 5 on loopback, enough for peers: QoS up to 2, retained messages, no sessions."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: set[Client] = set()
        self.sessions: list[_Session] = []
        self.retained: dict[str, bytes] = {}
        self.published: list[Published] = []
        #: bodies of CONNECT packets
        self.connects: list[bytes] = []
        self.unsubscribed: list[str] = []
        #: reason code of CONNACK; of a topic's PUBACK; of a filter's SUBACK; None: no answer
        self.connect_code = 0
        self.publish_code: Callable[[str], int | None] = lambda _topic: 0
        self.filter_code: Callable[[str], int | None] = lambda _filter: 1

    @property
    def url(self) -> BrokerUrl:
        """Where it listens."""
        return BrokerUrl("mqtt", "127.0.0.1", self._port)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Gone, with every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for _ in range(10):  # what was accepted just now gets its task
            for client in list(self._clients):
                client.close()
            await asyncio.sleep(0)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def on(self, topic: str) -> list[bytes]:
        """The payloads published to a topic so far."""
        return [one.payload for one in self.published if one.topic == topic]

    def listening(self, topic_filter: str) -> bool:
        """Whether anybody is subscribed to this filter."""
        return any(topic_filter in session.filters for session in self.sessions)

    def send(self, topic: str, payload: bytes) -> None:
        """A message of somebody else, to all who listen."""
        self._route(None, topic, payload)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(reader, writer)
        self._clients.add(client)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        serving = asyncio.ensure_future(self._serve(client))
        try:
            await client.read()
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving
            self.sessions = [one for one in self.sessions if one.client is not client]
            client.close()
            with contextlib.suppress(OSError):
                await client._writer.wait_closed()
            self._clients.discard(client)

    async def _serve(self, client: Client) -> None:
        session = _Session(client, "")
        while True:
            first, body = await client._packets.get()
            kind = first & 0xF0
            if kind == 0x10:
                self.connects.append(body)
                session.name = _text(body, 10 + 1 + body[10])[0]
                client.send(bytes((0x20, 3, 0, self.connect_code, 0)))
                if not self.connect_code:
                    self.sessions.append(session)
            elif kind == 0x30:
                self._take(session, first, body)
            elif kind == 0x60:
                client.send(b"\x70\x02" + body[:2])
            elif kind == 0x80:
                self._subscribe(session, body)
            elif kind == 0xA0:
                gone = _filters(body, options=False)
                self.unsubscribed += [name for name, _ in gone]
                for name, _ in gone:
                    session.filters.pop(name, None)
                client.send(bytes((0xB0, 3 + len(gone))) + body[:2] + bytes(1 + len(gone)))
            elif kind == 0xC0:
                client.send(b"\xd0\x00")

    def _take(self, session: _Session, first: int, body: bytes) -> None:
        topic, at = _text(body, 0)
        qos = first >> 1 & 3
        packet_id = body[at : at + 2] if qos else b""
        at += len(packet_id)
        assert body[at] < 128
        payload = body[at + 1 + body[at] :]
        retain = bool(first & 1)
        self.published.append(Published(session.name, topic, payload, qos, retain))
        code = self.publish_code(topic)
        if code is None:
            return
        if qos:
            session.client.send(bytes((0x40 if qos == 1 else 0x50, 3)) + packet_id + bytes((code,)))
        if code < 128:
            if retain:
                self.retained[topic] = payload
            self._route(session, topic, payload)

    def _subscribe(self, session: _Session, body: bytes) -> None:
        asked = _filters(body, options=True)
        codes = [self.filter_code(name) for name, _ in asked]
        if None in codes:
            return
        granted = [code for code in codes if code is not None]
        session.client.send(bytes((0x90, 3 + len(asked))) + body[:2] + b"\x00" + bytes(granted))
        for (name, options), code in zip(asked, granted, strict=True):
            if code < 128:
                session.filters[name] = options
                for topic, payload in self.retained.items():
                    if topics.matches(name, topic):
                        session.client.send(publish(topic, payload))

    def _route(self, author: _Session | None, topic: str, payload: bytes) -> None:
        for session in self.sessions:
            matching = [
                options for name, options in session.filters.items() if topics.matches(name, topic)
            ]
            no_local = session is author and all(options & 0x04 for options in matching)
            if matching and not no_local:
                session.client.send(publish(topic, payload))


def _text(body: bytes, at: int) -> tuple[str, int]:
    (size,) = struct.unpack_from(">H", body, at)
    return body[at + 2 : at + 2 + size].decode(), at + 2 + size


def _filters(body: bytes, *, options: bool) -> list[tuple[str, int]]:
    assert body[2] < 128
    at = 3 + body[2]
    found: list[tuple[str, int]] = []
    while at < len(body):
        name, at = _text(body, at)
        found.append((name, body[at] if options else 0))
        at += options
    return found
