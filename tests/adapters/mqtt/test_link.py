# SPDX-License-Identifier: MIT
"""Reaching a broker: options of the socket, deadlines, and what nobody waits for."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from federation.adapters.mqtt import link
from federation.adapters.mqtt.link import describe, open_stream
from federation.adapters.mqtt.packets import BrokerError
from federation.adapters.mqtt.stream import Stream
from federation.broker_url import BrokerUrl

from .fakes import soon, turn


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Takes connections into its backlog and says nothing."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock


def url(listener: socket.socket, scheme: str = "mqtt", path: str = "") -> BrokerUrl:
    return BrokerUrl(scheme, "127.0.0.1", listener.getsockname()[1], path)


async def test_small_messages_are_not_held_back(listener: socket.socket) -> None:
    stream = await open_stream(url(listener), None, 5)
    assert stream._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert not stream._socket.getblocking()
    stream.shut()
    assert stream.fileno() == -1


@pytest.mark.parametrize(("scheme", "path"), [("mqtts", ""), ("ws", "/mqtt"), ("wss", "/mqtt")])
async def test_a_server_that_says_nothing_costs_the_limit(
    listener: socket.socket, scheme: str, path: str
) -> None:
    with pytest.raises(TimeoutError):
        await open_stream(url(listener, scheme, path), None, 0.1)


async def test_a_missing_authority_is_an_error_not_a_default(
    listener: socket.socket, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="No such file"):
        await open_stream(url(listener, "mqtts"), tmp_path / "absent.pem", 5)


async def test_a_web_server_is_no_broker(listener: socket.socket) -> None:
    def serve() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(4096)
            sock.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(BrokerError, match="404"):
        await open_stream(url(listener, "ws", "/mqtt"), None, 5)
    thread.join()


async def test_an_endless_answer_is_cut_off(listener: socket.socket) -> None:
    def serve() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(4096)
            sock.sendall(b"HTTP/1.1 101 X\r\nA: " + b"a" * 20_000)

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(BrokerError, match="endless"):
        await open_stream(url(listener, "ws", "/mqtt"), None, 5)
    thread.join()


async def closed(theirs: socket.socket) -> bool:
    """Whether the other end of a pair is closed."""
    theirs.setblocking(False)
    with theirs:
        return await soon(asyncio.get_running_loop().sock_recv(theirs, 1)) == b""


async def test_a_connection_that_comes_too_late_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = socket.socketpair()
    released = threading.Event()

    def connect(*_: object) -> Stream:
        released.wait(5)
        return Stream(ours)

    monkeypatch.setattr(link, "_connect", connect)
    task = asyncio.create_task(open_stream(BrokerUrl("mqtt", "x", 1), None, 5))
    await turn()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    released.set()
    assert await closed(theirs)


async def test_one_that_comes_together_with_the_cancellation_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = socket.socketpair()
    pending: asyncio.Future[Stream] = asyncio.get_running_loop().create_future()
    monkeypatch.setattr(link, "_detached", lambda *_: pending)
    task = asyncio.create_task(open_stream(BrokerUrl("mqtt", "x", 1), None, 5))
    await turn()
    pending.set_result(Stream(ours))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await closed(theirs)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "no answer in time"),
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (ssl.SSLError("x"), "TLS failed: connection closed"),
        (BrokerError("no"), "no"),
        (BrokerError("x" * 1000), "x" * 200),
        (OSError(), "OSError"),
    ],
)
def test_errors_in_words(error: Exception, words: str) -> None:
    assert describe(error) == words
