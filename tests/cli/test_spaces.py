# SPDX-License-Identifier: MIT
"""The verbs about spaces: what they ask for, and what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from federation.errors import Refusal
from tests.cli.conftest import Run
from tests.cli.peer import standing_in

ROW: dict[str, Any] = {
    "name": "box", "kind": "local", "folder": "/f", "home": "/s/synced/~box", "documents": 3,
    "auto_sync": True, "interval": 60.0, "state": "away", "reason": "file-not-found",
    "waiting": 0, "held": 0, "held_documents": [], "last_import": "2026-01-01T00:00:00Z",
}  # fmt: skip


def test_what_there_is(run: Run, state: Path) -> None:
    with standing_in(state, {"spaces.list": {"spaces": [ROW]}}):
        assert "away (file-not-found)" in run("space").out
        assert run("space", "list", "--json").data == {"spaces": [ROW]}
        assert "home: /s/synced/~box" in run("space", "show", "box").out
        assert run("space", "show", "none", "--json").error["reason"] == "unknown-space"
        assert run("space", "show").code == 1, "commons is not in this answer"


@pytest.mark.parametrize(("words", "method", "params", "said"), [
    (("share", "d"), "spaces.share", {"path": "HOME/d", "space": "commons"}, "shows commons"),
    (("share", "/d", "--space", "box"), "spaces.share", {"path": "/d", "space": "box"}, "box"),
    (("create", "box"), "spaces.create", {"space": "box", "kind": "local"}, "/s/synced/~box"),
    (("leave", "box"), "spaces.leave", {"space": "box"}, "files stay"),
    (("confirm", "box"), "spaces.confirm", {"space": "box"}, "2 files of box deleted"),
    (("restore-held", "box"), "spaces.restore", {"space": "box"}, "2 files of box written"),
])  # fmt: skip
def test_each_action_is_one_request(
    run: Run, state: Path, home: Path, monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...], method: str, params: dict[str, str], said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(home)
    wanted = {key: value.replace("HOME", str(home)) for key, value in params.items()}
    with standing_in(state, {method: {**ROW, "count": 2}}) as peer:
        assert said in run("space", *words).out
    assert peer.asked == [(method, wanted)]


def test_encrypted_spaces_are_refused_with_their_reason(run: Run, state: Path) -> None:
    with standing_in(state, {"spaces.create": Refusal("space-encrypted", "x")}) as peer:
        outcome = run("space", "create", "x", "--encrypted")
        assert outcome.code == 1
        assert "not built yet" in outcome.err
    assert peer.asked == [("spaces.create", {"space": "x", "kind": "encrypted"})]


def test_an_action_without_its_name_is_not_understood(run: Run, state: Path) -> None:
    with standing_in(state, {}) as peer:
        for action in ("share", "create", "leave", "confirm", "restore-held"):
            assert run("space", action, "--json").error["reason"] == "usage"
    assert peer.asked == []


def test_settings(run: Run, state: Path) -> None:
    with standing_in(state, {"spaces.set": ROW}) as peer:
        assert "only" in run("auto-sync", "off").out
        assert "as they happen" in run("auto-sync", "on", "--space", "box").out
        assert "every 9 s" in run("interval", "9", "--space", "box").out
    assert [params for _method, params in peer.asked] == [
        {"space": "commons", "auto_sync": False}, {"space": "box", "auto_sync": True},
        {"space": "box", "interval": 9.0},
    ]  # fmt: skip
