# SPDX-License-Identifier: MIT
"""Real peer processes for tests, and clients that share no code with them.

    with Peer(tmp_path / "bob", broker.url) as bob:          # `bot`, ready
        bob.call("status")["peer_id"]
        bob.kill(); bob.start()                               # SIGKILL, and back

    with Peer(tmp_path / "emacs", broker.url, mode="stdio") as sidecar:
        sidecar.stdio.call("status")

Waiting is on conditions with a deadline; nothing here sleeps for a fixed time.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal, Self

import pytest

from federation.identity import protect
from tests.integration.brokers import ROOT, wait_until

Row = dict[str, Any]


class RpcError(Exception):
    """An error response: its code, message and data."""

    def __init__(self, error: Row) -> None:
        super().__init__(f"{error['code']}: {error['message']} {error.get('data')}")
        self.code: int = error["code"]
        self.message: str = error["message"]
        data = error.get("data")
        self.reason: str = data.get("reason", "") if isinstance(data, dict) else ""


class Rpc:
    """JSON-RPC with Content-Length framing over two functions; written from the specification."""

    def __init__(self, write: Callable[[bytes], object], read: Callable[[float], bytes]) -> None:
        self._write = write
        self._read = read
        self._pending = b""
        self._number = 0
        #: events of ``events`` notifications, oldest first
        self.events: list[Row] = []

    def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._write(data)

    def send(self, body: bytes) -> None:
        """Send one frame."""
        self._write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def receive(self, timeout: float = 60.0) -> Any:
        """The next frame's value; EOFError at the end, TimeoutError after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            head, found, rest = self._pending.partition(b"\r\n\r\n")
            if found:
                name, _, length = head.partition(b":")
                assert name == b"Content-Length", head
                size = int(length)
                if len(rest) >= size:
                    self._pending = rest[size:]
                    return json.loads(rest[:size])
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            data = self._read(remaining)
            if not data:
                raise EOFError
            self._pending += data

    def response(self, timeout: float = 60.0) -> Any:
        """The next frame that is a response or a batch of them; events are kept."""
        deadline = time.monotonic() + timeout
        while True:
            value = self.receive(max(deadline - time.monotonic(), 0.0))
            if isinstance(value, dict) and value.get("method") == "events":
                self.events += value["params"]["events"]
                continue
            return value

    def call(self, method: str, params: Row | None = None, timeout: float = 60.0) -> Row:
        """One request and its result; RpcError for an error."""
        self._number += 1
        request = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params or {}}
        self.send(json.dumps(request).encode())
        value = self.response(timeout)
        assert value["id"] == self._number, value
        if "error" in value:
            raise RpcError(value["error"])
        result: Row = value["result"]
        return result

    def collect(self, reached: Callable[[list[Row]], object], limit: float = 60.0) -> list[Row]:
        """Read events until ``reached(events)``; fail after ``limit`` seconds."""
        deadline = time.monotonic() + limit
        while not reached(self.events):
            try:
                value = self.receive(deadline - time.monotonic())
            except TimeoutError:
                pytest.fail(f"not within {limit} s; the last events: {self.events[-5:]}")
            if isinstance(value, dict) and value.get("method") == "events":
                self.events += value["params"]["events"]
        return self.events


def place_identity(state_dir: Path, seed: bytes) -> None:
    """Put the identity of a seed into a state directory, under a key file."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = secrets.token_bytes(protect.SECRET_BYTES)
    data = protect.seal(
        seed, "key-file", secret=secret,
        salt=secrets.token_bytes(protect.SALT_BYTES),
        nonce=secrets.token_bytes(protect.NONCE_BYTES),
    )  # fmt: skip
    for name, content in (("identity.json", data), ("identity.key", secret)):
        with open(os.open(state_dir / name, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(content)


def command(*arguments: str) -> list[str]:
    """The command line of a verb."""
    return [sys.executable, "-m", "federation", *arguments]


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment that has nothing of the user's: own home, own runtime directory."""
    runtime = home / "run"
    runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "LANG": "C.UTF-8",
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "PYTHONPATH": str(ROOT),
        **(extra or {}),
    }  # fmt: skip


class Peer:
    """A peer process on a state directory of its own; started by ``with`` or :meth:`start`."""

    def __init__(
        self,
        state_dir: Path,
        broker_url: str | None,
        *,
        mode: Literal["bot", "stdio"] = "bot",
        seed: bytes | None = None,
        flags: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.state_dir = state_dir
        self.broker_url = broker_url
        self.mode = mode
        self.flags = tuple(flags)
        self.prefix = tuple(prefix)
        self.env = environment(state_dir.parent / f"{state_dir.name}-home", env)
        self.process: subprocess.Popen[bytes] | None = None
        #: the JSON lines of a bot's standard output, oldest first, of all starts
        self.events: list[Row] = []
        self.stdio: Rpc
        self._reader: threading.Thread | None = None
        self._rpc: Rpc | None = None
        self._socket: socket.socket | None = None
        if seed is not None:
            place_identity(state_dir, seed)

    @property
    def synced(self) -> Path:
        """Where the documents are."""
        return self.state_dir / "synced"

    @property
    def log(self) -> Path:
        """The log file."""
        return self.state_dir / "peer.log"

    @property
    def errors(self) -> Path:
        """What it wrote to standard error."""
        return self.state_dir.parent / f"{self.state_dir.name}.stderr"

    @property
    def pid(self) -> int:
        """The process id."""
        assert self.process is not None
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    # --- life -----------------------------------------------------------------------
    def start(self, *, connected: bool = True) -> Self:
        """Start it; wait until it is ready, and its broker connected if wanted."""
        assert self.process is None, "it runs already"
        verb = ["bot"] if self.mode == "bot" else ["serve", "--stdio"]
        arguments = [*verb, "--state-dir", str(self.state_dir)]
        if self.broker_url is not None:
            arguments += ["--broker-url", self.broker_url]
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [*self.prefix, *command(*arguments, *self.flags)],
                cwd=self.env["HOME"], env=self.env, stderr=errors,
                stdin=subprocess.PIPE if self.mode == "stdio" else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
            )  # fmt: skip
        assert self.process.stdout is not None
        if self.mode == "stdio":
            self.stdio = _pipe_rpc(self.process)
            self.stdio.call("status")
        else:
            ready = sum(one["event"] == "ready" for one in self.events)
            self._reader = threading.Thread(target=self._read, args=(self.process.stdout,))
            self._reader.start()
            self.wait(lambda: self._count("ready") > ready, what="ready")
        if connected:
            self.wait(
                lambda: self.call("status")["broker"]["state"] == "connected", what="connected"
            )
        return self

    def _count(self, event: str) -> int:
        return sum(one["event"] == event for one in self.events)

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            self.events.append(json.loads(line))

    def wait(self, condition: Callable[[], object], limit: float = 60.0, what: str = "") -> None:
        """Wait for a condition while the process lives."""

        def reached() -> object:
            process = self.process
            if process is not None and process.poll() is not None and not condition():
                errors = self.errors.read_text()[-2000:]
                pytest.fail(f"it ended with {process.returncode}: {errors}")
            return condition()

        wait_until(reached, limit, what)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, as a service manager does; its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        process, self.process = self.process, None
        self.hang_up()
        if process is None:
            return 0
        process.send_signal(number)
        code = process.wait(timeout=60)
        if self._reader is not None:
            self._reader.join(10)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        return code

    def __enter__(self) -> Self:
        return self if self.process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    # --- talking ----------------------------------------------------------------------
    def call(self, method: str, params: Row | None = None, timeout: float = 60.0) -> Row:
        """A request over the control socket."""
        if self._rpc is None:
            self._socket = self.connect()
            self._rpc = socket_rpc(self._socket)
        try:
            return self._rpc.call(method, params, timeout)
        except (OSError, EOFError):
            self.hang_up()
            raise

    def connect(self) -> socket.socket:
        """A new connection to the control socket."""
        record = json.loads((self.state_dir / "lock").read_text())
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(record["socket"])
        except OSError:  # it was killed meanwhile
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def front_end(self) -> Iterator[Rpc]:
        """Another client of the control socket."""
        with self.connect() as connection:
            yield socket_rpc(connection)

    def hang_up(self) -> None:
        """Close the connection of :meth:`call`."""
        if self._socket is not None:
            self._socket.close()
        self._socket = self._rpc = None

    # --- looking ------------------------------------------------------------------------
    def peer(self, peer_id: str) -> Row | None:
        """The row of a known peer."""
        rows = self.call("peers.list")["peers"]
        return next((row for row in rows if row["peer_id"] == peer_id), None)

    def history(self, file: str) -> list[Row]:
        """The revisions of a document; none for an unknown one."""
        try:
            rows: list[Row] = self.call("documents.history", {"file": file})["revisions"]
        except RpcError as error:
            if error.reason != "unknown-document":
                raise
            return []
        return rows

    def peak_memory(self) -> int:
        """The largest resident size since :meth:`forget_peak`, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(one for one in status.splitlines() if one.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def forget_peak(self) -> int:
        """Set the peak back to what is resident now; that size in bytes."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self.peak_memory()


def socket_rpc(connection: socket.socket) -> Rpc:
    """A client over a connected socket."""

    def read(timeout: float) -> bytes:
        connection.settimeout(timeout)
        return connection.recv(1 << 20)

    def write(data: bytes) -> None:
        connection.settimeout(30)
        connection.sendall(data)

    return Rpc(write, read)


def _pipe_rpc(process: subprocess.Popen[bytes]) -> Rpc:
    """A client over the pipes of a process."""
    import select

    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None
    assert stdout is not None

    def read(timeout: float) -> bytes:
        ready, _, _ = select.select([stdout], [], [], timeout)
        return os.read(stdout.fileno(), 1 << 20) if ready else _timed_out()

    def write(data: bytes) -> None:
        stdin.write(data)
        stdin.flush()

    return Rpc(write, read)


def _timed_out() -> bytes:
    raise TimeoutError
