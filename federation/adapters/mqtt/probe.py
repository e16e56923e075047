# SPDX-License-Identifier: MIT
"""Does a broker answer there, and if not, how far did it come?

An open port is no answer: a CONNACK is.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import ssl
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from federation.adapters.mqtt.link import check_ca_file, describe, open_stream
from federation.adapters.mqtt.packets import CONNACK, DISCONNECT, BrokerError
from federation.adapters.mqtt.stream import Stream
from federation.broker_url import BrokerUrl

if TYPE_CHECKING:
    from federation.doctor.rules import Probe

#: CONNECT of MQTT 3.1.1, which every broker reads: clean session, no client
#: id, keepalive 10 s.
_CONNECT: Final = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00"
#: Nobody is there, or no way leads there.
UNREACHABLE: Final = (
    errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENETDOWN,
)  # fmt: skip
#: CONNACK's codes (MQTT 3.1.1, table 3.1)
_CODES: Final = {
    1: "the version of the protocol",
    2: "the client id",
    3: "the server is not available",
    4: "bad user name or password",
    5: "not authorised: user name or password are missing or wrong",
}


async def answers(url: BrokerUrl, limit: float, ca_file: Path | None = None) -> bool:
    """Whether a broker answers a CONNECT there within ``limit`` seconds.

    A broker that refuses us (a password, say) answers as well.
    """
    try:
        return bool(await _ask(url, limit, ca_file, _CONNECT))
    except (OSError, BrokerError):
        return False


async def examine(
    url: BrokerUrl,
    limit: float,
    ca_file: Path | None = None,
    username: str | None = None,
    password: str | None = None,
) -> Probe:
    """How far a connection comes, within ``limit`` seconds a step.

    A broker may take the user name for the client id, and this connection for
    the peer's.  So the session that may be waiting for it there is not ended:
    only one that this made itself is.
    """
    if url.is_tls and (problem := check_ca_file(ca_file)):
        return _probe("ca-file", f"{ca_file}: {problem}")
    mine = f"doctor-{secrets.token_hex(4)}"
    try:
        answer = await _ask(url, limit, ca_file, connect(mine, username, password, clean=False))
        if answer[2:4] == b"\x00\x00":  # accepted, and there was no session
            await _ask(url, limit, ca_file, connect(mine, username, password, clean=True))
    except ssl.SSLCertVerificationError as error:
        return _probe("tls", describe(error), error.verify_code)
    except socket.gaierror as error:
        return _probe("name", describe(error))
    except (OSError, ValueError, BrokerError) as error:
        return await _why_not(url, limit, error)
    if len(answer) < 4:
        return await _why_not(url, limit, None)
    code = answer[3]
    return _probe("refused", _CODES.get(code, f"code {code}"), code) if code else _probe("up")


def _probe(step: str, text: str = "", code: int = 0) -> Probe:
    from federation.doctor.rules import Probe  # a peer that starts does without

    return Probe(step, text, code)


async def _why_not(url: BrokerUrl, limit: float, error: Exception | None) -> Probe:
    """No CONNACK came: is it for want of a listener, or does it speak otherwise?"""
    if isinstance(error, ConnectionRefusedError | TimeoutError) or (
        isinstance(error, OSError) and error.errno in UNREACHABLE
    ):
        return _probe("connect", describe(error))
    other = {"mqtt": "mqtts", "mqtts": "mqtt", "ws": "wss", "wss": "ws"}[url.scheme]
    said = describe(error) if error is not None else "no answer to CONNECT"
    try:
        answer = await _ask(replace(url, scheme=other), limit, None, _CONNECT)
    except ssl.SSLCertVerificationError:
        return _probe("tls-wanted", f"{said}; it speaks TLS")
    except (OSError, ValueError, BrokerError):
        answer = b""
    if answer:
        return _probe("plain" if url.is_tls else "tls-wanted", f"{said}; it answers {other}://")
    return _probe("tls", said) if isinstance(error, ssl.SSLError) else _probe("silent", said)


def connect(client_id: str, username: str | None, password: str | None, *, clean: bool) -> bytes:
    """A CONNECT of MQTT 3.1.1 (section 3.1), keepalive 10 s."""
    flags = (0x02 if clean else 0) | (0x80 if username else 0)
    fields = [client_id.encode()]
    if username:
        fields.append(username.encode())
        if password is not None:
            flags |= 0x40
            fields.append(password.encode())
    body = b"\x00\x04MQTT\x04" + bytes([flags]) + b"\x00\x0a"
    body += b"".join(len(one).to_bytes(2, "big") + one for one in fields)
    size, length = len(body), b""
    while size >= 128:
        length += bytes([size % 128 | 128])
        size //= 128
    return b"\x10" + length + bytes([size]) + body


async def _ask(url: BrokerUrl, limit: float, ca_file: Path | None, packet: bytes) -> bytes:
    """The CONNACK to this CONNECT; shorter than 4 bytes where none came."""
    async with asyncio.timeout(limit):
        stream = await open_stream(url, ca_file, limit)
        try:
            return await _exchange(stream, packet)
        finally:
            stream.shut()


async def _exchange(stream: Stream, packet: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    stream.send(packet)
    stream.flush()
    answer = b""
    while len(answer) < 4 and not stream.ended:
        readable = asyncio.Event()
        loop.add_reader(stream.fileno(), readable.set)
        try:
            if not stream.has_more:
                await readable.wait()
        finally:
            loop.remove_reader(stream.fileno())
        answer += stream.read()
        stream.flush()
    if len(answer) < 4 or answer[0] != CONNACK:
        return b""
    stream.send(DISCONNECT)
    stream.flush()
    return answer
