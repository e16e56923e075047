# SPDX-License-Identifier: MIT
"""Which peers run: a record proves nothing, an answer on the socket does."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from federation.adapters.runtime.folders import (
    APP,
    LOCK_NAME,
    absolute,
    read_private_text,
    runtime_dir,
)
from federation.config import PREFIX
from federation.errors import Refusal


@dataclass(frozen=True, slots=True)
class Running:
    """A peer that runs: its state directory, control socket and process id."""

    state_dir: Path
    socket: Path
    pid: int


def resolve_state_dir(
    flag: str | None, environ: Mapping[str, str], *, running: bool = True
) -> Path:
    """The state directory to use: flag, variable, the only running peer's, the default.

    ``running`` false leaves out the running peers: a peer that starts does not
    move in with another one.  Nothing is created.
    """
    named = flag or environ.get(PREFIX + "STATE_DIR")
    if named:
        return absolute(named, environ)
    if running:
        peers = running_peers()
        if len(peers) == 1:
            return peers[0].state_dir
    return Path(platformdirs.user_data_dir(APP))


def running_peer(state_dir: Path) -> Running | None:
    """The peer that runs on ``state_dir`` and answers on its socket, or None."""
    found = _read_record(state_dir / LOCK_NAME)
    return found if found is not None and _answers(found.socket) else None


def running_peers() -> list[Running]:
    """This user's running peers, by state directory; stale entries are left out."""
    try:
        entries = sorted(runtime_dir(create=False).glob("*.json"))
    except (OSError, Refusal):
        return []
    records = [record for entry in entries if (record := _read_record(entry)) is not None]
    alive = [record for record in records if _answers(record.socket)]
    return sorted(alive, key=lambda record: record.state_dir)


def free_port() -> int:
    """A TCP port of the loopback address that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _read_record(path: Path) -> Running | None:
    try:
        record = json.loads(read_private_text(path, secret=True))
        return Running(Path(record["state_dir"]), Path(record["socket"]), int(record["pid"]))
    except (Refusal, ValueError, KeyError, TypeError):
        return None


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except (OSError, ValueError):
            return False
    return True
