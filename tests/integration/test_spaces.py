# SPDX-License-Identifier: MIT
"""Two peers, a real broker, and folders in which other programs are at work."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.brokers import Mosquitto
from tests.integration.pair import broker
from tests.integration.peers import Peer
from tests.integration.test_merging import bot, verb

__all__ = ["broker"]  # a fixture
pytestmark = pytest.mark.mosquitto


def shell(script: str, folder: Path) -> None:
    """What other programs do in a folder."""
    subprocess.run(["sh", "-ec", script], cwd=folder, check=True, timeout=30)


def tree(folder: Path) -> dict[str, bytes]:
    """Name -> content of every file that is no hidden one; what vanishes meanwhile is not there."""
    found = {}
    for path in (Path(top, name) for top, _, names in os.walk(folder) for name in names):
        with contextlib.suppress(FileNotFoundError):
            if not path.name.startswith("."):
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


def space(peer: Peer, name: str = "commons") -> Any:
    """What there is to say of a space."""
    (row,) = [one for one in verb(peer, "space")["spaces"] if one["name"] == name]
    return row


@pytest.fixture
def two(broker: Mosquitto, tmp_path: Path) -> Iterator[tuple[Peer, Peer]]:
    """Two bots that know each other; each shows ``commons`` in a folder."""
    with bot(tmp_path, broker, "one") as one, bot(tmp_path, broker, "two") as two:
        for peer, folder in ((one, "a"), (two, "b")):
            (tmp_path / folder).mkdir()
            verb(peer, "space", "share", str(tmp_path / folder))
        one.wait(lambda: verb(one, "discovered")["peers"], what="one knows two")
        two.wait(lambda: verb(two, "discovered")["peers"], what="two knows one")
        yield one, two


def same(one: Peer, folders: tuple[Path, Path], files: dict[str, bytes]) -> None:
    """Wait until both folders hold exactly these files."""
    try:
        one.wait(lambda: tree(folders[0]) == tree(folders[1]) == files, 60.0)
    except AssertionError:
        assert tree(folders[0]) == files
        assert tree(folders[1]) == files


def test_any_program_edits_and_both_folders_are_the_same(
    two: tuple[Peer, Peer], tmp_path: Path
) -> None:
    one, other = two
    folders = a, b = tmp_path / "a", tmp_path / "b"
    shell('mkdir d; for n in 1 2 3 4 5 6; do echo "line $n" >d/$n.md; done; echo x >x.org', a)
    files = {f"d/{n}.md": f"line {n}\n".encode() for n in range(1, 7)} | {"x.org": b"x\n"}
    same(one, folders, files)
    shell("sed -i 's/line/row/' d/1.md d/2.md", b)
    files |= {f"d/{n}.md": f"row {n}\n".encode() for n in (1, 2)}
    same(one, folders, files)
    shell("mv d/3.md d/three.md; rm d/4.md; printf 'y\\n' >>x.org", a)
    files["d/three.md"] = files.pop("d/3.md")
    del files["d/4.md"]
    files["x.org"] = b"x\ny\n"
    same(one, folders, files)
    for peer in two:
        assert tree(peer.synced) == files
        assert verb(peer, "conflicts") == {"conflicts": []}
    gone = [row for row in verb(other, "sync-status", "--deleted")["documents"] if row["deleted"]]
    assert [row["file"] for row in gone] == ["d/3.md", "d/4.md"]
    history = verb(other, "history", str(b / "d/4.md"))["revisions"]
    assert [row["deleted"] for row in history] == [False, True]
    verb(other, "restore", "d/4.md", history[0]["revision"])
    files["d/4.md"] = b"line 4\n"
    same(one, folders, files)

    # all of it: nothing is believed without a yes
    shell("rm -r ./*", a)
    one.wait(lambda: space(one)["held"] == 7, 60.0, "the deletions are held")
    assert tree(b) == files
    assert verb(one, "status")["held_deletions"] == 7
    verb(one, "space", "restore-held", "commons")
    same(one, folders, files)
    shell("rm -r ./*", a)
    one.wait(lambda: space(one)["held"] == 7, 60.0, "the deletions are held")
    verb(one, "space", "confirm", "commons")
    one.wait(lambda: not tree(a), 60.0, "deleted where it was agreed to")

    # nor by others: what they have waits for a yes of theirs, shown right after a restart, too
    other.wait(lambda: not verb(other, "sync-status")["documents"], 60.0, "the deletions came")
    other.wait(lambda: space(other)["held"] == len(tree(b)), 60.0, "what is left is held")
    left = len(tree(b))
    assert left >= 1  # what goes before it is many comes back with `restore-held`
    other.kill()
    other.start()
    assert verb(other, "status")["held_deletions"] == space(other)["held"] == left
    assert len(tree(b)) == left
    verb(other, "space", "confirm", "commons")
    same(one, folders, {})


def test_killed_and_away_and_back(two: tuple[Peer, Peer], tmp_path: Path) -> None:
    one, other = two
    folders = a, b = tmp_path / "a", tmp_path / "b"
    shell('for n in 1 2 3 4 5 6; do echo "line $n" >$n.md; done', a)
    files = {f"{n}.md": f"line {n}\n".encode() for n in range(1, 7)}
    same(one, folders, files)
    one.wait(lambda: space(one)["waiting"] == 0, 60.0)

    # killed in the middle of it, and changed while it was away
    shell("echo more >>1.md", a)
    one.kill()
    shell("rm 2.md; sed -i 's/line/row/' 3.md; mv 4.md four.md", a)
    shell("echo 'of b' >>5.md; rm 6.md", b)
    other.wait(lambda: "6.md" not in tree(other.synced), 60.0, "b's deletion")
    one.start()
    files = {"1.md": b"line 1\nmore\n", "3.md": b"row 3\n", "four.md": b"line 4\n",
             "5.md": b"line 5\nof b\n"}  # fmt: skip
    same(one, folders, files)

    # the whole folder is renamed (a mount that is away): nothing is deleted
    os.rename(a, tmp_path / "elsewhere")
    one.wait(lambda: space(one)["state"] == "away", 60.0, "away")
    one.kill()
    shell("echo 'meanwhile' >>3.md", b)
    one.start()
    one.wait(lambda: (one.synced / "3.md").read_bytes() == b"row 3\nmeanwhile\n", 60.0)
    assert space(one)["state"] == "away"
    assert set(tree(b)) == set(files)
    (tmp_path / "elsewhere" / "1.md").write_bytes(b"edited elsewhere\n")
    os.rename(tmp_path / "elsewhere", a)
    files |= {"3.md": b"row 3\nmeanwhile\n", "1.md": b"edited elsewhere\n"}
    same(one, folders, files)

    # removed and made anew while the peer was off: another folder says nothing either
    one.kill()
    shutil.rmtree(a)
    a.mkdir()
    one.start()
    one.wait(lambda: space(one)["state"] == "away", 60.0, "another folder")
    assert space(one)["reason"] == "folder-replaced"
    assert tree(b) == files
    verb(one, "space", "leave", "commons")
    verb(one, "space", "share", str(a))
    same(one, folders, files)

    # the synced folder itself was removed: it is written again
    one.kill()
    shutil.rmtree(one.synced)
    (other.synced / "five.md").write_bytes(b"written below synced\n")
    one.start()
    files["five.md"] = b"written below synced\n"
    same(one, folders, files)
    assert tree(one.synced) == files
    (one.synced / "five.md").unlink()
    del files["five.md"]
    same(one, folders, files)


def test_a_deletion_and_an_edit_at_once(
    two: tuple[Peer, Peer], broker: Mosquitto, tmp_path: Path
) -> None:
    one, other = two
    folders = a, b = tmp_path / "a", tmp_path / "b"
    shell("for n in x y keep; do echo one >$n.md; done", a)
    files = {f"{n}.md": b"one\n" for n in ("x", "y", "keep")}
    same(one, folders, files)
    broker.kill()
    shell("rm x.md y.md", a)
    shell("echo two >>x.md; echo two >>y.md", b)
    one.wait(lambda: "x.md" not in tree(one.synced), 60.0, "deleted here")
    other.wait(lambda: tree(other.synced)["y.md"] == b"one\ntwo\n", 60.0, "edited there")
    broker.start()
    same(one, folders, files | {"x.md": b"one\ntwo\n", "y.md": b"one\ntwo\n"})
    for peer in two:
        peer.wait(lambda peer=peer: len(verb(peer, "conflicts")["conflicts"]) == 2, 60.0)  # type: ignore[misc]
    rows = {row["file"]: row["places"][0] for row in verb(one, "conflicts")["conflicts"]}
    verb(one, "resolve", "x.md", rows["x.md"]["number"], "a")
    verb(other, "resolve", "y.md", rows["y.md"]["number"], "kept")
    same(one, folders, {"keep.md": b"one\n", "y.md": b"one\ntwo\n"})
    for peer in two:
        peer.wait(lambda peer=peer: not verb(peer, "conflicts")["conflicts"], 60.0)  # type: ignore[misc]
