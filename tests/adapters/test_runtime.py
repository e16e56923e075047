# SPDX-License-Identifier: MIT
"""State directories, their lock and socket, and the list of running peers."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import stat
import tempfile
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import platformdirs
import pytest

from federation import limits
from federation.adapters import runtime
from federation.adapters.runtime import (
    StateLock,
    prepare_state_dir,
    read_private_text,
    resolve_state_dir,
    running_peer,
    running_peers,
    write_private_text,
)
from federation.errors import Refusal


@pytest.fixture(autouse=True)
def user(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user of one's own: home and runtime directory, with short paths for sockets."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "h"
        (home / "run").mkdir(parents=True, mode=0o700)
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
        monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
        yield home


def environ() -> dict[str, str]:
    return dict(os.environ)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refusal_of(path: Path) -> str:
    with pytest.raises(Refusal) as caught:
        prepare_state_dir(path, environ())
    return caught.value.reason


def listen(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.fspath(path))
    server.listen()
    return server


def test_missing_directories_are_made_private(user: Path) -> None:
    made = prepare_state_dir(user / "a/b/state", environ())
    assert mode(made) == 0o700
    assert prepare_state_dir(made, environ()) == made


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


def test_which_state_directory(user: Path) -> None:
    default = user / "data/meta-log-peer-sync"
    assert resolve_state_dir(None, {}) == default
    named = {"META_LOG_PEER_SYNC_STATE_DIR": "~/named", "HOME": str(user)}
    assert resolve_state_dir(None, named) == user / "named"
    assert resolve_state_dir("/some/where/", named) == Path("/some/where")

    first = prepare_state_dir(user / "1", environ())
    second = prepare_state_dir(user / "2", environ())
    lock = StateLock.acquire(first)
    with listen(first / "control.sock"):
        lock.publish(first / "control.sock")
        assert resolve_state_dir(None, {}) == first
        assert resolve_state_dir(None, {}, running=False) == default
        other = StateLock.acquire(second)
        with listen(second / "control.sock"):
            other.publish(second / "control.sock")
            assert [peer.state_dir for peer in running_peers()] == [first, second]
            assert resolve_state_dir(None, {}) == default
        # Its entry is still listed, but nobody answers there.
        assert resolve_state_dir(None, {}) == first
        other.release()
    lock.release()
    assert resolve_state_dir(None, {}) == default


def _hold(folder: str, ready: Event) -> None:
    StateLock.acquire(Path(folder))
    ready.set()
    signal.pause()


def test_one_peer_a_state_directory_across_processes(user: Path) -> None:
    folder = prepare_state_dir(user / "state", environ())
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    holder = spawn.Process(target=_hold, args=(str(folder), ready), daemon=True)
    holder.start()
    assert ready.wait(30)
    with pytest.raises(Refusal) as caught:
        StateLock.acquire(folder)
    assert caught.value.reason == "config-state-locked"
    holder.kill()
    holder.join(30)
    lock = StateLock.acquire(folder)
    lock.release()
    lock.release()


def test_the_lock_is_no_symbolic_link(user: Path) -> None:
    folder = prepare_state_dir(user / "state", environ())
    precious = user / "precious"
    precious.write_text("keep")
    (folder / "lock").symlink_to(precious)
    with pytest.raises(Refusal) as caught:
        StateLock.acquire(folder)
    assert caught.value.reason == "path-symlink-escape"
    assert precious.read_text() == "keep"


def test_a_running_peer_is_one_that_answers(user: Path) -> None:
    folder = prepare_state_dir(user / "state", environ())
    assert running_peer(folder) is None
    lock = StateLock.acquire(folder)
    assert running_peer(folder) is None
    place = runtime.socket_path(folder)
    with listen(place):
        lock.publish(place)
        found = running_peer(folder)
        assert found is not None
        assert (found.state_dir, found.socket, found.pid) == (folder, place, os.getpid())
    assert running_peer(folder) is None
    lock.release()
    assert not list((user / "run").rglob("*.json"))


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{}", '{"socket": 1}', "\x00"])
def test_a_damaged_record_is_no_peer(user: Path, text: str) -> None:
    folder = prepare_state_dir(user / "state", environ())
    write_private_text(folder / "lock", text)
    assert running_peer(folder) is None


def test_a_long_path_moves_the_socket_to_the_runtime_directory(user: Path) -> None:
    folder = prepare_state_dir(user / ("x" * limits.SOCKET_PATH), environ())
    place = runtime.socket_path(folder)
    assert place.is_relative_to(user / "run")
    assert len(os.fsencode(place)) <= limits.SOCKET_PATH
    lock = StateLock.acquire(folder)
    with listen(place):
        lock.publish(place)
        assert running_peer(folder) is not None
    lock.release()


def test_a_runtime_directory_of_others_is_not_used(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (user / "run").chmod(0o777)
    monkeypatch.setattr(platformdirs, "user_runtime_dir", lambda name: str(user / "run" / name))
    folder = prepare_state_dir(user / ("x" * limits.SOCKET_PATH), environ())
    with pytest.raises(Refusal) as caught:
        runtime.socket_path(folder)
    assert caught.value.reason == "config-unsafe-mode"
    assert running_peers() == []
    lock = StateLock.acquire(folder)
    lock.publish(folder / "s")
    lock.release()


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


def test_a_free_port_can_be_taken() -> None:
    with socket.create_server(("127.0.0.1", runtime.free_port())) as server:
        assert server.getsockname()[1] > 1023
