# SPDX-License-Identifier: MIT
"""The door of the metrics: one answer, and for nobody who should not ask."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from federation import limits
from federation.adapters.scrape import Scrape
from federation.errors import Refusal
from tests.integration.brokers import free_port


class Door:
    """A listening door, and what its answers are made of."""

    def __init__(self) -> None:
        self.port = free_port()
        self.scrape = Scrape(self._text, "text/x")
        self.refuse = False
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def _text(self) -> str:
        self.asked.set()
        await self.may_answer.wait()
        if self.refuse:
            raise Refusal("shutting-down")
        return "é 1\n"

    async def ask(self, raw: str) -> str:
        """What comes back, to the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(raw.encode("latin-1"))
        async with asyncio.timeout(60):
            try:
                return (await reader.read()).decode()
            except ConnectionResetError:
                return ""
            finally:
                writer.close()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    await door.scrape.listen("127.0.0.1", door.port)
    yield door
    await door.scrape.close()


def request(line: str = "GET /metrics HTTP/1.1", *fields: str) -> str:
    return "\r\n".join([line, *(fields or ("Host: localhost:1",)), "", ""])


async def test_who_asks_gets_the_text(door: Door) -> None:
    for host in ("localhost:9", "127.0.0.1:9", "[::1]:9", "[::1]", "localhost"):
        answer = await door.ask(request("GET /metrics?x=1 HTTP/1.1", f"host: {host}"))
        head, _, body = answer.partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 200 OK\r\n")
        assert "Content-Type: text/x\r\nContent-Length: 5" in head
        assert body == "é 1\n"


@pytest.mark.parametrize(("raw", "status"), [
    (request("GET /metrics HTTP/1.1", "Host: evil.example"), "403"),
    (request("GET /metrics HTTP/1.1", "Host: localhost.evil.example:80"), "403"),
    (request("GET /metrics HTTP/1.1", "Host: localhost", "Origin: http://x"), "403"),
    (request("GET /metrics HTTP/1.1", "X: y"), "403"),
    (request("GET / HTTP/1.1"), "404"),
    (request("POST /metrics HTTP/1.1"), "405"),
    (request("GET /metrics"), "400"),
    (request("GET /metrics SSH/2"), "400"),
])  # fmt: skip
async def test_what_is_refused(door: Door, raw: str, status: str) -> None:
    assert (await door.ask(raw)).startswith(f"HTTP/1.1 {status} ")


async def test_too_much_too_slow_too_many(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await door.ask("GET " + "x" * (2 * limits.SCRAPE_HEAD)) == ""
    monkeypatch.setattr(limits, "SCRAPE_TIME", 0.05)
    assert await door.ask("GET /metrics") == ""
    monkeypatch.setattr(limits, "SCRAPE_TIME", 60.0)
    monkeypatch.setattr(limits, "SCRAPES", 0)
    assert await door.ask(request()) == ""
    monkeypatch.setattr(limits, "SCRAPES", 1)
    door.refuse = True
    assert (await door.ask(request())).startswith("HTTP/1.1 503 ")


async def test_who_says_nothing_makes_room(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SCRAPE_TIME", 600.0)
    idle = []
    for number in range(3 * limits.SCRAPES):
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(b"GET /metrics HTTP/1.1\r\n" if number % 2 else b"")
        idle.append((reader, writer))
    assert (await door.ask(request())).startswith("HTTP/1.1 200 ")
    # the oldest had to go, and only as many as were in the way
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionResetError):
            assert await idle[0][0].read() == b""
    newest = idle[-1][1]
    newest.write(b"Host: localhost\r\n\r\n")
    async with asyncio.timeout(60):
        assert (await idle[-1][0].readline()).startswith(b"HTTP/1.1 200 ")
    for _reader, writer in idle:
        writer.close()


async def test_who_is_being_answered_is_not_put_off(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SCRAPES", 1)
    door.may_answer.clear()
    first = asyncio.create_task(door.ask(request()))
    async with asyncio.timeout(60):
        await door.asked.wait()
        assert await door.ask(request()) == ""
        door.may_answer.set()
        assert (await first).startswith("HTTP/1.1 200 ")
