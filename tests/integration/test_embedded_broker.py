# SPDX-License-Identifier: MIT
"""The embedded broker's life: both kinds, real processes, real deaths."""

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
from pathlib import Path

import psutil
import pytest

from federation.adapters.broker import EmbeddedBroker, embedded
from federation.adapters.mqtt import answers
from federation.broker_url import BrokerUrl
from federation.errors import Refusal
from tests.integration.brokers import ROOT, Amqtt, free_port, until, wait_until
from tests.integration.embedded import gone, kind, port

__all__ = ["kind", "port"]  # fixtures
pytestmark = pytest.mark.timeout(120)


async def test_start_answers_on_loopback_only_and_stop_ends_it(
    kind: str, port: int, tmp_path: Path
) -> None:
    broker = EmbeddedBroker(choice=kind)
    assert not broker.running
    assert await broker.start(port, tmp_path)
    assert await broker.start(port, tmp_path), "a second start is harmless"
    assert [broker.kind] == [kind]
    assert await answers(BrokerUrl("mqtt", "127.0.0.1", port), 60)
    pid = broker.pid
    assert pid is not None
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]
    await broker.stop()
    assert gone(pid)
    assert (broker.pid, broker.kind) == (None, None)
    assert not await answers(BrokerUrl("mqtt", "127.0.0.1", port), 60)
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
    assert await answers(BrokerUrl("mqtt", "127.0.0.1", port), 60)
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
import signal
# who was started in the background ignores it, and so do its children
signal.signal(signal.SIGINT, signal.default_int_handler)
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


def test_a_parent_killed_while_the_child_starts_leaves_nothing(kind: str, tmp_path: Path) -> None:
    """At different moments: before the helper runs, in it, behind it."""
    for delay in (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6):
        port = free_port()
        command = [sys.executable, "-c", OWNER, kind, str(port), str(tmp_path)]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as owner:
            parent = psutil.Process(owner.pid)
            wait_until(parent.children, 60.0, "a child has begun")
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
