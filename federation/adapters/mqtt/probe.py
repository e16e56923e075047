# SPDX-License-Identifier: MIT
"""Does a broker answer there?  An open port is no answer: a CONNACK is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from federation.adapters.mqtt.link import open_stream
from federation.adapters.mqtt.packets import CONNACK, DISCONNECT, BrokerError
from federation.adapters.mqtt.stream import Stream
from federation.broker_url import BrokerUrl

#: CONNECT of MQTT 3.1.1, which every broker reads: clean session, no client
#: id, keepalive 10 s.
_CONNECT: Final = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00"


async def answers(url: BrokerUrl, limit: float, ca_file: Path | None = None) -> bool:
    """Whether a broker answers a CONNECT there within ``limit`` seconds.

    A broker that refuses us (a password, say) answers as well.
    """
    try:
        async with asyncio.timeout(limit):
            stream = await open_stream(url, ca_file, limit)
            try:
                return await _asks(stream)
            finally:
                stream.shut()
    except (OSError, BrokerError):
        return False


async def _asks(stream: Stream) -> bool:
    loop = asyncio.get_running_loop()
    stream.send(_CONNECT)
    stream.flush()
    answer = b""
    while len(answer) < 2 and not stream.ended:
        readable = asyncio.Event()
        loop.add_reader(stream.fileno(), readable.set)
        try:
            if not stream.has_more:
                await readable.wait()
        finally:
            loop.remove_reader(stream.fileno())
        answer += stream.read()
        stream.flush()
    if len(answer) < 2 or answer[0] != CONNACK:
        return False
    stream.send(DISCONNECT)
    stream.flush()
    return True
