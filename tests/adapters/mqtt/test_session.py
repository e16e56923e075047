# SPDX-License-Identifier: MIT
"""One session on one end of a socket pair, the broker's words written by the test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from federation.adapters.mqtt import session as session_module
from federation.adapters.mqtt.packets import PINGREQ, BrokerError
from federation.adapters.mqtt.policy import Keepalive
from federation.adapters.mqtt.queue import WINDOW, Outgoing
from federation.adapters.mqtt.session import Accepted, Hooks, MqttSession
from federation.adapters.mqtt.stream import Stream
from federation.adapters.mqtt.websocket import WebSocketCodec

from .fakes import CONNACK_5, publish, settings, soon, turn


class Wire:
    """A session, and the broker's end of its socket."""

    def __init__(self, *, websocket: bool = False, **changes: Any) -> None:
        ours, self.theirs = socket.socketpair()
        self.theirs.setblocking(False)
        self.told: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        hooks = Hooks(
            accepted=lambda answer: self.told.put_nowait(("accepted", answer)),
            closed=lambda reason, code: self.told.put_nowait(("closed", reason, code)),
            message=lambda *message: self.told.put_nowait(("message", *message)),
            dropped=lambda *message: self.told.put_nowait(("dropped", *message)),
            published=lambda *verdict: self.told.put_nowait(("published", *verdict)),
            subscribed=lambda *answer: self.told.put_nowait(("subscribed", *answer)),
            drained=lambda: None,
        )
        codec = WebSocketCodec(lambda size: bytes(size)) if websocket else None
        stream = Stream(ours, codec)
        self.session = MqttSession(stream, settings(**changes), hooks)

    def says(self, data: bytes) -> None:
        """The broker sends bytes."""
        self.theirs.setblocking(True)
        self.theirs.sendall(data)
        self.theirs.setblocking(False)

    async def hears(self) -> bytes:
        """What the session sent."""
        return await soon(asyncio.get_running_loop().sock_recv(self.theirs, 1 << 20))

    async def tells(self) -> tuple[Any, ...]:
        """What the owner hears next."""
        return await soon(self.told.get())

    async def accept(self, connack: bytes = CONNACK_5) -> Accepted:
        """Open it, up to the CONNACK."""
        self.session.open(5)
        assert (await self.hears())[:1] == b"\x10"
        self.says(connack)
        kind, answer = await self.tells()
        assert kind == "accepted"
        assert isinstance(answer, Accepted)
        return answer


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    made = Wire()
    yield made
    made.session.close("the test is over")
    made.theirs.close()


async def test_what_the_broker_limits_is_told(wire: Wire) -> None:
    answer = await wire.accept(b"\x20\x0b\x01\x00\x08\x21\x00\x05\x27\x00\x00\x04\x00")
    assert answer == Accepted(session_present=True, receive_maximum=5, max_packet=1024)


async def test_many_packets_in_one_segment(wire: Wire) -> None:
    await wire.accept()
    wire.says(b"".join(publish("t", b"%d" % number, packet_id=1) for number in range(500)))
    for number in range(500):
        assert await wire.tells() == ("message", "t", b"%d" % number, False)
    acknowledgements = b""
    while len(acknowledgements) < 500 * 4:
        acknowledgements += await wire.hears()
    assert acknowledgements == b"\x40\x02\x00\x01" * 500


async def test_one_turn_is_one_write(wire: Wire) -> None:
    await wire.accept()
    for _ in range(10):
        wire.session.publish(Outgoing("t", b"x", 1, False, None))
    assert wire.session.unsent == 0, "nothing is written before the turn ends"
    assert len(await wire.hears()) == 10 * 9


async def test_an_acknowledgement_names_its_packet(wire: Wire) -> None:
    await wire.accept()
    first = wire.session.publish(Outgoing("t", b"x", 1, False, None))
    second = wire.session.publish(Outgoing("t", b"y", 1, False, None))
    await wire.hears()
    wire.says(b"\x40\x03" + second.to_bytes(2) + b"\x95" + b"\x40\x02" + first.to_bytes(2))
    assert await wire.tells() == ("published", second, 149)
    assert await wire.tells() == ("published", first, 0)


async def test_an_acknowledgement_of_nothing_is_nothing(wire: Wire) -> None:
    await wire.accept()
    wire.says(b"\x40\x02\x00\x63" + publish("t", b"next"))
    assert (await wire.tells())[0] == "message"


async def test_qos_2_takes_its_four_steps(wire: Wire) -> None:
    await wire.accept()
    number = wire.session.publish(Outgoing("t", b"x", 2, False, None)).to_bytes(2)
    await wire.hears()
    wire.says(b"\x50\x02" + number)
    assert await wire.hears() == b"\x62\x02" + number
    wire.says(b"\x70\x02" + number)
    assert await wire.tells() == ("published", int.from_bytes(number), 0)


async def test_packet_ids_in_use_are_skipped(wire: Wire) -> None:
    await wire.accept()
    held = wire.session.publish(Outgoing("t", b"", 1, False, None))
    wire.session._client._last_mid = held - 1
    assert wire.session.publish(Outgoing("t", b"", 1, False, None)) == held + 1
    for _ in range(2 * WINDOW):
        wire.session.publish(Outgoing("t", b"", 1, False, None))
    wire.session._client._last_mid = held - 1
    with pytest.raises(BrokerError):
        wire.session.publish(Outgoing("t", b"", 1, False, None))


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keepalive of a tenth of a second, looked at often."""
    monkeypatch.setattr(session_module, "TICK", 0.01)
    monkeypatch.setattr(session_module, "Keepalive", lambda _, now: Keepalive(0.1, now))


@pytest.mark.usefixtures("hurried")
async def test_no_connack_in_time(wire: Wire) -> None:
    wire.session.open(0)
    assert await wire.tells() == ("closed", "no answer to CONNECT in time", 0)


@pytest.mark.usefixtures("hurried")
async def test_a_silent_broker_is_pinged_and_given_up(wire: Wire) -> None:
    await wire.accept()
    assert await wire.hears() == PINGREQ
    wire.says(b"\xd0\x00")
    assert await wire.hears() == PINGREQ
    assert await wire.tells() == ("closed", "the broker went silent", 0)


async def test_the_end_is_told_once(wire: Wire) -> None:
    await wire.accept()
    wire.theirs.close()
    assert await wire.tells() == ("closed", "the connection was lost", 0)
    wire.session.close("again")
    await wire.session.leave(1)
    wire.session.pause()
    wire.session.resume()
    await turn()
    assert wire.told.empty()
    assert wire.session.closed


async def test_leaving_reads_until_the_broker_closes(wire: Wire) -> None:
    await wire.accept()
    wire.session.pause()
    wire.says(publish("t", b"unread", packet_id=1))
    leaving = asyncio.create_task(wire.session.leave(5))
    assert await wire.hears() == b"\xe0\x00"
    wire.theirs.close()
    await soon(leaving)
    assert await wire.tells() == ("closed", "the connection was lost", 0)


async def test_a_frame_that_stops_in_the_middle_is_nudged() -> None:
    wire = Wire(websocket=True)
    wire.session.open(5)
    await wire.hears()
    wire.says(b"\x82\x05" + CONNACK_5)
    await wire.tells()
    message = publish("t", b"x" * 50)
    frame = b"\x82" + bytes((len(message),)) + message
    wire.says(frame[:20])
    assert await wire.hears() == b"\x82\x82\0\0\0\0" + PINGREQ
    wire.says(frame[20:])
    assert await wire.tells() == ("message", "t", b"x" * 50, False)
    wire.session.close("done")
    wire.theirs.close()
