# SPDX-License-Identifier: MIT
"""The embedded broker: both kinds, real processes, real deaths."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from federation.adapters.broker import EmbeddedBroker, embedded
from federation.adapters.mqtt import answers
from federation.broker_url import BrokerUrl
from federation.errors import Refusal

from .brokers import ROOT, Amqtt, Mosquitto, free_port, until, wait_until
from .mqtt_peers import Peer, child, done

pytestmark = pytest.mark.timeout(60)

KINDS = [pytest.param("mosquitto", marks=pytest.mark.mosquitto), "amqtt"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "mosquitto":
        Mosquitto.program()
    return name


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def running(kind: str, port: int, tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    broker = EmbeddedBroker(choice=kind)
    assert await broker.start(port, tmp_path)
    yield broker
    await broker.stop()


def url(port: int) -> str:
    return f"mqtt://127.0.0.1:{port}"


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# --- life and death ---


async def test_start_answers_on_loopback_only_and_stop_ends_it(
    kind: str, port: int, tmp_path: Path
) -> None:
    broker = EmbeddedBroker(choice=kind)
    assert not broker.running
    assert await broker.start(port, tmp_path)
    assert await broker.start(port, tmp_path), "a second start is harmless"
    assert [broker.kind] == [kind]
    assert await answers(BrokerUrl("mqtt", "127.0.0.1", port), 1)
    pid = broker.pid
    assert pid is not None
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]
    started = time.monotonic()
    await broker.stop()
    assert time.monotonic() - started < 1.5
    assert gone(pid)
    assert (broker.pid, broker.kind) == (None, None)
    assert not await answers(BrokerUrl("mqtt", "127.0.0.1", port), 1)
    await broker.stop()


async def test_a_stopped_broker_starts_again(kind: str, port: int, tmp_path: Path) -> None:
    broker = EmbeddedBroker(choice=kind)
    for _ in range(2):
        assert await broker.start(port, tmp_path)
        await broker.stop()


async def test_a_killed_child_is_told_and_a_stopped_one_is_not(
    kind: str, port: int, tmp_path: Path
) -> None:
    exits: list[int] = []
    broker = EmbeddedBroker(choice=kind, on_exit=exits.append)
    assert await broker.start(port, tmp_path)
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGKILL)
    await until(lambda: exits)
    assert exits == [-signal.SIGKILL]
    assert not broker.running
    assert await broker.start(port, tmp_path)
    await broker.stop()
    assert len(exits) == 1


async def test_another_broker_there_is_used(kind: str, port: int, tmp_path: Path) -> None:
    with Amqtt(tmp_path, port):
        broker = EmbeddedBroker(choice=kind)
        assert not await broker.start(port, tmp_path)
        assert not broker.running


async def test_something_else_there_is_refused(kind: str, port: int, tmp_path: Path) -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        sock.listen()
        broker = EmbeddedBroker(choice=kind)
        with pytest.raises(Refusal) as caught:
            await broker.start(port, tmp_path)
        assert caught.value.reason == "broker-unreachable"
        assert str(port) in caught.value.detail
        assert not broker.running


async def test_of_several_that_race_one_wins_and_all_have_a_broker(
    kind: str, port: int, tmp_path: Path
) -> None:
    brokers = [EmbeddedBroker(choice=kind) for _ in range(4)]
    folders = [tmp_path / str(number) for number in range(4)]
    results = await asyncio.gather(
        *(broker.start(port, folder) for broker, folder in zip(brokers, folders, strict=True))
    )
    assert sorted(results) == [False, False, False, True]
    assert [broker.running for broker in brokers] == results
    assert await answers(BrokerUrl("mqtt", "127.0.0.1", port), 1)
    for broker in brokers:
        await broker.stop()


async def test_without_mosquitto_amqtt_serves(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(embedded.CHOICE, raising=False)
    monkeypatch.setattr(embedded, "_find_mosquitto", lambda: None)
    broker = EmbeddedBroker()
    assert await broker.start(port, tmp_path)
    assert broker.kind == "amqtt"
    await broker.stop()


async def test_with_a_broken_mosquitto_amqtt_serves(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(embedded.CHOICE, raising=False)
    monkeypatch.setattr(embedded, "_find_mosquitto", lambda: shutil.which("false"))
    broker = EmbeddedBroker()
    assert await broker.start(port, tmp_path)
    assert broker.kind == "amqtt"
    await broker.stop()


async def test_the_environment_chooses(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(embedded.CHOICE, "amqtt")
    broker = EmbeddedBroker()
    assert await broker.start(port, tmp_path)
    assert broker.kind == "amqtt"
    await broker.stop()


async def test_nobody_else_reads_its_files_and_it_sees_no_secrets(
    kind: str, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQTT_PASSWORD", "hunter2")
    broker = EmbeddedBroker(choice=kind)
    assert await broker.start(port, tmp_path)
    process = psutil.Process(broker.pid)
    assert "MQTT_PASSWORD" not in process.environ()
    assert "hunter2" not in " ".join(process.cmdline())
    await broker.stop()
    for path in sorted(tmp_path.rglob("*")):  # noqa: ASYNC240 - nothing else runs
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert (tmp_path / "broker" / "mosquitto.conf").exists() == (kind == "mosquitto")


OWNER = """
import asyncio, sys
from pathlib import Path
from federation.adapters.broker import EmbeddedBroker

async def main():
    broker = EmbeddedBroker(choice=sys.argv[1])
    await broker.start(int(sys.argv[2]), Path(sys.argv[3]))
    print(broker.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_child_dies_with_its_parent(
    kind: str, number: signal.Signals, port: int, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", OWNER, kind, str(port), str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert not gone(pid)
        owner.send_signal(number)
    wait_until(lambda: gone(pid), 3, "the child is gone")


def test_a_parent_killed_while_the_child_starts_leaves_nothing(
    kind: str, tmp_path: Path
) -> None:
    """At different moments: before the helper runs, in it, behind it."""
    for delay in (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6):
        port = free_port()
        command = [sys.executable, "-c", OWNER, kind, str(port), str(tmp_path)]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as owner:
            parent = psutil.Process(owner.pid)
            wait_until(parent.children, 10, "a child has begun")
            children = [process.pid for process in parent.children()]
            moment = time.monotonic() + delay
            wait_until(lambda moment=moment: time.monotonic() > moment)  # type: ignore[misc]
            owner.kill()
        wait_until(
            lambda children=children: all(map(gone, children)),  # type: ignore[misc]
            3,
            f"nothing is left after {delay} s",
        )


SERVE = """
import asyncio, json, sys
from federation.adapters.broker import serve_alone
from federation.errors import Refusal

def ready(kind, pid):
    print(json.dumps([kind, pid]), flush=True)

try:
    sys.exit(asyncio.run(serve_alone(int(sys.argv[2]), on_ready=ready, choice=sys.argv[1])))
except Refusal as refusal:
    sys.exit(refusal.reason)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_alone_it_serves_until_it_is_told(kind: str, number: signal.Signals, port: int) -> None:
    command = [sys.executable, "-c", SERVE, kind, str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        told, pid = json.loads(server.stdout.readline())
        assert told == kind
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as second:
            _, error = second.communicate(timeout=20)
        assert second.returncode == 1
        assert error.strip().endswith(b"broker-unreachable")
        server.send_signal(number)
        assert server.wait(5) == 0
    assert gone(pid)


def test_alone_it_fails_when_its_child_does(kind: str, port: int) -> None:
    command = [sys.executable, "-c", SERVE, kind, str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        _, pid = json.loads(server.stdout.readline())
        os.kill(pid, signal.SIGKILL)
        assert server.wait(5) == 1


# --- what it carries ---


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
        await until(lambda: len(b.messages) == 40, 20)
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


async def test_two_thousand_messages_a_second(running: EmbeddedBroker, port: int) -> None:
    """Asserted at a quarter of it: this may run beside anything."""
    async with Peer(url(port), "a") as a, Peer(url(port), "b") as b:
        await a.up()
        await b.up()
        await b.mqtt.subscribe([("stream", 1)])
        started = time.monotonic()
        pending = []
        for number in range(4000):
            pending.append(a.mqtt.publish("stream", b"%d" % number))
            if a.mqtt.waiting > 500:
                await pending[-200]
        assert set(await asyncio.gather(*pending)) == {"ok"}
        await until(lambda: len(b.messages) == 4000, 20)
        assert [message[1] for message in b.messages] == [b"%d" % n for n in range(4000)]
        assert time.monotonic() - started < 8
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
        await until(lambda: len(b.messages) == 300, 20)
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
