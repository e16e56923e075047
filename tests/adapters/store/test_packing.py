# SPDX-License-Identifier: MIT
"""Packed and unpacked, everything is what it was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.adapters.store import packing
from federation.errors import Fault
from federation.replica.records import Revision
from federation.wire import canonical, envelope, timestamps
from tests.node.network import key_of

KEY = key_of(1)
NOW = 1_767_225_600_123_000
HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)


def made(content: bytes = b"text", /, **changes: object) -> Revision:
    """A revision whose envelope is what its author signed; ``changes`` are fields of that."""
    message: dict[str, object] = {
        "type": "canvasl-sync", "peer_id": KEY.peer_id, "file": "x.md",
        "timestamp": timestamps.format_us(NOW), "seq": 7, "vector": {KEY.peer_id: 6, "q": 2},
        "parents": ["a" * 64], "content": content.decode(),
    } | changes  # fmt: skip
    message = {field: value for field, value in message.items() if value is not None}
    signed, name = envelope.sign_revision(message, KEY)
    head = {field: value for field, value in signed.items() if field not in ("content", "data")}
    vector, parents = message.get("vector"), message.get("parents")
    return Revision(
        revision=name, file="x.md", author=KEY.peer_id, seq=7, timestamp=str(message["timestamp"]),
        timestamp_us=NOW, received_us=NOW + 9, content_hash=hashlib.sha256(content).hexdigest(),
        size=len(content), binary=False, envelope=canonical.encode(head).decode(),
        plain=vector is None, vector=vector if isinstance(vector, dict) else {},
        parents=tuple(parents) if isinstance(parents, list) else (),
    )  # fmt: skip


# --- ids, numbers ---------------------------------------------------------------------------
@given(st.text() | HASHES)
def test_ids(text: str) -> None:
    packed = packing.pack_id(text)
    assert packing.unpack_id(packed) == text
    assert isinstance(packed, bytes) == (len(text) == 64 and text in packed.hex())  # type: ignore[union-attr]


@given(HASHES, st.integers(0, 64))
def test_the_range_of_a_prefix(name: str, digits: int) -> None:
    found = packing.id_range(name[:digits])
    assert found is not None
    low, high = found
    assert low <= bytes.fromhex(name) <= high
    assert low.hex()[:digits] == high.hex()[:digits] == name[:digits]


@pytest.mark.parametrize("prefix", ["g", "A", "%", "0" * 65, "é"])
def test_what_begins_no_id(prefix: str) -> None:
    assert packing.id_range(prefix) is None


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(-(2**62), 2**62))))
def test_vectors(entries: list[tuple[int, int]]) -> None:
    assert list(packing.unpack_vector(packing.pack_vector(entries))) == entries


@given(st.lists(st.tuples(HASHES | st.text(), st.none() | st.integers(1, 2**40))))
def test_parents(parents: list[tuple[str, int | None]]) -> None:
    found = list(packing.unpack_parents(packing.pack_parents(parents)))
    assert found == [name if number is None else number for name, number in parents]


# --- envelopes ------------------------------------------------------------------------------
def back(one: Revision) -> str:
    return packing.unpack_envelope(packing.pack_envelope(one), replace(one, envelope=""))


def test_of_a_plain_message_only_the_signature_is_kept() -> None:
    one = made()
    assert len(packing.pack_envelope(one)) == 65
    assert back(one) == one.envelope


def test_one_with_its_fields_sorted_is_as_small() -> None:
    one = made()
    sorted_one = replace(one, envelope=canonical.canonical(json.loads(one.envelope)).decode())
    assert sorted_one.envelope != one.envelope
    assert len(packing.pack_envelope(sorted_one)) == 65
    assert back(sorted_one) == sorted_one.envelope


@pytest.mark.parametrize("changes", [
    {"resolves": ["b" * 64]},
    {"x-note": {"é": [1, 2.5, None, True]}},
    {"vector": None, "parents": None},
    {"seq": 8},
    {"timestamp": "2026-01-01T00:00:00.123456Z"},
])  # fmt: skip
def test_one_that_says_more(changes: dict[str, object]) -> None:
    one = made(b"text", **changes)
    packed = packing.pack_envelope(one)
    assert len(packed) < len(one.envelope) * 0.8
    assert back(one) == one.envelope


@pytest.mark.parametrize("text", [
    "{}", "[]", "no JSON", "", '{"signature":"0x12"}', '{"signature":7}',
    json.dumps({"signature": "0x" + "a" * 128}), '{"seq": true}', '{"a":1e999}',
])  # fmt: skip
def test_anything_else_is_kept_as_it_is(text: str) -> None:
    one = replace(made(), envelope=text)
    assert back(one) == text


def test_another_spelling_of_a_message_stays_that_spelling() -> None:
    one = made()
    spaced = replace(one, envelope=json.dumps(json.loads(one.envelope)))
    assert spaced.envelope != one.envelope
    assert back(spaced) == spaced.envelope
    shuffled = dict(reversed(json.loads(one.envelope).items()))
    other = replace(one, envelope=canonical.encode(shuffled).decode())
    assert back(other) == other.envelope


def test_a_merged_version_has_none() -> None:
    one = replace(made(), author="", envelope="{}")
    assert packing.pack_envelope(one) == b""
    assert back(one) == "{}"


@pytest.mark.parametrize("data", [b"\x01damaged", b"\x09", b"\x03" + bytes(64) + b"damaged"])
def test_a_damaged_one_is_a_fault(data: bytes) -> None:
    with pytest.raises(Fault):
        packing.unpack_envelope(data, made())


@pytest.mark.parametrize(
    ("text", "seq"),
    [('{"seq":7}', 7), ("{}", None), ("[]", None), ("x", None), ('{"seq":"7"}', None)],
)
def test_the_counter_of_a_message(text: str, seq: int | None) -> None:
    assert packing.said(text) == seq


# --- times ----------------------------------------------------------------------------------
@given(st.integers(-(2**55), 2**55), st.booleans())
def test_timestamps(us: int, plain: bool) -> None:
    text = timestamps.format_us(us) if plain else "2026-01-01T00:00:00Z"
    kept = packing.pack_timestamp(replace(made(), timestamp=text, timestamp_us=us))
    assert packing.unpack_timestamp(kept, us) == text
    assert (kept is None) == (text == timestamps.format_us(us))
