# SPDX-License-Identifier: MIT
"""The container without an engine: its files as they are, and its services as processes."""

from __future__ import annotations

import contextlib
import queue
import re
import shutil
import signal
import socket
import ssl
import subprocess
from typing import Self

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from federation import __version__
from federation.config import broker_files
from tests.conftest import REPOSITORY
from tests.integration.brokers import wait_until
from tests.integration.composed import USER, Composed, compose, image_environment

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
GUIDE = (REPOSITORY / "docs/how-to/container.md").read_text(encoding="utf-8")
_SECRET = re.compile("PASSWORD|PASSPHRASE|SECRET|TOKEN|_KEY")


def test_the_image_is_pinned_has_its_sources_and_no_root() -> None:
    text = DOCKERFILE.replace("\\\n", " ")
    stages = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert set(stages) == {"${DEBIAN}"}
    assert re.search(r"^ARG DEBIAN=debian:[a-z]+-\d{8}-slim$", text, re.MULTILINE)
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (REPOSITORY / source).exists(), source
    users = re.findall(r"^USER (\S+)", text.rpartition("\nFROM ")[2], re.MULTILINE)
    assert users == [f"{USER}:{USER}"]
    assert not _SECRET.search("".join(re.findall(r"^(?:ENV|ARG) .*$", text, re.MULTILINE)))
    assert "--require-hashes" in text


def test_the_services_may_do_little_and_keep_no_secret() -> None:
    text = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
    assert broker_files.findings("docker-compose.yml", text) == []
    made = compose()
    assert {one["image"] for one in made["services"].values()} == {
        f"meta-log-peer-sync:{__version__}"
    }
    assert [name for name, one in made["services"].items() if "demo" in one.get("profiles", [])]
    for name, one in made["services"].items():
        assert (one["user"], one["read_only"], one["cap_drop"]) == (f"{USER}:{USER}", True, ["ALL"])
        assert "no-new-privileges:true" in one["security_opt"]
        assert not any(map(_SECRET.search, one.get("environment", {}))), name
        for volume in one["volumes"]:
            source, place = volume.split(":")
            assert source in made["volumes"]
            # Docker gives a new volume the owner that the folder has in the image.
            assert re.search(rf"install -d .*{re.escape(place)}\b", DOCKERFILE.replace("\\\n", " "))
        for other in one.get("depends_on", {}):
            assert other in made["services"]
        assert ("healthcheck" in one) == (name != "setup")
    assert made["services"]["broker"]["ports"] == ["127.0.0.1:8883:8883"]
    assert image_environment()["EMACS_SOCKET_NAME"] in GUIDE


def _emacsclient(composed: Composed, form: str) -> str:
    done = composed.run("emacs", ["emacsclient", "-e", form])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def _examples() -> list[str]:
    """The forms that the guide gives to the Emacs of the container."""
    return re.findall(r"^docker compose exec emacs emacsclient -e '(.+)'$", GUIDE, re.MULTILINE)


@pytest.mark.emacs
@pytest.mark.mosquitto
@pytest.mark.slow
def test_the_services_work_as_the_guide_says() -> None:
    for program in ("emacs", "emacsclient", "openssl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    with Composed() as composed:
        assert "7 users" not in composed.set_up()
        assert "certificate kept" in composed.set_up()
        for service in ("broker", "bot", "emacs"):
            composed.start(service)
        composed.wait_healthy("broker", "bot", "emacs")
        _documented_forms(composed)
        _broker_keeps_to_its_list(composed)
        _peers_come_and_passwords_change(composed)
        for service in ("emacs", "bot", "broker"):
            composed.stop(service)
        _backed_up_and_restored(composed)
        secrets = [*composed.root.rglob("broker-password"), *composed.root.rglob("*.key")]
        assert len(secrets) > 6
        assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}


def _backed_up_and_restored(composed: Composed) -> None:
    """The guide's archive of all volumes, brought back into empty ones; the bot starts from it."""
    text = GUIDE.replace("\\\n", " ")
    pack, unpack = (
        found.split() for found in re.findall(r"setup (tar -C / .*? [<>])", text)
    )  # fmt: skip
    places = pack[pack.index("-") + 1 : -1]
    volumes = {one.split(":")[1] for one in composed.services["setup"]["volumes"]}
    assert {f"/{one}" for one in places} == volumes - {"/setup/broker"}
    before = _contents(composed, places)
    backup = composed.root / "backup.tar.gz"
    root = str(composed.root)
    with backup.open("wb") as file:
        subprocess.run(["tar", "-C", root, *pack[3:-1]], stdout=file, check=True, timeout=60)
    for place in places:
        shutil.rmtree(composed.root / place)
    with backup.open("rb") as file:
        subprocess.run(["tar", "-C", root, *unpack[3:-1]], stdin=file, check=True, timeout=60)
    assert _contents(composed, places) == before
    _six_peers(composed)


def _six_peers(composed: Composed) -> None:
    """Everything at once, as with ``--profile demo``: each peer finds the five others."""
    peers = [name for name in composed.services if name not in ("setup", "broker")]
    assert len(peers) == 6
    composed.start("broker")
    composed.wait_healthy("broker")
    for service in peers:
        composed.start(service)
    words = next(
        line.partition(" exec bot3 ")[2] for line in GUIDE.splitlines() if " exec bot3 " in line
    ).split()

    def all_there() -> bool:
        done = composed.run("bot3", words)
        return done.returncode == 0 and done.stdout.startswith("Found 5 peers")

    wait_until(all_there, 90.0, "six peers")


def _contents(composed: Composed, places: list[str]) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for place in places
        for path in (composed.root / place).rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def _documented_forms(composed: Composed) -> None:
    forms = _examples()
    assert len(forms) >= 3
    bot = _setting(composed, "state/bot", "username")
    wait_until(lambda: bot in _emacsclient(composed, forms[0]), 90.0, forms[0])
    for form in forms[1:]:
        shown = _emacsclient(composed, form)
        assert "rror" not in shown, (form, shown)
    synced = composed.root / "state/bot/synced/note.org"
    wait_until(lambda: synced.exists() and b"A note" in synced.read_bytes(), 90.0, "the bot has it")


def _setting(composed: Composed, peer: str, name: str) -> str:
    text = (composed.root / peer / "config.toml").read_text()
    found = re.search(rf'^{name} = "(.+)"', text, re.MULTILINE)
    assert found is not None
    return found[1]


class Client:
    """An MQTT client of somebody who has a peer's files, and chooses a client id."""

    def __init__(self, composed: Composed, peer: str, client_id: str, **other: str) -> None:
        state = composed.root / peer
        self.heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._answers: queue.Queue[tuple[str, int, int]] = queue.Queue()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5)
        client = self._client
        client.tls_set(ca_certs=str(state / "broker-ca.crt"))
        password = other.get("password", (state / "broker-password").read_text().strip())
        if password:
            client.username_pw_set(_setting(composed, peer, "username"), password)
        client.on_connect = lambda _c, _u, _f, code, _p: self._say("connect", 0, code.value)
        client.on_publish = lambda _c, _u, mid, code, _p: self._say("publish", mid, code.value)
        client.on_subscribe = lambda _c, _u, mid, codes, _p: self._say(
            "subscribe", mid, codes[0].value
        )
        client.on_message = lambda _c, _u, message: self.heard.put(
            (message.topic, bytes(message.payload))
        )
        client.connect("localhost", composed.port)
        client.loop_start()
        self.code = self._wait("connect", 0)

    def _say(self, what: str, mid: int, code: int) -> None:
        self._answers.put((what, mid, code))

    def _wait(self, what: str, mid: int) -> int:
        while True:
            answer = self._answers.get(timeout=60)
            if answer[:2] == (what, mid):
                return answer[2]

    def publish(self, topic: str, text: str = "x") -> int:
        """The broker's reason code: below 128 it was taken."""
        return self._wait("publish", self._client.publish(topic, text, qos=1).mid)

    def subscribe(self, topic: str) -> None:
        """Ask for a topic."""
        mid = self._client.subscribe(topic, qos=1)[1]
        assert mid is not None
        self._wait("subscribe", mid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def _broker_keeps_to_its_list(composed: Composed) -> None:
    bot, own = (_setting(composed, f"state/{one}", "username") for one in ("bot", "bot3"))
    with Client(composed, "state/bot3", f"{bot}-1") as mallory:
        assert mallory.code == 0
        mallory.subscribe("#")
        mallory.subscribe(f"canvasl/peers/{bot}/messages")
        assert mallory.publish(f"canvasl/peers/{bot}/messages", "for the bot") < 128
        assert mallory.publish(f"canvasl/peers/{bot}/presence") >= 128
        assert mallory.publish(f"canvasl/peers/{own}/presence", "") < 128
        assert mallory.publish("elsewhere") >= 128
        assert mallory.publish(f"canvasl/peers/{own}/messages", "for bot3") < 128
        topics = set()
        while (one := mallory.heard.get(timeout=60)) != (
            f"canvasl/peers/{own}/messages", b"for bot3",
        ):  # fmt: skip
            topics.add(one[0])
        assert f"canvasl/peers/{bot}/messages" not in topics
    for password in ("", "guess"):
        with Client(composed, "state/bot", "x", password=password) as nobody:
            assert nobody.code >= 128
    with socket.create_connection(("127.0.0.1", composed.port), timeout=30) as plain:
        plain.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x0a\x00\x00")
        with contextlib.suppress(ConnectionResetError):
            assert plain.recv(4)[:1] != b"\x20"


def _peers_come_and_passwords_change(composed: Composed) -> None:
    certificate = composed.root / "setup/broker/server.crt"
    before = certificate.read_bytes()
    secret = composed.root / "state/bot3/broker-password"
    old = secret.read_text().strip()
    composed.set_up(f"--peer={composed.root}/state/new", "--renew")
    base = composed.services["setup"]["command"][:3]
    assert composed.run("setup", [*base, "--peer=/state/bot3", "--rotate"]).returncode == 0
    assert certificate.read_bytes() != before
    composed.processes["broker"].send_signal(signal.SIGHUP)

    def comes() -> bool:
        with Client(composed, "state/new", "new") as new:
            return new.code == 0

    wait_until(comes, 60.0, "the broker knows the new peer")
    shown = ssl.get_server_certificate(("localhost", composed.port))
    assert shown.strip() == certificate.read_text().strip()
    for password, good in ((secret.read_text().strip(), True), (old, False)):
        with Client(composed, "state/bot3", "x", password=password) as one:
            assert (one.code == 0) == good


def test_what_the_guide_runs_is_there() -> None:
    services = compose()["services"]
    named = re.findall(
        r"docker compose(?: --profile \w+)? (?:exec|run|restart|kill|logs|stop|start)"
        r"((?: -[-\w]+(?: HUP)?)*) (\w+)", GUIDE,
    )  # fmt: skip
    assert len(named) >= 6
    for _, service in named:
        assert service in services, service
