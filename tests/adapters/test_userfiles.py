# SPDX-License-Identifier: MIT
"""Files that the user names: regular ones only, and none that is too large."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from federation.adapters.userfiles import read_user_file
from federation.errors import Refusal


def reason_of(path: Path, limit: int) -> str:
    with pytest.raises(Refusal) as caught:
        read_user_file(path, limit)
    return caught.value.reason


def test_reading_what_the_user_names(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_bytes(b"x" * 100)
    assert read_user_file(path, 100) == b"x" * 100
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(path)
    for name, limit, reason in (
        ("x.md", 99, "file-too-large"),
        ("nothing", 100, "file-not-found"),
        ("fifo", 100, "path-not-regular"),
        ("link", 100, "path-symlink-escape"),
        (".", 100, "path-not-regular"),
        ("x.md/y", 100, "path-not-directory"),
    ):
        assert reason_of(tmp_path / name, limit) == reason, name
    assert reason_of(Path("/dev/zero"), 100) == "path-not-regular"
