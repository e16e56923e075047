# SPDX-License-Identifier: MIT
"""What leaves the core: messages, files, what people are told; and files that resist."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from federation import limits
from federation.adapters.disk import Modified
from federation.errors import Refusal
from federation.events import (
    DropConflicts,
    Effect,
    Heard,
    Notice,
    Notify,
    Publish,
    Refused,
    WriteConflict,
    WriteFile,
)
from federation.machines.folder import Known
from federation.wire import envelope, topics
from tests.daemon.running import Row, Running
from tests.daemon.told import here, of, read, told

__all__ = ["here", "told"]  # fixtures


# --- order ------------------------------------------------------------------------------------


async def test_documents_leave_then_files_then_answers_then_people_hear(
    here: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await here.sync("a.md", "one")
    outlet, disk, order = here.peer.outlet, here.peer.disk, []
    revision = here.peer.store.document("a.md").current  # type: ignore[union-attr]
    write = disk.write_synced

    def wrote(*given: Any) -> Known | Modified:
        order.append("file")
        return write(*given)

    monkeypatch.setattr(disk, "write_synced", wrote)
    monkeypatch.setattr(disk, "write_conflict", lambda *_given: order.append("version"))
    monkeypatch.setattr(disk, "drop_conflicts", lambda *_given: order.append("settled"))
    outlet.publish = lambda effect: order.append(effect.topic)
    outlet.tell = lambda event, _body: order.append(event)
    effects: list[Effect] = [
        Notify(Notice("sync-started", {"file": "a.md", "revision": revision})),
        WriteConflict("a.md", revision),
        WriteFile("a.md", revision),
        DropConflicts("a.md"),
        Publish("t", b""),
        Publish(topics.SYNC, b""),
        WriteFile("a.md", revision),
        Heard("t", b"{}"),
    ]
    await outlet.perform(effects)
    assert order[:4] == [topics.SYNC, "file", "version", "settled"]
    assert order[4:] == ["t", "sync-started", "message-received"]


async def test_only_the_current_revision_is_written(here: Running) -> None:
    first = await here.sync("a.md", "one")
    await here.sync("a.md", "two")
    await here.peer.outlet.perform([WriteFile("a.md", first)])
    await here.peer.outlet.perform([WriteFile("gone.md", "0" * 64), WriteConflict("a.md", "f")])
    assert here.synced("a.md") == b"two"


async def test_a_refused_message_is_logged_a_replay_only_for_debugging(
    here: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await here.peer.outlet.perform(
        [Refused("t", "replay", "again", None), Refused("t", "weak-key", "", None)]
    )
    records = [one for one in caplog.records if "refused" in one.message]
    assert [vars(one)["reason"] for one in records] == ["weak-key"]


async def test_a_notice_is_logged_under_names_that_the_log_has_free(
    here: Running, told: list[Row], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    here.peer.outlet.notice(Notice("peer-connected", {"peer_id": "p", "name": "Somebody"}))
    (body,) = told
    assert (body["event"], body["name"], body["time"][-1]) == ("peer-connected", "Somebody", "Z")
    record = caplog.records[-1]
    assert vars(record)["about_name"] == "Somebody"
    assert record.name == "federation.daemon.outlet"
    here.peer.outlet.notice(Notice("document-edited", {"file": "a.md"}))
    assert caplog.records[-1] is record, "a keystroke is told, and no news for a log"
    assert told[-1]["event"] == "document-edited"


# --- large contents go by file -----------------------------------------------------------------


def message_of(body: Row) -> Row:
    fields: Row = json.loads(body["message"])
    return fields


@pytest.mark.parametrize(("place", "folder"), [("current", "synced"), ("concurrent", "conflicts")])
async def test_a_large_document_is_told_by_its_path(
    here: Running, told: list[Row], place: str, folder: str
) -> None:
    content = "line\n" * 20_000
    friend = await here.known()
    path = here.peer.disk.synced / "d" / "a.md"
    if place == "concurrent":
        await here.sync("state/synced/d/a.md", b"mine\xff")
    await friend.sync("d/a.md", content)
    (body,) = [one for one in of(told, "message-received") if "canvasl-sync" in one["message"]]
    fields = message_of(body)
    assert (body["topic"], body["verified"], body["connection"]) == ("canvasl/sync", True, 0)
    assert "content" not in fields
    assert fields["signature"]
    named = Path(fields["content_file"])
    assert read(fields["content_file"]) == content.encode()
    assert named.relative_to(here.folder / "state").parts[0] == folder
    assert (named == path) == (place == "current")
    assert len(body["message"]) < 2000


@pytest.mark.parametrize("binary", [False, True])
async def test_a_large_document_of_the_past_is_told_by_a_copy(
    here: Running, told: list[Row], binary: bool
) -> None:
    content = b"\xff\x00" * 50_000 if binary else b"text" * 20_000
    field = (
        {"data": base64.b64encode(content).decode()} if binary else {"content": content.decode()}
    )
    raw = json.dumps({"type": "x", "file": "a.md", **field}).encode()
    here.peer.outlet._heard(Heard("canvasl/sync", raw, ("a.md", "0" * 64, "past")))
    (body,) = told
    fields = message_of(body)
    assert set(fields) == {"type", "file", "content_file"}
    assert read(fields["content_file"]) == content
    assert Path(fields["content_file"]).suffix == ".md"


async def test_a_small_document_is_told_whole(here: Running, told: list[Row]) -> None:
    friend = await here.known()
    raw = await friend.sync("a.md", "text")
    (body,) = [one for one in of(told, "message-received") if "canvasl-sync" in one["message"]]
    assert body["message"] == raw.decode()
    assert envelope.revision_id(message_of(body)) == here.peer.store.document("a.md").current  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "by_file"),
    [
        ('{"content": "%s"}' % ("x" * 70_000), True),
        ('{"content": "%s"}' % ("\u20ac" * 30_000), True),
        ('{"content": "%s"}' % ("x" * 60_000), False),
        ('{"other": "%s"}' % ("x" * 70_000), False),
        ('{"content": 5, "x": "%s"}' % ("x" * 70_000), False),
        ('["%s"]' % ("x" * 70_000), False),
        ("x" * 70_000, False),
        ("{" * 70_000, False),
    ],
    ids=range(8),
)
async def test_messages_of_the_user_are_shortened_where_they_can(
    here: Running, text: str, by_file: bool
) -> None:
    shown = here.peer.outlet.shortened(text)
    if not by_file:
        assert shown == text
        return
    fields = json.loads(shown)
    assert list(fields) == ["content_file"]
    assert read(fields["content_file"]).decode() == json.loads(text)["content"]


async def test_a_copy_that_cannot_be_kept_is_left_out(
    here: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object) -> Path:
        raise Refusal("disk-full", "x")

    monkeypatch.setattr(here.peer.disk, "write_received", full)
    shown = here.peer.outlet.shortened('{"content": "%s"}' % ("x" * 70_000))
    assert json.loads(shown) == {"content_file": ""}


async def test_exports_go_where_the_user_wants_or_beside(here: Running) -> None:
    name = "n" * (limits.NAME_PART - 3) + ".md"
    front = here.front()
    first = await here.sync(name, "one")
    await here.sync(name, "two")
    target = here.folder / "out.md"
    answer = await front.call("documents.export", file=name, revision=first[:8], path=str(target))
    assert (answer["path"], answer["revision"]) == (str(target), first)
    assert target.read_text() == "one"
    assert await front.reason("documents.export", file=name, path=str(target)) == "file-exists"
    assert target.read_text() == "one", "an existing file is never replaced"
    answer = await front.call("documents.export", file=name)
    beside = Path(answer["path"])
    assert read(answer["path"]) == b"two"
    assert beside.parent.name == "received"
    assert beside.suffix == ".md"
    assert len(beside.name) == limits.NAME_PART
