# SPDX-License-Identifier: MIT
"""``doctor`` against what is really broken: brokers, certificates, disks, clocks, second peers."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from federation.cli import app
from tests.integration.brokers import Mosquitto, free_port
from tests.integration.independent_peer import IndependentPeer
from tests.integration.mqtt_peers import tool
from tests.integration.peers import Peer, command

pytestmark = [pytest.mark.mosquitto, pytest.mark.timeout(300)]


class Patient:
    """A user whose peer may or may not run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        (folder / "run").mkdir(mode=0o700)

    def ask(self, *flags: str) -> dict[str, dict[str, Any]]:
        """The checks by name; exit code and verdict fit together.

        In this process: a dozen starts of Python would take longer than all that is looked at.
        """
        words = ("doctor", "--json", "--state-dir", str(self.state), *flags)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            code = app.run(words, {"HOME": str(self.folder)})
        found = json.loads(out.getvalue())
        assert code == (0 if found["healthy"] else 1)
        assert found["healthy"] == all(one["state"] != "error" for one in found["checks"])
        return {one["name"]: one for one in found["checks"]}

    def case(self, check: str, *flags: str) -> str:
        """The case of one check."""
        return str(self.ask(*flags)[check]["case"])


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patient:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return Patient(tmp_path)


def test_brokers_passwords_and_certificates(patient: Patient, tmp_path: Path) -> None:
    """Every way of not reaching a broker, each with a real one."""
    certificates(tmp_path)
    subprocess.run([tool("mosquitto_passwd"), "-b", "-c", "users", "ada", "right"],
                   cwd=tmp_path, check=True, capture_output=True)  # fmt: skip
    (tmp_path / "users").chmod(0o644)
    for name in ("right", "wrong"):
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(0o600)
    good, old = free_port(), free_port()
    config = f"password_file {tmp_path}/users\nuse_username_as_clientid true\n" + "".join(
        f"listener {port} 127.0.0.1\ncertfile {tmp_path}/{name}.pem\nkeyfile {tmp_path}/ca.key\n"
        for port, name in ((good, "server"), (old, "old"))
    )
    user = ("--broker-username", "ada", "--broker-password-file")
    ca = ("--broker-ca-file", str(tmp_path / "ca.pem"))
    with Mosquitto(tmp_path, config, anonymous=False) as broker:

        def case(url: str, *flags: str, password: str = "right") -> str:
            word = str(tmp_path / password)
            return patient.case("broker", "--broker-url", url, *user, word, *flags)

        tls = f"mqtts://localhost:{good}"
        assert [
            case(broker.url),
            case(broker.url, password="wrong"),
            case(tls, *ca),
            case(tls),
            case(f"mqtts://127.0.0.1:{good}", *ca),
            case(f"mqtts://localhost:{old}", *ca),
            case(tls, "--broker-ca-file", str(tmp_path / "users")),
            case(f"mqtts://localhost:{broker.port}", *ca),
            case(f"mqtt://localhost:{good}"),
            case(f"mqtt://127.0.0.1:{free_port()}"),
            case("mqtts://broker.invalid"),
        ] == [
            "", "broker-password", "", "tls-authority", "tls-name", "tls-expired", "tls-ca-file",
            "tls-plain-port", "tls-wanted", "broker-unreachable", "broker-name",
        ]  # fmt: skip
        peer = Peer(
            patient.state, broker.url, flags=(*user, str(tmp_path / "wrong")),
            env={"XDG_RUNTIME_DIR": str(tmp_path / "run")},
        ).start(connected=False)  # fmt: skip
        with peer:
            peer.wait(lambda: peer.call("status")["broker"]["error"], 60, "the refusal")
            said = patient.ask()["broker"]
            assert said["case"] == "broker-password"
            assert "MQTT_PASSWORD" in said["cure"]
            peer.wait(lambda: "refused" in peer.log.read_text(), 60, "the log")
            assert "refused" in peer.call("status")["broker"]["error"]


def certificates(folder: Path) -> None:
    """An authority, a certificate of it for localhost, and one that has expired."""

    def openssl(*arguments: str) -> None:
        subprocess.run([tool("openssl"), *arguments], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "2")  # fmt: skip
    openssl("req", "-new", "-key", "ca.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    for name, days in (("server", "2"), ("old", "-1")):
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", days, "-extfile", "names",
                "-out", f"{name}.pem")  # fmt: skip
    for file in folder.iterdir():
        if file.is_file():
            file.chmod(0o644)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir(mode=0o700)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(folder)],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"a file system of its own cannot be made: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(patient: Patient) -> None:
    with small_disk(patient.state) as folder:
        assert patient.case("disk") == "disk-low"
        with (folder / "filler").open("wb") as file, contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), bytes(4096))
        full = patient.ask()["disk"]
        assert (full["case"], full["state"]) == ("disk-full", "error")
        assert sorted(path.name for path in folder.iterdir()) == ["filler"]


def test_a_second_instance_a_clone_and_a_clock(patient: Patient, tmp_path: Path) -> None:
    run = {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    with Mosquitto(tmp_path) as broker:
        others = [IndependentPeer(bytes([number]) * 32, broker.port) for number in (7, 8)]
        with Peer(patient.state, broker.url, seed=bytes(32), env=run) as peer:
            for other in others:
                other.connect()
            peer.wait(lambda: len(peer.call("peers.list")["peers"]) == 2, 60, "the others")
            well = patient.ask()
            assert {one["case"] for one in well.values()} == {"", "instance-other"}
            assert str(peer.pid) in well["instance"]["found"]
            second = subprocess.run(
                command("bot", "--state-dir", str(patient.state)),
                env=peer.env, capture_output=True, timeout=60, check=False,
            )  # fmt: skip
            assert (second.returncode, b"another peer is running" in second.stderr) == (2, True)

            soon = (datetime.now(UTC) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
            clock: dict[str, Any] = {}
            for number, other in enumerate(others):
                message = json.dumps(other.announcement(timestamp=soon)).encode()
                other.publish("canvasl/peers/announce", message)
                peer.wait(
                    lambda n=number: n < sum(  # type: ignore[misc]
                        abs(one["clock_offset"] or 0) > 7000
                        for one in peer.call("peers.list")["peers"]
                    ),
                    60, "the announcement",
                )  # fmt: skip
                clock = patient.ask()["clock"]
                assert clock["case"] == ("clock-peer", "clock-own")[number]
            assert "2 h behind" in clock["found"]
            for other in others:
                other.disconnect()

            with Peer(tmp_path / "copy", broker.url, seed=bytes(32), env=run):
                twin = patient.ask()["identity"]
                assert twin["case"] == "identity-cloned"
                assert str(tmp_path / "copy") in twin["found"]
            peer.wait(lambda: "self-peer" in peer.call("status")["refusals"], 60, "the clone")
            assert patient.case("identity") == "identity-cloned"
