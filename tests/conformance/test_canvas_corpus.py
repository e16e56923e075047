# SPDX-License-Identifier: MIT
"""Real canvases, their histories and their forks, through the merge."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from federation.replica.merge.document import merge, split_lines
from federation.replica.names import kind_of


def kind(path: Path) -> str:
    return "canvasl" if path.suffix == ".jsonl" else kind_of(path.name)


def is_valid(path: Path, content: bytes) -> bool:
    """Whether each line, or the whole, is JSON."""
    try:
        if path.suffix == ".canvas":
            json.loads(content)
        else:
            [json.loads(one) for one in content.decode().splitlines() if one.strip()[:1] == "{"]
    except ValueError:
        return False
    return True


def test_files_are_taken_apart_and_put_together_without_loss(shared: Path) -> None:
    files = [one for one in (shared / "data" / "canvas").iterdir() if one.suffix != ".tsv"]
    assert len(files) > 50
    for path in files:
        content = path.read_bytes()
        mark, lines, ended = split_lines(content.decode())
        again = mark + "\n".join(lines) + ("\n" if ended and lines else "")
        assert again.encode() == content, path.name
        edited = content + b'\n{"id":"added"}\n'
        for a, b in ((edited, content), (content, edited)):
            merged = merge(kind(path), content, a, b)
            assert merged is not None
            assert (merged.content, merged.conflicts) == (edited, ()), path.name


def test_revisions_beside_an_addition(shared: Path) -> None:
    """Each step of a real history, while somebody else added an entry: both are there."""
    steps = 0
    for folder in sorted((shared / "data" / "histories").iterdir()):
        revisions = sorted(folder.glob("rev-*")) if folder.is_dir() else []
        for before, after in pairwise(revisions):
            if kind(before) != kind(after) or kind(before) != "canvasl":
                continue
            base, a = before.read_bytes(), after.read_bytes()
            b = b'{"id":"somebody-else"}\n' + base
            merged = merge("canvasl", base, a, b)
            assert merged is not None
            lines = merged.content.decode().splitlines()
            assert lines.count('{"id":"somebody-else"}') == 1
            lines.remove('{"id":"somebody-else"}')
            assert sorted(lines) == sorted(a.decode().splitlines()), after
            assert merged.conflicts == ()
            steps += 1
    assert steps > 10


@pytest.mark.parametrize("turned", [False, True])
def test_real_forks(shared: Path, turned: bool) -> None:
    cases = sorted((shared / "data" / "threeway").glob("case-*"))
    assert cases
    for case in cases:
        base, ours, theirs = (case / f"{name}.canvas" for name in ("base", "ours", "theirs"))
        sides = [ours.read_bytes(), theirs.read_bytes()]
        a, b = reversed(sides) if turned else sides
        merged = merge("json-canvas", base.read_bytes(), a, b)
        assert merged is not None
        assert is_valid(base, merged.content), case.name
        kept = merged.content.decode() + "".join(str(one) for one in merged.conflicts)
        names = [{node["id"] for node in json.loads(side)["nodes"]} for side in sides]
        before = {node["id"] for node in json.loads(base.read_bytes())["nodes"]}
        deleted = before - (names[0] & names[1])
        assert all(one in kept for one in (names[0] | names[1]) - deleted), case.name
