# SPDX-License-Identifier: MIT
"""Certificates as a strict client wants them."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

import pytest

from federation.adapters import certificates
from federation.errors import Refusal

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")


def greet(folder: Path, name: str) -> str:
    """What a client that checks everything says of the certificate; empty when it is content."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.crt", folder / "server.key")
    client = ssl.create_default_context(cafile=folder / "ca.crt")
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python 3.13 does
    ends = [ssl.MemoryBIO() for _ in range(2)]
    here = client.wrap_bio(ends[0], ends[1], server_hostname=name)
    there = server.wrap_bio(ends[1], ends[0], server_side=True)
    for side in (here, there, here, there, here):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
    return ""


@needs_openssl
def test_a_strict_client_takes_the_names_and_no_others(tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt", tmp_path / "ca.key"
    server = tmp_path / "server.crt"
    certificates.make_authority(*authority)
    certificates.make_server(server, tmp_path / "server.key", authority,
                             ["localhost", "broker.example", "127.0.0.1", "::1"])  # fmt: skip
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600] * 4
    for name in ("localhost", "broker.example", "127.0.0.1", "::1"):
        assert greet(tmp_path, name) == ""
    assert "mismatch" in greet(tmp_path, "other.example")
    assert certificates.lasts(server, certificates.RENEW_BEFORE)
    assert not certificates.lasts(server, 400 * 86400)
    assert not certificates.lasts(tmp_path / "none", 1)
    certificates.make_authority(tmp_path / "ca.crt", tmp_path / "other.key")
    assert greet(tmp_path, "localhost") != ""


@pytest.mark.parametrize("name", ["", "a,DNS:b", "a\nb", "-a", "a b", "x" * 254, "é"])
def test_names_that_could_say_more_are_refused(name: str) -> None:
    with pytest.raises(Refusal):
        certificates.check_name(name)
    assert certificates.check_name("*.example") == "*.example"


def test_without_openssl_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal) as caught:
        certificates.make_authority(tmp_path / "a", tmp_path / "b")
    assert caught.value.reason == "missing-program"


@needs_openssl
def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as caught:
        certificates.make_server(tmp_path / "a", tmp_path / "b",
                                 (tmp_path / "no.crt", tmp_path / "no.key"), ["x"])  # fmt: skip
    assert caught.value.reason == "path-io-error"
    assert list(tmp_path.iterdir()) == []
