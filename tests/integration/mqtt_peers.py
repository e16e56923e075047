# SPDX-License-Identifier: MIT
"""Clients for broker tests: the adapter with a memory, and one in a process to be killed."""

from __future__ import annotations

import asyncio
import random
import shutil
import subprocess
import sys
from typing import Self

import pytest

from federation.adapters.mqtt import (
    ConnectionInfo,
    MqttCallbacks,
    MqttConnection,
    MqttOptions,
    Will,
)
from federation.broker_url import parse

from .brokers import ROOT, until


class Peer:
    """A connection, and everything it was told."""

    def __init__(self, url: str, name: str, will: Will | None = None, **options: object) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self.ups: list[ConnectionInfo] = []
        self.downs: list[str] = []
        self.unreachable: list[str] = []
        callbacks = MqttCallbacks(
            on_message=lambda *message: self.messages.append(message),
            on_up=self.ups.append,
            on_down=self.downs.append,
            on_unreachable=self.unreachable.append,
            make_will=lambda: will,
        )
        settings = {"client_id": name, **options}
        self.mqtt = MqttConnection(
            parse(url),
            MqttOptions(**settings),  # type: ignore[arg-type]
            callbacks,
            random=random.Random(1).random,
        )

    async def __aenter__(self) -> Self:
        await self.mqtt.start()
        return self

    async def up(self) -> Peer:
        """Wait until it is connected."""
        await until(lambda: self.mqtt.up, what=f"{self.mqtt} up")
        return self

    async def hears(self, payload: bytes, limit: float = 60.0) -> tuple[str, bytes, bool]:
        """Wait for a message; the first with this payload."""
        await until(lambda: any(m[1] == payload for m in self.messages), limit, repr(payload))
        return next(m for m in self.messages if m[1] == payload)

    async def __aexit__(self, *_: object) -> None:
        await self.mqtt.stop()


async def done(result: asyncio.Future[str]) -> str:
    return await asyncio.wait_for(result, 60)


CLIENT = """
import asyncio, sys
from federation.adapters.mqtt import MqttCallbacks, MqttConnection, MqttOptions
from federation.broker_url import parse

async def main():
    callbacks = MqttCallbacks(
        on_message=lambda *m: None,
        on_up=lambda info: print("up", flush=True),
        make_will=lambda: ("presence/child", b"offline", 1, True),
    )
    connection = MqttConnection(
        parse(sys.argv[1]),
        MqttOptions(client_id=sys.argv[2], persistent=True),
        callbacks,
        random=lambda: 0.0,
    )
    await connection.start()
    await asyncio.to_thread(sys.stdin.readline)
    await connection.stop([("presence/child", b"goodbye", 1, True)])

asyncio.run(main())
"""


def child(url: str, name: str = "child") -> subprocess.Popen[bytes]:
    """A client in a process of its own; a line on its input ends it properly."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLIENT, url, name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    return process


def tool(name: str) -> str:
    """A program, or the test is skipped."""
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    return program
