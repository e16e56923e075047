# SPDX-License-Identifier: MIT
"""The files of the identity."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import pytest

from federation.adapters import keystore
from federation.errors import Refusal
from federation.identity.keys import SigningKey
from tests.adapters.keystores import (
    PASSPHRASE,
    Random,
    Ring,
    cheap,
    mode,
    random,
    reason,
    snapshot,
    start,
)

__all__ = ["cheap", "random"]  # fixtures


# --- a state directory --------------------------------------------------------------


def test_the_first_start_makes_an_identity_and_the_next_finds_it(
    tmp_path: Path, random: Random
) -> None:
    folder = tmp_path / "deep" / "state"
    opened = start(folder, random)
    assert opened.protection == "key-file"
    assert sorted(path.name for path in folder.iterdir()) == ["identity.json", "identity.key"]
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert len((folder / "identity.key").read_bytes()) == 32
    before = snapshot(folder)
    again = start(folder, random)
    assert again.key.seed() == opened.key.seed()
    assert snapshot(folder) == before


def test_a_wide_umask_changes_nothing(tmp_path: Path, random: Random) -> None:
    old = os.umask(0)
    try:
        start(tmp_path / "state", random)
    finally:
        os.umask(old)
    assert mode(tmp_path / "state") == 0o700
    assert {mode(path) for path in (tmp_path / "state").iterdir()} == {0o600}


def test_passphrase(tmp_path: Path, random: Random) -> None:
    opened = start(tmp_path / "s", random, "passphrase", PASSPHRASE)
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["identity.json"]
    wanted: tuple[keystore.Wanted, ...] = ("passphrase", "auto", "none")
    for protection in wanted:
        again = start(tmp_path / "s", random, protection, PASSPHRASE)
        assert (again.key.seed(), again.protection) == (opened.key.seed(), "passphrase")
    assert reason(start, tmp_path / "s", random) == "identity-locked"
    other = b"another passphrase"
    assert reason(start, tmp_path / "s", random, "auto", other) == "identity-wrong-passphrase"


@pytest.mark.parametrize(
    ("passphrase", "expected"),
    [(None, "identity-locked"), (b"", "config-passphrase-too-weak"),
     (b"short", "config-passphrase-too-weak")],
)  # fmt: skip
def test_no_identity_without_a_good_passphrase(
    tmp_path: Path, random: Random, passphrase: bytes | None, expected: str
) -> None:
    assert reason(start, tmp_path / "s", random, "passphrase", passphrase) == expected
    assert list((tmp_path / "s").iterdir()) == []


def test_unprotected_is_an_explicit_choice(tmp_path: Path, random: Random) -> None:
    opened = start(tmp_path / "s", random, "none")
    assert opened.protection == "none"
    assert start(tmp_path / "s", random, "none").key.seed() == opened.key.seed()
    assert reason(start, tmp_path / "s", random) == "config-identity-unencrypted"
    protected = start(tmp_path / "s", random, "passphrase", PASSPHRASE)
    assert (protected.key.seed(), protected.protection) == (opened.key.seed(), "passphrase")
    assert opened.key.seed().hex() not in (tmp_path / "s" / "identity.json").read_text()


def test_keyring(tmp_path: Path, random: Random) -> None:
    ring = Ring()
    opened = start(tmp_path / "s", random, "keyring", keyring=ring)
    assert list(ring.entries) == [("meta-log-peer-sync", opened.key.peer_id)]
    again = start(tmp_path / "s", random, keyring=ring)
    assert (again.key.seed(), again.protection) == (opened.key.seed(), "keyring")
    assert reason(start, tmp_path / "s", random, keyring=Ring()) == "identity-locked"
    ring.set_password("meta-log-peer-sync", opened.key.peer_id, "zz")
    assert reason(start, tmp_path / "s", random, keyring=ring) == "config-identity-corrupt"


def test_the_keyring_of_the_desktop(
    tmp_path: Path, random: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Exception):
        pass

    class Desktop(Ring):
        KeyringError = Broken

        def get_password(self, service: str, username: str) -> str | None:
            raise Broken

    def without(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", without)
    assert reason(start, tmp_path / "a", random, "keyring") == "missing-program"
    assert list((tmp_path / "a").iterdir()) == []
    desktop = Desktop()
    monkeypatch.setattr(importlib, "import_module", lambda name: desktop)
    assert reason(start, tmp_path / "b", random, "keyring") == "identity-locked"
    assert len(desktop.entries) == 1


def test_a_stronger_protection_later_keeps_the_identity(tmp_path: Path, random: Random) -> None:
    folder = tmp_path / "s"
    opened = start(folder, random)
    anew = start(folder, random, "passphrase", PASSPHRASE)
    assert (anew.key.seed(), anew.protection) == (opened.key.seed(), "passphrase")
    assert [path.name for path in folder.iterdir()] == ["identity.json"]
    assert mode(folder / "identity.json") == 0o600
    assert start(folder, random, "auto", PASSPHRASE).key.seed() == opened.key.seed()


def test_a_key_without_an_identity_is_what_a_crash_leaves(tmp_path: Path, random: Random) -> None:
    folder = tmp_path / "s"
    start(folder, random)
    key = (folder / "identity.key").read_bytes()
    (folder / "identity.json").unlink()
    start(folder, random)
    assert (folder / "identity.key").read_bytes() == key
    assert start(folder, random).protection == "key-file"


# --- damage ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["identity.json", "identity.key"])
@pytest.mark.parametrize("damage", [b"", b"x", None, b"x" * 100_000])
def test_damage_is_refused_and_nothing_is_replaced(
    tmp_path: Path, random: Random, name: str, damage: bytes | None
) -> None:
    folder = tmp_path / "s"
    start(folder, random)
    path = folder / name
    path.write_bytes(path.read_bytes()[:-2] if damage is None else damage)
    before = snapshot(folder)
    assert reason(start, folder, random) == "config-identity-corrupt"
    assert snapshot(folder) == before


def test_a_lost_key_file_is_damage(tmp_path: Path, random: Random) -> None:
    folder = tmp_path / "s"
    start(folder, random)
    (folder / "identity.key").unlink()
    before = snapshot(folder)
    assert reason(start, folder, random) == "config-identity-corrupt"
    assert snapshot(folder) == before


@pytest.mark.parametrize("name", ["identity.json", "identity.key"])
@pytest.mark.parametrize("bits", [0o644, 0o640, 0o620, 0o602, 0o604, 0o700 | 0o010])
def test_modes(tmp_path: Path, random: Random, name: str, bits: int) -> None:
    start(tmp_path / "s", random)
    (tmp_path / "s" / name).chmod(bits)
    assert reason(start, tmp_path / "s", random) == "config-unsafe-mode"
    assert mode(tmp_path / "s" / name) == bits


@pytest.mark.parametrize("name", ["identity.json", "identity.key"])
def test_links_fifos_and_folders(tmp_path: Path, random: Random, name: str) -> None:
    start(tmp_path / "s", random)
    path = tmp_path / "s" / name
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert reason(start, tmp_path / "s", random) == "path-symlink-escape"
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    assert reason(start, tmp_path / "s", random) == "path-symlink-escape"
    path.unlink()
    os.mkfifo(path, 0o600)
    assert reason(start, tmp_path / "s", random) == "path-not-regular"
    path.unlink()
    path.mkdir()
    assert reason(start, tmp_path / "s", random) == "path-not-regular"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", ["identity.json", "identity.key"])
def test_foreign_owners(tmp_path: Path, random: Random, name: str) -> None:
    start(tmp_path / "s", random)
    os.chown(tmp_path / "s" / name, 12345, 12345)
    assert reason(start, tmp_path / "s", random) == "config-foreign-owner"


# --- other files ------------------------------------------------------------------------------


def test_identity_files(tmp_path: Path, random: Random) -> None:
    path = tmp_path / "new" / "work.json"
    made = keystore.create_file(path, None, random)
    assert sorted(one.name for one in path.parent.iterdir()) == ["work.json", "work.key"]
    assert keystore.load_file(path, None).key.seed() == made.key.seed()
    before = snapshot(path.parent)
    assert reason(keystore.create_file, path, None, random) == "identity-exists"
    assert reason(keystore.create_file, path, PASSPHRASE, random) == "identity-exists"
    assert snapshot(path.parent) == before
    with_passphrase = keystore.create_file(tmp_path / "other", PASSPHRASE, random)
    assert keystore.load_file(tmp_path / "other", PASSPHRASE).key.seed() == (
        with_passphrase.key.seed()
    )
    assert with_passphrase.key.peer_id != made.key.peer_id
    assert reason(keystore.load_file, tmp_path / "none", None) == "identity-missing"


@pytest.mark.parametrize("name", ["a", "a.json", "a.key", ".a"])
def test_the_key_file_is_never_the_identity_file(tmp_path: Path, random: Random, name: str) -> None:
    made = keystore.create_file(tmp_path / name, None, random)
    assert len(list(tmp_path.iterdir())) == 2
    assert keystore.load_file(tmp_path / name, None).key.seed() == made.key.seed()


def test_a_key_file_of_another_identity_is_not_taken(tmp_path: Path, random: Random) -> None:
    (tmp_path / "a.key").write_bytes(bytes(32))
    assert reason(keystore.create_file, tmp_path / "a.json", None, random) == "identity-exists"
    assert snapshot(tmp_path) == {"a.key": bytes(32)}


def test_unprotected_files(tmp_path: Path, random: Random) -> None:
    start(tmp_path / "s", random, "none")
    path = tmp_path / "s" / "identity.json"
    assert reason(keystore.load_file, path, None) == "config-identity-unencrypted"
    assert keystore.load_file(path, None, allow_unprotected=True).protection == "none"


def test_backup(tmp_path: Path, random: Random) -> None:
    opened = start(tmp_path / "a", random)
    (tmp_path / "b").mkdir(mode=0o700)
    backup = tmp_path / "backup.json"
    keystore.export_backup(opened, backup, PASSPHRASE, random)
    assert mode(backup) == 0o600
    assert opened.key.seed().hex().encode() not in backup.read_bytes()
    assert reason(keystore.export_backup, opened, backup, PASSPHRASE, random) == "identity-exists"
    weak = tmp_path / "weak.json"
    expected = "config-passphrase-too-weak"
    assert reason(keystore.export_backup, opened, weak, b"", random) == expected
    assert not weak.exists()

    backup.chmod(0o644)  # as from a memory stick
    moved = keystore.import_backup(backup, PASSPHRASE, tmp_path / "b", random=random)
    assert (moved.key.seed(), moved.protection) == (opened.key.seed(), "key-file")
    assert start(tmp_path / "b", random).key.seed() == opened.key.seed()
    before = snapshot(tmp_path / "b")
    arguments = (backup, PASSPHRASE, tmp_path / "b")
    assert reason(keystore.import_backup, *arguments, random=random) == "identity-exists"
    assert snapshot(tmp_path / "b") == before


def test_backup_under_a_new_passphrase(tmp_path: Path, random: Random) -> None:
    opened = start(tmp_path / "a", random)
    (tmp_path / "b").mkdir(mode=0o700)
    keystore.export_backup(opened, tmp_path / "backup", PASSPHRASE, random)
    moved = keystore.import_backup(
        tmp_path / "backup", PASSPHRASE, tmp_path / "b", random=random, protection="passphrase",
        new_passphrase=b"quite another one",
    )  # fmt: skip
    assert moved.protection == "passphrase"
    again = start(tmp_path / "b", random, "auto", b"quite another one")
    assert again.key.seed() == opened.key.seed()


def test_a_backup_that_does_not_open_leaves_nothing(tmp_path: Path, random: Random) -> None:
    opened = start(tmp_path / "a", random)
    (tmp_path / "b").mkdir(mode=0o700)
    keystore.export_backup(opened, tmp_path / "backup", PASSPHRASE, random)
    for path, passphrase, expected in (
        (tmp_path / "backup", b"a bad passphrase", "identity-wrong-passphrase"),
        (tmp_path / "nowhere", PASSPHRASE, "identity-missing"),
    ):
        arguments = (path, passphrase, tmp_path / "b")
        assert reason(keystore.import_backup, *arguments, random=random) == expected
        assert list((tmp_path / "b").iterdir()) == []


def test_no_secret_in_any_refusal(tmp_path: Path, random: Random) -> None:
    opened = start(tmp_path / "s", random)
    secrets = [opened.key.seed().hex(), (tmp_path / "s/identity.key").read_bytes().hex()]
    (tmp_path / "s" / "identity.key").write_bytes(bytes(32))
    with pytest.raises(Refusal) as caught:
        start(tmp_path / "s", random)
    shown = str(caught.value) + str(caught.value.as_data()) + repr(opened)
    assert not [secret for secret in secrets if secret in shown]
    assert SigningKey.from_seed(opened.key.seed()).peer_id in repr(opened)
