# SPDX-License-Identifier: MIT
"""The relay: bytes both ways, and how each end ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from federation.adapters.relay import PEER_GONE, relay

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def place() -> Iterator[Path]:
    """A socket path short enough wherever pytest keeps its folders."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "s"


@contextlib.asynccontextmanager
async def peer(place: Path, handler: Handler) -> AsyncIterator[None]:
    tasks: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        with contextlib.suppress(ConnectionError):
            await handler(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async with await asyncio.start_unix_server(serve, place):
        yield
        await asyncio.gather(*tasks)


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            with contextlib.suppress(OSError):
                os.close(end)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def test_bytes_go_both_ways_and_the_end_of_input_ends_it(place: Path) -> None:
    payload = os.urandom(3_000_000)

    def write_all(descriptor: int) -> None:
        with os.fdopen(descriptor, "wb") as file:
            file.write(payload)

    def read_all(descriptor: int) -> bytes:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read()

    with pipe() as (source, feed), pipe() as (result, sink):
        async with peer(place, echo):
            writing = asyncio.create_task(asyncio.to_thread(write_all, feed))
            reading = asyncio.create_task(asyncio.to_thread(read_all, result))
            assert await relay(place, source=source, sink=sink) == 0
            os.close(sink)
            await writing
            assert await reading == payload


async def test_a_peer_that_goes_away_is_told_apart(place: Path) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"bye")

    with pipe() as (source, feed), pipe() as (result, sink):
        async with peer(place, leave):
            os.write(feed, b"?")
            assert await relay(place, source=source, sink=sink) == PEER_GONE
            assert os.read(result, 10) == b"bye"


async def test_a_peer_that_does_not_answer_cannot_hold_it(place: Path) -> None:
    release = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()

    with pipe() as (source, feed), pipe() as (_result, sink):
        async with peer(place, silent):
            os.close(feed)
            assert await asyncio.wait_for(relay(place, source=source, sink=sink), 30) == 0
            release.set()


async def test_an_output_that_nobody_reads_cannot_hold_it(place: Path) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    with pipe() as (source, feed), pipe() as (_result, sink):
        async with peer(place, flood):
            os.close(feed)
            assert await asyncio.wait_for(relay(place, source=source, sink=sink), 30) == 0
            assert os.get_blocking(sink)


async def test_a_closed_output_ends_it(place: Path) -> None:
    with pipe() as (source, feed), pipe() as (result, sink):
        os.close(result)
        async with peer(place, echo):
            os.write(feed, b"hello")
            assert await relay(place, source=source, sink=sink) == 0


async def test_files_and_sockets_serve_as_well(place: Path, tmp_path: Path) -> None:
    asked = tmp_path / "in"
    asked.write_bytes(b"question")
    left, right = socket.socketpair()
    with left, right, asked.open("rb") as source:
        async with peer(place, echo):
            assert await relay(place, source=source.fileno(), sink=left.fileno()) == 0
        assert right.recv(100) == b"question"
    answer = tmp_path / "out"
    with asked.open("rb") as source, answer.open("wb") as sink:
        async with peer(place, echo):
            assert await relay(place, source=source.fileno(), sink=sink.fileno()) == 0
    assert answer.read_bytes() == b"question"


async def test_no_input_at_all(place: Path) -> None:
    source = os.open(os.devnull, os.O_RDONLY)
    with pipe() as (_result, sink):
        async with peer(place, echo):
            assert await relay(place, source=source, sink=sink) == 0
    os.close(source)


async def test_nobody_listens(place: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await relay(place)
