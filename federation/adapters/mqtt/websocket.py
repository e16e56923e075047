# SPDX-License-Identifier: MIT
"""MQTT inside a WebSocket (RFC 6455), the client's side, as pure functions.

    byte 0   FIN, three reserved bits, opcode (4 bits)
    byte 1   MASK, length (7 bits; 126: two more bytes, 127: eight more)
    mask     four bytes, from client to server only
    payload

MQTT ignores where frames begin and end (MQTT 5, section 6), so the payload of
every data frame is simply the next part of the stream.  paho has a WebSocket
of its own; it masks byte by byte in Python (a tenth of a second for 1 MiB,
during which nothing else runs) and reads headers without a limit.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Final

from federation.adapters.mqtt.packets import BrokerError
from federation.broker_url import DEFAULT_PORTS, BrokerUrl

#: The server's answer to the upgrade; none needs more.
MAX_HEAD: Final = 16 * 1024
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


def request(url: BrokerUrl, nonce: bytes) -> bytes:
    """The upgrade request; ``nonce`` is 16 random bytes."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    if url.port != DEFAULT_PORTS[url.scheme]:
        host = f"{host}:{url.port}"
    lines = (
        f"GET {url.path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(nonce).decode()}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: mqtt",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def check_answer(head: bytes, nonce: bytes) -> None:
    """Check the head of the server's answer.  Raises :class:`BrokerError`."""
    status, *lines = head.split(b"\r\n")
    parts = status.split(b" ", 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.1") or parts[1] != b"101":
        raise BrokerError(f"no WebSocket there: {status[:60]!r}")
    fields = {
        name.strip().lower(): value.strip()
        for name, separator, value in (line.partition(b":") for line in lines)
        if separator
    }
    proof = base64.b64encode(
        hashlib.sha1(base64.b64encode(nonce) + _GUID, usedforsecurity=False).digest()
    )
    if fields.get(b"sec-websocket-accept") != proof:
        raise BrokerError("the WebSocket answer is to another question")
    if fields.get(b"sec-websocket-protocol", b"").lower() != b"mqtt":
        raise BrokerError("the WebSocket does not carry MQTT")


class WebSocketCodec:
    """Wraps what goes out, unwraps what comes in.

    ``random(n)`` gives the masks; they protect proxies, not secrets.
    """

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._buffer = bytearray()
        self._data_left = 0
        self._replies = bytearray()
        self.closed = False

    def encode(self, data: bytes, opcode: int = _BINARY) -> bytes:
        """One frame around ``data``."""
        length = len(data)
        if length < 126:
            head = bytes((0x80 | opcode, 0x80 | length))
        elif length < 65536:
            head = bytes((0x80 | opcode, 0x80 | 126)) + length.to_bytes(2)
        else:
            head = bytes((0x80 | opcode, 0x80 | 127)) + length.to_bytes(8)
        mask = self._random(4)
        # One exclusive or of two big integers: a thousand times a byte loop.
        pad = (mask * (length // 4 + 1))[:length]
        masked = int.from_bytes(data) ^ int.from_bytes(pad)
        return head + mask + masked.to_bytes(length)

    def decode(self, data: bytes) -> bytes:
        """The payload in ``data``, which may begin and end anywhere.

        Raises :class:`BrokerError`.  Afterwards look at :meth:`take_replies`
        and ``closed``.
        """
        self._buffer += data
        out = bytearray()
        while not self.closed:
            if self._data_left:
                if not self._buffer:
                    break
                part = self._buffer[: self._data_left]
                del self._buffer[: len(part)]
                self._data_left -= len(part)
                out += part
            elif not self._frame():
                break
        return bytes(out)

    @property
    def inside_frame(self) -> bool:
        """Whether a frame has begun whose end has not come."""
        return self._data_left > 0

    def take_replies(self) -> bytes:
        """Frames that answer pings and a close."""
        replies = bytes(self._replies)
        self._replies.clear()
        return replies

    def _frame(self) -> bool:
        """Begin the next frame; False while its head is incomplete."""
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        opcode, length = buffer[0] & 0x0F, buffer[1] & 0x7F
        if buffer[0] & 0x70 or buffer[1] & 0x80:
            raise BrokerError("a WebSocket frame with an extension or a mask")
        if opcode not in (_CONTINUATION, _BINARY, _CLOSE, _PING, _PONG):
            raise BrokerError("a WebSocket frame that is not binary")
        extra = {126: 2, 127: 8}.get(length, 0)
        if opcode >= _CLOSE:
            if extra or not buffer[0] & 0x80:
                raise BrokerError("a WebSocket control frame that is too long")
            if len(buffer) < 2 + length:
                return False
            self._control(opcode, bytes(buffer[2 : 2 + length]))
            del buffer[: 2 + length]
            return True
        if len(buffer) < 2 + extra:
            return False
        self._data_left = int.from_bytes(buffer[2 : 2 + extra]) if extra else length
        del buffer[: 2 + extra]
        return True

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self._replies += self.encode(payload, _PONG)
        elif opcode == _CLOSE:
            self._replies += self.encode(payload, _CLOSE)
            self.closed = True
