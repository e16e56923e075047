# SPDX-License-Identifier: MIT
"""One peer a state directory, across processes; short paths for sockets."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

import platformdirs
import pytest

from federation import limits
from federation.adapters import runtime
from federation.adapters.runtime import (
    StateLock,
    prepare_state_dir,
    running_peer,
    running_peers,
)
from federation.errors import Refusal
from tests.adapters.runtime.places import environ, listen, mode


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


def test_a_long_runtime_directory_is_no_obstacle(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(user / ("r" * limits.SOCKET_PATH)))
    folder = prepare_state_dir(user / ("x" * limits.SOCKET_PATH), environ())
    place = runtime.socket_path(folder)
    assert len(os.fsencode(place)) <= limits.SOCKET_PATH
    assert mode(place.parent) == 0o700
    lock = StateLock.acquire(folder)
    with listen(place):
        lock.publish(place)
        assert running_peer(folder) is not None
    lock.release()
    place.unlink()


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


def test_whether_somebody_holds_the_lock(user: Path) -> None:
    folder = prepare_state_dir(user / "state", environ())
    assert not runtime.is_locked(folder)
    lock = StateLock.acquire(folder)
    assert runtime.is_locked(folder)
    lock.release()
    assert not runtime.is_locked(folder)
