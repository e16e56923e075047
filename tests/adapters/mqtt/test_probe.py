# SPDX-License-Identifier: MIT
"""An open port is no broker."""

from __future__ import annotations

import asyncio

import pytest

from federation.adapters.mqtt.probe import answers, connect, examine
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


@pytest.mark.parametrize(
    ("replies", "step", "code"),
    [
        ([b"\x20\x02\x01\x00"], "up", 0),  # a session was there: it stays
        ([b"\x20\x02\x00\x00", b"\x20\x02\x00\x00"], "up", 0),  # ours is ended again
        ([b"\x20\x02\x00\x05"], "refused", 5),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n", b""], "silent", 0),
    ],
)
async def test_how_far_a_connection_comes(replies: list[bytes], step: str, code: int) -> None:
    async with FakeBroker() as broker:
        probe = asyncio.create_task(examine(broker.url, 5, username="ada", password="secret"))
        for number, reply in enumerate(replies):
            client = await broker.accept()
            if reply:
                body = await client.expect(0x10)
                assert body[7] == (0xC0, 0xC2)[number]  # a session is kept, then ended
                client.send(reply)
            else:
                client.close()  # it was asked whether it speaks TLS
        found = await soon(probe)
        assert (found.step, found.code) == (step, code)


async def test_nobody_to_examine() -> None:
    async with FakeBroker() as broker:
        url = broker.url
    assert (await examine(url, 5)).step == "connect"
    assert (await examine(BrokerUrl("mqtt", "nowhere.invalid", 1), 5)).step == "name"


def test_a_connect_has_the_length_of_its_fields() -> None:
    packet = connect("me", "ada", "x" * 200, clean=False)
    assert packet[:3] == b"\x10\xdd\x01"  # 221 bytes follow
    assert len(packet) == 3 + 221
    assert connect("me", None, "unused", clean=True)[9] == 0x02
