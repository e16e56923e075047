# SPDX-License-Identifier: MIT
"""The gate: cutting, decoding, dropping, and never believing a length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.adapters.mqtt.packets import (
    OVERHEAD,
    BrokerError,
    Dropped,
    PacketGate,
    Published,
    Verdict,
    valid_filter,
    valid_topic,
)


def length(number: int) -> bytes:
    out = bytearray()
    while True:
        number, byte = divmod(number, 128)
        out.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(out)


def publish(
    topic: bytes, payload: bytes, *, qos: int = 0, retain: bool = False, props: bytes | None = None
) -> bytes:
    body = len(topic).to_bytes(2) + topic
    if qos:
        body += b"\x12\x34"
    if props is not None:
        body += length(len(props)) + props
    body += payload
    return bytes((0x30 | qos << 1 | retain,)) + length(len(body)) + body


def everything(gate: PacketGate) -> list[bytes | Published | Dropped | Verdict]:
    out = []
    while (packet := gate.next()) is not None:
        out.append(packet)
    return out


def test_messages_are_decoded_and_the_rest_is_passed_whole() -> None:
    gate = PacketGate(100, mqtt5=False)
    gate.feed(b"\xd0\x00" + publish(b"a/b", b"hi", retain=True) + b"\x40\x02\x00\x01")
    assert gate.backlog == 3
    assert everything(gate) == [
        b"\xd0\x00",
        Published("a/b", b"hi", True, b""),
        b"\x40\x02\x00\x01",
    ]


@pytest.mark.parametrize(("qos", "kind"), [(1, b"\x40"), (2, b"\x50")])
def test_the_acknowledgement_names_the_packet(qos: int, kind: bytes) -> None:
    gate = PacketGate(100, mqtt5=False)
    gate.feed(publish(b"t", b"x", qos=qos))
    assert everything(gate) == [Published("t", b"x", False, kind + b"\x02\x12\x34")]


def test_properties_are_skipped_whatever_they_say() -> None:
    gate = PacketGate(100, mqtt5=True)
    bom = b"\x03\x00\x03\xef\xbb\xbf"  # content type U+FEFF: paho 2.2 chokes on it
    gate.feed(publish(b"t", b"x", qos=1, props=bom))
    gate.feed(publish(b"t", b"y", props=b"\xff" * 300))
    gate.feed(publish(b"t", b"", props=b""))
    assert [packet.payload for packet in everything(gate) if isinstance(packet, Published)] == [
        b"x",
        b"y",
        b"",
    ]


@given(st.lists(st.binary(max_size=400), max_size=20), st.data())
def test_where_the_network_cuts_does_not_matter(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(publish(b"t", payload, qos=1) + b"\xd0\x00" for payload in payloads)
    gate = PacketGate(300, mqtt5=False)
    seen = []
    replies = b""
    while stream:
        size = data.draw(st.integers(1, 500))
        gate.feed(stream[:size])
        stream = stream[size:]
        seen += everything(gate)
        replies += gate.take_replies()
    messages = [packet.payload for packet in seen if isinstance(packet, Published)]
    assert messages == [payload for payload in payloads if len(payload) <= 300]
    assert seen.count(b"\xd0\x00") == len(payloads)
    assert gate.dropped == sum(len(payload) > 300 for payload in payloads)
    assert replies == b"\x40\x02\x12\x34" * gate.dropped


def test_a_huge_message_is_never_collected() -> None:
    gate = PacketGate(1000, mqtt5=False)
    size = 200_000_000
    head = bytes((0x32,)) + length(size) + b"\x00\x01t\x12\x34"
    gate.feed(head[:7])
    gate.feed(head[7:])
    rest = size - 5
    while rest:
        chunk = min(rest, 1 << 20)
        gate.feed(bytes(chunk))
        assert len(gate._buffer) < 100
        rest -= chunk
    gate.feed(b"\xd0\x00")
    assert everything(gate) == [Dropped("t", size, "oversize"), b"\xd0\x00"]
    assert gate.dropped == 1
    assert gate.take_replies() == b"\x40\x02\x12\x34"


def test_the_largest_message_passes_and_one_byte_more_does_not() -> None:
    gate = PacketGate(1000, mqtt5=False)
    gate.feed(publish(b"t", b"x" * 1000) + publish(b"t", b"x" * 1001))
    passed, dropped = everything(gate)
    assert isinstance(passed, Published)
    assert dropped == Dropped("t", 1001, "oversize")
    assert gate.dropped == 1


@pytest.mark.parametrize(
    ("packet", "read", "code"),
    [
        (b"\x40\x03\x00\x07\x95", b"\x40\x02\x00\x07", 149),
        (b"\x40\x04\x00\x07\x10\x00", b"\x40\x02\x00\x07", 16),
        (b"\x50\x03\x00\x07\x10", b"\x50\x02\x00\x07", 16),
        (b"\x50\x03\x00\x07\x87", b"\x70\x02\x00\x07", 135),
        (b"\x70\x03\x00\x07\x92", b"\x70\x02\x00\x07", 146),
    ],
)
def test_reason_codes_are_told_beside_the_packet(packet: bytes, read: bytes, code: int) -> None:
    gate = PacketGate(100, mqtt5=True)
    gate.feed(packet)
    assert everything(gate) == [Verdict(read, code)]


@pytest.mark.parametrize("topic", [b"", b"a\0b", b"\xff", b"a/+", b"#", b"\xed\xa0\x80"])
def test_a_topic_that_is_none_is_dropped_and_acknowledged(topic: bytes) -> None:
    gate = PacketGate(100, mqtt5=True)
    gate.feed(publish(topic, b"x", qos=1, props=b"") + publish(b"t", b"good", props=b""))
    good = Published("t", b"good", False, b"")
    assert everything(gate) == [Dropped("", 1, "bad-topic"), good]
    assert gate.take_replies() == b"\x40\x02\x12\x34"
    assert gate.dropped == 1


@pytest.mark.parametrize(
    "packet",
    [
        b"\x30\xff\xff\xff\xff\x01",
        b"\x30\xff\xff\xff\xff",
        b"\x36\x05\x00\x01txx",
        b"\x30\x01x",
        b"\x30\x03\x00\x09t",
        b"\x32\x03\x00\x01t",
        b"\x32\x04\x00\x01t1",
        b"\x40" + length(100 + OVERHEAD + 1) + b"x",
    ],
)
def test_nonsense_ends_the_connection(packet: bytes) -> None:
    gate = PacketGate(100, mqtt5=False)
    with pytest.raises(BrokerError):
        gate.feed(packet)


@pytest.mark.parametrize("tail", [b"", b"\x80", b"\x05\x00", b"\xff\xff\xff\xff\x00"])
def test_properties_that_do_not_end_end_the_connection(tail: bytes) -> None:
    body = b"\x00\x01t" + tail
    gate = PacketGate(100, mqtt5=True)
    with pytest.raises(BrokerError):
        gate.feed(b"\x30" + length(len(body)) + body)


@given(st.lists(st.binary(max_size=64), max_size=10), st.booleans())
def test_no_bytes_do_anything_else(chunks: list[bytes], mqtt5: bool) -> None:
    gate = PacketGate(100, mqtt5=mqtt5)
    total = 0
    broken = False
    for chunk in chunks:
        total += len(chunk)
        try:
            gate.feed(chunk)
        except BrokerError:
            broken = True
            break
    assert broken or len(gate._buffer) <= total
    for packet in everything(gate):
        assert not isinstance(packet, bytes) or packet[0] & 0xF0 != 0x30


@pytest.mark.parametrize("topic", ["a", "a/b", "/", "ä", "a b", "$SYS/x", "x" * 65535])
def test_valid_topics(topic: str) -> None:
    assert valid_topic(topic)
    assert valid_filter(topic)


@pytest.mark.parametrize("topic", ["", "a\0b", "\ud800", "x" * 65536, "ä" * 40000])
def test_names_that_are_neither(topic: str) -> None:
    assert not valid_topic(topic)
    assert not valid_filter(topic)


@pytest.mark.parametrize("pattern", ["#", "+", "a/+", "a/#", "+/b/+", "/#", "$share/g/t"])
def test_valid_filters(pattern: str) -> None:
    assert valid_filter(pattern)


@pytest.mark.parametrize("pattern", ["a#", "#/a", "a/b#", "a+", "+a/b", "##", "a/#/b", "++"])
def test_malformed_filters(pattern: str) -> None:
    assert not valid_filter(pattern)
    assert not valid_topic(pattern)
