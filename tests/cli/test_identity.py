# SPDX-License-Identifier: MIT
"""The verb identity, without a running peer: made once, backed up, brought back."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from federation.cli.identity import own_passphrase
from federation.config import resolve
from tests.cli.conftest import Run
from tests.cli.peer import standing_in

BOB = "peer-" + "b" * 52


@pytest.fixture
def secret(home: Path) -> Path:
    file = home / "secret"
    file.write_text("correct horse\nbattery\n")
    file.chmod(0o600)
    return file


def test_made_once_and_shown(run: Run, home: Path) -> None:
    there = ("--state-dir", str(home / "s"), "--json")
    assert run("identity", *there).error["reason"] == "identity-missing"
    made = run("identity", "create", "--identity-name", "ann", *there).data
    assert made["peer_id"].startswith("peer-")
    assert (made["name"], made["protection"], len(made["words"])) == ("ann", "key-file", 8)
    assert run("identity", "create", *there).error["reason"] == "identity-exists"
    shown = run("identity", "show", *there).data
    assert shown == made | {"name": None}
    out = run("identity", *there[:2]).out
    assert made["peer_id"] in out
    assert " ".join(made["words"]) in out


def test_a_backup_and_back(run: Run, home: Path, secret: Path) -> None:
    one, two, backup = home / "one", home / "two", home / "backup.json"
    with_secret = ("--passphrase-file", str(secret), "--json")
    made = run("identity", "create", "--state-dir", str(one), "--json").data
    done = run("identity", "export", str(backup), "--state-dir", str(one), *with_secret)
    assert done.data == {"peer_id": made["peer_id"], "file": str(backup)}
    back = run("identity", "import", str(backup), "--state-dir", str(two), *with_secret)
    assert back.data["public_key"] == made["public_key"]
    again = run("identity", "import", str(backup), "--state-dir", str(two), *with_secret)
    assert again.error["reason"] == "identity-exists"
    secret.write_text("another passphrase\n")
    wrong = run("identity", "import", str(backup), "--state-dir", str(home / "3"), *with_secret)
    assert (wrong.code, wrong.error["reason"]) == (2, "identity-wrong-passphrase")


def test_a_passphrase_on_standard_input(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("identity", "create", "--state-dir", str(home / "s"))
    for typed, code in (("correct horse\n", 0), ("short\n", 2), ("", 2)):
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        words = ("identity", "export", str(home / f"b{len(typed)}"), "--passphrase-file", "-")
        assert run(*words, "--state-dir", str(home / "s")).code == code


def test_a_passphrase_that_others_may_read_is_refused(run: Run, home: Path, secret: Path) -> None:
    run("identity", "create", "--state-dir", str(home / "s"))
    secret.chmod(0o644)
    words = ("identity", "export", "b", "--passphrase-file", str(secret), "--json")
    assert run(*words, "--state-dir", str(home / "s")).error["reason"] == "config-unsafe-mode"


def test_an_identity_under_a_passphrase(run: Run, home: Path, secret: Path) -> None:
    there = ("--state-dir", str(home / "s"), "--json")
    keys = ("--identity-protection", "passphrase")
    assert run("identity", "create", *keys, *there).error["reason"] == "identity-locked"
    assert not (home / "s/identity.json").exists()
    file = ("--identity-passphrase-file", str(secret))
    assert run("identity", "create", *keys, *file, *there).data["protection"] == "passphrase"
    assert run("identity", *there).error["reason"] == "identity-locked"
    assert run("identity", *file, *there).code == 0


def test_a_running_peer_is_asked(run: Run, state: Path) -> None:
    shown = {"peer_id": BOB, "public_key": "0x", "name": None, "fingerprint": "0000",
             "words": ["a"] * 8, "protection": "none", "file": "/f"}  # fmt: skip
    words = {"peer_id": BOB, "words": ["b"] * 8, "fingerprint": "0000"}
    with standing_in(state, {"identity.show": shown, "identity.words": words}):
        assert run("identity", "--json").data == shown
        assert run("identity", "words", BOB).out.startswith("b b b b b b b b\n")


@pytest.mark.parametrize(
    "words", [("export",), ("import",), ("words",), ("show", "x"), ("export", "f"), ("import", "f")]
)
def test_wrong_usage(run: Run, words: tuple[str, ...]) -> None:
    assert run("identity", *words, "--json").error["reason"] == "usage"


def test_only_the_first_line_is_the_passphrase(secret: Path) -> None:
    assert (
        own_passphrase(resolve({"identity.passphrase_file": str(secret)}, {})) == b"correct horse"
    )
    assert own_passphrase(resolve({}, {})) is None
