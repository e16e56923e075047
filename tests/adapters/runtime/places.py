# SPDX-License-Identifier: MIT
"""Small helpers of the tests here."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from federation.adapters.runtime import (
    prepare_state_dir,
)
from federation.errors import Refusal


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
