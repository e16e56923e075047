# SPDX-License-Identifier: MIT
"""Documents come into the folder that shows them, and never over what nobody recorded."""

from __future__ import annotations

import os
from pathlib import Path

from tests.daemon.folders import holds, quick, shown, two
from tests.daemon.running import running, until

__all__ = ["quick"]  # a fixture


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


async def test_a_file_with_unsaved_changes_waits_for_its_editor(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path) as here:
        await here.sync("x.md", "one\n")
        await here.front().call("spaces.share", path=str(folder))
        await until(lambda: holds(folder / "x.md", b"one\n"))
        lock = folder / ".#x.md"
        lock.symlink_to(f"me@{os.uname().nodename}.{os.getpid()}")
        friend = await here.known()
        (first,) = here.peer.store.heads("x.md")
        seen = {"vector": {first.author: first.seq}, "parents": [first.revision]}
        await friend.sync("x.md", "one\ntwo\n", **seen)
        await until(lambda: here.synced("x.md") == b"one\ntwo\n")
        assert (folder / "x.md").read_bytes() == b"one\n"
        (folder / "x.md").write_bytes(b"zero\none\n")
        answer = await here.front().call("sync.file", path=str(folder / "x.md"))
        assert answer["file"] == "x.md"
        lock.unlink()
        await until(lambda: holds(folder / "x.md", b"zero\none\ntwo\n"))
        await until(lambda: here.synced("x.md") == b"zero\none\ntwo\n")
        own = [one for one in here.peer.store.revisions("x.md") if one.author == first.author]
        assert len(own) == 2, "what Emacs had synced is not imported once more"


async def test_a_version_is_not_written_where_a_file_is_missing(tmp_path: Path) -> None:
    """A file is deleted while another version is on its way: the deletion is heard first."""
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path) as here:
        for name in ("x.md", "y.md", "z.md"):
            await here.sync(name, "one\n")
        await here.front().call("spaces.share", path=str(folder))
        await until(lambda: all(holds(folder / f"{n}.md", b"one\n") for n in "xyz"))
        await here.front().call("spaces.set", auto_sync=False)
        (folder / "x.md").unlink()
        friend = await here.known()
        (first,) = here.peer.store.heads("x.md")
        seen = {"vector": {first.author: first.seq}, "parents": [first.revision]}
        await friend.sync("x.md", "one\ntwo\n", **seen)
        await until(lambda: here.synced("x.md") == b"one\ntwo\n")
        assert not (folder / "x.md").exists()
        await here.front().call("sync.all")
        await until(lambda: holds(folder / "x.md", b"one\ntwo\n"))
        (row,) = (await here.front().call("conflicts.list"))["conflicts"]
        assert row["places"][0]["path"] == []
