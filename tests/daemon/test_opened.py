# SPDX-License-Identifier: MIT
"""Documents that front ends have open: requests in, events out, and ends."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from federation.wire import topics
from tests.daemon.mini_broker import MiniBroker
from tests.daemon.running import Front, Remote, Row, Running, running, until

FILE = "garden.canvasl"
TEXT = '{"id":"a","text":"pond"}\n'


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Running]:
    async with MiniBroker() as broker, running(tmp_path, broker.url) as made:
        await until(lambda: made.peer.link.up and broker.listening(topics.SYNC))
        yield made


async def listening(here: Running) -> Front:
    front = here.front()
    await front.call("events.subscribe")
    return front


def edits(front: Front) -> list[Row]:
    return [one for one in front.events if one["event"] == "document-edited"]


async def types(remote: Remote, base: str, start: int, *changes: list[object]) -> None:
    message = remote.signed("canvasl-edit", file=FILE, base=base, start=start, changes=changes)
    await remote.say(topics.live(FILE), message)


async def test_what_a_peer_types_is_told_to_those_who_have_it_open(here: Running) -> None:
    revision = await here.sync(FILE, TEXT)
    first, second = await listening(here), await listening(here)
    answer = await first.call(
        "documents.open", file=FILE, base=hashlib.sha256(TEXT.encode()).hexdigest()
    )
    assert answer == {
        "file": FILE, "revision": revision, "length": len(TEXT), "start": 0, "drafts": [],
        "content_hash": hashlib.sha256(TEXT.encode()).hexdigest(),
    }  # fmt: skip
    friend = await here.known()
    await types(friend, revision, 0, [0, 0, "x"], [1, 0, "y"])
    await until(lambda: edits(first))
    (event,) = edits(first)
    assert (event["peer_id"], event["start"]) == (friend.peer_id, 0)
    assert event["changes"] == [[0, 0, "x"], [1, 0, "y"]]
    assert edits(second) == []


async def test_edits_become_a_revision_when_the_front_end_closes_or_is_gone(here: Running) -> None:
    await here.sync(FILE, TEXT)
    front, other = here.front(), here.front()
    for one, start, letter in ((front, 0, "1"), (other, 1, "2")):
        await one.call("documents.open", file=FILE)
        answer = await one.call("documents.edit", **_edit(start, letter))
        assert answer == {"file": FILE, "start": start + 1}
    await front.call("documents.close", file=FILE)
    assert await front.reason("documents.close", file=FILE) == "document-not-open"
    other.leave()
    await until(lambda: here.synced(FILE) == b"21" + TEXT.encode())


async def test_an_edit_of_what_is_not_open_is_refused(here: Running) -> None:
    await here.sync(FILE, TEXT)
    front, other = here.front(), here.front()
    await other.call("documents.open", file=FILE)
    assert await front.reason("documents.edit", **_edit(0, "x")) == "document-not-open"
    assert await front.reason("documents.open", file="none.md") == "unknown-document"
    assert await other.reason("documents.edit", **_edit(7, "x")) == "edit-out-of-step"
    for change in ([-1, 0, ""], [0, "0", ""], [0, 0], [0, 0, "\0"]):
        reason = await other.reason("documents.edit", file=FILE, start=0, changes=[change])
        assert reason == "rpc-invalid-params"


def _edit(start: int, letter: str) -> Row:
    return {"file": FILE, "start": start, "changes": [[0, 0, letter]]}
