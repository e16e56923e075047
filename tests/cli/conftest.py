# SPDX-License-Identifier: MIT
"""A user of one's own for every test of a verb, and a way to run one."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from federation.adapters import runtime
from federation.cli import app


@dataclass(frozen=True)
class Outcome:
    """What a verb printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """Standard error as JSON: exactly one line."""
        assert self.err.count("\n") == 1
        found = json.loads(self.err)
        assert set(found) == {"code", "reason", "message", "hint"}
        return dict(found)


Run = Callable[..., Outcome]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home directory with short paths, so that sockets fit."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "h"
        (place / "run").mkdir(parents=True, mode=0o700)
        for name in [*os.environ]:
            if name.startswith(("META_LOG_", "MQTT_")):
                monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(place))
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(place / "run"))
        monkeypatch.setenv("XDG_DATA_HOME", str(place / "data"))
        yield place


@pytest.fixture
def state(home: Path) -> Path:
    """A prepared state directory."""
    return runtime.prepare_state_dir(home / "state", os.environ)


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command line in this process."""

    def command(*words: str, **environ: str) -> Outcome:
        capsys.readouterr()
        code = app.run(words, {"HOME": str(home)} | environ)
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return command
