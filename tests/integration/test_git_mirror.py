# SPDX-License-Identifier: MIT
"""The git mirror of a peer whose documents several people edit, read by the real git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.adapters.gitmirror.plain_git import git
from tests.integration.brokers import Mosquitto
from tests.integration.pair import broker
from tests.integration.peers import Peer
from tests.integration.test_merging import CANVAS, edit_both, shown, states, two, verb

__all__ = ["broker", "two"]  # fixtures
pytestmark = pytest.mark.mosquitto


def commits(path: Path, *what: str) -> list[str]:
    return git(path, "log", *what).splitlines()


def blob(path: Path, commit: str) -> bytes:
    """The bytes of the canvas in a commit."""
    command = ["git", "-C", str(path), "cat-file", "blob", f"{commit}:{CANVAS}"]
    return subprocess.run(command, capture_output=True, check=True, env=dict(os.environ)).stdout


def check(path: Path, peer: Peer) -> None:
    """Every revision is a commit: its author, its time, its bytes."""
    git(path, "fsck", "--strict", "--full")
    rows = {row["revision"]: row for row in verb(peer, "history", CANVAS)["revisions"]}
    form = "--format=%H %an %aI %(trailers:key=Revision,valueonly,separator=)"
    found = [line.split() for line in commits(path, form, "--", CANVAS)]
    assert sorted(revision for *_, revision in found) == sorted(rows)
    for commit, name, moment, revision in found:
        row = rows[revision]
        assert (name, moment[:19]) == (row["name"], row["time"][:19])
        copy = peer.state_dir.parent / f"copy-{commit}"
        params = {"file": CANVAS, "revision": revision, "path": str(copy)}
        if not copy.exists():
            peer.call("documents.export", params)
        assert blob(path, commit) == copy.read_bytes()


def test_the_log_of_a_canvas_of_two(
    two: tuple[Peer, Peer], broker: Mosquitto, tmp_path: Path
) -> None:
    one, other = two
    path = tmp_path / "mirror"

    def followed() -> bool:
        state = verb(one, "mirror")
        assert state["state"] == "on", state
        return not state["waiting"]

    assert verb(one, "mirror", "git", str(path))["state"] == "on"
    revisions = edit_both(one, other)
    broker.start()
    one.wait(lambda: set(states(one)) == set(states(other)) == set(revisions), 60, "all revisions")
    one.wait(followed, 60.0, "the mirror")
    check(path, one)
    assert {*commits(path, "--format=%an")} == {"one", "two"}

    # killed, and back: it goes on where it was
    one.kill()
    (row,) = verb(other, "conflicts")["conflicts"]
    verb(other, "resolve", CANVAS, row["places"][0]["number"][:12], "--value", "15")
    one.start()
    one.wait(lambda: shown(one) == shown(other), 60, "the same bytes")
    one.wait(followed, 60.0, "the mirror")
    check(path, one)
    # what joined the two has both as parents, and the work tree shows it
    (joined,) = commits(path, "--merges", "--format=%an %P")
    assert joined.split()[0] == "two"
    assert len(joined.split()) == 3
    assert (path / CANVAS).read_bytes() == shown(one)
    assert git(path, "status", "--porcelain") == ""
    assert verb(one, "mirror", "off")["state"] == "off"
