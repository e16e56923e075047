# SPDX-License-Identifier: MIT
"""The stage of the demonstration: its processes, what they report, and their end.

Every process has a home and a state directory of its own below one folder.
Their reports are JSON lines: a bot's on standard output, an Emacs's on standard
error behind ``@demo``.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import federation
from federation.adapters import runtime
from federation.adapters.broker.embedded import CHOICE
from federation.broker_url import BrokerUrl
from federation.errors import Refusal

Report = dict[str, Any]
_MARK: Final = "@demo "
#: How long a process has to end by itself (seconds); its promise is three.
_PATIENCE: Final = 6.0
#: How often is looked whether a process has ended (seconds).
_INTERVAL: Final = 0.1
#: MQTT 3.1.1 CONNECT without a client id, and what begins every answer to it.
_CONNECT: Final = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00"
_CONNACK: Final = 0x20


@dataclass
class Actor:
    """One process: its name, what it reported, and the end of what else it said."""

    name: str
    process: subprocess.Popen[str]
    reports: list[Report] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


class Stage:
    """Processes below one folder, ended by ``close`` whatever happened."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.actors: list[Actor] = []
        #: Variables that every actor started from now on gets beside its own.
        self.variables: dict[str, str] = {}
        self._environ = environ
        self._ears: list[threading.Thread] = []
        self._news: queue.Queue[None] = queue.Queue()
        (folder / "run").mkdir(mode=0o700, exist_ok=True)

    def environment(self, home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of an actor: a home of its own, this installation first on PATH."""
        home.mkdir(mode=0o700, exist_ok=True)
        kept = {
            name: value for name, value in self._environ.items()
            if not name.startswith(("META_LOG_", "MQTT_BROKER", "XDG_", "EMACS")) or name == CHOICE
        }  # fmt: skip
        programs = os.path.dirname(sys.executable)
        code = str(Path(federation.__file__).resolve().parents[1])
        return {
            **kept,
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "PATH": programs + os.pathsep + kept.get("PATH", os.defpath),
            "PYTHONPATH": os.pathsep.join(filter(None, (code, kept.get("PYTHONPATH")))),
            **self.variables,
            **(more or {}),
        }

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Actor:
        """Start a process; its reports arrive from now on."""
        try:
            process = subprocess.Popen(
                command, env=dict(environment), cwd=self.folder, text=True, errors="replace",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError:
            hint = "on Debian: apt-get install emacs-nox"
            raise Refusal("missing-program", command[0], hint=hint) from None
        actor = Actor(name, process)
        self.actors.append(actor)
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            ear = threading.Thread(target=self._listen, args=(actor, stream), daemon=True)
            self._ears.append(ear)
            ear.start()
        return actor

    def _listen(self, actor: Actor, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                text = line.strip().removeprefix(_MARK)
                report: object = None
                if text.startswith("{"):
                    with contextlib.suppress(ValueError):
                        report = json.loads(text)
                if isinstance(report, dict) and "event" in report:
                    actor.reports.append(report)
                    self._news.put(None)
                else:
                    actor.said = [*actor.said[-20:], text]
        self._news.put(None)

    def wait(self, what: str, found: Callable[[], Report | None], timeout: float) -> Report:
        """The report that ``found`` finds, as soon as it does.

        Raises :class:`Refusal`: ``timeout`` after ``timeout`` seconds,
        ``internal-error`` as soon as a process has ended that should not.
        """
        deadline = time.monotonic() + timeout
        while True:
            gone = [actor.name for actor in self.actors if actor.process.poll() is not None]
            if gone:
                # What it said last may still be on its way.
                time.sleep(_INTERVAL)
            if (report := found()) is not None:
                return report
            where = f"see {self.folder}"
            if gone:
                detail = f"{', '.join(gone)} ended before {what}"
                raise Refusal("internal-error", detail, hint=where)
            if time.monotonic() > deadline:
                raise Refusal("timeout", what, hint=where)
            with contextlib.suppress(queue.Empty):
                self._news.get(timeout=_INTERVAL)

    def wait_for(self, actor: Actor, event: str, timeout: float, **fields: object) -> Report:
        """The first report of this event whose fields have these values."""

        def found() -> Report | None:
            for report in list(actor.reports):
                if report["event"] == event and fields.items() <= report.items():
                    return report
            return None

        return self.wait(f"{actor.name}: {event}", found, timeout)

    def close(self) -> list[str]:
        """End everything; the names of what had to be killed."""
        stop = self.folder / "stop"
        stop.touch()
        # The sidecars are children of the Emacsen: they have to follow by themselves.
        sidecars = {
            peer.pid: f"the sidecar of {peer.state_dir}"
            for lock in self.folder.glob("*/**/" + runtime.LOCK_NAME)
            if (peer := runtime.running_peer(lock.parent)) is not None
        }
        for actor in reversed(self.actors):
            if "Emacs" not in actor.name:
                continue
            self._end(actor, None)
        killed = [actor.name for actor in self.actors if not self._end(actor, signal.SIGTERM)]
        deadline = time.monotonic() + _PATIENCE
        for pid, name in sidecars.items():
            while _lives(pid) and time.monotonic() < deadline:
                time.sleep(_INTERVAL)
            if _lives(pid):
                killed.append(name)
                os.kill(pid, signal.SIGKILL)
        for ear in self._ears:
            ear.join(_PATIENCE)
        stop.unlink(missing_ok=True)
        return killed

    def _end(self, actor: Actor, number: signal.Signals | None) -> bool:
        """Whether it ended in time."""
        process = actor.process
        if process.poll() is None and number is not None:
            process.send_signal(number)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            if number is None:
                return False
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return False
        return True


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def answers(url: BrokerUrl) -> bool:
    """Whether somebody answers there; a plain MQTT broker has to speak MQTT."""
    try:
        with socket.create_connection((url.host, url.port), timeout=2) as connection:
            if url.is_tls or url.is_websocket:
                return True
            connection.sendall(_CONNECT)
            return connection.recv(1)[:1] == bytes([_CONNACK])
    except OSError:
        return False
