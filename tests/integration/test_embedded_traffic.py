# SPDX-License-Identifier: MIT
"""What the embedded broker carries, and what amqtt behind our sockets survives."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from pathlib import Path

import psutil
import pytest

from federation.adapters.broker import EmbeddedBroker
from federation.adapters.mqtt import answers
from federation.broker_url import BrokerUrl
from tests.integration.brokers import Amqtt, until
from tests.integration.embedded import kind, port, running, url
from tests.integration.mqtt_peers import Peer, child, done

__all__ = ["kind", "port", "running"]  # fixtures
pytestmark = pytest.mark.timeout(120)


async def test_every_byte_arrives(running: EmbeddedBroker, port: int) -> None:
    async with Peer(url(port), "a") as a, Peer(url(port), "b") as b:
        await a.up()
        await b.up()
        assert a.mqtt.protocol == ("5" if running.kind == "mosquitto" else "3.1.1")
        assert a.unreachable == []
        assert await b.mqtt.subscribe([("bytes/+", 1), ("other/#", 1)]) == ["ok", "ok"]
        payloads = [b"", bytes(range(256)), os.urandom(1024 * 1024), b"last"]
        for qos in (0, 1, 2):
            for payload in payloads:
                assert await done(a.mqtt.publish(f"bytes/{qos}", payload, qos)) == "ok"
        await until(lambda: len(b.messages) == 12)
        assert [message[1] for message in b.messages] == payloads * 3


async def test_forty_pieces_at_once(running: EmbeddedBroker, port: int) -> None:
    pieces = [os.urandom(1024 * 1024) for _ in range(40)]
    async with Peer(url(port), "a") as a, Peer(url(port), "b") as b:
        await a.up()
        await b.up()
        await b.mqtt.subscribe([("pieces", 1)])
        results = [a.mqtt.publish("pieces", piece) for piece in pieces]
        assert set(await asyncio.gather(*results)) == {"ok"}
        await until(lambda: len(b.messages) == 40, 60.0)
        assert [message[1] for message in b.messages] == pieces
    assert running.running


async def test_retained_messages(running: EmbeddedBroker, port: int) -> None:
    async with Peer(url(port), "a") as a:
        await a.up()
        for number in range(50):
            await done(a.mqtt.publish(f"presence/{number}", b"%d" % number, retain=True))
        await done(a.mqtt.publish("presence/7", b"", retain=True))
        await done(a.mqtt.publish("presence/8", b"new", retain=True))
    async with Peer(url(port), "b") as b:
        await b.up()
        await b.mqtt.subscribe([("presence/+", 1)])
        await until(lambda: len(b.messages) == 49)
        expected = {f"presence/{n}": b"%d" % n for n in range(50) if n != 7}
        expected["presence/8"] = b"new"
        assert {topic: payload for topic, payload, _ in b.messages} == expected
        assert all(retained for _, _, retained in b.messages)
    assert running.running


async def test_the_will_is_told_after_sigkill_and_not_after_a_proper_end(
    running: EmbeddedBroker, port: int
) -> None:
    async with Peer(url(port), "watcher") as watcher:
        await watcher.up()
        await watcher.mqtt.subscribe([("presence/child", 1)])
        with child(url(port)) as killed:
            killed.send_signal(signal.SIGKILL)
        await watcher.hears(b"offline", 2)
        with child(url(port)) as polite:
            polite.communicate(b"\n", timeout=10)
        await watcher.hears(b"goodbye", 2)
        await done(watcher.mqtt.publish("presence/child", b"fence"))
        await watcher.hears(b"fence")
        assert [message[1] for message in watcher.messages] == [b"offline", b"goodbye", b"fence"]
    async with Peer(url(port), "late") as late:
        await late.up()
        await late.mqtt.subscribe([("presence/child", 1)])
        assert await late.hears(b"goodbye") == ("presence/child", b"goodbye", True)
    assert running.running


async def test_a_persistent_session_gets_what_came_meanwhile(
    running: EmbeddedBroker, port: int
) -> None:
    async with Peer(url(port), "keeper", persistent=True) as a:
        await a.up()
        await a.mqtt.subscribe([("mail", 1)])
    async with Peer(url(port), "b") as b:
        await b.up()
        started = time.monotonic()
        # amqtt looks for sessions to forget once a second.
        await until(lambda: time.monotonic() - started > 2.2)
        for number in range(500):
            await done(b.mqtt.publish("mail", b"%d" % number))
    async with Peer(url(port), "keeper", persistent=True) as a:
        await until(lambda: len(a.messages) == 500)
        assert a.ups[0].session_present
        assert [message[1] for message in a.messages] == [b"%d" % n for n in range(500)]
    assert running.running


async def test_a_client_that_takes_its_session_over_goes_on(
    running: EmbeddedBroker, port: int
) -> None:
    """Without a goodbye, as after a lost network: the broker thinks that the old one lives."""
    with child(url(port), "keeper") as frozen:
        frozen.send_signal(signal.SIGSTOP)
        async with Peer(url(port), "keeper", persistent=True) as a, Peer(url(port), "b") as b:
            await a.up()
            await b.up()
            await a.mqtt.subscribe([("mail", 1)])
            for number in range(20):
                await done(b.mqtt.publish("mail", b"%d" % number))
            await a.hears(b"19")
            assert a.downs == []
            frozen.kill()
    assert running.running


async def test_thousands_of_messages_in_a_row(running: EmbeddedBroker, port: int) -> None:
    async with Peer(url(port), "a") as a, Peer(url(port), "b") as b:
        await a.up()
        await b.up()
        await b.mqtt.subscribe([("stream", 1)])
        pending = []
        for number in range(4000):
            pending.append(a.mqtt.publish("stream", b"%d" % number))
            if a.mqtt.waiting > 500:
                await pending[-200]
        assert set(await asyncio.gather(*pending)) == {"ok"}
        await until(lambda: len(b.messages) == 4000, 60)
        assert [message[1] for message in b.messages] == [b"%d" % n for n in range(4000)]
    assert running.running


async def test_a_client_that_does_not_read_harms_only_itself(
    running: EmbeddedBroker, port: int
) -> None:
    async with Peer(url(port), "a") as a, Peer(url(port), "b") as b, Peer(url(port), "lazy") as c:
        for peer in (a, b, c):
            await peer.up()
        for peer in (b, c):
            await peer.mqtt.subscribe([("big", 1)])
        c.mqtt.pause()
        piece = os.urandom(1024 * 1024)
        for _ in range(300):
            assert await done(a.mqtt.publish("big", piece)) == "ok"
        await until(lambda: len(b.messages) == 300, 60.0)
        assert running.pid is not None
        memory = psutil.Process(running.pid).memory_info().rss
        assert memory < 260 * 1024 * 1024
        c.mqtt.resume()
        await c.up()
        await done(a.mqtt.publish("big", b"small"))
        await b.hears(b"small")


# --- amqtt behind our sockets ---


@pytest.fixture
def amqtt(tmp_path: Path) -> Amqtt:
    return Amqtt(tmp_path)


def test_a_packet_of_256_mb_is_not_collected(amqtt: Amqtt) -> None:
    with amqtt:
        assert amqtt.process is not None
        process = psutil.Process(amqtt.process.pid)
        before = process.memory_info().rss
        for first in (b"\x10", b"\x30"):
            with socket.create_connection(("127.0.0.1", amqtt.port), timeout=5) as sock:
                sock.sendall(first + b"\xff\xff\xff\x7f")
                with pytest.raises(OSError):
                    for _ in range(200):
                        sock.sendall(bytes(1024 * 1024))
        assert process.memory_info().rss - before < 50 * 1024 * 1024


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x10",
        b"\x10\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 100,
        b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00" + b"\x30\x02\xff\xff",
        b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00" + b"\x30\x05\x00\x03a\xff+x",
        b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00" + b"\x82\x02\x00\x01",
        b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00" + b"\xf0\x00\x00\x00",
    ],
)
def test_nonsense_does_not_stop_it(amqtt: Amqtt, data: bytes) -> None:
    with amqtt:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", amqtt.port), timeout=5) as sock:
                sock.sendall(data)
        assert asyncio.run(answers(BrokerUrl("mqtt", "127.0.0.1", amqtt.port), 2))


def test_its_end_of_input_is_its_end(amqtt: Amqtt) -> None:
    with amqtt:
        assert amqtt.process is not None
        assert amqtt.process.stdin is not None
        amqtt.process.stdin.close()
        assert amqtt.process.wait(3) == 0
