# SPDX-License-Identifier: MIT
"""The gate between a broker's bytes and the MQTT library: one packet at a time.

    byte 0        type (4 bits) and flags
    byte 1 .. 4   remaining length, 7 bits a byte, low first
    PUBLISH       length (2) topic [packet id (2) with QoS > 0] [MQTT 5: properties] payload

Published messages are decoded here and do not go through the library: a text
property with U+FEFF, which any client may publish and brokers pass on, makes
paho 2.2 drop the connection, for ever if the message is retained; a huge
message would be collected in memory before anybody could refuse it; and the
properties, which we never use, would double the cost of each message.
Acknowledgements lose their reason code here, and it is told beside them: paho
ends the connection at a code that the standard does not list for that packet,
and mosquitto 2.0 says so that a message was too large (149 in a PUBACK).
Everything else is handed to the library as whole packets.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

CONNACK: Final = 0x20
PUBLISH: Final = 0x30
PUBACK: Final = 0x40
PUBREC: Final = 0x50
PUBCOMP: Final = 0x70

PINGREQ: Final = b"\xc0\x00"
DISCONNECT: Final = b"\xe0\x00"

#: Beside its payload a PUBLISH has a topic, and properties that others chose.
OVERHEAD: Final = 128 * 1024
MAX_TOPIC: Final = 65535


class BrokerError(Exception):
    """The broker broke the protocol; only a new connection can help."""


@dataclass(frozen=True, slots=True)
class Published:
    """A message from the broker, and the bytes that acknowledge it."""

    topic: str
    payload: bytes
    retained: bool
    acknowledgement: bytes


@dataclass(frozen=True, slots=True)
class Dropped:
    """A message that nobody gets to see: its topic, its bytes, and why.

    ``reason`` is ``oversize`` or ``bad-topic``; the topic is empty where it
    cannot be read.
    """

    topic: str
    size: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """An acknowledgement of ours: what the library shall read, and the broker's code."""

    packet: bytes
    code: int


def valid_topic(topic: str) -> bool:
    """Whether one may publish to ``topic`` (MQTT 5, section 4.7)."""
    return _valid_name(topic) and "+" not in topic and "#" not in topic


def valid_filter(text: str) -> bool:
    """Whether one may subscribe to the topic filter ``text``."""
    if not _valid_name(text):
        return False
    levels = text.split("/")
    if any("#" in level for level in levels[:-1]):
        return False
    return all(len(level) == 1 or not ("+" in level or "#" in level) for level in levels)


def _valid_name(text: str) -> bool:
    if not text or "\0" in text:
        return False
    try:
        return len(text.encode()) <= MAX_TOPIC
    except UnicodeEncodeError:  # half a surrogate pair
        return False


class PacketGate:
    """Cuts a stream into packets; drops what nobody should have to hold.

    ``dropped`` counts published messages that were too large or had no
    usable topic.  Those are acknowledged (``take_replies``), or a broker would
    send them for ever.
    """

    def __init__(self, max_payload: int, *, mqtt5: bool) -> None:
        self._max_payload = max_payload
        self._max_packet = max_payload + OVERHEAD
        self._mqtt5 = mqtt5
        self._buffer = bytearray()
        self._skip = 0
        self._packets: deque[bytes | Published | Dropped | Verdict] = deque()
        self._replies = bytearray()
        self.dropped = 0

    def feed(self, data: bytes) -> None:
        """Take bytes from the broker.  Raises :class:`BrokerError`."""
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        self._buffer += data
        position = 0
        while not self._skip:
            used = self._packet(position)
            if not used:
                break
            position += used
        # One deletion a chunk, not one a packet: each moves the rest.
        del self._buffer[:position]

    def next(self) -> bytes | Published | Dropped | Verdict | None:
        """The next whole packet: a message, a dropped one, a verdict, or bytes for the library."""
        return self._packets.popleft() if self._packets else None

    @property
    def backlog(self) -> int:
        """Whole packets that wait for :meth:`next`."""
        return len(self._packets)

    def take_replies(self) -> bytes:
        """Acknowledgements of dropped messages, to be sent."""
        replies = bytes(self._replies)
        self._replies.clear()
        return replies

    def _packet(self, start: int) -> int:
        """Handle the packet at ``start``; its length, or 0 if more bytes are needed."""
        buffer = self._buffer
        length, position = 0, start + 1
        while True:
            if position - start > 4:
                raise BrokerError("a packet length of more than four bytes")
            if position >= len(buffer):
                return 0
            byte = buffer[position]
            length |= (byte & 0x7F) << 7 * (position - start - 1)
            position += 1
            if not byte & 0x80:
                break
        is_publish = buffer[start] & 0xF0 == PUBLISH
        if length > self._max_packet:
            if not is_publish:
                raise BrokerError("a control packet larger than any message")
            return self._drop_unread(start, position, length)
        end = position + length
        if len(buffer) < end:
            return 0
        if is_publish:
            self._publish(buffer[start], bytes(buffer[position:end]))
        elif buffer[start] & 0xF0 in (PUBACK, PUBREC, PUBCOMP) and length > 2:
            self._packets.append(_verdict(buffer[start] & 0xF0, bytes(buffer[position:end])))
        else:
            self._packets.append(bytes(buffer[start:end]))
        return end - start

    def _drop_unread(self, start: int, position: int, length: int) -> int:
        """Drop a message without ever having all of it; see :meth:`_packet`."""
        buffer = self._buffer
        if len(buffer) < position + 2:
            return 0
        head = 2 + int.from_bytes(buffer[position : position + 2]) + 2
        if len(buffer) < position + head:
            return 0
        topic = bytes(buffer[position + 2 : position + head - 2])
        packet_id = bytes(buffer[position + head - 2 : position + head])
        self._drop(buffer[start], packet_id, Dropped(_text(topic), length, "oversize"))
        end = position + length
        self._skip = max(0, end - len(buffer))
        return min(end, len(buffer)) - start

    def _drop(self, header: int, packet_id: bytes, dropped: Dropped) -> None:
        self.dropped += 1
        self._packets.append(dropped)
        self._replies += _acknowledgement(header, packet_id)

    def _publish(self, header: int, body: bytes) -> None:
        """Decode a PUBLISH (MQTT 5, section 3.3)."""
        qos = header >> 1 & 3
        if qos == 3 or len(body) < 2:
            raise BrokerError("a malformed message")
        position = 2 + int.from_bytes(body[:2])
        raw_topic = body[2:position]
        packet_id = body[position : position + 2] if qos else b""
        position += len(packet_id)
        if position > len(body) or (qos and len(packet_id) != 2):
            raise BrokerError("a message that ends before its payload")
        if self._mqtt5:
            position = _after_properties(body, position)
        topic = _text(raw_topic)
        payload = body[position:]
        if len(payload) > self._max_payload:
            self._drop(header, packet_id, Dropped(topic, len(payload), "oversize"))
            return
        if not valid_topic(topic):
            self._drop(header, packet_id, Dropped("", len(payload), "bad-topic"))
            return
        acknowledgement = _acknowledgement(header, packet_id)
        self._packets.append(Published(topic, payload, bool(header & 1), acknowledgement))


def _text(raw: bytes) -> str:
    """A topic, or nothing where it is none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return ""


def _acknowledgement(header: int, packet_id: bytes) -> bytes:
    """PUBACK or PUBREC; both versions read this short form as success.

    We ask for QoS 1 at most.  To QoS 2 all the same, the library's answer to
    the PUBREL that follows completes the exchange.
    """
    qos = header >> 1 & 3
    if qos == 0:
        return b""
    return bytes((PUBACK if qos == 1 else PUBREC, 2)) + packet_id


def _verdict(kind: int, body: bytes) -> Verdict:
    """An acknowledgement in its short form.  A refusing PUBREC ends its exchange."""
    code = body[2]
    if kind == PUBREC and code >= 128:
        kind = PUBCOMP
    return Verdict(bytes((kind, 2)) + body[:2], code)


def _after_properties(body: bytes, position: int) -> int:
    """Where the payload begins: behind properties that we do not read."""
    length = 0
    for shift in range(0, 28, 7):
        if position >= len(body):
            break
        byte = body[position]
        position += 1
        length |= (byte & 0x7F) << shift
        if not byte & 0x80:
            if position + length > len(body):
                break
            return position + length
    raise BrokerError("malformed properties")
