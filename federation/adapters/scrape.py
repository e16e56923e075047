# SPDX-License-Identifier: MIT
"""A door for a metrics collector: ``GET /metrics`` over HTTP/1.1, and nothing else.

It is for the loopback address.  A page in a browser of this machine cannot read
it either: the request has to name a loopback host (DNS rebinding), and no other
origin is let in.  Requests are bounded in size, time and number; who says nothing
makes room for who comes next.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from federation import limits
from federation.errors import Refusal

_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Scrape:
    """A listening socket that answers with ``text()``."""

    def __init__(self, text: Callable[[], Awaitable[str]], content_type: str) -> None:
        self._text = text
        self._type = content_type
        self._server: asyncio.Server | None = None
        #: connections, oldest first -> whether the other side keeps us waiting
        self._open: dict[asyncio.StreamWriter, bool] = {}

    async def listen(self, host: str, port: int) -> None:
        """Listen; OSError when the port is taken."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=limits.SCRAPE_HEAD)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        if not self._make_room():
            writer.close()
            return
        self._open[writer] = True
        try:
            async with asyncio.timeout(limits.SCRAPE_TIME):
                head = await reader.readuntil(b"\r\n\r\n")
                self._open[writer] = False
                status, body = await self._answer(head.decode("latin-1"))
                self._open[writer] = True
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: {self._type}\r\nContent-Length: "
                    f"{len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asks like that gets no answer
        finally:
            self._open.pop(writer, None)
            writer.close()

    def _make_room(self) -> bool:
        """Whether one more is served: the one that has kept us waiting longest goes for it."""
        if len(self._open) < limits.SCRAPES:
            return True
        idle = next((writer for writer, waits in self._open.items() if waits), None)
        if idle is None:
            return False
        del self._open[idle]
        idle.transport.abort()
        return True

    async def _answer(self, head: str) -> tuple[str, bytes]:
        first, *lines = head.split("\r\n")
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if ":" in line)
        }
        words = first.split(" ")
        host = fields.get("host", "")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return "400 Bad Request", b""
        if name not in _HOSTS or "origin" in fields:
            return "403 Forbidden", b""
        if words[1].partition("?")[0] != "/metrics":
            return "404 Not Found", b""
        if words[0] != "GET":
            return "405 Method Not Allowed", b""
        try:
            return "200 OK", (await self._text()).encode()
        except Refusal as refusal:
            return "503 Service Unavailable", refusal.message.encode()

    async def close(self) -> None:
        """Listen no more, and let go of who is connected."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.close()
            with contextlib.suppress(OSError):
                await self._server.wait_closed()
