# SPDX-License-Identifier: MIT
"""The shared bad configurations, against a real start of the peer."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from federation.errors import REASONS
from federation.identity import protect
from tests.conformance import badinputs, mapping
from tests.conformance.badinputs import Case, identities
from tests.conformance.world import seed_of
from tests.integration.brokers import Mosquitto
from tests.integration.peers import Peer, command, environment, place_identity

CASES = list(badinputs.cases("config"))
NOTHING = bytes(24)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory with a few files of its own."""
    home = tmp_path / "home"
    (home / ".emacs.d").mkdir(parents=True)
    (home / ".emacs.d" / "init.el").write_text(";; mine\n")
    environment(home)
    return home


def _files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder: its mode and its bytes."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("lock", "peer.log")
    }


def _run(home: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*command("bot", "--json"), *arguments],
        env=environment(home), cwd=home, capture_output=True, timeout=20, check=False,
    )  # fmt: skip


def _refused(done: subprocess.CompletedProcess[bytes], reason: str) -> dict[str, Any]:
    """The one line of the refusal, which has this reason and no secret."""
    assert done.returncode != 0
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    error: dict[str, Any] = json.loads(line)
    assert error["reason"] == reason
    assert error["code"] == REASONS[reason].code
    assert error["message"]
    assert error["hint"]
    for secret in ("hunter2", "static-in-repo", seed_of("bob").hex()):
        assert secret not in line
    return error


def _case(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


OF_FILES = [case for case in CASES if not case.accepted and case.name in mapping.CONFIG]
OTHERS = frozenset(
    {"cfg-sync-dir-symlink", "cfg-identity-0644", "cfg-identity-empty-file",
     "cfg-identity-wrong-pubkey", "cfg-identity-plaintext-seed", "cfg-argon2-dos",
     "cfg-kdf-unknown", "cfg-kdf-pbkdf2-100k", "cfg-passphrase-empty",
     "cfg-two-sidecars-one-state"}
)  # fmt: skip


def test_no_case_is_left_out(shared: Path) -> None:
    assert (shared / "data/badinputs").is_dir()
    names = {case.name for case in CASES}
    known = set(mapping.CONFIG) | OTHERS | set(mapping.SKIPPED)
    assert names <= known
    assert known - set(mapping.SKIPPED) <= names


@pytest.mark.parametrize("case", OF_FILES, ids=lambda case: case.name)
def test_file_or_flag(case: Case, home: Path, tmp_path: Path) -> None:
    text, flags = mapping.CONFIG[case.name]
    config = tmp_path / "config.toml"
    config.write_text(text)
    config.chmod(0o600)
    before = _files(home), sorted(os.listdir("/"))
    flags = tuple(str(home) + one[1:] if one.startswith("~") else one for one in flags)
    if "--state-dir" not in flags:
        flags = (*flags, "--state-dir", str(tmp_path / "state"))
    done = _run(home, "--config", str(config), *flags)
    _refused(done, mapping.REASONS.get(case.name, case.reason))
    assert (_files(home), sorted(os.listdir("/"))) == before
    assert not (tmp_path / "state" / "identity.json").exists()


def test_unknown_flags_and_variables(home: Path, tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    done = subprocess.run(
        [*command("bot", "--json"), "--state-dir", state],
        env=environment(home, {"META_LOG_PEER_SYNC_BROKER_ALLOW_ANONYMUS": "1"}),
        cwd=home, capture_output=True, timeout=20, check=False,
    )  # fmt: skip
    _refused(done, "config-unknown-key")


# --- the state directory and the identity in it -------------------------------------------------


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state directory with bob's identity; nothing in it may change."""
    state = tmp_path / "state"
    place_identity(state, seed_of("bob"))
    yield state
    assert list(state.rglob("*.canvasl")) == []


def _identity(state: Path, data: bytes) -> None:
    (state / "identity.json").write_bytes(data)


def _check_identity(home: Path, state: Path, name: str, *flags: str) -> None:
    before = _files(state)
    done = _run(home, "--state-dir", str(state), *flags)
    _refused(done, _case(name).reason)
    # Never made again silently: the file is what it was, to the last bit.
    after = _files(state)
    assert {key: after[key] for key in before} == before
    assert "store.db" not in after


def test_synced_is_a_link(home: Path, state: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (state / "synced").symlink_to(elsewhere)
    done = _run(home, "--state-dir", str(state))
    _refused(done, _case("cfg-sync-dir-symlink").reason)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["synced", "conflicts", "received", "tmp"])
def test_folder_that_is_a_file(name: str, home: Path, state: Path) -> None:
    (state / name).write_text("a file")
    _refused(_run(home, "--state-dir", str(state)), "path-not-directory")
    assert (state / name).read_text() == "a file"


def test_state_directory_is_a_link(home: Path, state: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(state)
    _refused(_run(home, "--state-dir", str(link)), "config-unsafe-sync-dir")


@pytest.mark.parametrize("name", ["identity.json", "identity.key"])
def test_identity_that_others_may_read(name: str, home: Path, state: Path) -> None:
    (state / name).chmod(0o644)
    _check_identity(home, state, "cfg-identity-0644")


def test_empty_identity(home: Path, state: Path) -> None:
    _identity(state, b"")
    _check_identity(home, state, "cfg-identity-empty-file")


def test_missing_key_file(home: Path, state: Path) -> None:
    (state / "identity.key").unlink()
    _check_identity(home, state, "cfg-identity-empty-file")


def test_wrong_public_key(home: Path, state: Path) -> None:
    """A box that opens, and whose seed makes another key than the file names."""
    _identity(state, protect.seal(seed_of("bob"), "none", secret=None, salt=NOTHING[:16],
                                  nonce=NOTHING))  # fmt: skip
    fields = json.loads((state / "identity.json").read_text())
    fields["seed"] = seed_of("alice").hex()
    _identity(state, json.dumps(fields).encode())
    _check_identity(home, state, "cfg-identity-wrong-pubkey", "--identity-protection", "none")


def test_unencrypted_seed(home: Path, state: Path) -> None:
    _identity(state, protect.seal(seed_of("bob"), "none", secret=None, salt=NOTHING[:16],
                                  nonce=NOTHING))  # fmt: skip
    _check_identity(home, state, "cfg-identity-plaintext-seed")


def _with_kdf(state: Path, kdf: dict[str, Any]) -> None:
    bob = identities()["bob"]
    fields = {
        "format": protect.FORMAT, "version": 1, "peer_id": bob.peer_id,
        "public_key": "0x" + bob.public_key.hex(), "protection": "passphrase",
        "kdf": kdf, "nonce": "00" * 24, "box": "00" * 48,
    }  # fmt: skip
    _identity(state, json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("name", "kdf"),
    [
        ("cfg-argon2-dos", {"name": "argon2id", "ops": 1000, "memory": 64 << 30}),
        ("cfg-argon2-dos", {"name": "argon2id", "ops": 3, "memory": 64 << 30}),
        ("cfg-argon2-dos", {"name": "argon2id", "ops": 2**31, "memory": 64 << 20}),
        ("cfg-kdf-unknown", {"name": "md5", "ops": 3, "memory": 64 << 20}),
        ("cfg-kdf-pbkdf2-100k", {"name": "pbkdf2", "ops": 100_000, "memory": 64 << 20}),
    ],
)
def test_key_derivation(
    name: str, kdf: dict[str, Any], home: Path, state: Path, tmp_path: Path
) -> None:
    _with_kdf(state, {**kdf, "salt": "00" * 16})
    secret = tmp_path / "passphrase"
    secret.write_text("a passphrase that is long\n")
    secret.chmod(0o600)
    _check_identity(home, state, name, "--identity-passphrase-file", str(secret))


def test_empty_passphrase(home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("\n")
    secret.chmod(0o600)
    done = _run(home, "--state-dir", str(tmp_path / "new"), "--identity-protection", "passphrase",
                "--identity-passphrase-file", str(secret))  # fmt: skip
    _refused(done, _case("cfg-passphrase-empty").reason)
    assert not (tmp_path / "new" / "identity.json").exists()


def test_two_peers_on_one_state_directory(home: Path, tmp_path: Path) -> None:
    with Peer(tmp_path / "one", "mqtt://127.0.0.1:9", seed=seed_of("bob")).start(
        connected=False
    ) as peer:
        done = _run(home, "--state-dir", str(peer.state_dir))
        _refused(done, _case("cfg-two-sidecars-one-state").reason)
        assert peer.call("status")["peer_id"] == identities()["bob"].peer_id


@pytest.mark.mosquitto
def test_plain_loopback_is_accepted(tmp_path: Path) -> None:
    text, _ = mapping.CONFIG[_case("control-cfg-loopback-plain").name]
    with Mosquitto(tmp_path) as broker:
        config = tmp_path / "config.toml"
        config.write_text(text.replace("1883", str(broker.port)))
        config.chmod(0o600)
        with Peer(tmp_path / "p", broker.url, flags=("--config", str(config))) as peer:
            assert peer.call("status")["broker"]["state"] == "connected"
