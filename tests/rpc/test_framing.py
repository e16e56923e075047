# SPDX-License-Identifier: MIT
"""Frames: what goes in comes out, however it is cut; everything else kills the stream."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation import limits
from federation.errors import Refusal
from federation.rpc.framing import FrameDecoder, encode


def test_a_frame_has_the_header_that_emacs_28_takes() -> None:
    assert encode(b"{}") == b"Content-Length: 2\r\n\r\n{}"
    assert len(encode(b" " * limits.RPC_FRAME)) - limits.RPC_FRAME <= 100


@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(1, 30), max_size=40))
def test_bodies_survive_any_cutting(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(encode, bodies))
    decoder = FrameDecoder()
    found: list[bytes] = []
    for cut in [*cuts, len(stream)]:
        found += decoder.feed(stream[:cut])
        stream = stream[cut:]
    assert found == bodies
    assert not decoder.middle
    assert decoder.dead is None


@pytest.mark.parametrize(
    "stream",
    [
        b"Content-Length: 0x10\r\n\r\n{}",
        b"Content-Length: +2\r\n\r\n{}",
        b"Content-Length: -2\r\n\r\n{}",
        b"Content-Length: 2 \r\n\r\n{}",
        b"Content-Length:2\r\n\r\n{}",
        b"content-length: 2\r\n\r\n{}",
        b"Content-Length: \r\n\r\n{}",
        b"Content-Length: \xd9\xa2\r\n\r\n{}",
        b"Content-Length: 2\n\n{}",
        b"Content-Length: 2\r\nContent-Length: 50\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Type: text\r\n\r\n{}",
        b"X: 1\r\n\r\n{}",
        b"\r\n\r\n",
        b"\x00" * 64,
        b"\x7fELF\x02\x01\x01",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"{}",
    ],
)
def test_another_header_is_a_frame_error(stream: bytes) -> None:
    whole = FrameDecoder()
    with pytest.raises(Refusal) as caught:
        whole.feed(stream)
        # A bare line feed could still become a header; then its length decides.
        whole.feed(b"1" * limits.RPC_HEADER)
    assert caught.value.reason == "frame-error"
    assert whole.dead is caught.value
    with pytest.raises(Refusal):
        whole.feed(encode(b"{}"))


@given(st.binary(max_size=80))
def test_any_bytes_give_bodies_or_one_refusal(data: bytes) -> None:
    decoder = FrameDecoder()
    try:
        decoder.feed(data)
    except Refusal as refusal:
        assert refusal.reason in ("frame-error", "frame-too-large")


def test_a_header_that_never_ends_is_refused_at_its_limit() -> None:
    decoder = FrameDecoder()
    decoder.feed(b"Content-Length: " + b"0" * (limits.RPC_HEADER - 16))
    with pytest.raises(Refusal) as caught:
        decoder.feed(b"0" * 8)
    assert caught.value.reason == "frame-error"


@pytest.mark.parametrize("length", [limits.RPC_FRAME + 1, 64 * limits.MIB, 10**18, 10**30])
def test_a_length_over_the_limit_is_refused_at_the_header(length: int) -> None:
    decoder = FrameDecoder()
    with pytest.raises(Refusal) as caught:
        decoder.feed(b"Content-Length: %d\r\n\r\n" % length)
    assert caught.value.reason == "frame-too-large"


def test_the_largest_frame_passes() -> None:
    body = b" " * limits.RPC_FRAME
    assert FrameDecoder().feed(encode(body)) == [body]


def test_good_frames_before_a_bad_one_are_given_out() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(encode(b"1") + encode(b"2") + b"nonsense") == [b"1", b"2"]
    assert decoder.dead is not None
    with pytest.raises(Refusal):
        decoder.feed(b"")


def test_an_end_within_a_frame_shows() -> None:
    decoder = FrameDecoder()
    frame = encode(b"{}")
    found: list[bool] = []
    for part in (b"", frame[:10], frame[10:-1], frame[-1:]):
        decoder.feed(part)
        found.append(decoder.middle)
    assert found == [False, True, True, False]


def test_the_bad_frames_of_the_shared_data(shared: Path) -> None:
    tried = 0
    for line in (shared / "data/badinputs/badinputs.jsonl").read_text().splitlines():
        case = json.loads(line)
        if case["layer"] != "jsonrpc" or case["expected"] != "rejected: frame-error":
            continue
        with pytest.raises(Refusal) as caught:
            FrameDecoder().feed(base64.b64decode(case["payload"]))
        assert caught.value.reason == "frame-error", case["name"]
        tried += 1
    assert tried >= 7
