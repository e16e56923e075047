# SPDX-License-Identifier: MIT
"""The stream between a socket and the library."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from federation.adapters.mqtt.stream import WRITE_SIZE, Stream
from federation.adapters.mqtt.websocket import WebSocketCodec


@pytest.fixture
def pair() -> Iterator[tuple[Stream, socket.socket]]:
    ours, theirs = socket.socketpair()
    stream = Stream(ours)
    with theirs:
        yield stream, theirs
        stream.shut()


def test_the_library_sees_one_packet_and_then_nothing(pair: tuple[Stream, socket.socket]) -> None:
    stream, _ = pair
    with pytest.raises(BlockingIOError):
        stream.recv(1)
    stream.offer(b"abc")
    assert stream.recv(1) == b"a"
    assert stream.recv(100) == b"bc"
    with pytest.raises(BlockingIOError):
        stream.recv(1)


def test_writes_are_collected_until_flushed(pair: tuple[Stream, socket.socket]) -> None:
    stream, theirs = pair
    theirs.setblocking(False)
    assert stream.send(b"ab") == 2
    assert stream.send(bytearray(b"cd")) == 2
    assert stream.unsent == 4
    with pytest.raises(BlockingIOError):
        theirs.recv(10)
    assert not stream.flush()
    assert stream.unsent == 0
    assert theirs.recv(10) == b"abcd"


def test_what_the_socket_does_not_take_waits(pair: tuple[Stream, socket.socket]) -> None:
    stream, theirs = pair
    sent = [os.urandom(size) for size in (1000, 2 * WRITE_SIZE, 10, 3 * WRITE_SIZE, 0, 5)]
    for packet in sent:
        stream.send(packet)
    assert stream.unsent == sum(map(len, sent))
    assert stream.flush(), "the socket is full"
    assert 0 < stream.unsent < sum(map(len, sent))
    received = bytearray()
    while len(received) < sum(map(len, sent)):
        received += theirs.recv(1 << 20)
        stream.flush()
    assert bytes(received) == b"".join(sent)
    assert stream.unsent == 0
    assert not stream.flush()


def test_reading_nothing_something_and_the_end(pair: tuple[Stream, socket.socket]) -> None:
    stream, theirs = pair
    assert stream.read() == b""
    theirs.sendall(b"hi")
    assert stream.read() == b"hi"
    assert not stream.ended
    theirs.shutdown(socket.SHUT_WR)
    assert stream.read() == b""
    assert stream.ended


def test_a_broken_connection_is_an_error(pair: tuple[Stream, socket.socket]) -> None:
    stream, theirs = pair
    theirs.close()
    stream.send(b"x")
    with pytest.raises(OSError):
        stream.flush()


def test_the_library_cannot_close_the_socket_under_us(pair: tuple[Stream, socket.socket]) -> None:
    stream, _ = pair
    stream.close()
    assert stream.given_up
    assert stream.fileno() >= 0
    stream.send(b"x")
    stream.shut()
    assert (stream.fileno(), stream.unsent) == (-1, 0)


def test_inside_a_websocket() -> None:
    ours, theirs = socket.socketpair()
    stream = Stream(ours, WebSocketCodec(lambda size: bytes(size)))
    with theirs:
        stream.send(b"ab")
        stream.send(b"cd")
        stream.flush()
        assert theirs.recv(100) == b"\x82\x84\0\0\0\0abcd", "one frame for one turn"
        theirs.sendall(b"\x89\x01?\x82\x04wx")
        assert stream.read() == b"wx"
        assert [stream.inside_frame] == [True]
        stream.send(b"e")
        stream.flush()
        assert theirs.recv(100) == b"\x8a\x81\0\0\0\0?\x82\x81\0\0\0\0e", "the pong first"
        theirs.sendall(b"yz\x88\x00")
        assert stream.read() == b"yz"
        assert not stream.inside_frame
        assert stream.ended
        stream.shut()
