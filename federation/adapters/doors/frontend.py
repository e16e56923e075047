# SPDX-License-Identifier: MIT
"""One front end: frames in, requests run, responses and events out.

Responses go before events.  Events wait in a bounded queue and leave in
batches of at most 60 KB, a hundred a second, which Emacs 28 takes easily.  A
front end that does not read loses no document: of several changes of one
document the last one is told, and only other events are dropped, counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from federation import limits
from federation.errors import Refusal
from federation.rpc import requests
from federation.rpc.framing import FrameDecoder, encode

if TYPE_CHECKING:
    from federation.adapters.doors.dispatch import Call

log = logging.getLogger(__name__)
#: a method of the peer: the front end and the checked parameters -> the answer
Handler = Callable[["FrontEnd", Any], Awaitable[dict[str, object]]]
#: events of which only the newest of its document counts
_PER_DOCUMENT = frozenset({"document-changed", "document-held", "conflict-detected"})


class Writer(Protocol):
    """The writing half of a stream."""

    def write(self, data: bytes, /) -> None:
        """Queue bytes."""

    async def drain(self) -> None:
        """Wait until the other side reads."""

    def close(self) -> None:
        """Close the stream."""


class FrontEnd:
    """A client of the RPC: Emacs over stdio, another one or a verb by the socket."""

    def __init__(self, writer: Writer, handlers: Mapping[str, Handler]) -> None:
        self._writer = writer
        self._handlers = handlers
        self._calls: dict[str, Call] = {}
        self._decoder = FrameDecoder()
        self._responses: deque[bytes] = deque()
        self._events: deque[tuple[str, bytes]] = deque()
        self._event_bytes = 0
        self._most_events, self._most_bytes = limits.RPC_EVENT_QUEUE, limits.RPC_EVENT_QUEUE_BYTES
        self._dropped = 0
        self._room = asyncio.Event()
        self._wake = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._sender = asyncio.ensure_future(self._send())
        self.subscribed = False
        self.closed = False
        #: called when nobody reads any more
        self.on_gone: Callable[[], None] = lambda: None
        #: (connection, topic filter) of topic.subscribe
        self.topics: set[tuple[int, str]] = set()

    # --- in ------------------------------------------------------------------------
    async def feed(self, data: bytes) -> None:
        """Take bytes; raises Refusal when the stream cannot be understood any more."""
        try:
            bodies = self._decoder.feed(data)
        except Refusal as refusal:
            self._refuse(refusal)
            raise
        for body in bodies:
            await self._wait_for_room()
            task = asyncio.ensure_future(self._handle(body))
            self._running.add(task)
            task.add_done_callback(self._ended)
        if self._decoder.dead is not None:
            # What came right behind whole frames: nobody waits for more bytes to say so.
            self._refuse(self._decoder.dead)
            raise self._decoder.dead

    async def _wait_for_room(self) -> None:
        """Wait while too many requests run, or too many responses are not read."""
        while len(self._running) + len(self._responses) >= limits.RPC_IN_FLIGHT and not self.closed:
            self._room.clear()
            await self._room.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._room.set()

    async def finish(self, patience: float) -> None:
        """Let running requests end and their responses leave."""
        if self._running:
            await asyncio.wait(self._running, timeout=patience)
        deadline = asyncio.get_running_loop().time() + patience
        while self._responses and not self._sender.done():
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0)
        self.close()

    def close(self) -> None:
        """Stop at once."""
        self.closed = True
        self._room.set()
        self._sender.cancel()
        for task in self._running:
            task.cancel()
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.close()

    async def _handle(self, body: bytes) -> None:
        try:
            value = requests.decode(body)
            batch = requests.check_batch(value)
        except Refusal as refusal:
            self._refuse(refusal)
            return
        if batch is None:
            answer = await self._answer(value)
            if answer is not None:
                self._respond(answer)
            return
        answers = await asyncio.gather(*(self._answer(one) for one in batch))
        given = [one for one in answers if one is not None]
        if given:
            self._respond(given)

    async def _answer(self, value: object) -> dict[str, object] | None:
        try:
            request = requests.check_request(value)
        except Refusal as refusal:
            identifier = value.get("id") if isinstance(value, dict) else None
            known = isinstance(identifier, str | int) and not isinstance(identifier, bool)
            return refused(refusal, identifier if known else None)
        from federation.adapters.doors import dispatch

        self._calls = self._calls or dispatch.adapt(self._handlers)
        return await dispatch.dispatch(request, self._calls, self)

    # --- out -------------------------------------------------------------------------
    def _refuse(self, refusal: Refusal) -> None:
        self._respond(refused(refusal, None))

    def _respond(self, value: object) -> None:
        self._responses.append(encode(requests.encode(value)))
        self._wake.set()

    def notify(self, event: str, body: dict[str, object]) -> None:
        """Queue an event; ``body`` has its ``event``, ``time`` and fields."""
        if self.closed or not self.subscribed:
            return
        data = requests.encode(body)
        key = f"{event}\0{body.get('file')}" if event in _PER_DOCUMENT else ""
        self._events.append((key, data))
        self._event_bytes += len(data)
        if len(self._events) > self._most_events or self._event_bytes > self._most_bytes:
            self._shrink()
        self._wake.set()

    def _shrink(self) -> None:
        """Keep the newest event of each document, and half of the room for others."""
        kept: deque[tuple[str, bytes]] = deque()
        seen: set[str] = set()
        room = limits.RPC_EVENT_QUEUE_BYTES // 2
        count = limits.RPC_EVENT_QUEUE // 2
        for key, data in reversed(self._events):
            if key and key not in seen:
                seen.add(key)
                kept.appendleft((key, data))
            elif not key and count > 0 and room > len(data):
                count -= 1
                room -= len(data)
                kept.appendleft((key, data))
            else:
                self._dropped += 1
        self._events = kept
        self._event_bytes = sum(len(data) for _key, data in kept)
        # Where the documents alone fill the room, it is not shrunk again for each event.
        self._most_events = max(limits.RPC_EVENT_QUEUE, 2 * len(kept))
        self._most_bytes = max(limits.RPC_EVENT_QUEUE_BYTES, 2 * self._event_bytes)

    def _next_batch(self) -> bytes | None:
        """One ``events`` notification with as many events as fit."""
        batch: list[bytes] = []
        size = 0
        if self._dropped:
            dropped: dict[str, object] = {"event": "events-dropped", "count": self._dropped}
            batch.append(requests.encode(dropped))
            self._dropped = 0
        while self._events:
            data = self._events[0][1]
            if batch and size + len(data) > limits.RPC_NOTIFICATION:
                break
            self._events.popleft()
            self._event_bytes -= len(data)
            size += len(data) + 1
            batch.append(data)
        if not batch:
            return None
        body = b'{"jsonrpc":"2.0","method":"events","params":{"events":[%s]}}' % b",".join(batch)
        return encode(body)

    async def _send(self) -> None:
        last = 0.0
        loop = asyncio.get_running_loop()
        try:
            while True:
                while self._responses:
                    self._writer.write(self._responses.popleft())
                    await self._writer.drain()
                    self._room.set()
                pause = last + limits.RPC_EVENT_INTERVAL - loop.time()
                if self._events and pause <= 0:
                    batch = self._next_batch()
                    if batch is not None:
                        self._writer.write(batch)
                        await self._writer.drain()
                        last = loop.time()
                    continue
                self._wake.clear()
                if self._responses:
                    continue
                with contextlib.suppress(TimeoutError):
                    # Not wait_for: up to Python 3.11 it forgets a cancel that comes with the wake.
                    async with asyncio.timeout(pause if self._events else None):
                        await self._wake.wait()
        except (ConnectionError, OSError) as error:
            log.info("a front end is gone: %s", error)
            self.closed = True
            self._room.set()
            self.on_gone()


def refused(refusal: Refusal, identifier: object) -> dict[str, object]:
    """The response to a request that was no good; the log says so too."""
    log.info("a request was refused: %s", refusal)
    return requests.error_response(refusal, identifier)
