# SPDX-License-Identifier: MIT
"""Spaces of a running peer: folders that are shared, local spaces, and deletions."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from federation import limits
from tests.daemon.mini_broker import MiniBroker
from tests.daemon.running import NOBODY, RpcError, Running, running, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("FOLDER_SETTLE", 0.05), ("FOLDER_GONE", 0.2), ("FOLDER_AWAY", 0.2),
                        ("WATCH_GATHER", 0.05), ("WATCH_AGAIN", 0.2), ("FOLDER_OWN", 0.1),
                        ("WRITE_AGAIN", 0.1)):  # fmt: skip
        monkeypatch.setattr(limits, name, value)


def shown(here: Running, file: str) -> bytes | None:
    """What a document shows; None while there is none, or it is deleted."""
    document = here.peer.store.document(file)
    if document is None or document.deleted:
        return None
    revision = here.peer.store.revision(document.current)
    assert revision is not None
    return here.peer.store.content(revision.content_hash)


@asynccontextmanager
async def two(tmp_path: Path) -> AsyncIterator[tuple[Running, Running, Path, Path]]:
    """Two peers, each with a folder that shows ``commons``."""
    folders = tmp_path / "fa", tmp_path / "fb"
    async with (
        MiniBroker() as broker,
        running(tmp_path / "a", broker.url) as a,
        running(tmp_path / "b", broker.url, number=2) as b,
    ):
        for here, folder in zip((a, b), folders, strict=True):
            folder.mkdir()
            await here.front().call("spaces.share", path=str(folder))
        await until(lambda: bool(a.peer.node.book.online() and b.peer.node.book.online()))
        yield a, b, *folders


def holds(path: Path, content: bytes | None) -> bool:
    return (path.read_bytes() if path.exists() else None) == content


async def test_a_file_of_one_folder_is_in_the_other(tmp_path: Path) -> None:
    async with two(tmp_path) as (a, b, fa, fb):
        (fa / "sub").mkdir()
        for name in ("y.md", "z.md"):  # else the whole folder would be deleted
            (fa / name).write_bytes(b"stays")
        (fa / "sub/x.md").write_bytes(b"one\n")
        await until(lambda: holds(fb / "sub/x.md", b"one\n"))
        assert shown(b, "sub/x.md") == b"one\n"
        assert b.synced("sub/x.md") == a.synced("sub/x.md") == b"one\n"
        (fb / "sub/x.md").write_bytes(b"one\ntwo\n")
        await until(lambda: holds(fa / "sub/x.md", b"one\ntwo\n"))
        (fa / "sub/x.md").unlink()
        await until(lambda: not (fb / "sub").exists())
        assert shown(b, "sub/x.md") is None
        assert not (b.peer.disk.synced / "sub").exists()
        (first, second, third) = b.peer.store.revisions("sub/x.md")
        assert (second.parents, third.parents) == ((first.revision,), (second.revision,))
        assert third.deleted
        listed = (await b.front().call("documents.list"))["documents"]
        assert [one["file"] for one in listed] == ["y.md", "z.md"]
        (row, *_) = (await b.front().call("documents.list", deleted=True))["documents"]
        assert (row["file"], row["deleted"]) == ("sub/x.md", True)
        await b.front().call("documents.restore", file="sub/x.md", revision=second.revision)
        await until(lambda: holds(fa / "sub/x.md", b"one\ntwo\n"))
        (fa / "sub/x.md").unlink()
        await until(lambda: not (fb / "sub/x.md").exists())
        (fb / "sub").mkdir(exist_ok=True)
        (fb / "sub/x.md").write_bytes(b"anew")
        await until(lambda: holds(fa / "sub/x.md", b"anew"))


async def test_a_file_that_differs_from_a_document_is_merged_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "x.md").write_bytes(b"mine\n")
    async with running(tmp_path, NOBODY) as here:
        await here.sync("x.md", "theirs\n")
        await here.front().call("spaces.share", path=str(folder))
        await until(lambda: len(here.peer.store.heads("x.md")) == 2)
        await until(lambda: {*(folder / "x.md").read_text().split()} == {"mine", "theirs"})
        assert here.synced("x.md") == (folder / "x.md").read_bytes()


async def test_what_was_done_while_the_peer_was_off(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path) as here:
        await here.front().call("spaces.share", path=str(folder))
        for number in range(4):
            (folder / f"{number}.md").write_text(f"words of {number}")
        await until(lambda: all(shown(here, f"{number}.md") for number in range(4)))
        await until(lambda: all((here.peer.disk.synced / f"{n}.md").exists() for n in range(4)))
    (folder / "0.md").unlink()
    (folder / "1.md").write_text("edited offline")
    (folder / "2.md").rename(folder / "two.md")
    (tmp_path / "state/synced/3.md").unlink()
    async with running(tmp_path) as here:
        await until(lambda: shown(here, "0.md") is None)
        await until(lambda: shown(here, "1.md") == b"edited offline")
        await until(lambda: shown(here, "2.md") is None)
        await until(lambda: shown(here, "3.md") is None)
        assert shown(here, "two.md") == b"words of 2"
        await until(lambda: not (folder / "3.md").exists())
        await until(lambda: not (here.peer.disk.synced / "0.md").exists())
    shutil.move(folder, tmp_path / "elsewhere")
    async with running(tmp_path) as here:
        front = here.front()
        row = (await front.call("spaces.list"))["spaces"][0]
        await until(lambda: [one.state for one in here.peer.spaces.places("commons")][1] == "away")
        row = (await front.call("spaces.list"))["spaces"][0]
        assert (row["state"], row["reason"]) == ("away", "file-not-found")
        shutil.move(tmp_path / "elsewhere", folder)
        await here.sync("1.md", "from elsewhere")
        await until(lambda: holds(folder / "1.md", b"from elsewhere"))
        assert shown(here, "two.md") == b"words of 2"


async def test_a_mass_delete_waits_for_a_yes(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path) as here:
        front = here.front()
        await front.call("events.subscribe")
        await front.call("spaces.share", path=str(folder))
        names = [f"{number}.md" for number in range(12)]
        for name in names:
            (folder / name).write_text(f"words of {name}")
        await until(lambda: all(shown(here, name) for name in names))
        await until(lambda: all((here.peer.disk.synced / name).exists() for name in names))
        for name in names:
            (folder / name).unlink()
        await until(lambda: here.peer.spaces.held == 12)
        assert all(shown(here, name) for name in names)
        (row,) = (await front.call("sync.status"))["spaces"]
        assert (row["state"], row["held"]) == ("holding", 12)
        assert (await front.call("status"))["held_deletions"] == 12
        assert (await front.call("spaces.restore", space="commons"))["count"] == 12
        await until(lambda: all((folder / name).exists() for name in names))
        assert await front.reason("spaces.restore", space="commons") == "nothing-held"
        for name in names:
            (folder / name).unlink()
        await until(lambda: here.peer.spaces.held == 12)
        await front.call("spaces.confirm", space="commons")
        await until(lambda: not any(shown(here, name) for name in names))
        await until(lambda: not any((here.peer.disk.synced / name).exists() for name in names))

        def counts() -> list[object]:
            return [one["count"] for one in front.events if one["event"] == "deletions-held"]

        await until(lambda: counts() == [12, 0, 12, 0])


async def test_an_edit_survives_a_deletion_until_somebody_chooses(tmp_path: Path) -> None:
    async with two(tmp_path) as (a, b, fa, fb):
        for name in ("keep.md", "x.md", "y.md"):
            (fa / name).write_bytes(b"one\n")
            await until(lambda name=name: holds(fb / name, b"one\n"))  # type: ignore[misc]
        for here in (a, b):
            await here.front().call("spaces.set", auto_sync=False)
        for name in ("x.md", "y.md"):
            (fa / name).unlink()
            (fb / name).write_bytes(b"one\ntwo\n")
        (row,) = (await a.front().call("spaces.list"))["spaces"]
        assert (row["waiting"], row["state"]) == (2, "off")
        a.peer.link.connection.pause()
        b.peer.link.connection.pause()
        for here in (a, b):
            await here.front().call("sync.all")
        a.peer.link.connection.resume()
        b.peer.link.connection.resume()
        await until(lambda: holds(fa / "x.md", b"one\ntwo\n") and holds(fa / "y.md", b"one\ntwo\n"))
        assert (fb / "x.md").exists()
        for here in (a, b):
            await until(lambda here=here: here.peer.store.conflicted() == ["x.md", "y.md"])  # type: ignore[misc]
        rows = (await a.front().call("conflicts.list"))["conflicts"]
        number = {row["file"]: row["places"][0]["number"] for row in rows}
        assert rows[0]["places"][0]["path"] == []
        assert rows[0]["places"][0]["a"]["value"] is None
        await a.front().call("conflicts.resolve", file="x.md", number=number["x.md"], choice="a")
        await b.front().call("conflicts.resolve", file="y.md", number=number["y.md"], choice="b")
        await until(lambda: not (fb / "x.md").exists() and not (fa / "x.md").exists())
        for here in (a, b):
            await until(lambda here=here: here.peer.store.conflicted() == [])  # type: ignore[misc]
        assert shown(a, "y.md") == shown(b, "y.md") == b"one\ntwo\n"


async def test_nothing_of_a_local_space_leaves_this_machine(tmp_path: Path) -> None:
    canary = "canary-7f3a"
    folder = tmp_path / "private"
    folder.mkdir()
    async with (
        MiniBroker() as broker,
        running(tmp_path / "a", broker.url) as a,
        running(tmp_path / "b", broker.url, number=2) as b,
    ):
        await until(lambda: bool(a.peer.node.book.online() and b.peer.node.book.online()))
        front = a.front()
        row = await front.call("spaces.create", space="diary")
        assert row["kind"] == "local"
        root = a.peer.node.library.heads.root
        await front.call("spaces.share", path=str(folder), space="diary")
        (folder / f"{canary}.md").write_text(f"{canary} one")
        await until(lambda: shown(a, f"~diary/{canary}.md") == f"{canary} one".encode())
        home = Path(row["home"])
        await until(lambda: (home / f"{canary}.md").exists())
        (home / f"{canary}.md").write_text(f"{canary} two")
        await until(lambda: holds(folder / f"{canary}.md", f"{canary} two".encode()))
        answer = await front.call("sync.file", path=str(folder / f"{canary}.md"))
        assert answer["file"] == f"~diary/{canary}.md"
        await front.call("sync.all")
        assert a.peer.node.library.heads.root == root
        await a.sync("open.md", "everybody may read this")
        await until(lambda: shown(b, "open.md"))
        # who knows the id of a revision, and asks for it, gets nothing either
        (first, *_) = a.peer.store.revisions(f"~diary/{canary}.md")
        friend = await a.known(3)
        wanted = friend.signed("sync-want", to=a.peer.node.context.peer_id,
                               revisions=[first.revision])  # fmt: skip
        await friend.say(f"canvasl/peers/{a.peer.node.context.peer_id}/messages", wanted)
        await front.call("sync.all")
        await asyncio.sleep(0)
        assert b.peer.store.documents()[0].file == "open.md"
        assert broker.published
        for topic, payload in ((one.topic, one.payload) for one in broker.published):
            assert canary not in topic
            assert canary.encode() not in payload
            assert b"diary" not in payload
            assert first.revision.encode() not in payload or payload == wanted
        status = await front.call("sync.status")
        assert [one["pending"] for one in status["documents"]] == [[friend.peer_id], []]
        assert [one["acknowledged"] for one in status["documents"]][1] == []
        await front.call("spaces.leave", space="diary")
        assert (folder / f"{canary}.md").exists()
        assert [one["name"] for one in (await front.call("spaces.list"))["spaces"]] == ["commons"]


async def test_spaces_that_cannot_be(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "inside").mkdir(parents=True)
    async with running(tmp_path) as here:
        front = here.front()
        for name, reason in (("", "rpc-invalid-params"), ("A b", "bad-space"),
                             ("commons", "space-exists")):  # fmt: skip
            assert await front.reason("spaces.create", space=name) == reason
        encrypted = await front.reason("spaces.create", space="x", kind="encrypted")
        assert encrypted == "space-encrypted"
        await front.call("spaces.create", space="x")
        assert await front.reason("spaces.create", space="x") == "space-exists"
        assert await front.reason("spaces.share", path=str(folder), space="y") == "unknown-space"
        await front.call("spaces.share", path=str(folder), space="x")
        other = tmp_path / "other"
        other.mkdir()
        assert await front.reason("spaces.share", path=str(other), space="x") == "space-shared"
        for path, reason in (
            (folder / "inside", "folder-overlap"), (tmp_path, "folder-overlap"),
            (here.peer.disk.synced, "folder-overlap"), (tmp_path / "no", "file-not-found"),
        ):  # fmt: skip
            assert await front.reason("spaces.share", path=str(path)) == reason, path
        with pytest.raises(RpcError):
            await front.call("spaces.set", interval=0)
        await front.call("spaces.set", space="x", auto_sync=False, interval=7)
    async with running(tmp_path) as here:
        row = (await here.front().call("spaces.list"))["spaces"][1]
        assert (row["name"], row["auto_sync"], row["interval"]) == ("x", False, 7)
        assert (row["folder"], row["state"]) == (str(folder.resolve()), "off")
