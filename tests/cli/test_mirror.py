# SPDX-License-Identifier: MIT
"""The verb mirror."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from federation.errors import Refusal
from tests.cli.conftest import Run
from tests.cli.peer import standing_in

ON: dict[str, Any] = {"state": "on", "path": "/m/git", "waiting": 0, "error": None}


def test_showing_starting_and_stopping(
    run: Run, state: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    off = ON | {"state": "off", "path": None}
    answers = {"mirror.status": ON | {"waiting": 1}, "mirror.git": ON, "mirror.off": off}
    with standing_in(state, answers) as peer:
        assert run("mirror").out == "/m/git follows the documents, 1 revision to be recorded\n"
        assert run("mirror", "git", "x/../git").out == "/m/git follows the documents\n"
        assert run("mirror", "off").out == "No git repository follows the documents.\n"
        assert run("mirror", "show", "--json").data["waiting"] == 1
    assert peer.asked == [
        ("mirror.status", {}), ("mirror.git", {"path": str(home / "git")}), ("mirror.off", {}),
        ("mirror.status", {}),
    ]  # fmt: skip


def test_what_keeps_it_back(run: Run, state: Path) -> None:
    error = Refusal("disk-full").as_data()
    with standing_in(state, {"mirror.status": ON | {"state": "failing", "error": error}}):
        assert "lags behind: the disk is full (free" in run("mirror").out
    missing = Refusal("missing-program", "dulwich", hint="pip install 'meta-log-peer-sync[git]'")
    with standing_in(state, {"mirror.git": missing}):
        outcome = run("mirror", "git", "/x")
    assert outcome.code == 1
    assert "dulwich" in outcome.err
    assert "pip install" in outcome.err


@pytest.mark.parametrize("words", [("git",), ("off", "/x"), ("show", "/x")])
def test_what_needs_a_path_and_what_takes_none(
    run: Run, state: Path, words: tuple[str, ...]
) -> None:
    with standing_in(state, {}) as peer:
        assert run("mirror", *words).code == 2
    assert peer.asked == []
