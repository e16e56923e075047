# SPDX-License-Identifier: MIT
"""Names of a folder: what is nobody's news, and what is told once."""

from __future__ import annotations

import pytest

from federation import limits
from federation.machines.folder.names import Names, is_aside
from federation.machines.folder.values import Report, Seen
from federation.replica.names import DEFAULT_EXTENSIONS

LOOK = Seen(1, 1, 1)


@pytest.mark.parametrize(
    "name",
    [
        ".#x.md", "#x.md#", "x.md~", "x.md.~3~", ".x.md.swp", "a/.git/x.md", ".hidden.md", "4913",
        "x.md.tmp", "x.md.BAK", "~$x.md", "x.md___jb_tmp___", "x.sync-conflict-1.md", "a/Thumbs.db",
        ".~lock.x.md#", "x.md.part",
    ],
)  # fmt: skip
def test_what_programs_leave_beside_files_is_no_news(name: str) -> None:
    assert is_aside(name)
    assert Names(DEFAULT_EXTENSIONS).judge(name, LOOK, known=False) == (False, [])


@pytest.mark.parametrize("name", ["x.md", "a/b.canvasl", "49130.md", "template.md", "x#.md"])
def test_documents_are_wanted(name: str) -> None:
    assert not is_aside(name)
    assert Names(DEFAULT_EXTENSIONS).judge(name, LOOK, known=False) == (True, [])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("picture.png", "path-forbidden-ext"),
        ("con.md", "path-reserved"),
        ("a\nb.md", "path-control"),
        ("e\u0301.md", "path-non-nfc"),
        ("\udcff.md", "path-unassigned"),
    ],
)
def test_a_bad_name_is_told_once_as_long_as_it_is_there(name: str, reason: str) -> None:
    names = Names(DEFAULT_EXTENSIONS)
    assert names.judge(name, LOOK, known=False) == (False, [Report(name, reason)])
    assert names.judge(name, Seen(2, 2, 2), known=False) == (False, [])
    assert names.refused == {name: reason}
    names.keep_only({name})
    assert names.judge(name, LOOK, known=False) == (False, [])
    names.keep_only(set())
    assert names.judge(name, LOOK, known=False) == (False, [Report(name, reason)])


def test_a_file_that_is_too_large_is_taken_when_it_is_not_any_more() -> None:
    names = Names(DEFAULT_EXTENSIONS)
    large = Seen(limits.DOCUMENT + 1, 1, 1)
    larger = Seen(limits.DOCUMENT + 2, 1, 1)
    assert names.judge("x.md", large, known=True) == (False, [Report("x.md", "file-too-large")])
    assert names.judge("x.md", large, known=True) == (False, [])
    assert names.judge("x.md", larger, known=True) == (False, [])
    assert names.judge("x.md", Seen(limits.DOCUMENT, 2, 1), known=True) == (True, [])
    assert names.refused == {}


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FOLDER_REFUSED", 3)
    names = Names(DEFAULT_EXTENSIONS)
    told = [names.judge(f"{one}.png", LOOK, known=False) for one in range(5)]
    assert [bool(reports) for _, reports in told] == [True] * 3 + [False] * 2
    assert not any(wanted for wanted, _ in told)
    assert len(names.refused) == 3
