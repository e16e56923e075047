# SPDX-License-Identifier: MIT
"""A front end: requests and their answers, events, and a reader that does not read."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from federation import limits
from federation.adapters.doors import FrontEnd
from federation.errors import Refusal
from federation.rpc import params as p
from federation.rpc.framing import encode
from tests.adapters.doors.fakes import MemoryWriter, request, until


class Peer:
    """Methods that answer, refuse, fail, or wait."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.running = self.most = 0

    async def status(self, _front_end: FrontEnd, _given: p.Nothing) -> dict[str, object]:
        return {"answer": "here", "text": "a\0b"}

    async def tail(self, _front_end: FrontEnd, given: p.Lines) -> dict[str, object]:
        return {"lines": ["x" * 100] * given.lines}

    async def words(self, _front_end: FrontEnd, given: p.Peer) -> dict[str, object]:
        raise Refusal("unknown-peer", given.peer_id)

    async def health(self, _front_end: FrontEnd, _given: p.Nothing) -> dict[str, object]:
        raise RuntimeError("secret detail")

    async def connect(self, _front_end: FrontEnd, _given: p.Connect) -> dict[str, object]:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.go.wait()
        self.running -= 1
        return {}


@pytest.fixture
async def peer() -> Peer:
    return Peer()


@pytest.fixture
async def writer() -> MemoryWriter:
    return MemoryWriter()


@pytest.fixture
async def front_end(peer: Peer, writer: MemoryWriter) -> AsyncIterator[FrontEnd]:
    made = FrontEnd(writer, {
        "status": peer.status, "logs.tail": peer.tail, "identity.words": peer.words,
        "health": peer.health, "peers.connect": peer.connect,
    })  # fmt: skip
    yield made
    made.close()


async def ask(front_end: FrontEnd, writer: MemoryWriter, *frames: bytes, answers: int = 1) -> Any:
    """Feed frames, and wait for this many more responses."""
    before = len(writer.responses())
    await front_end.feed(b"".join(frames))
    await until(lambda: len(writer.responses()) >= before + answers)
    return writer.responses()[before:]


# --- requests -----------------------------------------------------------------------------
async def test_an_answer(front_end: FrontEnd, writer: MemoryWriter) -> None:
    (answer,) = await ask(front_end, writer, request("status", "id-1"))
    assert answer == {
        "jsonrpc": "2.0", "id": "id-1", "result": {"answer": "here", "text": "a\ufffdb"}
    }  # fmt: skip


async def test_bytes_in_any_portions(front_end: FrontEnd, writer: MemoryWriter) -> None:
    for number, data in enumerate(request("status", 7)):
        assert writer.responses() == [], number
        await front_end.feed(bytes([data]))
    await until(writer.responses)


@pytest.mark.parametrize(
    ("frame", "code", "reason"),
    [
        (request("identity.words", peer_id="x"), 4005, "unknown-peer"),
        (request("health"), -32603, "internal-error"),
        (request("no.such"), -32601, "rpc-method-not-found"),
        (request("_send"), -32601, "rpc-method-not-found"),
        (request("identity.words"), -32602, "rpc-invalid-params"),
        (request("status", extra=1), -32602, "rpc-invalid-params"),
        (request("logs.tail", lines="5"), -32602, "rpc-invalid-params"),
        (encode(b'{"jsonrpc":"2.0","id":1,"method":"logs.tail","params":[5]}'), -32602,
         "rpc-invalid-params"),
        (encode(b"{"), -32700, "rpc-parse-error"),
        (encode(b"[]"), -32600, "rpc-invalid-request"),
        (encode(b"1"), -32600, "rpc-invalid-request"),
        (encode(b'{"jsonrpc":"1.0","id":1,"method":"status"}'), -32600, "rpc-invalid-request"),
        (encode(b'{"jsonrpc":"2.0","id":1,"result":{}}'), -32600, "rpc-invalid-request"),
        (encode(b'{"jsonrpc":"2.0","id":1,"method":"status","id":2}'), 1007, "duplicate-key"),
        (encode(b"[" + b",".join([b"1"] * 101) + b"]"), 1003, "rate-limited"),
    ],
)  # fmt: skip
async def test_a_refusal_says_why_and_the_next_request_is_answered(
    front_end: FrontEnd, writer: MemoryWriter, frame: bytes, code: int, reason: str
) -> None:
    answers = await ask(front_end, writer, frame, request("status", 99), answers=2)
    answered, refused = sorted(answers, key=lambda one: "error" in one)
    assert refused["error"]["code"] == code
    assert refused["error"]["data"]["reason"] == reason
    assert refused["error"]["data"]["hint"]
    assert "secret detail" not in json.dumps(refused)
    assert answered["id"] == 99


async def test_a_notification_is_not_answered(front_end: FrontEnd, writer: MemoryWriter) -> None:
    frames = [request(name, None) for name in ("status", "no.such", "health")]
    answers = await ask(front_end, writer, *frames, request("status", 5))
    assert [answer["id"] for answer in answers] == [5]


async def test_a_batch_is_one_answer(front_end: FrontEnd, writer: MemoryWriter) -> None:
    batch = [
        {"jsonrpc": "2.0", "id": 1, "method": "status"},
        {"jsonrpc": "2.0", "method": "status"},
        {"jsonrpc": "2.0", "id": "b", "method": "no.such"},
        5,
    ]
    (answers,) = await ask(front_end, writer, encode(json.dumps(batch).encode()))
    assert [answer["id"] for answer in answers] == [1, "b", None]
    silent = encode(json.dumps([batch[1]]).encode())
    (answer,) = await ask(front_end, writer, silent, request("status", 8))
    assert answer["id"] == 8


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"Content-Length: x\r\n\r\n", "frame-error"),
        (b"Content-Length: -1\r\n\r\n", "frame-error"),
        (b"GET / HTTP/1.1\r\n\r\n", "frame-error"),
        (b"x" * 5000, "frame-error"),
        (b"Content-Length: 99999999999\r\n\r\n", "frame-too-large"),
    ],
)
@pytest.mark.parametrize("before", [b"", request("status", 3)])
async def test_a_stream_that_cannot_be_understood_ends(
    front_end: FrontEnd, writer: MemoryWriter, data: bytes, reason: str, before: bytes
) -> None:
    with pytest.raises(Refusal, match=reason):
        await front_end.feed(before + data)
    await front_end.finish(5)
    errors = [one["error"] for one in writer.responses() if "error" in one]
    assert [error["data"]["reason"] for error in errors] == [reason]
    assert any("result" in one for one in writer.responses()) == bool(before)
    assert writer.closed


async def test_what_runs_at_once_is_bounded(
    front_end: FrontEnd, writer: MemoryWriter, peer: Peer
) -> None:
    count = limits.RPC_IN_FLIGHT + 50
    frames = [request("peers.connect", number, peer_id="x") for number in range(count)]
    feeding = asyncio.ensure_future(front_end.feed(b"".join(frames)))
    await until(lambda: peer.running == limits.RPC_IN_FLIGHT)
    for _ in range(50):
        await asyncio.sleep(0)
    assert not feeding.done()
    peer.go.set()
    await feeding
    await until(lambda: len(writer.responses()) == count)
    assert peer.most == limits.RPC_IN_FLIGHT


async def test_answers_that_nobody_reads_stop_the_reading(
    front_end: FrontEnd, writer: MemoryWriter
) -> None:
    writer.stick()
    count = 4 * limits.RPC_IN_FLIGHT
    frames = [request("logs.tail", number, lines=100) for number in range(count)]
    feeding = asyncio.ensure_future(front_end.feed(b"".join(frames)))
    for _ in range(5000):
        await asyncio.sleep(0)
    assert not feeding.done()
    assert len(front_end._responses) <= limits.RPC_IN_FLIGHT
    writer.reads.set()
    await feeding
    await until(lambda: len(writer.responses()) == count)


@pytest.mark.parametrize("end", ["close", "broken"])
async def test_who_leaves_while_it_does_not_read_ends_the_reading(
    front_end: FrontEnd, writer: MemoryWriter, end: str
) -> None:
    gone: list[bool] = []
    front_end.on_gone = lambda: gone.append(True)
    writer.stick()
    frames = [request("status", number) for number in range(2 * limits.RPC_IN_FLIGHT)]
    feeding = asyncio.ensure_future(front_end.feed(b"".join(frames)))
    await until(lambda: len(front_end._responses) > 10)
    if end == "close":
        front_end.close()
    else:
        writer.broken = True
        writer.reads.set()
    async with asyncio.timeout(5):
        await feeding
    assert front_end.closed
    assert gone == ([] if end == "close" else [True])


async def test_finishing_lets_answers_leave(
    front_end: FrontEnd, writer: MemoryWriter, peer: Peer
) -> None:
    await front_end.feed(request("peers.connect", 1, peer_id="x") + request("status", 2))
    asyncio.get_running_loop().call_soon(peer.go.set)
    await front_end.finish(5)
    assert {answer["id"] for answer in writer.responses()} == {1, 2}
    assert writer.closed


async def test_finishing_does_not_wait_for_ever(
    front_end: FrontEnd, writer: MemoryWriter, peer: Peer
) -> None:
    writer.stick()
    await front_end.feed(request("peers.connect", 1, peer_id="x") + request("status", 2))
    await asyncio.wait_for(front_end.finish(0.05), 30)
    assert writer.closed


# --- events -------------------------------------------------------------------------------
def event(number: int, name: str = "message-received", **fields: object) -> dict[str, object]:
    return {"event": name, "number": number, **fields}


async def test_events_come_to_who_subscribed(front_end: FrontEnd, writer: MemoryWriter) -> None:
    front_end.notify("ready", event(0))
    front_end.subscribed = True
    for number in range(1, 4):
        front_end.notify("ready", event(number, "ready", text="a\0b"))
    await until(lambda: len(writer.events()) == 3)
    assert [one["number"] for one in writer.events()] == [1, 2, 3]
    assert writer.events()[0]["text"] == "a\ufffdb"


async def test_events_leave_in_batches_that_emacs_takes(
    front_end: FrontEnd, writer: MemoryWriter
) -> None:
    front_end.subscribed = True
    for number in range(300):
        front_end.notify("message-received", event(number, text="x" * 1000))
    await until(lambda: len(writer.events()) == 300)
    assert [one["number"] for one in writer.events()] == list(range(300))
    frames = writer.data.split(b"Content-Length: ")[1:]
    assert all(len(frame) <= limits.RPC_NOTIFICATION + 200 for frame in frames)
    assert len(frames) < 10


async def test_one_large_event_is_a_batch_of_its_own(
    front_end: FrontEnd, writer: MemoryWriter
) -> None:
    front_end.subscribed = True
    for number in range(3):
        front_end.notify("message-received", event(number, text="x" * limits.RPC_NOTIFICATION))
    await until(lambda: len(writer.events()) == 3)
    assert len(writer.frames()) == 3


async def test_answers_go_before_events(front_end: FrontEnd, writer: MemoryWriter) -> None:
    front_end.subscribed = True
    writer.stick()
    front_end.notify("ready", event(0))
    await until(lambda: writer.data)
    for number in range(200):
        front_end.notify("message-received", event(number, text="x" * 5000))
    await front_end.feed(request("status", 1))
    await until(lambda: front_end._responses)
    writer.reads.set()
    await until(lambda: len(writer.events()) == 201)
    kinds = ["event" if frame.get("method") else "answer" for frame in writer.frames()]
    assert kinds[:2] == ["event", "answer"]


async def test_a_slow_reader_loses_no_document_and_no_memory(
    front_end: FrontEnd, writer: MemoryWriter
) -> None:
    front_end.subscribed = True
    writer.stick()
    count, documents = 100_000, 500
    start = time.monotonic()
    for number in range(count):
        if number % 2:
            file = f"{number % documents}.md"
            front_end.notify("document-changed", event(number, "document-changed", file=file))
        else:
            front_end.notify("message-received", event(number, text="x" * 100))
    assert time.monotonic() - start < 30
    assert len(front_end._events) <= limits.RPC_EVENT_QUEUE
    assert front_end._event_bytes <= limits.RPC_EVENT_QUEUE_BYTES
    assert front_end._event_bytes == sum(len(data) for _key, data in front_end._events)
    writer.reads.set()
    await until(lambda: not front_end._events, 30)
    await until(lambda: writer.events()[-1]["number"] == count - 1)
    seen = writer.events()
    last = {one["file"]: one["number"] for one in seen if one["event"] == "document-changed"}
    assert last == {f"{number % documents}.md": number
                    for number in range(count - documents, count) if number % 2}  # fmt: skip
    dropped = sum(one["count"] for one in seen if one["event"] == "events-dropped")
    numbers = [one["number"] for one in seen if one["event"] != "events-dropped"]
    assert dropped + len(numbers) == count
    assert numbers == sorted(numbers)


async def test_more_documents_than_events_fit_stays_quick(
    front_end: FrontEnd, monkeypatch: pytest.MonkeyPatch, writer: MemoryWriter
) -> None:
    monkeypatch.setattr(limits, "RPC_EVENT_QUEUE", 1000)
    slow = FrontEnd(writer, {})
    slow.subscribed = True
    writer.stick()
    shrunk = 0
    shrink = FrontEnd._shrink

    def counted(self: FrontEnd) -> None:
        nonlocal shrunk
        shrunk += 1
        shrink(self)

    monkeypatch.setattr(FrontEnd, "_shrink", counted)
    for number in range(20_000):
        name = f"{number}.md"
        slow.notify("document-changed", event(number, "document-changed", file=name))
    assert len(slow._events) == 20_000
    assert shrunk < 20
    slow.close()
    assert front_end.topics == set()


async def test_nothing_is_queued_for_who_is_gone(front_end: FrontEnd, writer: MemoryWriter) -> None:
    front_end.subscribed = True
    front_end.close()
    front_end.notify("ready", event(1))
    assert not front_end._events
    assert writer.closed
