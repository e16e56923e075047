# SPDX-License-Identifier: MIT
"""The ready-made hook programs, one event at a time; a bot runs them in ``tests/integration``."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Outcome, Run
from tests.cli.peer import standing_in

PEER = "peer-" + "a" * 52


@pytest.fixture
def give(run: Run, state: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a hook program on an event."""

    def call(event: object, *words: str) -> Outcome:
        raw = event if isinstance(event, bytes) else json.dumps(event).encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        return run("hook", *words, "--json", META_LOG_PEER_SYNC_STATE_DIR=str(state))

    return call


def changed(file: str, path: Path) -> dict[str, object]:
    return {"event": "document-changed", "file": file, "path": str(path)}


def test_a_mirror_holds_what_the_copies_hold(give: Any, home: Path) -> None:
    copy, mirror = home / "copy.md", home / "mirror"
    copy.write_bytes(b"one\xff")
    assert give(changed("a/b.md", copy), "mirror", str(mirror)).data == {"mirrored": 1}
    assert (mirror / "a/b.md").read_bytes() == b"one\xff"
    copy.unlink()
    give(changed("a/b.md", copy), "mirror", str(mirror))
    give(changed("a/b.md", copy), "mirror", str(mirror))
    assert [path.name for path in mirror.rglob("*") if path.is_file()] == [".mirror-lock"]


def test_what_is_not_said_to_be_deleted_stays(give: Any, home: Path) -> None:
    mirror, synced = home / "m", home / "synced"
    (synced / "a").mkdir(parents=True)
    copy = synced / "a/b.md"
    copy.write_text("x")
    give(changed("a/b.md", copy), "mirror", str(mirror))
    # an event that names no copy, and a folder that is not there
    held = {"event": "document-held", "file": "a/b.md", "peer_id": PEER, "held": 1}
    assert give(held, "mirror", str(mirror)).error["reason"] == "usage"
    synced.rename(home / "away")
    outcome = give(changed("a/b.md", copy), "mirror", str(mirror))
    assert outcome.error["reason"] == "path-io-error"
    assert (mirror / "a/b.md").read_text() == "x"


@pytest.mark.parametrize("file", ["../x.md", "/etc/x.md", "a/../../x.md", "x.sh", "a\0.md", None])
def test_names_that_lead_elsewhere_are_refused(give: Any, home: Path, file: str) -> None:
    copy = home / "copy.md"
    copy.write_text("x")
    outcome = give(changed(file, copy), "mirror", str(home / "m"))
    assert outcome.code == 2
    assert outcome.error["reason"].startswith("path-")
    assert [path.name for path in (home / "m").rglob("*")] == [".mirror-lock"]


def test_links_in_a_mirror_are_not_followed(give: Any, home: Path) -> None:
    mirror, out = home / "m", home / "out"
    mirror.mkdir()
    out.mkdir()
    (mirror / "a").symlink_to(out)
    copy = home / "copy.md"
    copy.write_text("x")
    outcome = give(changed("a/b.md", copy), "mirror", str(mirror))
    assert outcome.error["reason"] == "path-symlink-escape"
    assert list(out.iterdir()) == []


def test_at_ready_every_document_is_mirrored(give: Any, home: Path, state: Path) -> None:
    rows = []
    for name in ("a.md", "b.md"):
        (home / name).write_text(name)
        rows.append({"file": name, "path": str(home / name), "space": "commons"})
    rows.append({"file": "x.md", "path": "/etc/hostname", "space": "diary"})
    with standing_in(state, {"documents.list": {"documents": rows}}) as peer:
        assert give({"event": "ready"}, "mirror", str(home / "m")).data == {"mirrored": 2}
        assert peer.asked == [("documents.list", {"deleted": True})]
    assert sorted(path.read_text() for path in (home / "m").glob("*.md")) == ["a.md", "b.md"]


def test_backups_are_made_at_most_so_often(give: Any, run: Run, home: Path, state: Path) -> None:
    run("identity", "create", "--state-dir", str(state))
    folder = str(home / "b")
    assert give({}, "backup", folder).data["archive"]
    assert "s old" in give({}, "backup", folder).data["why"]
    assert give({}, "backup", folder, "--every", "0", "--keep", "1").data["removed"] == 1


def message(**fields: object) -> dict[str, object]:
    inner = {"type": "peer-message", "kind": "text", "content": "hé", **fields}
    return {"event": "message-received", "verified": True, "peer_id": PEER,
            "message": json.dumps(inner)}  # fmt: skip


def test_an_echo_answers_texts_and_no_echoes(give: Any, state: Path) -> None:
    with standing_in(state, {"message.send": {"id": "1", "to": PEER}}) as peer:
        assert give(message(), "echo").data == {"answered": PEER[:13]}
        others = [message(kind="echo"), message(type="canvasl-sync"), {}]
        others += [message() | {"message": "x"}, message() | {"verified": False}]
        for other in others:
            assert give(other, "echo").data == {"answered": None}
        assert peer.asked == [("message.send", {"peer_id": PEER, "kind": "echo", "content": "hé"})]


def test_installing(run: Run, home: Path, state: Path) -> None:
    words = ("--install", "--json", "--state-dir", str(state))
    folder = str(home / "a b")
    made = run("hook", "mirror", folder, *words).data
    assert made["events"] == ["ready", "document-changed"]
    assert run("hook", "mirror", folder, *words).code == 0
    shown = run("config", "--json", "--state-dir", str(state)).data["config"]
    expected = f"meta-log-peer-sync hook mirror '{folder}'"
    assert shown["hooks.document-changed"]["value"] == expected
    # beside it, once each
    for _ in range(2):
        assert run("hook", "backup", folder, *words).code == 0
    shown = run("config", "--json", "--state-dir", str(state)).data["config"]
    assert shown["hooks.ready"]["value"].split(" ; ") == [
        expected, f"meta-log-peer-sync hook backup '{folder}' --keep 7 --every 3600",
    ]  # fmt: skip
    assert run("hook", "echo", *words).code == 0


@pytest.mark.parametrize("raw", [b"", b"[1]", b"x", b" " * (1 << 21)])
def test_no_event(give: Any, raw: bytes) -> None:
    assert give(raw, "echo").error["reason"] == "usage"


def test_folders_where_they_belong(give: Any) -> None:
    assert give({}, "echo", "folder").error["reason"] == "usage"
    assert give({}, "mirror").error["reason"] == "usage"
