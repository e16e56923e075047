# SPDX-License-Identifier: MIT
"""Reaching a broker: names, TCP, TLS and the WebSocket upgrade, off the loop.

All of it blocks, some of it (name servers) for as long as the system likes;
so it runs in a daemon thread of its own, which nobody waits for at the end.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from federation.adapters.mqtt import websocket
from federation.adapters.mqtt.packets import BrokerError
from federation.adapters.mqtt.stream import Stream
from federation.broker_url import BrokerUrl

T = TypeVar("T")


async def open_stream(url: BrokerUrl, ca_file: Path | None, limit: float) -> Stream:
    """Connect to a broker, up to where MQTT begins, within ``limit`` seconds.

    Certificates are always verified, against ``ca_file`` where one is given,
    else against the system's authorities.  Raises OSError (which TimeoutError
    and ssl.SSLError are) or BrokerError.
    """
    pending = _detached(lambda: _connect(url, ca_file, limit), Stream.shut)
    try:
        # Not wait_for: in Python 3.11 it loses a cancellation that comes
        # together with the result.
        async with asyncio.timeout(limit):
            return await pending
    except BaseException:
        if not pending.cancelled() and pending.done() and pending.exception() is None:
            pending.result().shut()  # it came, and nobody took it
        raise


def describe(error: BaseException) -> str:
    """One line for a person: why a connection failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {getattr(error, 'reason', None) or 'connection closed'}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)[:200] or type(error).__name__


def check_ca_file(ca_file: Path | None) -> str:
    """Why the file of authorities cannot be used; empty where it can, or none is wanted."""
    try:
        _tls_context(ca_file)
    except (OSError, ValueError) as error:
        return describe(error)
    return ""


def _detached(work: Callable[[], T], discard: Callable[[T], None]) -> asyncio.Future[T]:
    """Run ``work`` in a daemon thread.

    A result that nobody waits for any more is given to ``discard``.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def deliver(result: T | None, error: Exception | None) -> None:
        if not future.done():
            if error is not None:
                future.set_exception(error)
            elif result is not None:
                future.set_result(result)
        elif result is not None:
            discard(result)

    def run() -> None:
        result: T | None = None
        failure: Exception | None = None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - the waiter gets it, whatever it is
            failure = error
        try:
            loop.call_soon_threadsafe(deliver, result, failure)
        except RuntimeError:  # the loop has ended meanwhile
            if result is not None:
                discard(result)

    threading.Thread(target=run, name="mqtt-connect", daemon=True).start()
    return future


def _connect(url: BrokerUrl, ca_file: Path | None, timeout: float) -> Stream:
    deadline = time.monotonic() + timeout
    sock = socket.create_connection((url.host, url.port), timeout=timeout)
    try:
        # paho leaves Nagle's algorithm on: 15 ms instead of 0.1 ms a message.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if url.is_tls:
            sock.settimeout(_left(deadline))
            sock = _tls_context(ca_file).wrap_socket(sock, server_hostname=url.host)
        if not url.is_websocket:
            return Stream(sock)
        _upgrade(sock, url, deadline)
        return Stream(sock, websocket.WebSocketCodec(os.urandom))
    except BaseException:
        sock.close()
        raise


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _upgrade(sock: socket.socket, url: BrokerUrl, deadline: float) -> None:
    """Ask for a WebSocket; reads byte by byte, so as to take nothing of MQTT."""
    nonce = os.urandom(16)
    sock.settimeout(_left(deadline))
    sock.sendall(websocket.request(url, nonce))
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        sock.settimeout(_left(deadline))
        byte = sock.recv(1)
        if not byte:
            raise ConnectionResetError("the server closed the connection")
        head += byte
        if len(head) > websocket.MAX_HEAD:
            raise BrokerError("an endless answer to the WebSocket upgrade")
    websocket.check_answer(bytes(head), nonce)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
