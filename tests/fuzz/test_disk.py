# SPDX-License-Identifier: MIT
"""Names against a real folder: what is written is below it, or nothing is."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import threading
import time
from pathlib import Path

import pytest

from federation.adapters.disk import Disk
from federation.errors import Refusal
from federation.machines.folder import Known
from federation.replica.names import check_name

#: renameat2(2): AT_FDCWD, RENAME_EXCHANGE
_HERE, _EXCHANGE = -100, 2

PIECES = (
    "a", "b.md", "é", "e\u0301", "..", ".", "...", "/", "//", "\\", " ", "-", "~", "%2e", "%2f",
    "\0", "\n", "\u202e", "\u2044", "\uff0f", "\uff0e", "con", "nul", "COM1", ".git", "x.canvasl",
    ":", "$HOME", "`", "|", "*", "C:", "file:", "/ssh:h:", "\u200d", "\U0001f600", "a" * 250,
    ".el", ".txt", ".dir-locals", "#", ".#a", "~1~", "synced", "日本", "İ", "ß", "\ufeff",
)  # fmt: skip


def _names(dice: random.Random, count: int) -> list[str]:
    made = []
    for _ in range(count):
        text = "".join(dice.choice(PIECES) for _ in range(dice.randint(1, 5)))
        made.append(text + dice.choice(("", ".md", ".canvasl", "/x.md", ".txt")))
    return made


@pytest.mark.parametrize("seed", range(4))
def test_a_name_that_is_taken_is_a_file_below_the_folder(seed: int, tmp_path: Path) -> None:
    disk = Disk(tmp_path / "state")
    dice = random.Random(seed)
    taken: dict[str, bytes] = {}
    for number, name in enumerate(_names(dice, 1500)):
        try:
            check_name(name)
            disk.check(name)
            found = disk.write_synced(name, b"%d" % number, None)
        except Refusal:
            continue
        if isinstance(found, Known):
            taken[name] = b"%d" % number
    below = {
        path.relative_to(disk.synced).as_posix(): path.read_bytes()
        for path in disk.synced.rglob("*") if not path.is_dir()
    }  # fmt: skip
    assert below == taken
    assert len(taken) > 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state"]
    names = {"synced", "conflicts", "received", "tmp"}
    assert {path.name for path in (tmp_path / "state").iterdir()} == names
    assert list((tmp_path / "state" / "tmp").iterdir()) == []


def test_names_that_skip_the_check_still_stay_inside(tmp_path: Path) -> None:
    """Even without the grammar in front of it, the disk opens nothing above its folder."""
    disk = Disk(tmp_path / "state")
    (tmp_path / "outside").mkdir()
    for name in ("../x", "a/../../x", "../../outside/x", "/etc/x", f"{tmp_path}/outside/x", ".",
                 "a/..", ""):  # fmt: skip
        with contextlib.suppress(Refusal, ValueError):
            disk.write_synced(name, b"x", None)
    assert list((tmp_path / "outside").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "state"]
    below = [path for path in (tmp_path / "state").iterdir() if path.is_file()]
    assert below == []


def test_a_folder_that_turns_into_a_link(tmp_path: Path) -> None:
    """Somebody swaps a folder and a link that leads out, as fast as possible."""
    disk = Disk(tmp_path / "state")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.md").write_bytes(b"untouched")
    folder, link = disk.synced / "a", disk.synced / "link"
    folder.mkdir()
    link.symlink_to(outside)
    libc = ctypes.CDLL(None)
    paths = (os.fsencode(folder), _HERE, os.fsencode(link))
    stop = threading.Event()
    swaps = 0

    def swap() -> None:
        nonlocal swaps
        while not stop.is_set():
            assert libc.renameat2(_HERE, *paths, _EXCHANGE) == 0
            swaps += 1

    thread = threading.Thread(target=swap)
    thread.start()
    refused = written = 0
    deadline = time.monotonic() + 2.0
    try:
        while time.monotonic() < deadline:
            try:
                disk.write_synced("a/x.md", b"%d" % written, None)
                disk.write_synced("a/y.md", b"y", None)
                written += 1
            except Refusal:
                refused += 1
    finally:
        stop.set()
        thread.join()
    assert swaps > 1000
    assert written
    assert refused
    assert [path.name for path in outside.iterdir()] == ["x.md"]
    assert (outside / "x.md").read_bytes() == b"untouched"
