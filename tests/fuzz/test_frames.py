# SPDX-License-Identifier: MIT
"""Random bytes at the RPC's door: a refusal or a request, never anything else."""

from __future__ import annotations

import json
import random

import pytest

from federation.adapters.doors.frontend import FrontEnd
from federation.errors import REASONS, Refusal
from federation.rpc import params, requests
from federation.rpc.framing import FrameDecoder, encode
from federation.rpc.methods import METHODS

SEEDS = (
    b'{"jsonrpc":"2.0","id":1,"method":"status","params":{}}',
    b'{"jsonrpc":"2.0","id":"x","method":"sync.file","params":{"path":"/a.md","wait":true}}',
    b'[{"jsonrpc":"2.0","method":"status"},{"jsonrpc":"2.0","id":2,"method":"nope"}]',
    b'{"jsonrpc":"2.0","id":1,"method":"documents.history","params":{"file":"a.md"}}',
)
VALUES: tuple[object, ...] = (
    None, True, 0, -1, 2**63, 1.5, "", "\0", "x" * 9000, [], {}, [1], {"a": None},
)  # fmt: skip


def _damage(data: bytes, dice: random.Random) -> bytes:
    bent = bytearray(data)
    for _ in range(dice.randint(1, 5)):
        place = dice.randrange(len(bent) + 1)
        bent[place : place + dice.randint(0, 3)] = dice.randbytes(dice.randint(0, 3))
    return bytes(bent)


@pytest.mark.parametrize("seed", range(4))
def test_frames_in_any_cut(seed: int) -> None:
    """However the stream is cut, the same frames come out."""
    dice = random.Random(seed)
    bodies = [dice.randbytes(dice.choice((0, 1, 40, 3000))) for _ in range(30)]
    stream = b"".join(encode(body) for body in bodies)
    decoder, found = FrameDecoder(), list[bytes]()
    while stream:
        size = dice.randint(1, 700)
        found += decoder.feed(stream[:size])
        stream = stream[size:]
    assert found == bodies
    assert not decoder.middle


@pytest.mark.parametrize("seed", range(4))
def test_damaged_frames(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(500):
        decoder = FrameDecoder(frame_limit=10_000)
        try:
            for body in decoder.feed(_damage(encode(dice.choice(SEEDS)), dice)):
                value = requests.decode(body)
                for one in requests.check_batch(value) or [value]:
                    requests.check_request(one)
        except Refusal as refusal:
            assert refusal.reason in REASONS


@pytest.mark.parametrize("name", sorted(METHODS))
def test_parameters_of_every_method(name: str) -> None:
    """Whatever a field holds, it is converted or refused; unknown fields always are."""
    kind = METHODS[name].params
    dice = random.Random(name)
    fields = [*kind.__struct_fields__, "self", "front_end", "__class__", "x"]
    for _ in range(150):
        given = {dice.choice(fields): dice.choice(VALUES) for _ in range(dice.randint(0, 4))}
        try:
            got = requests.convert(kind, given)
        except Refusal as refusal:
            assert refusal.reason == "rpc-invalid-params"
            continue
        assert isinstance(got, params.Params)
        assert set(given) <= set(kind.__struct_fields__)


class _Reader:
    """The other side of a front end, which keeps what it gets."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes, /) -> None:
        """Keep it."""
        self.data += data

    async def drain(self) -> None:
        """Never full."""

    def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize("seed", range(3))
async def test_a_front_end_answers_every_damaged_frame(seed: int) -> None:
    """One whole frame in, at most one response out, and the next request is answered."""
    dice = random.Random(seed)
    for _ in range(150):
        reader = _Reader()
        front_end = FrontEnd(reader, {"status": _status})
        await front_end.feed(encode(_damage(dice.choice(SEEDS), dice)))
        await front_end.feed(encode(SEEDS[0]))
        await front_end.finish(1.0)
        frames = FrameDecoder().feed(reader.data)
        values = [json.loads(frame) for frame in frames]
        assert 1 <= len(values) <= 2
        assert {"result": {"fine": True}, "id": 1, "jsonrpc": "2.0"} in values
        for value in values:
            for one in value if isinstance(value, list) else [value]:
                assert ("result" in one) != ("error" in one)
                if "error" in one:
                    assert one["error"]["data"]["reason"] in REASONS


async def _status(_front_end: FrontEnd, _given: object) -> dict[str, object]:
    return {"fine": True}
