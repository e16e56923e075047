# SPDX-License-Identifier: MIT
"""Broker URLs: forms, refusals, and what counts as this machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.broker_url import BrokerUrl, parse
from federation.errors import Refusal


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("mqtt://localhost", "mqtt://localhost:1883"),
        ("mqtt://localhost:1883", "mqtt://localhost:1883"),
        ("MQTT://LOCALHOST:1/", "mqtt://localhost:1"),
        ("mqtt://127.0.0.1:65535", "mqtt://127.0.0.1:65535"),
        ("mqtt://127.255.0.9", "mqtt://127.255.0.9:1883"),
        ("mqtt://[::1]:1884", "mqtt://[::1]:1884"),
        ("mqtt://[0:0:0:0:0:0:0:1]", "mqtt://[::1]:1883"),
        ("mqtts://broker.example", "mqtts://broker.example:8883"),
        ("mqtts://[2001:db8::1]", "mqtts://[2001:db8::1]:8883"),
        ("ws://localhost", "ws://localhost:80/mqtt"),
        ("ws://localhost:9001/", "ws://localhost:9001/mqtt"),
        ("wss://broker.example/a/b", "wss://broker.example:443/a/b"),
    ],
)
def test_canonical_form(text: str, canonical: str) -> None:
    url = parse(text)
    assert str(url) == canonical
    assert parse(str(url)) == url


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "config-bad-url"),
        ("localhost", "config-bad-url"),
        ("localhost:1883", "config-bad-url"),
        ("mqtt:localhost", "config-bad-url"),
        ("mqtt:///x", "config-bad-url"),
        ("mqtt://", "config-bad-url"),
        ("mqtt://:1883", "config-bad-url"),
        ("gopher://x", "config-bad-url"),
        ("http://localhost", "config-bad-url"),
        ("tcp://localhost", "config-bad-url"),
        ("mqtt+ssl://localhost", "config-bad-url"),
        ("mqtt://localhost/path", "config-bad-url"),
        ("mqtt://localhost?x=1", "config-bad-url"),
        ("mqtt://localhost#x", "config-bad-url"),
        ("ws://localhost/mqtt?token=1", "config-bad-url"),
        ("ws://localhost/mqtt#x", "config-bad-url"),
        ("ws://localhost/a\\b", "config-bad-url"),
        ("mqtt://local host", "config-bad-url"),
        (" mqtt://localhost", "config-bad-url"),
        ("mqtt://localhost\n", "config-bad-url"),
        ("mqtt://local\thost", "config-bad-url"),
        ("mqtt://local\x00host", "config-bad-url"),
        ("mqtts://bröker.example", "config-bad-url"),
        ("mqtts://-x.example", "config-bad-url"),
        ("mqtts://a..b", "config-bad-url"),
        ("mqtts://" + "a" * 64 + ".example", "config-bad-url"),
        ("mqtts://" + "a." * 200 + "example", "config-bad-url"),
        ("mqtts://" + "a" * 3000, "config-bad-url"),
        ("mqtt://::1", "config-bad-url"),
        ("mqtt://[::1", "config-bad-url"),
        ("mqtt://[fe80::1%eth0]", "config-bad-url"),
        ("mqtt://[127.0.0.1]", "config-bad-url"),
        ("mqtt://localhost:", "config-bad-port"),
        ("mqtt://localhost:0", "config-bad-port"),
        ("mqtt://localhost:65536", "config-bad-port"),
        ("mqtt://localhost:70000", "config-bad-port"),
        ("mqtt://localhost:-1", "config-bad-port"),
        ("mqtt://localhost:+1", "config-bad-port"),
        ("mqtt://localhost:1883:1", "config-bad-port"),
        ("mqtt://localhost:x", "config-bad-port"),
        ("mqtt://localhost:" + "9" * 1000, "config-bad-port"),
        ("mqtt://user:secret@localhost", "config-secret-in-url"),
        ("mqtt://user@localhost", "config-secret-in-url"),
        ("mqtt://:secret@localhost", "config-secret-in-url"),
        ("mqtt://user:sec/ret@localhost", "config-secret-in-url"),
        ("mqtt://user:sec?ret@localhost", "config-secret-in-url"),
        ("mqtt://broker.example:1883", "config-plaintext-non-loopback"),
        ("ws://broker.example", "config-plaintext-non-loopback"),
    ],
)
def test_refusals(text: str, reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(text)
    assert caught.value.reason == reason
    assert "secret" not in caught.value.detail


@pytest.mark.parametrize(
    "host",
    [
        "localhost.example",
        "localhost.",
        "mylocalhost",
        "127.0.0.1.example",
        "127.1",
        "127.0.0.01",
        "0127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",  # noqa: S104 - a name to refuse
        "128.0.0.1",
        "126.255.255.255",
        "[::]",
        "[::2]",
        "[::ffff:127.0.0.1]",
        "[fe80::1]",
    ],
)
def test_what_only_looks_like_loopback_needs_tls(host: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(f"mqtt://{host}:1883")
    assert caught.value.reason == "config-plaintext-non-loopback"
    assert not parse(f"mqtts://{host}:1883").is_loopback


def test_plaintext_may_be_allowed_by_name() -> None:
    url = parse("mqtt://broker.example", allow_plaintext=True)
    assert url == BrokerUrl("mqtt", "broker.example", 1883)
    assert not url.is_loopback
    assert not url.is_tls


def test_properties() -> None:
    assert parse("wss://broker.example").is_websocket
    assert parse("wss://broker.example").is_tls
    assert not parse("mqtts://broker.example").is_websocket
    assert parse("mqtt://[::1]").is_loopback


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    for candidate in (text, f"mqtt://{text}", f"mqtt://localhost:{text}", f"ws://localhost/{text}"):
        url = _read(candidate)
        assert url is None or parse(str(url)) == url


def _read(text: str) -> BrokerUrl | None:
    """The URL, or None for a refusal; any other exception fails the test."""
    try:
        return parse(text)
    except Refusal:
        return None
