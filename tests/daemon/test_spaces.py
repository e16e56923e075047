# SPDX-License-Identifier: MIT
"""Spaces of a running peer: what is refused, what stays here, what is kept."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.daemon.folders import holds, quick, shown
from tests.daemon.mini_broker import MiniBroker
from tests.daemon.running import RpcError, running, until

__all__ = ["quick"]  # a fixture


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
        file = f"~diary/{canary}.md"
        await front.call("spaces.share", path=str(folder), space="diary")
        (folder / f"{canary}.md").write_text(f"{canary} one")
        await until(lambda: shown(a, f"~diary/{canary}.md") == f"{canary} one".encode())
        home = Path(row["home"])
        await until(lambda: (home / f"{canary}.md").exists())
        (home / f"{canary}.md").write_text(f"{canary} two")
        await until(lambda: holds(folder / f"{canary}.md", f"{canary} two".encode()))
        opened = await front.call("documents.open", file=file)
        await front.call("documents.edit", file=file, start=opened["start"],
                         changes=[[0, 0, f"typed {canary} "]])  # fmt: skip
        await front.call("documents.close", file=file)
        await until(lambda: holds(folder / f"{canary}.md", f"typed {canary} {canary} two".encode()))
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


async def test_the_home_of_a_local_space_that_was_removed_is_written_again(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        row = await here.front().call("spaces.create", space="box")
        home = Path(row["home"])
        (home / "d").mkdir()
        (home / "d/x.md").write_text("one")
        await until(lambda: shown(here, "~box/d/x.md") == b"one")
    shutil.rmtree(home)
    async with running(tmp_path) as here:
        await until(lambda: holds(home / "d/x.md", b"one"))
        (home / "d/x.md").write_text("two")
        await until(lambda: shown(here, "~box/d/x.md") == b"two")
    shutil.move(home, tmp_path / "old")
    (home / "e").mkdir(parents=True)
    async with running(tmp_path) as here:
        await until(lambda: holds(home / "d/x.md", b"two"))
        assert shown(here, "~box/d/x.md") == b"two"


async def test_the_document_that_a_file_is(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        spaces, synced = here.peer.spaces, here.peer.disk.synced
        alias = tmp_path / "alias"
        alias.symlink_to(synced)
        (synced / "a").mkdir()
        assert spaces.document_of(tmp_path / "any" / "x.md") is None
        assert spaces.document_of(synced / "a" / "x.md") == "a/x.md"
        assert spaces.document_of(alias / "x.md") == "x.md"
        assert spaces.document_of(alias / "a" / "x.md") == "a/x.md"


@pytest.mark.parametrize("told", [False, True])
async def test_a_folder_that_is_shared_again_takes_nothing_back(tmp_path: Path, told: bool) -> None:
    """What it holds was made from what was written there before it was left."""
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path) as here:
        friend, front = await here.known(), here.front()
        for name in ("x.md", "y.md"):
            await friend.sync(name, "one\ntwo\n")
        await front.call("spaces.share", path=str(folder))
        await until(lambda: all(holds(folder / n, b"one\ntwo\n") for n in ("x.md", "y.md")))
        await front.call("spaces.leave", space="commons")
        await friend.sync("x.md", "two\n", vector={friend.peer_id: 1})
        await friend.sync("y.md", "two\n", vector={friend.peer_id: 2})
        (folder / "y.md").write_bytes(b"one\ntwo\nthree\n")
        await front.call("spaces.share", path=str(folder))
        if told:
            await front.call("sync.file", path=str(folder / "y.md"))
        await until(lambda: holds(folder / "x.md", b"two\n"))
        await until(lambda: here.synced("y.md") == b"two\nthree\n")
        await until(lambda: here.peer.spaces.places("commons")[1].quiet)
        assert shown(here, "x.md") == here.synced("x.md") == b"two\n"


@pytest.mark.parametrize("told", [False, True])
async def test_a_copy_of_a_folder_that_is_shared_takes_nothing_back(
    tmp_path: Path, told: bool
) -> None:
    """What it holds are earlier versions, and files that were made from nothing that is here."""
    folder = tmp_path / "copy"
    folder.mkdir()
    (folder / "x.md").write_bytes(b"one\ntwo\n")
    (folder / "y.md").write_bytes(b"mine\n")
    async with running(tmp_path) as here:
        friend, front = await here.known(), here.front()
        await friend.sync("x.md", "one\ntwo\n")
        await friend.sync("y.md", "theirs\n")
        await friend.sync("x.md", "two\n", vector={friend.peer_id: 2})
        await front.call("spaces.share", path=str(folder))
        if told:
            for name in ("x.md", "y.md"):
                await front.call("sync.file", path=str(folder / name))
        await until(lambda: holds(folder / "x.md", b"two\n"))
        await until(lambda: {*here.synced("y.md").splitlines()} == {b"mine", b"theirs"})
        assert shown(here, "x.md") == here.synced("x.md") == b"two\n"


async def test_settings_that_are_changed_at_once_come_one_after_the_other(tmp_path: Path) -> None:
    """Else one would write again what the folder was before the other."""
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path) as here:
        front = here.front()
        await front.call("spaces.share", path=str(folder))
        for on in (False, True):
            one, other = here.front(), here.front()
            await asyncio.gather(
                front.call("spaces.leave", space="commons"),
                one.call("spaces.set", auto_sync=on),
                other.call("spaces.share", path=str(folder)),
            )
        (row, *_) = (await front.call("spaces.list"))["spaces"]
        assert (row["folder"], row["auto_sync"]) == (str(folder), True)
        (folder / "x.md").write_bytes(b"one\n")
        await until(lambda: shown(here, "x.md") == b"one\n")
