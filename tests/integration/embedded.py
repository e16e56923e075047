# SPDX-License-Identifier: MIT
"""Embedded brokers of both kinds: what their tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from federation.adapters.broker import EmbeddedBroker
from tests.integration.brokers import Mosquitto, free_port

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
    """Where a broker on this port is."""
    return f"mqtt://127.0.0.1:{port}"


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
