# SPDX-License-Identifier: MIT
"""The MQTT adapter over TLS and WebSockets, against a real mosquitto."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from federation.adapters.mqtt import answers
from federation.broker_url import parse

from .brokers import Mosquitto, free_port, until
from .mqtt_peers import Peer, done, tool

pytestmark = [pytest.mark.mosquitto, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a certificate of it for localhost, and another authority."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run([tool("openssl"), *arguments], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}",
                "-days", "2")  # fmt: skip
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")  # fmt: skip
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "server.pem")  # fmt: skip
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


@pytest.fixture(scope="module")
def tls_broker(
    certificates: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Mosquitto, dict[str, int]]]:
    ports = {scheme: free_port() for scheme in ("mqtts", "ws", "wss")}
    tls = f"certfile {certificates}/server.pem\nkeyfile {certificates}/server.key"
    config = (
        f"listener {ports['mqtts']} 127.0.0.1\n{tls}\n"
        f"listener {ports['ws']} 127.0.0.1\nprotocol websockets\n"
        f"listener {ports['wss']} 127.0.0.1\nprotocol websockets\n{tls}\n"
    )
    with Mosquitto(tmp_path_factory.mktemp("tls"), config) as real:
        yield real, ports


@pytest.mark.parametrize("scheme", ["mqtts", "ws", "wss"])
async def test_the_same_bytes_through_tls_and_websockets(
    scheme: str, tls_broker: tuple[Mosquitto, dict[str, int]], certificates: Path
) -> None:
    _, ports = tls_broker
    url = f"{scheme}://localhost:{ports[scheme]}"
    ca = certificates / "ca.pem"
    assert await answers(parse(url), 5, ca)
    async with Peer(url, "a", ca_file=ca) as a, Peer(url, "b", ca_file=ca) as b:
        await a.up()
        await b.up()
        await b.mqtt.subscribe([(f"{scheme}/#", 1)])
        payloads = [b"", b"x" * 125, b"x" * 126, os.urandom(70_000), os.urandom(1024 * 1024)] * 3
        results = [a.mqtt.publish(f"{scheme}/t", payload) for payload in payloads]
        assert [await done(result) for result in results] == ["ok"] * len(payloads)
        await until(lambda: len(b.messages) == len(payloads))
        assert [message[1] for message in b.messages] == payloads
        await asyncio.gather(*(b.mqtt.publish("t", b"x") for _ in range(300)))


@pytest.mark.parametrize("scheme", ["mqtts", "wss"])
async def test_certificates_are_always_verified(
    scheme: str, tls_broker: tuple[Mosquitto, dict[str, int]], certificates: Path
) -> None:
    _, ports = tls_broker
    port = ports[scheme]
    wrong_name = (f"{scheme}://127.0.0.1:{port}", certificates / "ca.pem")
    wrong_authority = (f"{scheme}://localhost:{port}", certificates / "other.pem")
    no_authority = (f"{scheme}://localhost:{port}", None)
    for url, ca in (wrong_name, wrong_authority, no_authority):
        async with Peer(url, "a", ca_file=ca) as a:
            await until(lambda a=a: a.unreachable)  # type: ignore[misc]
            assert a.unreachable[0].startswith("the certificate is not trusted: ")
            assert not a.ups


async def test_plaintext_to_a_tls_port_and_back(
    tls_broker: tuple[Mosquitto, dict[str, int]], certificates: Path
) -> None:
    broker, ports = tls_broker
    ca = certificates / "ca.pem"
    for url in (
        f"mqtt://127.0.0.1:{ports['mqtts']}",
        f"mqtts://localhost:{broker.port}",
        f"ws://127.0.0.1:{ports['wss']}",
    ):
        assert not await answers(parse(url), 2, ca)
    async with Peer(f"mqtts://localhost:{broker.port}", "a", ca_file=ca) as a:
        await until(lambda: len(a.unreachable) > 1)
        assert not a.ups


async def test_an_open_port_is_no_broker() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        assert not await answers(parse(f"mqtt://127.0.0.1:{sock.getsockname()[1]}"), 0.3)
    assert not await answers(parse(f"mqtt://127.0.0.1:{free_port()}"), 1)
