# SPDX-License-Identifier: MIT
"""Identity files while the system fails underneath: whole or not there, never replaced."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from federation.adapters import keystore
from tests.adapters.keystores import Random, cheap, random, reason, start

__all__ = ["cheap", "random"]  # fixtures


def test_an_identity_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, random: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "s"
    write = keystore._write_temporary

    def slowly(path: Path, data: bytes, random: Random) -> Path:
        temporary = write(path, data, random)
        if path.name == "identity.json":
            path.write_bytes(b"somebody else's")
        return temporary

    monkeypatch.setattr(keystore, "_write_temporary", slowly)
    assert reason(start, folder, random) == "identity-exists"
    assert (folder / "identity.json").read_bytes() == b"somebody else's"
    assert sorted(path.name for path in folder.iterdir()) == ["identity.json", "identity.key"]


def test_a_file_system_without_links(
    tmp_path: Path, random: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(os, "link", no_links)
    opened = start(tmp_path / "s", random)
    assert start(tmp_path / "s", random).key.seed() == opened.key.seed()
    assert len(list((tmp_path / "s").iterdir())) == 2


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOSPC, "disk-full"), (errno.EIO, "path-io-error")]
)
@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_a_failed_sync_leaves_no_half_identity(
    tmp_path: Path, random: Random, monkeypatch: pytest.MonkeyPatch,
    number: int, expected: str, failing: int,
) -> None:  # fmt: skip
    folder = tmp_path / "s"
    folder.mkdir(mode=0o700)
    sync, calls = os.fsync, itertools.count(1)

    def failing_sync(descriptor: int) -> None:
        if next(calls) == failing:
            raise OSError(number, "injected")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", failing_sync)
    assert reason(start, folder, random) == expected
    assert not [path for path in folder.iterdir() if path.suffix == ".tmp"]
    # Whatever is there now, the next start makes or finds a whole identity.
    opened = start(folder, random)
    assert start(folder, random).key.seed() == opened.key.seed()


def test_the_order_of_a_write(
    tmp_path: Path, random: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync, link = os.fsync, os.link

    def noted_sync(descriptor: int) -> None:
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("sync folder" if folder else "sync file")
        sync(descriptor)

    def noted_link(source: Path, target: Path, **named: Any) -> None:
        steps.append(f"link {target.name}")
        link(source, target, **named)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "link", noted_link)
    start(tmp_path / "s", random)
    assert steps == [
        "sync file", "link identity.key", "sync folder",
        "sync file", "link identity.json", "sync folder",
    ]  # fmt: skip
