# SPDX-License-Identifier: MIT
"""Starts, watches and ends the embedded broker.

mosquitto where it is installed, else amqtt; always a child process, always on
127.0.0.1, always gone when its parent is.  ``META_LOG_PEER_SYNC_EMBEDDED``
(``auto``, ``mosquitto`` or ``amqtt``) chooses one, for tests.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import federation
from federation.adapters.broker import reaper
from federation.errors import Refusal

log = logging.getLogger(__name__)

Kind = Literal["mosquitto", "amqtt"]

CHOICE: Final = "META_LOG_PEER_SYNC_EMBEDDED"
#: How long a broker may take until it answers (seconds).
START_TIMEOUT: Final = 10.0
#: How long a broker that was quicker than ours may take until it answers.
RACE_TIMEOUT: Final = 3.0
#: How long the child has between SIGTERM and SIGKILL.
STOP_TIMEOUT: Final = 1.0
#: What the child prints when its sockets are bound.
_MARKS: Final[dict[Kind, bytes]] = {"mosquitto": b" running", "amqtt": b"listening"}
#: MQTT 3.1.1, clean session, no client id, keepalive 10 s.
_CONNECT: Final = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00"
_DISCONNECT: Final = b"\xe0\x00"
#: What of our environment a broker needs; the rest may hold secrets.
_ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")

#: Everything that could grow has a bound; nothing is kept on disk, because
#: what a broker loses is sent again (end-to-end acknowledgement).
_CONFIG: Final = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
max_connections 256
message_size_limit 2097152
max_packet_size 4194304
max_inflight_messages 100
max_queued_messages 5000
max_queued_bytes 67108864
persistent_client_expiration 7d
connection_messages false
log_dest stderr
log_type error
log_type warning
log_type information
"""


class EmbeddedBroker:
    """One broker of this machine, at most one child at a time.

    ``on_exit(status)`` is called when the child ends without :meth:`stop`.
    """

    def __init__(
        self, *, choice: str | None = None, on_exit: Callable[[int], None] | None = None
    ) -> None:
        self._choice = choice or os.environ.get(CHOICE, "auto")
        self._on_exit = on_exit
        self._process: Process | None = None
        self._kind: Kind | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._stopping = False
        self._stops = 0
        self._starting = asyncio.Lock()

    @property
    def running(self) -> bool:
        """Whether the child is there."""
        return self._process is not None and self._process.returncode is None

    @property
    def kind(self) -> Kind | None:
        """What runs."""
        return self._kind if self.running else None

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._process.pid if self._process is not None and self.running else None

    async def start(self, port: int, state_dir: Path) -> bool:
        """Have a broker on this port of 127.0.0.1.

        True: a child of ours answers.  False: another broker does, perhaps
        that of a peer which started at the same moment; just connect.  Raises
        Refusal ``broker-unreachable`` when something else has the port or no
        broker comes up, ``missing-program`` when none is installed,
        ``shutting-down`` when :meth:`stop` came in between.
        """
        async with self._starting:
            return self.running or await self._start(port, state_dir)

    async def _start(self, port: int, state_dir: Path) -> bool:
        stops = self._stops
        if await _answers(port, 1.0):
            return False
        failure = Refusal("missing-program", "neither mosquitto nor amqtt")
        for kind, command in self._commands(port, state_dir):
            try:
                return await self._try(kind, command, port)
            except Refusal as refusal:
                log.warning("%s does not start: %s", kind, refusal.detail)
                failure = refusal
            if self._stops != stops:
                raise Refusal("shutting-down")
        raise failure

    async def stop(self) -> None:
        """End the child; done when it is gone."""
        self._stopping = True
        self._stops += 1
        try:
            await self._end()
        finally:
            self._stopping = False

    # --- one child ---

    def _commands(self, port: int, state_dir: Path) -> list[tuple[Kind, Sequence[str]]]:
        """What can be tried, best first."""
        commands: list[tuple[Kind, Sequence[str]]] = []
        parent = str(os.getpid())
        mosquitto = _find_mosquitto()
        if self._choice != "amqtt" and mosquitto is not None:
            config = _write_config(state_dir, port)
            helper = [sys.executable, "-I", "-S", str(reaper.__file__), parent]
            commands.append(("mosquitto", [*helper, mosquitto, "-c", str(config)]))
        if self._choice != "mosquitto" and importlib.util.find_spec("amqtt") is not None:
            module = "federation.adapters.broker.amqtt_child"
            commands.append(("amqtt", [sys.executable, "-m", module, str(port), parent]))
        return commands

    async def _try(self, kind: Kind, command: Sequence[str], port: int) -> bool:
        """Start one; see :meth:`start` for what comes back."""
        # In a session of its own: Ctrl-C is for us, who still have a goodbye to publish.
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            env=_environment(os.environ),
            start_new_session=True,
        )
        self._process, self._kind = process, kind
        lines: deque[str] = deque(maxlen=5)
        bound = asyncio.Event()
        self._watcher = asyncio.create_task(self._watch(process, kind, lines, bound))
        try:
            async with asyncio.timeout(START_TIMEOUT):
                if await self._comes_up(process, bound, port):
                    return True
        except TimeoutError:
            lines.append("no answer in time")
        await self._end()
        if await _answers_soon(port, RACE_TIMEOUT):
            return False
        raise Refusal("broker-unreachable", f"port {port}: {'; '.join(lines)[-300:]}")

    async def _comes_up(self, process: Process, bound: asyncio.Event, port: int) -> bool:
        """Wait until it has the port and answers there, or has ended."""
        ended = asyncio.ensure_future(process.wait())
        ready = asyncio.ensure_future(bound.wait())
        try:
            await asyncio.wait([ended, ready], return_when=asyncio.FIRST_COMPLETED)
            # Only now is an answer its own, and not that of a quicker peer's broker.
            while not ended.done():
                if await _answers(port, 1.0):
                    return not ended.done()
                await asyncio.sleep(0.02)
            return False
        finally:
            ended.cancel()
            ready.cancel()

    async def _watch(
        self, process: Process, kind: Kind, lines: deque[str], bound: asyncio.Event
    ) -> None:
        """Read what the child says, and notice its end."""
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # a line without an end; the rest of it comes next
                continue
            if not line:
                break
            text = line.decode(errors="replace").strip()
            log.debug("%s: %.300r", kind, text)
            lines.append(text)
            if line.rstrip().endswith(_MARKS[kind]):
                bound.set()
        status = await process.wait()
        if bound.is_set() and not self._stopping and self._process is process:
            log.warning("the embedded broker ended with status %d", status)
            self._process = None
            if self._on_exit is not None:
                self._on_exit(status)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        assert process.stdin is not None
        process.stdin.close()
        if self._watcher is not None:
            await self._watcher


async def serve_alone(
    port: int, *, on_ready: Callable[[str, int], None] | None = None, choice: str | None = None
) -> int:
    """Run the embedded broker until SIGTERM or SIGINT; the exit status.

    ``on_ready(kind, pid)`` is called when it answers.  Raises Refusal, also
    when another broker has the port.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[int] = loop.create_future()

    def finish(status: int) -> None:
        if not done.done():
            done.set_result(status)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, finish, 0)
    broker = EmbeddedBroker(choice=choice, on_exit=lambda status: finish(1))
    with tempfile.TemporaryDirectory(prefix="meta-log-broker-") as folder:
        try:
            if not await broker.start(port, Path(folder)):
                raise Refusal("broker-unreachable", f"port {port} has another broker already")
            if on_ready is not None and broker.kind is not None and broker.pid is not None:
                on_ready(broker.kind, broker.pid)
            return await done
        finally:
            await broker.stop()


def _find_mosquitto() -> str | None:
    """Debian puts it where the PATH of users does not lead."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def _write_config(state_dir: Path, port: int) -> Path:
    """A fresh configuration file, for nobody else's eyes."""
    folder = state_dir / "broker"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "mosquitto.conf"
    text = _CONFIG.format(port=port)
    if os.geteuid() == 0:
        # Changing its user would make the kernel forget to end it with us.
        text += "user root\n"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What the child gets to see of our environment; it must find our code."""
    environment = {name: ours[name] for name in _ENVIRONMENT if name in ours}
    root = str(Path(federation.__file__).parents[1])
    paths = [root, *filter(None, ours.get("PYTHONPATH", "").split(os.pathsep))]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment


async def _answers_soon(port: int, limit: float) -> bool:
    """Whether a broker answers within ``limit`` seconds; no wait where nobody listens."""
    deadline = asyncio.get_running_loop().time() + limit
    while not await _answers(port, limit):
        if asyncio.get_running_loop().time() > deadline or not await _listens(port):
            return False
        await asyncio.sleep(0.05)
    return True


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.transport.abort()
    return True


async def _answers(port: int, limit: float) -> bool:
    """Whether a broker on 127.0.0.1 answers a CONNECT; an open port is not enough."""
    try:
        async with asyncio.timeout(limit):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(_CONNECT)
                if (await reader.readexactly(2))[0] != 0x20:
                    return False
                writer.write(_DISCONNECT)
                return True
            finally:
                writer.close()
    except (OSError, asyncio.IncompleteReadError):
        return False
