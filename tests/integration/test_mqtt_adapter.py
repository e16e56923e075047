# SPDX-License-Identifier: MIT
"""The MQTT adapter against a real mosquitto."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from federation.adapters.mqtt import answers
from federation.broker_url import parse

from .brokers import Mosquitto, until
from .mqtt_peers import Peer, child, done, tool

pytestmark = [pytest.mark.mosquitto, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("broker"), "message_size_limit 2000000") as real:
        yield real


async def test_every_byte_arrives(broker: Mosquitto) -> None:
    async with Peer(broker.url, "a") as a, Peer(broker.url, "b") as b:
        await a.up()
        await b.up()
        assert a.mqtt.protocol == "5"
        assert await b.mqtt.subscribe([("bytes/#", 1)]) == ["ok"]
        payloads = [b"", bytes(range(256)), b"\0", os.urandom(1024 * 1024)]
        for qos in (0, 1, 2):
            for payload in payloads:
                assert await done(a.mqtt.publish(f"bytes/{qos}", payload, qos)) == "ok"
        await until(lambda: len(b.messages) == 12)
        assert [message[1] for message in b.messages] == payloads * 3
        assert not any(message[2] for message in b.messages)


async def test_retained_messages_come_at_every_subscription(broker: Mosquitto) -> None:
    async with Peer(broker.url, "a") as a, Peer(broker.url, "b") as b:
        await a.up()
        assert await done(a.mqtt.publish("kept", b"state", retain=True)) == "ok"
        await b.up()
        for count in (1, 2):
            await b.mqtt.subscribe([("kept", 1)])
            await until(lambda count=count: len(b.messages) == count)  # type: ignore[misc]
        assert b.messages == [("kept", b"state", True)] * 2
        await done(a.mqtt.publish("kept", b"", retain=True))


async def test_no_local_keeps_our_own_messages_away(broker: Mosquitto) -> None:
    async with Peer(broker.url, "a", no_local=True) as a, Peer(broker.url, "b") as b:
        await a.up()
        await b.up()
        await a.mqtt.subscribe([("room", 1)])
        await done(a.mqtt.publish("room", b"mine"))
        await done(b.mqtt.publish("room", b"yours"))
        await a.hears(b"yours")
        assert [message[1] for message in a.messages] == [b"yours"]


async def test_an_oversized_publish_is_refused_and_the_next_goes_through(
    broker: Mosquitto,
) -> None:
    async with Peer(broker.url, "a") as a:
        await a.up()
        for qos in (1, 2):
            assert await done(a.mqtt.publish("t", b"x" * 2_000_001, qos)) == "refused:149"
        assert await done(a.mqtt.publish("t", b"x")) == "ok"
        assert a.downs == []


async def test_an_acl_refusal_is_noticed(tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic readwrite open/#\n")
    with Mosquitto(tmp_path, f"acl_file {acl}") as broker:
        async with Peer(broker.url, "a") as a:
            await a.up()
            for qos in (1, 2):
                assert await done(a.mqtt.publish("closed", b"x", qos)) == "refused:135"
            assert await done(a.mqtt.publish("open/t", b"x")) == "ok"


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    """One user, ``peer`` with ``hunter2``."""
    Mosquitto.program()
    file = tmp_path / "passwords"
    file.write_text("peer:hunter2\n")
    file.chmod(0o600)
    subprocess.run([tool("mosquitto_passwd"), "-U", str(file)], check=True)
    return file


async def test_user_and_password(tmp_path: Path, passwords: Path) -> None:
    with Mosquitto(tmp_path, f"password_file {passwords}", anonymous=False) as broker:
        assert await answers(parse(broker.url), 5), "a refusal is an answer"
        async with Peer(broker.url, "a", username="peer", password="hunter2") as a:
            await a.up()
        async with Peer(broker.url, "a", username="peer", password="wrong") as b:
            await until(lambda: b.unreachable)
            assert b.unreachable[0] == "refused: Not authorized"
        async with Peer(broker.url, "a") as c:
            await until(lambda: c.unreachable)
            assert c.unreachable[0].startswith("refused: ")


async def test_killed_brokers_are_noticed_and_come_back(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        async with Peer(broker.url, "a") as a, Peer(broker.url, "b") as b:
            await a.up()
            await b.up()
            await b.mqtt.subscribe([("t", 1)])
            for round_ in range(3):
                broker.kill()
                await until(lambda: not a.mqtt.up and not b.mqtt.up, 2)
                assert await done(a.mqtt.publish("t", b"")) == "offline"
                a.unreachable.clear()
                await until(lambda: a.unreachable)
                broker.start()
                await a.up()
                await b.up()
                payload = b"after %d" % round_
                await until(lambda: not b.mqtt.refused_filters)
                assert await done(a.mqtt.publish("t", payload)) == "ok"
                await b.hears(payload)


async def test_what_was_in_flight_when_the_broker_died_is_lost(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        async with Peer(broker.url, "a") as a:
            await a.up()
            broker.freeze()
            results = [a.mqtt.publish("t", b"x" * 100_000) for _ in range(100)]
            broker.kill()
            words = [await done(result) for result in results]
            assert set(words) == {"lost", "offline"}
            broker.start()
            await a.up()
            assert await done(a.mqtt.publish("t", b"x")) == "ok"


async def test_a_silent_broker_is_given_up(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        async with Peer(broker.url, "a", keepalive=2) as a:
            await a.up()
            broker.freeze()
            await until(lambda: a.downs, 60.0)
            assert a.downs == ["the broker went silent"]
            broker.thaw()
            await a.up()


async def test_a_pause_longer_than_the_keepalive_is_survived(broker: Mosquitto) -> None:
    async with Peer(broker.url, "a", keepalive=1) as a, Peer(broker.url, "b") as b:
        await a.up()
        await b.up()
        await a.mqtt.subscribe([("pause", 1)])
        a.mqtt.pause()
        for number in range(5):
            await done(b.mqtt.publish("pause", b"%d" % number))
        started = time.monotonic()
        await until(lambda: time.monotonic() - started > 4)
        assert a.messages == []
        a.mqtt.resume()
        await a.hears(b"4")
        assert [message[1] for message in a.messages] == [b"0", b"1", b"2", b"3", b"4"]
        assert a.downs == []


async def test_a_persistent_session_gets_what_came_meanwhile(broker: Mosquitto) -> None:
    async with Peer(broker.url, "keeper", persistent=True) as a:
        await a.up()
        assert not a.ups[0].session_present
        await a.mqtt.subscribe([("mail", 1)])
    async with Peer(broker.url, "b") as b:
        await b.up()
        await done(b.mqtt.publish("mail", b"while you were away"))
    async with Peer(broker.url, "keeper", persistent=True) as a:
        await a.hears(b"while you were away")
        assert a.ups[0].session_present
    async with Peer(broker.url, "keeper") as a:
        await a.up()
        assert not a.ups[0].session_present


async def test_the_will_is_told_after_sigkill_and_not_after_a_proper_end(
    broker: Mosquitto,
) -> None:
    async with Peer(broker.url, "watcher") as watcher:
        await watcher.up()
        await watcher.mqtt.subscribe([("presence/child", 1)])
        with child(broker.url) as killed:
            killed.send_signal(signal.SIGKILL)
        await watcher.hears(b"offline", 2)
        watcher.messages.clear()
        with child(broker.url) as polite:
            polite.communicate(b"\n", timeout=10)
        assert polite.returncode == 0
        await watcher.hears(b"goodbye", 2)
        # The will would have come before this message.
        await done(watcher.mqtt.publish("presence/child", b"fence"))
        await watcher.hears(b"fence")
        assert [message[1] for message in watcher.messages] == [b"goodbye", b"fence"]
        await done(watcher.mqtt.publish("presence/child", b"", retain=True))


async def test_stop_in_a_flood_says_goodbye_all_the_same(broker: Mosquitto) -> None:
    """Unread bytes at the close would reset the connection, and the will would be told."""
    will = ("presence/flooded", b"offline", 1, False)
    async with Peer(broker.url, "watcher") as watcher, Peer(broker.url, "flooder") as flooder:
        await watcher.up()
        await flooder.up()
        await watcher.mqtt.subscribe([("presence/flooded", 1)])
        for _ in range(5):
            async with Peer(broker.url, "flooded", will) as flooded:
                await flooded.up()
                await flooded.mqtt.subscribe([("flood", 0)])
                for _ in range(300):
                    flooder.mqtt.publish("flood", b"x" * 20_000, qos=0)
                await until(lambda flooded=flooded: flooded.messages)  # type: ignore[misc]
                await flooded.mqtt.stop([("presence/flooded", b"goodbye", 1, False)])
        await done(watcher.mqtt.publish("presence/flooded", b"fence"))
        await watcher.hears(b"fence")
        assert [message[1] for message in watcher.messages] == [b"goodbye"] * 5 + [b"fence"]


def raw_publish(port: int, packets: bytes) -> None:
    """Say things that paho would not say."""
    connect = b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x00"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(connect)
        assert sock.recv(100)[0] == 0x20
        sock.sendall(packets)
        assert sock.recv(100)[0] == 0x40


async def test_a_poisonous_retained_message_delays_nothing(broker: Mosquitto) -> None:
    """U+FEFF in a property is legal; paho 2.2 takes it for the end of the world."""
    body = b"\x00\x06poison" + b"\x00\x01" + b"\x06\x03\x00\x03\xef\xbb\xbf" + b"bitter"
    raw_publish(broker.port, bytes((0x33, len(body))) + body)
    async with Peer(broker.url, "a") as a:
        await a.up()
        await a.mqtt.subscribe([("poison", 1), ("t", 1)])
        assert await a.hears(b"bitter") == ("poison", b"bitter", True)
        await done(a.mqtt.publish("t", b"next"))
        await a.hears(b"next")
        assert a.downs == []
        await done(a.mqtt.publish("poison", b"", retain=True))


async def test_what_is_too_large_for_us_is_dropped_and_the_rest_arrives(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        async with Peer(broker.url, "a", max_payload=1000) as a, Peer(broker.url, "b") as b:
            await a.up()
            await b.up()
            await a.mqtt.subscribe([("t", 1)])
            for size in (1000, 1001, 100_000, 10_000_000, 10):
                await done(b.mqtt.publish("t", b"x" * size))
            await a.hears(b"x" * 10)
            assert [len(message[1]) for message in a.messages] == [1000, 10]
            assert a.downs == []


async def test_two_with_one_name_do_not_spin(broker: Mosquitto) -> None:
    async with Peer(broker.url, "twin") as a, Peer(broker.url, "twin") as b:
        started = time.monotonic()
        await until(lambda: time.monotonic() - started > 3)
        assert len(a.ups) + len(b.ups) < 20
        assert a.downs
        assert b.downs


async def test_twenty_thousand_messages_in_order(broker: Mosquitto) -> None:
    async with Peer(broker.url, "a") as a, Peer(broker.url, "b") as b:
        await a.up()
        await b.up()
        await b.mqtt.subscribe([("stream", 1)])
        pending = []
        for number in range(20_000):
            pending.append(a.mqtt.publish("stream", b"%d" % number))
            if a.mqtt.waiting > 500:
                await pending[-200]
        assert set(await asyncio.gather(*pending)) == {"ok"}
        await until(lambda: len(b.messages) == 20_000, 60.0)
        assert [message[1] for message in b.messages] == [b"%d" % n for n in range(20_000)]
