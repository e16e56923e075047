# SPDX-License-Identifier: MIT
"""Merged blackboards, as Org itself reads them: in every Emacs that is there."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings

from federation.replica.blackboard import merge_blackboard, parse
from federation.replica.blackboard.layout import (
    BoardPeer,
    CanvasNode,
    add_canvas_node,
    update_peers,
)
from tests.replica.blackboard.boards import Editor, changed

CHECK = Path(__file__).with_name("org_check.el")
EMACSES = [name for name in ("emacs", "/usr/bin/emacs30") if shutil.which(name)]
PEER = BoardPeer("peer-" + "a" * 52, "0x" + "1" * 64, "mqtt://h:1883", "connected")
NODE = CanvasNode("a b.canvasl", "c" * 64, PEER.peer_id)


@dataclass(frozen=True)
class Read:
    """What Org found in a text."""

    titles: list[str]
    drawers: int
    levels: list[int]
    lint: set[str]


def org(emacs: str, folder: Path, texts: list[str]) -> list[Read]:
    """Let Org read the texts."""
    files = []
    for number, text in enumerate(texts):
        files.append(folder / f"{number}.org")
        files[-1].write_text(text, encoding="utf-8", newline="")
    done = subprocess.run(
        [emacs, "-Q", "--batch", "-l", str(CHECK), *map(str, files)],
        cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=300, check=True,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == len(texts), done.stderr
    found = [json.loads(line) for line in lines]
    return [Read(one[0], one[1], one[2], set(one[3])) for one in found]


def cases(shared: Path) -> list[tuple[str, str, str]]:
    """Bases with two changed versions, always the same ones, and the real boards."""
    found: list[tuple[str, str, str]] = []

    @given(changed())
    @settings(max_examples=80, derandomize=True, database=None, deadline=None)
    def collect(case: tuple[str, Editor, Editor]) -> None:
        found.append((case[0], case[1].text(), case[2].text()))

    collect()
    for path in sorted((shared / "data" / "org").glob("*.org")):
        text = path.read_text(encoding="utf-8")
        new = "*** New\n:PROPERTIES:\n:CUSTOM_ID: new\n:END:\n- a\n\n"
        found.append(
            (text, update_peers(text, [PEER]), text.replace("** Canvas", new + "** Canvas"))
        )
        found.append((text, add_canvas_node(text, NODE), "#+title: Board\n" + text + "* End"))
    return found


@pytest.mark.emacs
@pytest.mark.parametrize("emacs", EMACSES)
def test_org_reads_what_was_merged(emacs: str, tmp_path: Path, shared: Path) -> None:
    sides = cases(shared)
    merged = [merge_blackboard(*case)[0] for case in sides]
    texts = [*merged, *(case[1] for case in sides), *(case[2] for case in sides)]
    read = org(emacs, tmp_path, texts)
    for number, text in enumerate(merged):
        result = read[number]
        entries = parse(text).entries
        assert result.levels == [one.level for one in entries if one.level]
        assert result.drawers == sum(one.drawer is not None for one in entries)
        before = read[number + len(sides)].lint | read[number + 2 * len(sides)].lint
        # Two people may give one id to two entries; that is for them to see.
        new = {one for one in result.lint - before if not one.startswith("Duplicate")}
        assert not new, text
