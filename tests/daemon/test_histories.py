# SPDX-License-Identifier: MIT
"""Histories: pages, pins that survive compaction, differences."""

from __future__ import annotations

from pathlib import Path

import pytest

from federation import limits
from tests.daemon.running import Front, Running, running, until


async def versions(here: Running, count: int, file: str = "a.md") -> list[str]:
    return [await here.sync(file, f"version {number}\n") for number in range(count)]


def content(path: object) -> bytes:
    return Path(str(path)).read_bytes()


async def states(front: Front, **params: object) -> list[tuple[bool, bool]]:
    answer = await front.call("documents.history", file="a.md", **params)
    return [(row["pinned"], row["dropped"]) for row in answer["revisions"]]


async def test_pages(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        front = here.front()
        names = await versions(here, 5)

        async def page(**params: object) -> tuple[list[str], bool]:
            answer = await front.call("documents.history", file="a.md", **params)
            return [row["revision"] for row in answer["revisions"]], answer["more"]

        assert await page() == (names, False)
        assert await page(limit=2) == (names[3:], True)
        assert await page(limit=2, before=names[3][:12]) == (names[1:3], True)
        assert await page(limit=2, before=names[1]) == (names[:1], False)
        assert await page(limit=5) == (names, False)
        assert await page(before=names[0]) == ([], False)
        # what several heads show together is no row of any page
        base = await here.sync("c.canvasl", '{"id":"n","x":0}\n')
        await here.sync("c.canvasl", '{"id":"n","x":1}\n')
        friend = await here.known()
        await friend.sync("c.canvasl", '{"id":"n","x":2}\n', seq=1000, parents=[base])
        answer = await front.call("documents.history", file="c.canvasl", limit=3)
        assert (len(answer["revisions"]), answer["more"]) == (3, False)
        shown = here.peer.store.document("c.canvasl")
        assert shown is not None
        reason = await front.reason("history.pin", file="c.canvasl", revision=shown.current)
        assert reason == "unknown-revision"


async def test_a_pinned_revision_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HISTORY_FRESH", 1e-6)
    async with running(tmp_path, history_revisions=2) as here:
        front = here.front()
        names = await versions(here, 8)
        store = here.peer.store
        await until(lambda: store.document("a.md").written == names[-1])  # type: ignore[union-attr]
        answer = await front.call("history.pin", file="a.md", revision=names[1][:8])
        assert answer == {"file": "a.md", "revision": names[1], "pinned": True}
        assert await here.peer.upkeep.compact() == 5
        expected = [(number == 1, number < 6 and number != 1) for number in range(8)]
        assert await states(front) == expected
        answer = await front.call("documents.export", file="a.md", revision=names[1])
        assert content(answer["path"]) == b"version 1\n"
        assert await front.reason("history.pin", file="a.md", revision=names[0]) == (
            "content-dropped"
        )
        # unpinned, it goes with the next ones
        answer = await front.call("history.pin", file="a.md", revision=names[1], on=False)
        assert answer["pinned"] is False
        await here.sync("a.md", "another\n")
        await here.sync("a.md", "and another\n")
        last = store.revisions("a.md")[-1].revision
        await until(lambda: store.document("a.md").written == last)  # type: ignore[union-attr]
        await here.peer.upkeep.compact()
        assert (await states(front))[1] == (False, True)


async def test_differences_of_any_two(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        front = here.front()
        one, two, three = await versions(here, 3)
        answer = await front.call("history.diff", file="a.md", old=one[:8])
        assert (answer["old"], answer["new"], answer["same"]) == (one, three, False)
        head, *lines = answer["text"].splitlines()
        own = here.peer.node.context.peer_id[:13]
        assert head.startswith(f"--- a.md\t{one[:12]} ")
        assert head.endswith(own)
        assert lines[1:] == ["@@ -1 +1 @@", "-version 0", "+version 2"]
        answer = await front.call("history.diff", file="a.md", old=two, new=one)
        assert answer["text"].endswith("-version 1\n+version 0\n")
        answer = await front.call("history.diff", file="a.md", old=two, new=two)
        assert (answer["same"], answer["text"], answer["whole"]) == (True, "", True)
        await here.sync("a.md", b"\xff")
        answer = await front.call("history.diff", file="a.md", old=one)
        assert (answer["same"], answer["text"]) == (False, None)
