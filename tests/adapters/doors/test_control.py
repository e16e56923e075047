# SPDX-License-Identifier: MIT
"""The doors: a private socket, bounded clients, and an end that is an end."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from federation import limits
from federation.adapters.doors import Doors, FrontEnd
from federation.rpc import params as p
from federation.rpc.framing import FrameDecoder, encode
from tests.adapters.doors.fakes import request, until


async def status(_front_end: FrontEnd, _given: p.Nothing) -> dict[str, object]:
    return {"answer": "here"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
async def doors(path: Path) -> AsyncIterator[Doors]:
    made = Doors({"status": status})
    await made.listen(path)
    yield made
    await made.close()


class Client:
    """Somebody at the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.decoder = FrameDecoder()

    @classmethod
    async def connect(cls, path: Path) -> Client:
        return cls(*await asyncio.open_unix_connection(str(path)))

    async def next(self) -> Any:
        """The next frame; None at the end."""
        async with asyncio.timeout(10):
            while data := await self.reader.read(65536):
                for body in self.decoder.feed(data):
                    return json.loads(body)
        return None

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            return


async def test_the_socket_is_private(doors: Doors, path: Path) -> None:
    mode = os.stat(path).st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert os.umask(0o022) == 0o022
    assert doors.front_ends == set()


async def test_a_client_is_answered_and_leaves(doors: Doors, path: Path) -> None:
    gone: list[FrontEnd] = []
    doors.on_gone = gone.append
    client = await Client.connect(path)
    client.writer.write(request("status", 5))
    assert (await client.next())["id"] == 5
    assert len(doors.front_ends) == 1
    await client.close()
    await until(lambda: not doors.front_ends)
    assert len(gone) == 1


async def test_the_end_of_input_still_gets_its_answers(doors: Doors, path: Path) -> None:
    client = await Client.connect(path)
    client.writer.write(request("status", 1) + request("status", 2))
    client.writer.write_eof()
    frames: list[Any] = []
    async with asyncio.timeout(10):
        while data := await client.reader.read(65536):
            frames += [json.loads(body) for body in client.decoder.feed(data)]
    assert [answer["id"] for answer in frames] == [1, 2]
    await until(lambda: not doors.front_ends)
    await client.close()


async def test_a_client_that_talks_nonsense_is_told_and_cut_off(doors: Doors, path: Path) -> None:
    client, other = await Client.connect(path), await Client.connect(path)
    client.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await client.next())["error"]["data"]["reason"] == "frame-error"
    assert await client.next() is None
    other.writer.write(request("status", 3))
    assert (await other.next())["id"] == 3
    await client.close()
    await other.close()
    assert len(doors.front_ends) <= 1


async def test_clients_are_bounded(
    doors: Doors, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CONTROL_CLIENTS", 3)
    clients = [await Client.connect(path) for _ in range(3)]
    await until(lambda: len(doors.front_ends) == 3)
    turned_away = await Client.connect(path)
    assert await turned_away.next() is None
    await clients[0].close()
    await until(lambda: len(doors.front_ends) == 2)
    late = await Client.connect(path)
    late.writer.write(request("status", 9))
    assert (await late.next())["id"] == 9
    for client in (*clients[1:], turned_away, late):
        await client.close()


async def test_a_socket_left_behind_is_replaced(path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    doors = Doors({"status": status})
    await doors.listen(path)
    client = await Client.connect(path)
    client.writer.write(request("status", 1))
    assert (await client.next())["id"] == 1
    await client.close()
    await doors.close()
    assert path.name not in os.listdir(path.parent)


async def test_closing_ends_every_client(path: Path) -> None:
    doors = Doors({"status": status})
    await doors.listen(path)
    clients = [await Client.connect(path) for _ in range(5)]
    await until(lambda: len(doors.front_ends) == 5)
    async with asyncio.timeout(5):
        await doors.close()
    for client in clients:
        assert await client.next() is None
        await client.close()
    assert doors.front_ends == set()


SERVE = """
import asyncio
from federation.adapters.doors import Doors
async def status(front_end, given):
    return {"answer": "here"}
asyncio.run(Doors({"status": status}).serve_stdio())
"""


def serve(data: bytes, **how: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", SERVE], input=data, timeout=20, check=False,
        **{"capture_output": True, **how},
    )  # fmt: skip


def test_standard_input_is_served_to_its_end() -> None:
    done = serve(request("status", 1) + request("status", 2))
    answers = [json.loads(body) for body in FrameDecoder().feed(done.stdout)]
    assert [answer["id"] for answer in answers] == [1, 2]
    assert (done.returncode, done.stderr) == (0, b"")


def test_standard_output_may_be_a_file(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with target.open("wb") as stream:
        done = serve(
            request("status", 1), capture_output=False, stdout=stream, stderr=subprocess.PIPE
        )
    assert done.returncode == 0
    (body,) = FrameDecoder().feed(target.read_bytes())
    assert json.loads(body)["id"] == 1


@pytest.mark.parametrize("data", [b"", b"Content-Length: 5\r\n\r\n{", b"nonsense\r\n\r\n"])
def test_any_end_of_input_is_an_end(data: bytes) -> None:
    done = serve(data)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


def test_a_batch_of_batches_leaves_whole() -> None:
    batch = encode(json.dumps([{"jsonrpc": "2.0", "id": n, "method": "status"}
                               for n in range(100)]).encode())  # fmt: skip
    done = serve(batch * 20)
    answers = [json.loads(body) for body in FrameDecoder().feed(done.stdout)]
    assert [len(answer) for answer in answers] == [100] * 20
