# SPDX-License-Identifier: MIT
"""Real brokers for tests: on a free port, killed, restarted and wiped at will.

    with Mosquitto(tmp_path) as broker:
        broker.port, broker.url
        broker.kill(); broker.start()       # SIGKILL, and back
        broker.kill(); broker.wipe(); broker.start()

Waiting is on conditions with a deadline; nothing here sleeps for a fixed time.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import pytest

ROOT = Path(__file__).parents[2]
CONNECT = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def answers(port: int) -> bool:
    """Whether a broker on 127.0.0.1 answers a CONNECT (any answer counts)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as sock:
            sock.sendall(CONNECT)
            return sock.recv(1) == b"\x20"
    except OSError:
        return False


async def until(condition: Callable[[], object], limit: float = 60.0, what: str = "") -> None:
    """Wait until ``condition()`` is true; fail after ``limit`` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {limit} s: {what or condition}")
        await asyncio.sleep(0.005)


def wait_until(condition: Callable[[], object], limit: float = 60.0, what: str = "") -> None:
    """Like :func:`until`, without a loop."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {limit} s: {what or condition}")
        time.sleep(0.005)


class RealBroker:
    """A broker process on 127.0.0.1; started by ``with`` or :meth:`start`."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = directory
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"mqtt://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        """How it is started."""
        raise NotImplementedError

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        assert self.process is None, "it runs already"
        log = (self.directory / "broker.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                self.command(), cwd=ROOT, stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        wait_until(self._ready, 60.0, "the broker answers")
        return self

    def _ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            pytest.fail((self.directory / "broker.log").read_text()[-2000:])
        return answers(self.port)

    def kill(self) -> None:
        """SIGKILL: nothing is saved."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM: it may save what it has."""
        self._end(signal.SIGTERM)

    def wipe(self) -> None:
        """Forget everything on disk."""
        assert self.process is None, "stop it first"

    def freeze(self) -> None:
        """SIGSTOP: the connections stay, nothing answers."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def _end(self, number: int) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
            process.wait(timeout=60)
            assert process.stdin is not None
            process.stdin.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()


class Mosquitto(RealBroker):
    """A real mosquitto.

    ``config``: further lines of mosquitto.conf; ``listener``: lines that
    replace the plain listener; ``persistence``: saved at every change, so that
    it survives even :meth:`kill`.
    """

    def __init__(
        self,
        directory: Path,
        config: str = "",
        *,
        port: int | None = None,
        listener: str | None = None,
        anonymous: bool = True,
        persistence: bool = False,
    ) -> None:
        super().__init__(directory, port)
        self.config = config
        self.listener = listener or f"listener {self.port} 127.0.0.1"
        self.anonymous = anonymous
        self.persistence = persistence

    @staticmethod
    def program() -> str:
        """Where it is; the test is skipped where it is not installed."""
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            pytest.skip("mosquitto is not installed")
        return program

    def command(self) -> Sequence[str]:
        database = self.directory / "mosquitto"
        database.mkdir(exist_ok=True)
        lines = [self.listener, f"allow_anonymous {str(self.anonymous).lower()}"]
        if os.geteuid() == 0:
            lines.append("user root")
        if self.persistence:
            lines += [
                "persistence true",
                f"persistence_location {database}/",
                "autosave_on_changes true",
                "autosave_interval 1",
            ]
        conf = self.directory / "mosquitto.conf"
        conf.write_text("\n".join([*lines, self.config, ""]))
        return [self.program(), "-c", str(conf)]

    def wipe(self) -> None:
        super().wipe()
        shutil.rmtree(self.directory / "mosquitto", ignore_errors=True)


class Amqtt(RealBroker):
    """The embedded broker's amqtt, as a process of its own (nothing on disk)."""

    def command(self) -> Sequence[str]:
        return [
            sys.executable,
            "-m",
            "federation.adapters.broker.amqtt_child",
            str(self.port),
            str(os.getpid()),
        ]
