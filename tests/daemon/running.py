# SPDX-License-Identifier: MIT
"""A whole peer in this process: what drives it, what it answers, and who else is there."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from federation.adapters.doors import Doors, FrontEnd
from federation.broker_url import BrokerUrl
from federation.config import resolve
from federation.daemon.methods import Methods
from federation.daemon.peer import Options, RunningPeer
from federation.identity import keys
from federation.identity.protect import Opened
from federation.node.context import NodeSettings
from federation.rpc.framing import FrameDecoder, encode
from federation.wire import canonical, envelope, timestamps, topics

Row = dict[str, Any]
#: Nobody listens there, and the system says so at once.
NOBODY = BrokerUrl("mqtt", "127.0.0.1", 1)
PATIENCE = 60.0


def key_of(number: int) -> keys.SigningKey:
    """The key of the peer of this number: always the same; its seed is found nowhere by chance."""
    return keys.SigningKey.from_seed(hashlib.sha256(b"peer %d" % number).digest())


class RpcError(Exception):
    """The error that a call was answered with."""

    def __init__(self, error: Row) -> None:
        super().__init__(f"{error['data'].get('reason')}: {error['message']}")
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.reason: str = error["data"]["reason"]
        self.hint: str = error["data"]["hint"]


class _Sink:
    """The other side of a front end: takes frames apart."""

    def __init__(self) -> None:
        self._decoder = FrameDecoder()
        self.answers: dict[object, asyncio.Future[Row]] = {}
        self.events: list[Row] = []
        self.raw = b""

    def write(self, data: bytes, /) -> None:
        self.raw += data
        for body in self._decoder.feed(data):
            value = json.loads(body)
            if value.get("method") == "events":
                self.events += value["params"]["events"]
            else:
                self.answers.pop(value["id"]).set_result(value)

    async def drain(self) -> None:
        """Never full."""

    def close(self) -> None:
        """Nothing to close."""


class Front:
    """A front end of a running peer, in memory."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._sink = _Sink()
        self.end = FrontEnd(self._sink, running.methods.handlers())
        self._number = 0
        running.doors.front_ends.add(self.end)

    @property
    def events(self) -> list[Row]:
        """The events that it was told."""
        return self._sink.events

    @property
    def raw(self) -> bytes:
        """Every byte that it was sent."""
        return self._sink.raw

    async def call(self, method: str, /, **params: object) -> Row:
        """One request and its result; RpcError for an error."""
        self._number += 1
        answer: asyncio.Future[Row] = asyncio.get_running_loop().create_future()
        self._sink.answers[self._number] = answer
        request = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        await self.end.feed(encode(json.dumps(request).encode()))
        value = await soon(answer)
        if "error" in value:
            raise RpcError(value["error"])
        result: Row = value["result"]
        return result

    async def reason(self, method: str, /, **params: object) -> str:
        """The reason with which a call is refused; empty when it is answered."""
        try:
            await self.call(method, **params)
        except RpcError as error:
            return error.reason
        return ""

    def leave(self) -> None:
        """The front end is gone."""
        self._running.doors._drop(self.end)


class Remote:
    """Another peer, as far as messages go; ``caps`` of our own version unless told otherwise."""

    def __init__(self, running: Running, number: int, caps: tuple[str, ...] = ("ack1",)) -> None:
        self._running = running
        self.key = key_of(number)
        self.peer_id = self.key.peer_id
        self.caps = caps
        self._seq = 0
        #: document -> its revision that this peer sent last
        self._newest: dict[str, str] = {}

    def signed(self, message_type: str, **fields: object) -> bytes:
        """A message of this peer, signed now."""
        moment = timestamps.format_us(time.time_ns() // 1000)
        message = {"type": message_type, "peer_id": self.peer_id, "timestamp": moment, **fields}
        return canonical.encode(envelope.sign(message, self.key))

    def announcement(self, **fields: object) -> bytes:
        """Its announcement."""
        key = keys.to_hex(self.key.public_key)
        return self.signed("peer-announce", public_key=key, caps=list(self.caps), **fields)

    async def say(self, topic: str, raw: bytes) -> None:
        """A message arrives; returns when the turn is done."""
        node = self._running.peer.node
        await self._running.turn(
            lambda now: node.receive_message(topic, raw, retained=False, now=now)
        )

    async def announce(self, **fields: object) -> None:
        """It says that it is there."""
        await self.say(topics.ANNOUNCE, self.announcement(**fields))

    async def sync(self, file: str, content: str, **fields: object) -> bytes:
        """A document of it arrives; with ``vector`` and ``parents`` as one of our own version."""
        self._seq += 1
        # what a vector reaches was made from something: it is named, too
        known = self._newest.get(file) if fields.get("vector") else None
        parents = [] if known is None else [known]
        head = {"seq": self._seq, "vector": {}, "parents": parents, **fields}
        raw = self.signed("canvasl-sync", file=file, content=content, **head)
        self._newest[file] = envelope.revision_id(json.loads(raw))
        await self.say(topics.SYNC, raw)
        return raw


@dataclass
class Running:
    """A peer that runs, its doors and its methods."""

    peer: RunningPeer
    doors: Doors
    methods: Methods
    folder: Path
    fronts: list[Front] = field(default_factory=list)

    def front(self) -> Front:
        """Another front end."""
        self.fronts.append(Front(self))
        return self.fronts[-1]

    async def turn(self, run: Callable[[Any], Any] = lambda _now: None) -> Any:
        """Something in a turn of its own; returns when that turn is done."""
        return await soon(self.peer.turns.ask(run))

    async def known(self, number: int = 2, **fields: object) -> Remote:
        """Another peer that has announced itself."""
        remote = Remote(self, number)
        await remote.announce(**fields)
        return remote

    def write(self, name: str, content: bytes | str) -> str:
        """A file of the user; its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    async def sync(self, name: str, content: bytes | str) -> str:
        """Sync a file of the user; the revision."""
        front = self.fronts[0] if self.fronts else self.front()
        answer = await front.call("sync.file", path=self.write(name, content))
        revision: str = answer["revision"]
        return revision

    async def clash(self, number: int = 2) -> str:
        """A value of c.canvasl that this peer and another changed at once; its number."""
        base = await self.sync("c.canvasl", '{"id":"n","x":0}\n')
        await self.sync("c.canvasl", '{"id":"n","x":1}\n')
        friend = await self.known(number)
        await friend.sync("c.canvasl", '{"id":"n","x":2}\n', seq=1000, parents=[base])
        (conflict,) = self.peer.store.open_conflicts("c.canvasl")
        return conflict.number

    def synced(self, file: str) -> bytes:
        """What the synced file of a document holds."""
        return (self.peer.disk.synced / file).read_bytes()


def options(state_dir: Path, url: BrokerUrl = NOBODY, **changes: Any) -> Options:
    """How a peer of these tests is to run."""
    defaults: Row = {
        "state_dir": state_dir,
        "url": url,
        "may_host": False,
        "log_path": state_dir / "peer.log",
        "config": resolve({}, {}),
    }
    return Options(**(defaults | changes))


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    url: BrokerUrl = NOBODY,
    *,
    number: int = 1,
    node: NodeSettings | None = None,
    **changes: Any,
) -> AsyncIterator[Running]:
    """A running peer with this key; stopped at the end."""
    node = node or NodeSettings(policy="announced")
    peer = RunningPeer(
        options(folder / "state", url, node=node, **changes), Opened(key_of(number), "key-file")
    )
    methods = Methods(peer)
    doors = Doors(methods.handlers())
    await peer.start(doors, None)
    task = asyncio.ensure_future(peer.run())
    try:
        yield Running(peer, doors, methods, folder)
    finally:
        peer.stopping.set()
        await soon(task)


async def soon(awaitable: Any) -> Any:
    """Its result, or a failed test."""
    return await asyncio.wait_for(awaitable, PATIENCE)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0)
