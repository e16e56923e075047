# SPDX-License-Identifier: MIT
"""The verbs about documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from federation.errors import Refusal
from tests.cli.conftest import Run
from tests.cli.peer import standing_in

BOB, REVISION = "peer-" + "b" * 52, "0123456789abcdef" * 4
SYNCED: dict[str, Any] = {"file": "a.canvasl", "revision": REVISION, "size": 3,
                          "state": "recorded", "conflict": False,
                          "path": "/s/synced/a.canvasl"}  # fmt: skip


def test_a_file_is_named_by_its_absolute_path(
    run: Run, state: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    with standing_in(state, {"sync.file": SYNCED}) as peer:
        outcome = run("sync", "./a.canvasl")
        assert outcome.out == "a.canvasl 0123456789ab recorded, copy in /s/synced/a.canvasl\n"
    assert peer.asked == [
        ("sync.file", {"path": str(home / "a.canvasl"), "wait": False, "timeout": 30.0})
    ]


def test_what_is_wrong_with_a_canvas_is_a_warning(run: Run, state: Path) -> None:
    wrong = [{"problem": "not-json", "line": 7, "text": "this is no JSON (column 2)", "more": 0},
             {"problem": "same-id", "line": 9, "text": 'the id "\x1b" is', "more": 3}]  # fmt: skip
    answer = SYNCED | {"warnings": wrong, "acknowledged": [], "missing": [BOB]}
    with standing_in(state, {"sync.file": answer}):
        outcome = run("sync", "a")
        assert (outcome.code, outcome.out.count("\n")) == (0, 1)
        assert outcome.err.splitlines() == [
            "meta-log-peer-sync: warning: a.canvasl, line 7: this is no JSON (column 2)",
            ("meta-log-peer-sync: warning: "
            'a.canvasl, line 9: the id "\ufffd" is (and 3 more places)'),
        ]  # fmt: skip
        late = run("sync", "a", "--wait")
        assert (late.code, late.err.count("\n")) == (3, 3)
        outcome = run("sync", "a", "--json")
        assert outcome.data["warnings"] == wrong
        assert outcome.err == ""


def test_waiting_for_the_others(run: Run, state: Path) -> None:
    answer = SYNCED | {"acknowledged": [BOB], "missing": []}
    with standing_in(state, {"sync.file": answer}):
        outcome = run("sync", "a", "--wait")
        assert outcome.code == 0
        assert "1 peer acknowledged" in outcome.out
    answer = SYNCED | {"acknowledged": [], "missing": [BOB], "conflict": True}
    with standing_in(state, {"sync.file": answer}):
        outcome = run("sync", "a", "--wait", "--timeout", "0.5", "--json")
        assert outcome.code == 3
        assert outcome.data["missing"] == [BOB]
        assert outcome.error["reason"] == "timeout"
        outcome = run("sync", "a", "--wait")
        assert outcome.code == 3
        assert "peer-bbbbbbbb" in outcome.err
        assert "conflicts" in outcome.out


def test_a_refused_file(run: Run, state: Path) -> None:
    with standing_in(state, {"sync.file": Refusal("path-forbidden-ext", "x.exe")}):
        assert run("sync", "x.exe").code == 2
        assert run("sync", "x.exe", "--json").error["reason"] == "path-forbidden-ext"


def test_comparing_with_the_peers(run: Run, state: Path) -> None:
    answers = {"sync.all": {"imported": 1, "peers": [BOB]}, "sync.file": SYNCED}
    with standing_in(state, answers) as peer:
        assert run("sync").out == "1 document imported, 1 peer asked\n"
        assert run("sync", "--peer", BOB).code == 0
        assert run("sync", "a", "--peer", BOB).code == 0
        assert run("sync", "--wait").code == 2
    assert [params for method, params in peer.asked if method == "sync.all"] == [
        {}, {"peer_id": BOB}, {"peer_id": BOB}
    ]  # fmt: skip


def test_sync_status(run: Run, state: Path) -> None:
    rows = [{"file": "a\n", "revision": REVISION, "pending": [BOB], "acknowledged": [],
             "deleted": False}]  # fmt: skip
    space = {"name": "commons", "kind": "open", "folder": "/f", "home": "/h", "documents": 1,
             "auto_sync": True, "interval": 60.0, "state": "holding", "reason": "", "waiting": 2,
             "held": 12, "held_documents": ["x"], "last_import": None}  # fmt: skip
    answer = {"documents": rows, "spaces": [space]}
    with standing_in(state, {"sync.status": answer}) as peer:
        lines = run("sync-status").out.splitlines()
        assert lines[1].split() == [
            "commons", "open", "/f", "1", "on", "60", "s", "2", "12", "-", "holding"
        ]  # fmt: skip
        assert "12 deletions of commons held: `space confirm commons`" in lines[2]
        assert lines[5].split() == ["a\ufffd", REVISION[:12], "0", BOB[:13]]
        assert run("sync-status", "--json").data == answer
        rows[0]["deleted"] = True
        assert "(deleted)" in run("sync-status", "--deleted").out
        assert [given["deleted"] for _method, given in peer.asked] == [False, False, True]
    with standing_in(state, {"sync.status": {"documents": [], "spaces": []}}):
        assert "No documents" in run("sync-status").out


def test_restore(run: Run, state: Path) -> None:
    answer = {"file": "a.org", "revision": REVISION, "path": "/s/synced/a.org"}
    with standing_in(state, {"documents.restore": answer}) as peer:
        assert "is now 0123456789ab" in run("restore", "a.org", "89abcdef").out
    assert peer.asked == [("documents.restore", {"file": "a.org", "revision": "89abcdef"})]
    with standing_in(state, {"documents.restore": Refusal("unknown-revision")}):
        assert run("restore", "a.org", "89abcdef").code == 1


@pytest.mark.parametrize("word", ["1234", "zzzzzzzz", "a" * 65, "89abcde\x1b"])
def test_what_is_no_beginning_of_an_id_is_told_so(run: Run, state: Path, word: str) -> None:
    with standing_in(state, {}) as peer:
        outcome = run("restore", "a.org", word, "--json")
    assert outcome.error["reason"] == "unknown-revision"
    assert "8 to 64" in outcome.error["message"]
    assert "history" in outcome.error["hint"]
    assert peer.asked == []
