# SPDX-License-Identifier: MIT
"""What the embedded broker writes, passes on and starts; its life is in tests/integration."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from federation.adapters.broker import EmbeddedBroker, embedded
from federation.errors import Refusal


def test_the_configuration_is_private_bounded_and_on_loopback(tmp_path: Path) -> None:
    path = embedded._write_config(tmp_path / "new", 18830)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    settings = [line.split(" ", 1) for line in path.read_text().splitlines()]
    assert [value for name, value in settings if name == "listener"] == ["18830 127.0.0.1"]
    names = {name for name, _ in settings}
    assert {
        "max_connections",
        "max_packet_size",
        "max_queued_bytes",
        "max_queued_messages",
        "persistent_client_expiration",
    } <= names
    assert ("user" in names) == (os.geteuid() == 0)


def test_a_symbolic_link_in_its_place_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "mosquitto.conf").symlink_to(victim)
    path = embedded._write_config(tmp_path, 18830)
    assert victim.read_text() == "precious"
    assert not path.is_symlink()


def test_the_child_sees_no_more_of_the_environment_than_it_needs() -> None:
    ours = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "MQTT_PASSWORD": "hunter2",
        "SSH_AUTH_SOCK": "/tmp/agent",
        "PYTHONPATH": f"/elsewhere{os.pathsep}",
    }
    environment = embedded._environment(ours)
    assert environment.pop("PYTHONPATH").split(os.pathsep)[1:] == ["/elsewhere"]
    assert environment == {"PATH": "/bin", "HOME": "/home/me"}


@pytest.mark.parametrize(
    ("choice", "mosquitto", "kinds"),
    [
        ("auto", "/usr/sbin/mosquitto", ["mosquitto", "amqtt"]),
        ("auto", None, ["amqtt"]),
        ("mosquitto", "/usr/sbin/mosquitto", ["mosquitto"]),
        ("mosquitto", None, []),
        ("amqtt", "/usr/sbin/mosquitto", ["amqtt"]),
        ("nonsense", "/usr/sbin/mosquitto", ["mosquitto", "amqtt"]),
    ],
)
def test_what_is_tried_and_in_which_order(
    choice: str,
    mosquitto: str | None,
    kinds: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedded, "_find_mosquitto", lambda: mosquitto)
    commands = EmbeddedBroker(choice=choice)._commands(18830, tmp_path)
    assert [kind for kind, _ in commands] == kinds
    for _, command in commands:
        assert command[0] == sys.executable
        assert str(os.getpid()) in command


def test_the_environment_chooses_where_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("META_LOG_PEER_SYNC_EMBEDDED", "amqtt")
    assert EmbeddedBroker()._choice == "amqtt"
    assert EmbeddedBroker(choice="mosquitto")._choice == "mosquitto"


async def test_without_any_broker_the_cure_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(_port: int, _limit: float) -> bool:
        return False

    monkeypatch.setattr(embedded, "_answers", silent)
    monkeypatch.setattr(embedded, "_find_mosquitto", lambda: None)
    with pytest.raises(Refusal) as caught:
        await EmbeddedBroker(choice="mosquitto").start(18830, tmp_path)
    assert caught.value.reason == "missing-program"


async def test_stop_without_start_is_nothing() -> None:
    broker = EmbeddedBroker()
    await broker.stop()
    assert (broker.running, broker.kind, broker.pid) == (False, None, None)
