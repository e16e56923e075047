# SPDX-License-Identifier: MIT
"""What files look like from outside: when that changes, and that no link is followed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from federation.adapters.stamps import stamps


def test_every_name_has_a_stamp_that_stays(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    for name in ("a.md", "d/b.md", "d/e/c.md"):
        (tmp_path / name).write_text(name)
    first = stamps(tmp_path)
    assert set(first) == {"a.md", "d", "d/b.md", "d/e", "d/e/c.md"}
    again = stamps(tmp_path)
    assert {name: one.text for name, one in again.items()} == {
        name: one.text for name, one in first.items()
    }
    assert len({one.text for one in first.values()}) == 5


def test_another_file_of_the_same_size_and_time_looks_different(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("one")
    before, times = stamps(tmp_path)["a.md"].text, file.stat()
    file.with_suffix(".new").write_text("two")
    file.with_suffix(".new").replace(file)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert stamps(tmp_path)["a.md"].text != before


def test_the_age_is_that_of_the_content(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("x")
    assert stamps(tmp_path)["a.md"].age < 60
    os.utime(file, (0, time.time() - 1000))
    assert 999 < stamps(tmp_path)["a.md"].age < 1100
    os.utime(file, (0, time.time() + 1000))
    assert stamps(tmp_path)["a.md"].age < -900


def test_no_link_is_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.md").touch()
    (root / "folder").symlink_to(tmp_path / "elsewhere")
    (root / "file.md").symlink_to(tmp_path / "elsewhere" / "secret.md")
    assert set(stamps(root)) == {"folder", "file.md"}


def test_what_is_not_there_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stamps(tmp_path / "nothing") == {}
    (tmp_path / "closed").mkdir()
    (tmp_path / "open.md").touch()
    scan = os.scandir

    def closed(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    assert set(stamps(tmp_path)) == {"closed", "open.md"}
