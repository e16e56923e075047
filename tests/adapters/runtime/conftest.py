# SPDX-License-Identifier: MIT
"""A user of one's own for every test here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


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
