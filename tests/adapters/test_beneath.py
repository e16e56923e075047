# SPDX-License-Identifier: MIT
"""Folders are opened below a handle, never through a link; locks of editors that are gone end."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from federation.adapters import beneath


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    handle = os.open(tmp_path, beneath.DIRECTORY)
    yield handle
    os.close(handle)


@pytest.mark.parametrize("without", [0, errno.ENOSYS, errno.EPERM])
def test_a_folder_is_opened_and_never_what_a_link_leads_to(
    root: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: int
) -> None:
    if without:

        def missing(_parent: int, name: str) -> int:
            raise OSError(without, "no openat2 here", name)

        monkeypatch.setattr(beneath, "_openat2", missing)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.md").write_bytes(b"x")
    (tmp_path / "link").symlink_to("a")
    handle = beneath.open_below(root, "a")
    assert os.listdir(handle) == ["x.md"]
    for name, code in (("link", errno.ELOOP), ("none", errno.ENOENT)):
        with pytest.raises(OSError, match=r".") as raised:
            beneath.open_below(root, name)
        assert raised.value.errno == code, name
    with pytest.raises(NotADirectoryError):
        beneath.open_below(handle, "x.md")
    os.close(handle)


def test_a_name_is_given_only_where_it_is_free(root: int, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"one")
    (tmp_path / "y").write_bytes(b"two")
    with pytest.raises(FileExistsError):
        beneath.rename(root, "x", root, "y", beneath.NOREPLACE)
    assert beneath.rename(root, "x", root, "y", beneath.EXCHANGE)
    assert (tmp_path / "y").read_bytes() == b"one"
    assert not beneath.rename(root, "x", root, "z", 1 << 20), "the kernel knows no such flag"


def test_an_editor_that_is_gone_holds_nothing(root: int, tmp_path: Path) -> None:
    here, lock = os.uname().nodename, tmp_path / ".#x.md"
    assert not beneath.is_locked(root, "x.md")
    for owner, locked in (
        (f"me@{here}.{os.getpid()}:17", True),
        (f"me@{here}.1", True),
        (f"me@{here}.999999999:17", False),
        ("me@elsewhere.999999999:17", True),
        ("whatever", True),
    ):
        lock.symlink_to(owner)
        assert beneath.is_locked(root, "x.md") is locked, owner
        lock.unlink()
    lock.write_bytes(b"")
    assert beneath.is_locked(root, "x.md")


@pytest.mark.parametrize(
    ("saves", "answer"),
    [
        ([], (b"first",)),
        ([b"second"], (b"second", b"first")),
        ([b"second", b"third"], (b"third", b"second")),
        ([b"ours"], (b"first",)),
        ([None], (b"first",)),
    ],
)
def test_what_was_displaced_is_put_back_or_what_was_saved_since(
    saves: list[bytes | None], answer: tuple[bytes, ...]
) -> None:
    place: list[bytes | None] = [b"ours", b"first"]  # in place, beside

    def swap() -> bytes | None:
        if saves:
            place[0] = saves.pop(0)
        place.reverse()
        return place[1]

    assert beneath.put_back(swap, b"ours", b"first") == answer
    assert place[0] == answer[0]
