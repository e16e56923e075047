# SPDX-License-Identifier: MIT
"""Where the system has no openat2: a folder is swapped for a link, as fast as possible."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from pathlib import Path

import pytest

from federation.adapters import beneath as module
from federation.adapters.disk import Disk
from federation.errors import Refusal


def _without_openat2(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_parent: int, name: str) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented", name)

    monkeypatch.setattr(module, "_openat2", missing)


def test_a_folder_that_is_swapped_for_a_link_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path / "state")
    _without_openat2(monkeypatch)
    outside, folder, link = tmp_path / "outside", disk.synced / "d", disk.synced / "link"
    outside.mkdir()
    folder.mkdir()
    link.symlink_to(outside)
    stop = threading.Event()
    libc = ctypes.CDLL(None)

    def swap() -> None:
        while not stop.is_set():  # renameat2 with RENAME_EXCHANGE: there is always something
            libc.renameat2(-100, os.fsencode(folder), -100, os.fsencode(link), 2)

    swapper = threading.Thread(target=swap)
    swapper.start()
    written = refused = 0
    try:
        while (written < 50 or refused < 50) and written + refused < 20_000:
            try:
                disk.write_synced(f"d/{written}.md", b"x", None)
                written += 1
            except Refusal:
                refused += 1
    finally:
        stop.set()
        swapper.join()
    assert list(outside.iterdir()) == []
    assert min(written, refused) > 0
    # a name may lead to either while it is swapped, but only to what lies below
    real = folder if not folder.is_symlink() else link
    assert len(list(real.iterdir())) == written
    assert list((disk.synced.parent / "tmp").iterdir()) == []
