# SPDX-License-Identifier: MIT
"""The other side of a door: a stream in memory, and frames taken apart again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from federation.rpc.framing import FrameDecoder, encode


class MemoryWriter:
    """The writing half of a stream; while ``stuck``, nobody reads."""

    def __init__(self) -> None:
        self.data = b""
        self.reads = asyncio.Event()
        self.reads.set()
        self.closed = False
        self.broken = False

    def stick(self) -> None:
        self.reads.clear()

    def write(self, data: bytes, /) -> None:
        self.data += data

    async def drain(self) -> None:
        await self.reads.wait()
        if self.broken:
            raise BrokenPipeError

    def close(self) -> None:
        self.closed = True

    def frames(self) -> list[Any]:
        """Everything that was written, taken apart."""
        return [json.loads(body) for body in FrameDecoder().feed(self.data)]

    def events(self) -> list[dict[str, Any]]:
        """The events among it."""
        return [
            event
            for frame in self.frames()
            if isinstance(frame, dict) and frame.get("method") == "events"
            for event in frame["params"]["events"]
        ]

    def responses(self) -> list[Any]:
        """The responses among it."""
        return [
            frame for frame in self.frames()
            if not (isinstance(frame, dict) and frame.get("method") == "events")
        ]  # fmt: skip


def request(method: str, identifier: int | str | None = 1, **params: object) -> bytes:
    """A framed request; a notification when ``identifier`` is None."""
    body: dict[str, object] = {"jsonrpc": "2.0", "method": method, "params": params}
    if identifier is not None:
        body["id"] = identifier
    return encode(json.dumps(body).encode())


async def until(reached: Callable[[], object], seconds: float = 10.0) -> None:
    """Give the loop turns until a condition holds."""
    async with asyncio.timeout(seconds):
        while not reached():  # noqa: ASYNC110 - any condition, and nothing sleeps
            await asyncio.sleep(0)
