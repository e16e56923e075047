# SPDX-License-Identifier: MIT
"""Our sockets around amqtt: bounds and cuts.  The whole of it is in tests/integration."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from federation.adapters.broker.amqtt_child import (
    KEPT,
    KEPT_BYTES,
    MAX_PACKET,
    Kept,
    LocalBroker,
    Reader,
    Stable,
    Writer,
)


def item(size: int = 0) -> SimpleNamespace:
    return SimpleNamespace(data=bytes(size))


async def test_what_is_kept_is_bounded_by_count() -> None:
    kept = Kept()
    for _ in range(KEPT + 10):
        await kept.put(item())
    assert kept.qsize() == KEPT


async def test_what_is_kept_is_bounded_by_bytes() -> None:
    kept = Kept()
    big = item(KEPT_BYTES // 2)
    for _ in range(3):
        await kept.put(big)
    assert kept.qsize() == 2
    assert await kept.get() is big
    await kept.put(big)
    assert kept.qsize() == 2


def test_a_table_may_change_under_a_walk() -> None:
    table = Stable({"a": 1, "b": 2})
    for name in table:
        table[name * 2] = 0
    assert sorted(table) == ["a", "aa", "b", "bb"]


class Room:
    """A broker that always has room."""

    async def room(self, _session: object) -> None:
        """Come in."""


def reader(data: bytes) -> tuple[Reader, asyncio.StreamReader]:
    stream = asyncio.StreamReader()
    stream.feed_data(data)
    return Reader(stream, cast("LocalBroker", Room())), stream


async def test_packets_are_read_in_parts_and_never_across() -> None:
    source, stream = reader(b"\xc0\x00\x30\x03\x00\x01t")
    assert await source.read(1) == b"\xc0"
    assert await source.read(1) == b"\x00"
    assert await source.read(1) == b"\x30"
    assert await source.read(100) == b"\x03\x00\x01t"
    stream.feed_eof()
    with pytest.raises(asyncio.IncompleteReadError):
        await source.read(1)


async def test_the_first_packet_stays_to_be_read() -> None:
    source, _ = reader(b"\x10\x01x")
    assert await source.first() == b"\x10\x01x"
    assert await source.read(3) == b"\x10\x01x"


async def test_a_read_that_was_cancelled_loses_nothing() -> None:
    source, stream = reader(b"\x30\x05\x00")
    waiting = asyncio.create_task(source.read(1))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(waiting, 0.01)
    stream.feed_data(b"\x01txx")
    assert await source.read(7) == b"\x30\x05\x00\x01txx"


@pytest.mark.parametrize(
    "head", [b"\x30\xff\xff\xff\xff", b"\x30\xff\xff\xff\x7f", b"\x10\x81\x80\x80\x01"]
)
async def test_a_length_that_is_too_large_ends_it(head: bytes) -> None:
    source, _ = reader(head)
    with pytest.raises(asyncio.IncompleteReadError):
        await source.read(1)


async def test_the_largest_packet_passes() -> None:
    length = bytes((0x80, 0x80, 0x80, 0x01))
    assert MAX_PACKET == 1 << 21
    source, _ = reader(b"\x30" + length + bytes(MAX_PACKET))
    assert len(await source.read()) == 5 + MAX_PACKET


async def test_a_client_silent_beyond_its_keepalive_is_gone() -> None:
    source, _ = reader(b"")
    source.session = SimpleNamespace(keep_alive=10)
    source._heard -= 16
    with pytest.raises(asyncio.IncompleteReadError):
        await source.read(1)


class Transport:
    """Counts what happens to it."""

    def __init__(self, waiting: int = 0) -> None:
        self.waiting = waiting
        self.aborted = False
        self.written = b""

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def is_closing(self) -> bool:
        return self.aborted

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True


async def test_a_client_that_does_not_read_is_left() -> None:
    transport = Transport()
    stream: Any = SimpleNamespace(transport=transport)
    writer = Writer(stream)
    writer.write(b"a")
    await writer.drain()
    transport.waiting = 1 << 30
    writer.write(b"b")
    assert (transport.written, transport.aborted) == (b"a", True)
    with pytest.raises(ConnectionResetError):
        await writer.drain()
