# SPDX-License-Identifier: MIT
"""Which peers run, and which state directory that means."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from federation.adapters import runtime
from federation.adapters.runtime import (
    StateLock,
    prepare_state_dir,
    resolve_state_dir,
    running_peer,
    running_peers,
    write_private_text,
)
from tests.adapters.runtime.places import environ, listen


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


def test_a_free_port_can_be_taken() -> None:
    with socket.create_server(("127.0.0.1", runtime.free_port())) as server:
        assert server.getsockname()[1] > 1023
