# SPDX-License-Identifier: MIT
"""The verbs broker-setup and broker-check; the real mosquitto is in ``tests/integration``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from federation.cli import broker_setup
from federation.config import broker_files
from tests.cli.conftest import Run

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")
ELSEWHERE = "peer-" + "a" * 52


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; nobody else may read any."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_dir()} == {0o700}
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_made_once_changed_where_asked(run: Run, home: Path) -> None:
    folder, ada = home / "broker", home / "ada"
    words = ("broker-setup", str(folder), "--json")
    made = run(*words, "--name", "localhost", "--port", "8884", "--peer", str(ada),
               "--peer", ELSEWHERE).data  # fmt: skip
    own = made["peers"][0]["peer_id"]
    assert [one["state"] for one in made["peers"]] == ["added", "added"]
    assert (made["url"], made["certificate"]) == ("mqtts://localhost:8884", "made")
    first = contents(folder)
    assert f"peers/{ELSEWHERE}.password" in first
    password = (ada / broker_setup.PASSWORD_FILE).read_text().strip()
    assert len(password) == 48
    assert not any(password.encode() in content for content in first.values())
    shown = run("config", "--json", "--state-dir", str(ada)).data["config"]
    assert shown["broker.username"]["value"] == own
    assert shown["broker.url"]["value"] == made["url"]
    # again, with what is remembered: nothing changes
    again = run(*words, "--peer", str(ada), "--peer", ELSEWHERE).data
    assert [one["state"] for one in again["peers"]] == ["kept", "kept"]
    assert contents(folder) == first
    # another password for one
    run(*words, "--peer", str(ada), "--rotate")
    rotated = contents(folder)
    assert (ada / broker_setup.PASSWORD_FILE).read_text().strip() != password
    assert {name for name in first if first[name] != rotated[name]} == {"broker/users"}
    before, after = (broker_files.users(one["broker/users"].decode()) for one in (first, rotated))
    assert {name for name in before if before[name] != after[name]} == {own}
    # out with the other one
    gone = run(*words, "--peer", ELSEWHERE, "--remove").data
    assert gone["users"] == [own]
    assert f"peers/{ELSEWHERE}.password" not in contents(folder)
    # another certificate, of the same authority
    assert run(*words, "--renew").data["certificate"] == "made"
    renewed = contents(folder)
    assert renewed["broker/server.crt"] != first["broker/server.crt"]
    assert renewed["authority.crt"] == first["authority.crt"]
    # other names: a certificate for them
    assert run(*words, "--name", "broker.example").data["certificate"] == "made"
    assert json.loads((folder / "setup.json").read_text())["names"] == ["broker.example"]


def test_a_lost_password_is_made_anew_and_a_lost_authority_signs_anew(run: Run, home: Path) -> None:
    folder, ada = home / "broker", home / "ada"
    words = ("broker-setup", str(folder), "--peer", str(ada), "--json")
    run(*words)
    (ada / broker_setup.PASSWORD_FILE).unlink()
    assert run(*words).data["peers"][0]["state"] == "rotated"
    (folder / "authority.key").unlink()
    assert run(*words).data["certificate"] == "made"
    assert (ada / broker_setup.CA_FILE).read_text() == (folder / "authority.crt").read_text()
    assert "certificate kept" in run("broker-setup", str(folder)).out


@pytest.mark.parametrize(("words", "reason"), [
    (("--peer", "peer-bob"), "bad-peer-id"),
    (("--name", "a,IP:0.0.0.0"), "config-bad-value"),
    (("--listen", "x y"), "config-bad-value"),
    (("--url", "ftp://x"), "config-bad-url"),
    (("--rotate", "--remove"), "usage"),
])  # fmt: skip
def test_what_is_refused(run: Run, home: Path, words: tuple[str, ...], reason: str) -> None:
    outcome = run("broker-setup", str(home / "b"), "--json", *words)
    assert outcome.error["reason"] == reason
    assert not (home / "b" / "setup.json").exists() or reason == "bad-peer-id"


def test_the_checker(run: Run, home: Path, repository: Path) -> None:
    good = run("broker-check", str(repository / "docker-compose.yml"))
    assert (good.code, good.out) == (0, "1 file looked through, nothing found\n")
    bad = home / "mosquitto.conf"
    bad.write_text("listener 1883\nallow_anonymous true\n")
    found = run("broker-check", str(bad), "--json")
    assert found.code == 1
    assert [one["reason"] for one in found.data["findings"]] == ["config-anonymous-non-loopback"]
    assert run("broker-check", str(home / "none"), "--json").error["reason"] == "file-not-found"
