# SPDX-License-Identifier: MIT
"""An open port is no broker."""

from __future__ import annotations

import asyncio

import pytest

from federation.adapters.mqtt.probe import answers
from federation.broker_url import BrokerUrl

from .fakes import FakeBroker, soon


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (b"\x20\x02\x00\x00", True),
        (b"\x20\x02\x00\x05", True),  # refused: a broker all the same
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
        (b"\x30\x02\x00\x00", False),
    ],
)
async def test_only_a_connack_is_an_answer(reply: bytes, verdict: bool) -> None:
    async with FakeBroker() as broker:
        probe = asyncio.create_task(answers(broker.url, 5))
        client = await broker.accept()
        body = await client.expect(0x10)
        assert body == b"\x00\x04MQTT\x04\x02\x00\x0a\x00\x00"
        client.send(reply)
        assert await soon(probe) is verdict
        if verdict:
            assert await client.packet() == (0xE0, b"")


async def test_silence_and_hanging_up_are_none() -> None:
    async with FakeBroker() as broker:
        assert not await answers(broker.url, 0.05)
        await broker.accept()
        probe = asyncio.create_task(answers(broker.url, 5))
        client = await broker.accept()
        await client.expect(0x10)
        client.close()
        assert not await soon(probe)


async def test_nobody_there() -> None:
    async with FakeBroker() as broker:
        url = broker.url
    assert not await answers(url, 5)
    assert not await answers(BrokerUrl("mqtt", "127.0.0.1", 1), 5)
