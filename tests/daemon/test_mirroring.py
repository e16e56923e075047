# SPDX-License-Identifier: MIT
"""A git repository follows the documents of a running peer."""

from __future__ import annotations

import builtins
import shutil
from pathlib import Path
from typing import Any

import pytest

from federation import limits
from federation.adapters.gitmirror import Mirror, mirror
from tests.adapters.gitmirror.plain_git import git
from tests.daemon.running import Front, RpcError, Running, running, until


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MIRROR_GATHER", 0.001)


def log(path: Path, form: str = "%an %s", *names: str) -> list[str]:
    return git(path, "log", "--reverse", f"--format={form}", "main", "--", *names).splitlines()


async def follow(here: Running, front: Front, path: Path) -> None:
    """Until the mirror at ``path`` has everything."""
    store = here.peer.store
    await until(lambda: here.peer.mirroring._done == store.last_recorded())
    answer = await front.call("mirror.status")
    assert answer == {"state": "on", "path": str(path), "waiting": 0, "error": None}


async def test_every_revision_is_a_commit_of_its_author(tmp_path: Path) -> None:
    path = tmp_path / "mirrors" / "commons"
    async with running(tmp_path) as here:
        front = here.front()
        state = await front.call("mirror.status")
        assert state == {"state": "off", "path": None, "waiting": 0, "error": None}
        first = await here.sync("d/a.md", "one\n")
        answer = await front.call("mirror.git", path=str(path))
        assert (answer["state"], answer["path"]) == ("on", str(path))
        await follow(here, front, path)
        friend = await here.known(name="Bob")
        await friend.sync("d/a.md", "two\n", seq=5, parents=[first], vector={})
        await here.sync("b.md", b"\xff bytes")
        await follow(here, front, path)
        git(path, "fsck", "--strict", "--full")
        own = here.peer.node.context.peer_id[:13]
        assert [line.split(":")[0] for line in log(path)] == [
            f"{own} a.md", "Bob d/a.md", f"{own} b.md",
        ]  # fmt: skip
        assert (path / "b.md").read_bytes() == b"\xff bytes"


async def test_what_several_versions_became_joins_them(tmp_path: Path) -> None:
    path = tmp_path / "git"
    async with running(tmp_path) as here:
        front = here.front()
        number = await here.clash()
        (conflict,) = here.peer.store.open_conflicts("c.canvasl")
        choice = "a" if conflict.a == "1" else "b"  # not the version that came last
        await front.call("conflicts.resolve", file="c.canvasl", number=number, choice=choice)
        await front.call("mirror.git", path=str(path))
        await follow(here, front, path)
        # a merged view is nobody's, and no commit
        assert len(here.peer.store.revisions("c.canvasl")) > 4
        assert len(log(path)) == 4
        # one of the joined versions has the same text: it is no parent, or log would hide the rest
        assert log(path, "%s", "c.canvasl") == log(path, "%s")


async def test_it_goes_on_after_a_restart_and_makes_a_deleted_one_anew(tmp_path: Path) -> None:
    path = tmp_path / "git"
    async with running(tmp_path) as here:
        front = here.front()
        await front.call("mirror.git", path=str(path))
        await here.sync("a.md", "one\n")
        await follow(here, front, path)
        before = git(path, "rev-parse", "main")
    async with running(tmp_path) as here:
        front = here.front()
        await follow(here, front, path)
        assert git(path, "rev-parse", "main") == before
        await here.sync("a.md", "two\n")
        await follow(here, front, path)
        assert len(log(path)) == 2
    shutil.rmtree(path)
    async with running(tmp_path) as here:
        front = here.front()
        await follow(here, front, path)
        assert len(log(path)) == 2
        assert before.strip() in git(path, "log", "--format=%H", "main")


async def test_off_and_elsewhere(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    async with running(tmp_path) as here:
        front = here.front()
        await here.sync("a.md", "one\n")
        await front.call("mirror.git", path=str(one))
        await follow(here, front, one)
        answer = await front.call("mirror.off")
        assert answer == {"state": "off", "path": None, "waiting": 0, "error": None}
        await here.sync("a.md", "two\n")
        await front.call("mirror.git", path=str(other))
        await follow(here, front, other)
        assert (len(log(one)), len(log(other))) == (1, 2)
        with pytest.raises(RpcError, match="mirror-exists"):
            await front.call("mirror.git", path=str(one))
        await front.call("mirror.off")
        await front.call("mirror.git", path=str(one))
        await follow(here, front, one)
        assert log(one) == log(other)


async def test_a_failure_is_shown_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "git"
    async with running(tmp_path) as here:
        front = here.front()
        await front.call("mirror.git", path=str(path))
        await here.sync("a.md", "one\n")
        await follow(here, front, path)
        monkeypatch.setattr(limits, "MIRROR_AGAIN", 0.001)
        shutil.rmtree(path)
        path.write_text("mine")
        await here.sync("a.md", "two\n")
        await until(lambda: "not a mirror" in str(here.peer.mirroring._error))
        answer = await front.call("mirror.status")
        assert (answer["state"], answer["waiting"]) == ("failing", 2)
        assert answer["error"]["reason"] == "config-unsafe-sync-dir"
        path.unlink()
        await follow(here, front, path)
        assert len(log(path)) == 2


async def test_a_defect_does_not_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MIRROR_AGAIN", 0.001)
    record, failures = Mirror.record, [ValueError("a defect")]

    def failing(self: Mirror, revisions: Any) -> int:
        if failures:
            raise failures.pop()
        return record(self, revisions)

    monkeypatch.setattr(Mirror, "record", failing)
    async with running(tmp_path) as here:
        front = here.front()
        await front.call("mirror.git", path=str(tmp_path / "git"))
        await here.sync("a.md", "one\n")
        await follow(here, front, tmp_path / "git")
        assert failures == []
        assert len(log(tmp_path / "git")) == 1


async def test_contents_that_were_dropped_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HISTORY_FRESH", 1e-6)
    monkeypatch.setattr(limits, "MIRROR_STEP", 2)
    monkeypatch.setattr(limits, "MIRROR_TURN", 0)
    monkeypatch.setattr(limits, "MIRROR_LIST", 3)
    monkeypatch.setattr(limits, "MIRROR_BYTES", 10)
    async with running(tmp_path, history_revisions=4) as here:
        front = here.front()
        for number in range(9):
            await here.sync("a.md", f"version {number}\n")
        last = here.peer.store.revisions("a.md")[-1].revision
        await until(lambda: here.peer.store.document("a.md").written == last)  # type: ignore[union-attr]
        dropped = await here.peer.upkeep.compact()
        left: list[int] = []
        record = Mirror.record

        def noted(self: Mirror, revisions: Any) -> int:
            left.append(here.peer.mirroring._done)
            return record(self, revisions)

        monkeypatch.setattr(Mirror, "record", noted)
        await front.call("mirror.git", path=str(tmp_path / "git"))
        await follow(here, front, tmp_path / "git")
        assert dropped
        assert left == sorted(set(left))  # it says how far it is
        assert len(left) > 3
        assert len(log(tmp_path / "git")) == 9 - dropped


async def test_places_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as here:
        front = here.front()
        for path in (tmp_path / "state", tmp_path, tmp_path / "state" / "synced" / "x"):
            assert await front.reason("mirror.git", path=str(path)) == "config-unsafe-sync-dir"
        assert await front.reason("mirror.git", path="here") == "path-not-absolute"
        shared = tmp_path / "shared"
        shared.mkdir()
        await front.call("spaces.share", space="commons", path=str(shared))
        answer = await front.reason("mirror.git", path=str(shared / "git"))
        assert answer == "config-unsafe-sync-dir"
        # without dulwich: what to install
        plain = builtins.__import__

        def without(name: str, *given: Any) -> Any:
            if name == "federation.adapters.gitmirror.history":
                raise ModuleNotFoundError("No module named 'dulwich'", name="dulwich")
            return plain(name, *given)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(RpcError, match="missing-program") as caught:
            await front.call("mirror.git", path=str(tmp_path / "git"))
        assert "dulwich>=" in caught.value.hint
        monkeypatch.undo()
        assert (await front.call("mirror.status"))["state"] == "off"
        assert mirror.Mirror is Mirror


async def test_deletions_travel_and_local_spaces_stay_out(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        front, path = here.front(), tmp_path / "git"
        await front.call("mirror.git", path=str(path))
        await here.sync("a.md", "one\n")
        await here.sync("b.md", "two\n")
        await follow(here, front, path)
        await here.turn(lambda now: here.peer.node.at(now, lambda: local(here)))
        gone = here.peer.disk.synced_path("a.md")
        await here.turn(
            lambda now: here.peer.node.at(now, lambda: here.peer.node.library.delete("a.md", gone))
        )
        await follow(here, front, path)
        assert [line.split(" ", 1)[1] for line in log(path)][-1] == "a.md: deleted"
        assert {one.name for one in path.iterdir()} == {".git", "b.md"}
        assert git(path, "ls-tree", "--name-only", "-r", "main").split() == ["b.md"]
        await here.sync("a.md", "back\n")
        await follow(here, front, path)
        assert (path / "a.md").read_text() == "back\n"


def local(here: Running) -> None:
    """A revision of a document that never leaves this machine."""
    here.peer.node.library.import_content("~own/secret.md", b"mine\n", None)
