# SPDX-License-Identifier: MIT
"""WebSocket frames and the upgrade."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.adapters.mqtt.packets import BrokerError
from federation.adapters.mqtt.websocket import WebSocketCodec, check_answer, request
from federation.broker_url import parse


def codec(mask: bytes = b"\x01\x02\x03\x04") -> WebSocketCodec:
    return WebSocketCodec(lambda size: mask[:size])


def frame(payload: bytes, opcode: int = 2, *, final: bool = True) -> bytes:
    """A frame as a server sends it."""
    head = bytes((opcode | (0x80 if final else 0),))
    if len(payload) < 126:
        head += bytes((len(payload),))
    elif len(payload) < 65536:
        head += b"\x7e" + len(payload).to_bytes(2)
    else:
        head += b"\x7f" + len(payload).to_bytes(8)
    return head + payload


def unmask(data: bytes) -> tuple[int, bytes]:
    """Opcode and payload of a client's frame, byte by byte as RFC 6455 says it."""
    size, position = data[1] & 0x7F, 2
    assert data[1] & 0x80
    if size == 126:
        size, position = int.from_bytes(data[2:4]), 4
    elif size == 127:
        size, position = int.from_bytes(data[2:10]), 10
    mask, body = data[position : position + 4], data[position + 4 :]
    assert len(body) == size
    return data[0] & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(body))


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 125, 126, 127, 65535, 65536, 70001])
def test_what_is_encoded_reads_back(size: int) -> None:
    payload = bytes(i * 7 % 256 for i in range(size))
    assert unmask(codec(b"\xde\xad\xbe\xef").encode(payload)) == (2, payload)


def test_the_example_of_the_rfc() -> None:
    # RFC 6455, section 5.7: a masked "Hello", as text there, as binary here.
    encoded = codec(bytes.fromhex("37fa213d")).encode(b"Hello")
    assert encoded == bytes.fromhex("8285 37fa213d 7f9f4d5158".replace(" ", ""))


@given(st.lists(st.binary(max_size=300), max_size=8), st.data())
def test_frames_may_come_in_any_cut(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(frame(payload) for payload in payloads)
    reader, seen = codec(), b""
    while stream:
        size = data.draw(st.integers(1, 200))
        seen += reader.decode(stream[:size])
        stream = stream[size:]
    assert seen == b"".join(payloads)


def test_fragments_are_one_stream() -> None:
    stream = frame(b"ab", final=False) + frame(b"cd", 0, final=False) + frame(b"ef", 0)
    assert codec().decode(stream) == b"abcdef"


def test_a_ping_between_fragments_is_answered() -> None:
    reader = codec()
    assert reader.decode(frame(b"a", final=False) + frame(b"?", 9) + frame(b"b", 0)) == b"ab"
    assert unmask(reader.take_replies()) == (10, b"?")
    assert reader.take_replies() == b""


def test_a_close_is_answered_and_ends_it() -> None:
    reader = codec()
    assert reader.decode(frame(b"a") + frame(b"\x03\xe8", 8) + frame(b"never")) == b"a"
    assert reader.closed
    assert unmask(reader.take_replies()) == (8, b"\x03\xe8")


def test_payload_comes_out_before_its_frame_is_complete() -> None:
    reader = codec()
    assert reader.decode(frame(b"x" * 70000)[:1000]) == b"x" * 990


@pytest.mark.parametrize(
    "data",
    [
        b"\x81\x01a",  # text
        b"\x82\x81\0\0\0\0a",  # masked
        b"\xc2\x01a",  # compressed
        b"\x83\x00",  # reserved opcode
        b"\x89\x7e\x00\x80",  # a long ping
        b"\x09\x00",  # a ping in fragments
    ],
)
def test_what_breaks_the_protocol_ends_the_connection(data: bytes) -> None:
    with pytest.raises(BrokerError):
        codec().decode(data)


def answer(nonce: bytes, **changes: str) -> bytes:
    question = base64.b64encode(nonce) + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    proof = hashlib.sha1(question, usedforsecurity=False)
    fields = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": base64.b64encode(proof.digest()).decode(),
        "Sec-WebSocket-Protocol": "mqtt",
    }
    fields.update({name.replace("_", "-"): value for name, value in changes.items()})
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    return ("HTTP/1.1 101 Switching Protocols\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode()


def test_the_upgrade_names_host_path_and_protocol() -> None:
    text = request(parse("ws://127.0.0.1:9001/mq"), b"0123456789abcdef").decode()
    assert text.startswith("GET /mq HTTP/1.1\r\n")
    assert "\r\nHost: 127.0.0.1:9001\r\n" in text
    assert "\r\nSec-WebSocket-Protocol: mqtt\r\n" in text
    assert text.endswith("\r\n\r\n")
    assert "\r\nHost: [::1]\r\n" in request(parse("wss://[::1]/"), b"0" * 16).decode()


def test_a_right_answer_is_taken() -> None:
    check_answer(answer(b"n" * 16), b"n" * 16)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\n\r\n",
        b"\x20\x02\x00\x00",
        b"",
        answer(b"x" * 16),
        answer(b"n" * 16, Sec_WebSocket_Accept=""),
        answer(b"n" * 16, Sec_WebSocket_Protocol="chat"),
        answer(b"n" * 16, Sec_WebSocket_Protocol=""),
    ],
)
def test_other_answers_are_not(head: bytes) -> None:
    with pytest.raises(BrokerError):
        check_answer(head, b"n" * 16)
