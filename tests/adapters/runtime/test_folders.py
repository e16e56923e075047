# SPDX-License-Identifier: MIT
"""State directories and private files: what is refused, and what is made right."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import pytest

from federation import limits
from federation.adapters import runtime
from federation.adapters.runtime import (
    prepare_state_dir,
    read_private_text,
    write_private_text,
)
from federation.errors import Refusal
from tests.adapters.runtime.places import environ, mode, refusal_of


def test_missing_directories_are_made_private(user: Path) -> None:
    made = prepare_state_dir(user / "a/b/state", environ())
    assert mode(made) == 0o700
    assert prepare_state_dir(made, environ()) == made


def test_a_new_folder_is_there_after_a_crash_too(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda handle: synced.append(os.readlink(f"/proc/self/fd/{handle}"))
    )
    prepare_state_dir(user / "state", environ())
    prepare_state_dir(user / "state", environ())
    assert synced == [str(user)]


@pytest.mark.parametrize(
    "name", ["/", "~", "~/.emacs.d", "~/.config/emacs", "~/..", "/etc/x", "/tmp", "/usr", "~/.ssh/"]
)
def test_folders_for_other_things_are_refused(name: str) -> None:
    assert refusal_of(runtime.absolute(name, environ())) == "config-unsafe-sync-dir"


def test_a_symbolic_link_is_refused(user: Path) -> None:
    (user / "real").mkdir(mode=0o700)
    (user / "link").symlink_to(user / "real")
    (user / "etc").symlink_to("/etc")
    assert refusal_of(user / "link") == "config-unsafe-sync-dir"
    assert refusal_of(user / "etc") == "config-unsafe-sync-dir"
    # Through a link, the folder meant is what counts.
    (user / "up").symlink_to(user.parent)
    assert refusal_of(user / "up/h") == "config-unsafe-sync-dir"


def test_an_own_folder_gets_its_mode_corrected(user: Path) -> None:
    empty, old = user / "empty", user / "old"
    for folder in (empty, old):
        folder.mkdir()
        folder.chmod(0o755)
    (old / "identity.key").touch()
    for folder in (empty, old):
        assert mode(prepare_state_dir(folder, environ())) == 0o700


def test_a_folder_that_others_could_fill_is_refused(user: Path) -> None:
    other = user / "other"
    other.mkdir()
    (other / "music.ogg").touch()
    other.chmod(0o755)
    assert refusal_of(other) == "config-unsafe-mode"
    (other / "identity.key").touch()
    other.chmod(0o777)
    assert refusal_of(other) == "config-unsafe-mode"
    assert mode(other) == 0o777
    other.chmod(0o700)
    prepare_state_dir(other, environ())


def test_what_is_no_folder_is_refused(user: Path) -> None:
    (user / "file").touch()
    assert refusal_of(user / "file") == "path-not-directory"
    assert refusal_of(user / "file/below") == "path-not-directory"


def test_a_foreign_folder_is_refused(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = user / "theirs"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    assert refusal_of(folder) == "config-foreign-owner"


def test_private_files(user: Path) -> None:
    file = user / "f"
    write_private_text(file, "one\n")
    assert mode(file) == 0o600
    assert read_private_text(file, secret=True) == "one\n"
    write_private_text(file, "two\n")
    assert read_private_text(file) == "two\n"
    assert [entry.name for entry in user.iterdir() if entry.is_file()] == ["f"]


@pytest.mark.parametrize(
    ("bits", "secret", "taken"),
    [(0o600, True, True), (0o640, True, False), (0o644, False, True), (0o664, False, False)],
)
def test_the_mode_of_private_files(user: Path, bits: int, secret: bool, taken: bool) -> None:
    file = user / "f"
    file.write_text("x")
    file.chmod(bits)
    if taken:
        assert read_private_text(file, secret=secret) == "x"
    else:
        with pytest.raises(Refusal) as caught:
            read_private_text(file, secret=secret)
        assert caught.value.reason == "config-unsafe-mode"


def test_files_that_are_not_read(user: Path) -> None:
    os.mkfifo(user / "pipe", 0o600)
    (user / "huge").write_bytes(b"x" * (limits.MIB))
    (user / "latin").write_bytes(b"\xe9")
    expected = {"pipe": "path-not-regular", "huge": "config-bad-config",
                "latin": "config-bad-config", "none": "file-not-found",
                "run": "path-not-regular"}  # fmt: skip
    for name, reason in expected.items():
        with pytest.raises(Refusal) as caught:
            read_private_text(user / name)
        assert caught.value.reason == reason, name


def test_a_write_that_fails_leaves_the_old_file(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = user / "f"
    write_private_text(file, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refusal) as caught:
        write_private_text(file, "new")
    assert caught.value.reason == "disk-full"
    assert file.read_text() == "old"
    assert len([entry for entry in user.iterdir() if entry.is_file()]) == 1


def _seen(path: Path) -> str:
    with pytest.raises(Refusal) as caught:
        runtime.examine_state_dir(path, environ())
    return caught.value.reason


def test_a_state_directory_is_looked_at_without_a_change(user: Path) -> None:
    folder = user / "state"
    assert not runtime.examine_state_dir(folder, environ())
    assert not folder.exists()
    prepare_state_dir(folder, environ())
    (folder / "peer.log").touch()
    assert runtime.examine_state_dir(folder, environ())
    folder.chmod(0o777)
    assert _seen(folder) == "config-unsafe-mode"
    assert mode(folder) == 0o777
    (user / "file").touch()
    assert _seen(user / "file") == ("path-not-directory")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_somebody_else_is_seen(user: Path) -> None:
    folder = prepare_state_dir(user / "state", environ())
    (folder / "store.db").touch()
    os.chown(folder / "store.db", 65534, -1)
    assert _seen(folder) == ("config-foreign-owner")


@pytest.mark.parametrize(
    ("bits", "names", "refused"),
    [
        (0o700, ["music.ogg"], False),
        (0o755, [], False),
        (0o777, [], False),
        (0o755, ["music.ogg"], True),
        (0o710, ["store.db", "peer.log"], True),
        (0o755, ["music.ogg", "lock"], False),
        (0o750, ["identity.json"], False),
        (0o770, ["lock"], True),
        (0o707, ["config.toml"], True),
    ],
)
def test_a_look_refuses_what_a_start_refuses(
    user: Path, bits: int, names: list[str], refused: bool
) -> None:
    folder = user / "state"
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    folder.chmod(bits)
    if not refused:
        assert runtime.examine_state_dir(folder, environ())
        assert mode(folder) == bits
        assert mode(prepare_state_dir(folder, environ())) == 0o700
        return
    said = []
    for way in (runtime.examine_state_dir, prepare_state_dir):
        with pytest.raises(Refusal) as caught:
            way(folder, environ())
        said.append((caught.value.reason, caught.value.message, caught.value.hint))
    assert said[0] == said[1]
    assert said[0][0] == "config-unsafe-mode"
    assert f"chmod 700 {folder}" in said[0][2]
    assert mode(folder) == bits
    folder.chmod(0o700)
    assert prepare_state_dir(folder, environ()) == folder


@pytest.mark.parametrize(
    ("bits", "reason"),
    [(0o700, ""), (0o777, "config-unsafe-mode"), (0o1777, "config-unsafe-mode")],
)
def test_a_socket_is_never_where_others_can_replace_it(user: Path, bits: int, reason: str) -> None:
    (user / "run").chmod(bits)
    place = runtime.runtime_place()
    refusal = runtime.unused_runtime_dir(place, environ())
    assert (refusal.reason if refusal else "") == reason
    assert place.is_relative_to(user / "run") == (not reason)
    named = user / "run" / runtime.APP
    why = runtime.unused_runtime_dir(user / "elsewhere", environ())
    assert why is not None
    assert why.reason == "config-unsafe-mode"
    assert runtime.unused_runtime_dir(named, environ()) is None


def test_why_a_runtime_directory_is_not_used(user: Path) -> None:
    used = user / "elsewhere"
    (user / "file").touch()
    (user / "link").symlink_to(user / "run")
    expected = {"": "", "run": "path-not-absolute", str(user / "none"): "file-not-found",
                str(user / "file"): "path-not-directory",
                str(user / "link"): "path-not-directory",
                str(user / "run"): "config-unsafe-mode", str(user): ""}  # fmt: skip
    for named, reason in expected.items():
        refusal = runtime.unused_runtime_dir(used, {"XDG_RUNTIME_DIR": named})
        assert (refusal.reason if refusal else "") == reason, named
    assert runtime.unused_runtime_dir(used, {}) is None


def test_nothing_is_made_in_a_folder_of_others(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (user / "run").chmod(0o777)
    monkeypatch.setattr(platformdirs, "user_runtime_dir", lambda name: str(user / "run" / name))
    for create in (True, False):
        with pytest.raises(Refusal) as caught:
            runtime.runtime_dir(create=create)
        assert caught.value.reason == "config-unsafe-mode"
        assert caught.value.hint == f"chmod 700 {user / 'run'}"
    assert list((user / "run").iterdir()) == []
