# SPDX-License-Identifier: MIT
"""The verb history."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from federation.errors import Refusal
from tests.cli.conftest import Run
from tests.cli.peer import standing_in

BOB, REVISION = "peer-" + "b" * 52, "0123456789abcdef" * 4
OTHER = "89abcdef"


def test_history_by_name_and_by_path(
    run: Run, state: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry: dict[str, Any] = {"revision": REVISION, "peer_id": BOB, "name": None, "size": 3,
                             "time": "2025-01-07T12:00:00Z", "clock": "unverified",
                             "content_hash": "", "parents": [], "deleted": False,
                             "state": "current"}  # fmt: skip
    answers: dict[str, Any] = {"documents.history": {"file": "d/a.org", "revisions": [entry]},
               "spaces.list": {"spaces": [{"name": "box", "folder": "/box"},
                                          {"name": "commons", "folder": None}]},
               "status": {"synced_dir": "/s/synced"}}  # fmt: skip
    answers["spaces.list"]["spaces"].append({"name": "commons", "folder": str(home / "ga")})
    (home / "ga").mkdir()
    (home / "ga" / "t1.md").touch()
    (home / "t2.md").touch()
    monkeypatch.chdir(home)
    with standing_in(state, answers) as peer:
        out = run("history", "d/a.org").out
        run("history", "ga/t1.md")
        run("history", "t2.md")
        run("history", "/s/synced/d/../d/a.org")
        run("history", "/elsewhere/a.org")
        run("history", "/box/d/a.org")
    assert "(unverified)" in out
    assert "peer-bbbbbbbb" in out
    assert "together" not in out
    asked = [params["file"] for method, params in peer.asked if method == "documents.history"]
    assert asked == ["d/a.org", "t1.md", "t2.md", "d/a.org", "a.org", "~box/d/a.org"]


def test_history_says_what_is_shown_together(run: Run, state: Path) -> None:
    entry: dict[str, Any] = {"revision": REVISION, "peer_id": BOB, "name": "Bob", "size": 3,
                             "time": "2025-01-07T12:00:00Z", "clock": "ok",
                             "content_hash": "", "parents": [], "deleted": False,
                             "state": "merged"}  # fmt: skip
    answer = {"file": "a.org", "revisions": [entry | {"state": "past"}, entry, entry]}
    with standing_in(state, {"documents.history": answer}):
        lines = run("history", "a.org").out.splitlines()
    assert [line.split()[-1] for line in lines[1:4]] == ["past", "merged", "merged"]
    assert "together" in lines[4]


def test_pages_and_marks(run: Run, state: Path) -> None:
    entry: dict[str, Any] = {"revision": REVISION, "peer_id": BOB, "name": "Bob", "size": 3,
                             "time": "2025-01-07T12:00:00Z", "clock": "ok", "content_hash": "",
                             "parents": [], "deleted": False, "state": "past", "pinned": True,
                             "dropped": False}  # fmt: skip
    rows = [entry, entry | {"pinned": False, "dropped": True}]
    answer = {"file": "a.org", "revisions": rows, "more": True}
    with standing_in(state, {"documents.history": answer}) as peer:
        lines = run("history", "a.org", "--limit", "2", "--before", OTHER.upper()).out.splitlines()
        assert run("history", "a.org", "--limit", "0").code == 2
        assert run("history", "a.org", "--before", "xyz").code == 1
    assert [line.endswith(end) for line, end in
            zip(lines[1:], ("past, pinned", "past, dropped", "--before 0123456789ab"),
                strict=True)] == [True] * 3  # fmt: skip
    assert peer.asked == [("documents.history", {"file": "a.org", "limit": 2, "before": OTHER})]


def test_pinning(run: Run, state: Path) -> None:
    def answer(params: dict[str, Any]) -> dict[str, Any]:
        return {"file": "a.org", "revision": REVISION, "pinned": params["on"]}

    with standing_in(state, {"history.pin": answer}) as peer:
        assert "stays" in run("history", "a.org", "--pin", OTHER).out
        assert "not pinned" in run("history", "--unpin", OTHER, "a.org").out
        assert run("history", "a.org", "--pin", OTHER, "--unpin", OTHER).code == 2
        assert run("history", "a.org", "--pin", OTHER, "--limit", "3").code == 2
    assert [params["on"] for _method, params in peer.asked] == [True, False]
    with standing_in(state, {"history.pin": Refusal("content-dropped")}):
        assert run("history", "a.org", "--pin", OTHER).code == 1


def test_differences(run: Run, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "--- a\tx\n+++ a\ty\n@@ -1 +1 @@\n-o\x1b[2J\n+p\n"
    answer: dict[str, Any] = {"file": "a", "old": REVISION, "new": REVISION, "same": False,
                              "text": text, "whole": True}  # fmt: skip
    answers = {"history.diff": answer}
    with standing_in(state, answers) as peer:
        # for a program as it is, for people without what moves their terminal
        assert run("history", "a", "--diff", OTHER).out == text
        assert run("history", "a", "--diff", OTHER, OTHER + "0", "--json").data == answer
        with monkeypatch.context() as patch:
            patch.setattr(sys.stdout, "isatty", lambda: True)
            assert run("history", "a", "--diff", OTHER).out == text.replace("\x1b", "\ufffd")
        assert run("history", "a", "--diff", OTHER, OTHER, OTHER).code == 2
        answers["history.diff"] = answer | {"whole": False}
        assert run("history", "a", "--diff", OTHER).out == text + "[cut off here]\n"
        answers["history.diff"] = answer | {"text": None}
        assert "no text" in run("history", "a", "--diff", OTHER).out
        answers["history.diff"] = answer | {"same": True, "text": ""}
        assert "same bytes" in run("history", "a", "--diff", OTHER).out
    assert peer.asked[:2] == [
        ("history.diff", {"file": "a", "old": OTHER}),
        ("history.diff", {"file": "a", "old": OTHER, "new": OTHER + "0"}),
    ]


def test_reading_a_revision(
    run: Run, state: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    copy = home / "copy"
    copy.write_bytes("é\r\n\x1b".encode())
    answer = {"file": "a", "revision": REVISION, "path": str(copy), "size": 4}
    with standing_in(state, {"documents.export": answer}) as peer:
        assert run("history", "a", "--show", OTHER).out == "é\r\n\x1b"
        assert run("history", "a", "--show", OTHER, "--json").data["text"] == "é\r\n\x1b"
        with monkeypatch.context() as patch:
            patch.setattr(sys.stdout, "isatty", lambda: True)
            assert run("history", "a", "--show", OTHER).out == "é\ufffd\n\ufffd\n"
        copy.write_bytes(b"\xff")
        assert run("history", "a", "--show", OTHER, "--json").data["text"] is None
        assert f"is in {copy}" in run("history", "a", "--export", OTHER, "new.md").out
    assert peer.asked[-1] == (
        "documents.export", {"file": "a", "revision": OTHER, "path": str(home / "new.md")}
    )  # fmt: skip
