# SPDX-License-Identifier: MIT
"""The CONNECT that paho makes of our settings."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from federation.adapters.mqtt.client import PahoClient
from federation.adapters.mqtt.stream import Stream

from .fakes import settings


@contextmanager
def begun(**changes: Any) -> Iterator[tuple[PahoClient, Stream, socket.socket]]:
    """A client that has said CONNECT, its stream, and the broker's end of it."""
    ours, theirs = socket.socketpair()
    stream = Stream(ours)
    client = PahoClient(stream, settings(**changes))
    client.on_socket_register_write = lambda *_: None
    client.begin()
    client.loop_write()
    with theirs:
        yield client, stream, theirs
    stream.shut()


def connect(**changes: Any) -> bytes:
    """The bytes that go out."""
    with begun(**changes) as (_client, stream, theirs):
        stream.flush()
        return theirs.recv(100_000)


FIVE = b"\x00\x04MQTT\x05"
FOUR = b"\x00\x04MQTT\x04"


def test_a_plain_connect_of_each_version() -> None:
    assert connect(level=4) == b"\x10\x0e" + FOUR + b"\x02\x00\x0f\x00\x02me"
    # No maximum packet size: what is too large is refused by us, with its reason.
    assert connect() == b"\x10\x0f" + FIVE + b"\x02\x00\x0f\x00\x00\x02me"


@pytest.mark.parametrize("level", [4, 5])
def test_a_persistent_session(level: int) -> None:
    data = connect(level=level, persistent=True)
    assert data[9] == 0, "no clean start"
    assert (b"\x11\x00\x09\x3a\x80" in data) == (level == 5)


@pytest.mark.parametrize("level", [4, 5])
def test_user_password_and_will(level: int) -> None:
    data = connect(level=level, username="u", password="p", will=("t", b"w", 1, True))
    assert data[9] == 0b11101110
    no_properties = b"\x00" if level == 5 else b""
    assert data.endswith(
        b"\x00\x02me" + no_properties + b"\x00\x01t\x00\x01w" + b"\x00\x01u" + b"\x00\x01p"
    )


def test_the_password_is_not_shown() -> None:
    shown = repr(settings(password="hunter2", will=("t", b"s3", 0, True)))
    assert "hunter2" not in shown
    assert "s3" not in shown


def test_nothing_is_held_back_by_paho() -> None:
    """Our window is the only one: paho's costs a walk over all messages for each."""
    with begun() as (client, stream, _theirs):
        before = stream.unsent
        for _ in range(100):
            client.publish("t", b"", 1)
        client.loop_write()
        assert stream.unsent == before + 100 * len(b"\x32\x06\x00\x01t\x00\x01\x00")
