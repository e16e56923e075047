# SPDX-License-Identifier: MIT
"""A disk without room: what comes is refused or waits, and goes on when there is room again.

The state directory is a small file system of its own, which only root may make.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.brokers import Mosquitto, wait_until
from tests.integration.pair import broker
from tests.integration.peers import Peer, RpcError, command

__all__ = ["broker"]  # a fixture
pytestmark = pytest.mark.mosquitto

FLAGS = ("--trust-policy", "announced")
SIZE = "4m"


class SmallDisk:
    """A file system with little room; ``fill`` takes all of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, leave: int = 0) -> None:
        """Leave so many bytes and no more."""
        with self._filler.open("ab") as file, contextlib.suppress(OSError):
            while True:
                os.write(file.fileno(), bytes(4096))
        os.truncate(self._filler, max(self._filler.stat().st_size - leave, 0))

    def clear(self) -> None:
        """Room again."""
        self._filler.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "a"
    folder.mkdir(mode=0o700)
    options = f"size={SIZE},mode=700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a file system of its own cannot be made: {mounted.stderr.decode().strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def two(disk: SmallDisk, broker: Mosquitto, tmp_path: Path) -> Iterator[tuple[Peer, Peer]]:
    """``a`` on the small disk, ``b`` on a large one, and a canvas that both have."""
    with (
        Peer(disk.folder, broker.url, flags=FLAGS) as a,
        Peer(tmp_path / "b", broker.url, flags=FLAGS) as b,
    ):
        for peer in (a, b):
            peer.wait(lambda peer=peer: peer.call("status")["peers"]["connected"] == 1)  # type: ignore[misc]
        save(a, tmp_path, "c.canvasl", canvas(a=0, b=0))
        wait_until(lambda: shown(b, "c.canvasl") == canvas(a=0, b=0), 60.0, "the first canvas")
        yield a, b


def canvas(**values: int) -> bytes:
    """A line for each name; some kilobytes."""
    lines = [{"id": name, "x": x, "text": name * 2000} for name, x in values.items()]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def save(peer: Peer, folder: Path, name: str, content: bytes, base: bytes = b"") -> str:
    """Sync a file of the user; the revision."""
    path = folder / f"{peer.state_dir.name}-source" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    params: dict[str, object] = {"path": str(path)}
    if base:
        params["base"] = hashlib.sha256(base).hexdigest()
    return str(peer.call("sync.file", params)["revision"])


def shown(peer: Peer, name: str) -> bytes:
    path = peer.synced / name
    return path.read_bytes() if path.exists() else b""


def intact(peer: Peer) -> None:
    """A whole store, and no file of ours that is half."""
    with contextlib.closing(
        sqlite3.connect(f"file:{peer.state_dir}/store.db?mode=ro", uri=True)
    ) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert not [path for path in peer.synced.rglob("*") if path.stat().st_size == 0]


def test_an_edit_a_document_and_a_merge_while_the_disk_is_full(
    two: tuple[Peer, Peer], disk: SmallDisk, broker: Mosquitto, tmp_path: Path
) -> None:
    a, b = two
    broker.freeze()
    first = canvas(a=0, b=0)
    mine = save(a, tmp_path, "c.canvasl", canvas(a=1, b=0), first)
    theirs = save(b, tmp_path, "c.canvasl", canvas(a=0, b=2), first)
    a.wait(lambda: shown(a, "c.canvasl") == canvas(a=1, b=0), what="the own edit")
    disk.fill()
    broker.thaw()
    b.wait(lambda: len(b.history("c.canvasl")) == 3, what="the edit of the other")
    save(b, tmp_path, "new.canvasl", canvas(n=1))
    with pytest.raises(RpcError) as refused:
        save(a, tmp_path, "mine.canvasl", canvas(m=1))
    assert refused.value.reason == "disk-full"
    a.wait(lambda: "cannot be written" in a.errors.read_text(), what="the first turn that failed")

    # nothing is half, nothing is lost, nothing is believed to be there that is not
    assert shown(a, "c.canvasl") == canvas(a=1, b=0)
    assert not (a.synced / "new.canvasl").exists()
    assert not (a.synced / "mine.canvasl").exists()
    assert mine in {row["revision"] for row in a.history("c.canvasl")}
    assert a.history("new.canvasl") == []
    (row,) = [one for one in b.call("sync.status")["documents"] if one["file"] == "new.canvasl"]
    assert row["pending"]
    assert a.call("health")["healthy"] is False
    intact(a)

    disk.clear()
    merged = canvas(a=1, b=2)
    for peer in two:
        peer.wait(lambda peer=peer: shown(peer, "c.canvasl") == merged, 60.0, "the merge")  # type: ignore[misc]
    a.wait(lambda: shown(a, "new.canvasl") == canvas(n=1), 60, "the document")
    save(a, tmp_path, "mine.canvasl", canvas(m=1))
    b.wait(lambda: shown(b, "mine.canvasl") == canvas(m=1), 60.0, "what was refused before")
    assert {mine, theirs} <= {row["revision"] for row in a.history("c.canvasl")}
    intact(a)


def test_room_for_the_store_and_none_for_the_file(
    two: tuple[Peer, Peer], disk: SmallDisk, tmp_path: Path
) -> None:
    """The revision is recorded and acknowledged; its file is written when there is room."""
    a, b = two
    large = canvas(**{f"n{number}": number for number in range(60)})
    disk.fill(leave=160 * 1024)
    save(b, tmp_path, "large.canvasl", large)
    a.wait(lambda: a.history("large.canvasl"), 60.0, "the revision")
    assert not (a.synced / "large.canvasl").exists()
    assert list((a.state_dir / "tmp").iterdir()) == []
    intact(a)
    disk.clear()
    a.wait(lambda: shown(a, "large.canvasl") == large, 60.0, "the file")


def test_a_start_without_room(two: tuple[Peer, Peer], disk: SmallDisk, tmp_path: Path) -> None:
    a, b = two
    a.kill()
    disk.fill()
    done = subprocess.run(
        command("bot", "--state-dir", str(a.state_dir), "--broker-url", str(a.broker_url), *FLAGS),
        cwd=a.env["HOME"], env=a.env, capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "disk is full" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    save(b, tmp_path, "c.canvasl", canvas(a=0, b=3), canvas(a=0, b=0))
    disk.clear()
    a.start()
    a.wait(lambda: shown(a, "c.canvasl") == canvas(a=0, b=3), 60.0, "what came meanwhile")
    intact(a)
