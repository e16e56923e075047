# SPDX-License-Identifier: MIT
"""The tables of spaces and of watched folders."""

from __future__ import annotations

from pathlib import Path

from federation.adapters.store import SqliteStore
from federation.machines.folder import Known, Root, Seen
from federation.replica.records import Space


def test_settings_stay(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    spaces = [Space("box", "local"), Space("commons", "open", "/folder", False, 7.5)]
    with store.transaction():
        for space in spaces:
            store.put_space(space)
    store.close()
    store = SqliteStore(tmp_path / "store.db")
    assert store.spaces() == spaces
    store.drop_space("box")
    assert store.spaces() == spaces[1:]


def test_a_place_and_its_files() -> None:
    store = SqliteStore(":memory:")
    assert store.root("/a") is None
    store.set_root("/a", Root(1, 2, "mark"))
    one, two = (Known(digit * 64, Seen(1, 2, 3)) for digit in "01")
    store.put_file("/a", "x.md", one)
    store.put_file("/a", "x.md", two)
    store.put_file("/a", "y.md", one)
    store.put_file("/ab", "y.md", one)
    assert store.files_of("/a") == {"x.md": two, "y.md": one}
    store.drop_file("/a", "y.md")
    assert store.files_of("/a") == {"x.md": two}
    for path in ("/a/x.md", "/a/d/y.md", "/ab/x.md"):
        store.set_synced_from(path, "x.md", "f" * 64)
    store.leave_place("/ab")
    assert store.files_of("/ab") == {}
    assert store.synced_from("/ab/x.md") == ("x.md", "f" * 64), "it may be shared again"
    store.put_file("/ab", "y.md", one)
    store.drop_place("/a")
    assert store.root("/a") is None
    assert store.files_of("/a") == {}
    assert store.files_of("/ab") == {"y.md": one}
    assert store.synced_from("/a/x.md") is store.synced_from("/a/d/y.md") is None
    assert store.synced_from("/ab/x.md") == ("x.md", "f" * 64)
