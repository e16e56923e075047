# SPDX-License-Identifier: MIT
"""Throwaway peers: only the work that the promise of line 1 makes necessary.

    python -m tests.bench.floor send PORT FOLDER      paths on standard input
    python -m tests.bench.floor receive PORT FOLDER   files appear in FOLDER

The promise is ours: signed by its author, durable at both ends, whole at the
receiver.  So the sender reads the file, signs, commits once and publishes with
QoS 1; the receiver verifies, commits once and replaces the file atomically.
No trust, no history, no names to check, no reconnecting, no acknowledgement.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair

TOPIC = b"canvasl/floor"
PUBLIC, SECRET = crypto_sign_seed_keypair(b"floor of the bench, no secret !!")
PUBLISH, PUBACK = 3, 4


class Note(msgspec.Struct):
    """A file on its way."""

    file: str
    content: str
    seq: int


class Mqtt:
    """As much of MQTT 3.1.1 as the floor needs."""

    def __init__(self, port: int, name: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        name_bytes = name.encode()
        body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(name_bytes).to_bytes(2, "big") + name_bytes
        self._socket.sendall(bytes([0x10, len(body)]) + body)
        next(self.packets())

    @property
    def socket(self) -> socket.socket:
        """The connection."""
        return self._socket

    def available(self) -> Iterator[tuple[int, bytes]]:
        """(type, body) of what one read brings."""
        self._buffer += self._socket.recv(1 << 18)
        while (packet := self._take()) is not None:
            yield packet

    def subscribe(self, topic: bytes = TOPIC) -> None:
        """Subscribe to a topic, the floor's if no other, with QoS 1."""
        body = b"\x00\x01" + len(topic).to_bytes(2, "big") + topic + b"\x01"
        self._socket.sendall(bytes([0x82, len(body)]) + body)
        next(self.packets())

    def publish(self, number: int, payload: bytes, topic: bytes = TOPIC) -> None:
        """Publish with QoS 1."""
        head = len(topic).to_bytes(2, "big") + topic + number.to_bytes(2, "big")
        size, digits = len(head) + len(payload), b""
        while True:
            size, digit = divmod(size, 128)
            digits += bytes([digit | (0x80 if size else 0)])
            if not size:
                break
        self._socket.sendall(b"\x32" + digits + head + payload)

    def acknowledge(self, number: bytes) -> None:
        """The PUBACK of a message."""
        self._socket.sendall(b"\x40\x02" + number)

    def packets(self) -> Iterator[tuple[int, bytes]]:
        """(type, body) of what arrives."""
        while True:
            packet = self._take()
            if packet is not None:
                yield packet
                continue
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            data = self._socket.recv(1 << 18)
            if not data:
                return
            self._buffer += data

    def _take(self) -> tuple[int, bytes] | None:
        size, shift, at = 0, 0, 1
        while at < len(self._buffer):
            digit = self._buffer[at]
            size |= (digit & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if digit < 0x80:
                break
        else:
            return None
        if len(self._buffer) < at + size:
            return None
        kind, body = self._buffer[0] >> 4, self._buffer[at : at + size]
        self._buffer = self._buffer[at + size :]
        return kind, body


def store(folder: Path) -> sqlite3.Connection:
    """A database as durable as ours: a commit returns after its fsync."""
    database = sqlite3.connect(folder.parent / f"{folder.name}.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE notes (seq INTEGER PRIMARY KEY, raw BLOB)")
    return database


def record(database: sqlite3.Connection, number: int, raw: bytes) -> None:
    """One durable commit."""
    database.execute("INSERT INTO notes VALUES (?,?)", (number, raw))


def replace(folder: Path, name: str, content: bytes) -> None:
    """Write beside, fsync, rename, fsync the folder."""
    beside = folder.parent / f"{name}.part"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(descriptor, content)
    os.fsync(descriptor)
    os.close(descriptor)
    os.rename(beside, folder / name)
    here = os.open(folder, os.O_RDONLY)
    os.fsync(here)
    os.close(here)


def send(port: int, folder: Path) -> None:
    """Send every file whose path comes as a line."""
    database, mqtt = store(folder), Mqtt(port, "floor-send")
    encoder, answers = msgspec.json.Encoder(), mqtt.packets()
    print("ready", flush=True)
    for number, line in enumerate(sys.stdin, 1):
        path = Path(line.rstrip("\n"))
        raw = encoder.encode(Note(path.name, path.read_bytes().decode(), number))
        signed = crypto_sign(raw, SECRET)
        record(database, number, signed)
        mqtt.publish(number, signed)
        next(answers)


def receive(port: int, folder: Path) -> None:
    """Save every file that arrives."""
    database, mqtt = store(folder), Mqtt(port, "floor-receive")
    decoder = msgspec.json.Decoder(Note)
    mqtt.subscribe()
    print("ready", flush=True)
    for kind, body in mqtt.packets():
        if kind != PUBLISH:
            continue
        at = 2 + int.from_bytes(body[:2], "big")
        number, signed = body[at : at + 2], body[at + 2 :]
        note = decoder.decode(crypto_sign_open(signed, PUBLIC))
        record(database, note.seq, signed)
        replace(folder, note.file, note.content.encode())
        mqtt.acknowledge(number)


if __name__ == "__main__":
    {"send": send, "receive": receive}[sys.argv[1]](int(sys.argv[2]), Path(sys.argv[3]))
