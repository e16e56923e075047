# SPDX-License-Identifier: MIT
"""Trees: each change makes the tree that git itself would make."""

from __future__ import annotations

from pathlib import Path

from dulwich.object_store import MemoryObjectStore
from dulwich.objects import ObjectID, Tree
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.adapters.gitmirror.trees import Trees
from tests.adapters.gitmirror.plain_git import entry

NAMES = st.sampled_from(["a", "b", "a/x", "a/y", "a/x/deep", "a.b", "b/c/d/e", "z"])


def flat(trees: Trees, tree: ObjectID, prefix: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    holder = trees.objects[tree]
    assert isinstance(holder, Tree)
    for one in holder.items():
        name = prefix + one.path.decode()
        if one.mode == 0o100644:
            found[name] = trees.objects[one.sha].as_raw_string()
        else:
            below = flat(trees, one.sha, f"{name}/")
            assert below, "git keeps no empty folders"
            found |= below
    return found


def test_what_a_tree_holds() -> None:
    trees = Trees(MemoryObjectStore())
    tree = trees.change(None, "a/x.md", b"one")
    assert trees.holds(tree, entry(1, "a/x.md", b"one"))
    for name, content in (("a/x.md", b"two"), ("a", b"one"), ("b/x.md", b"one"), ("a/x.md", None)):
        assert not trees.holds(tree, entry(1, name, content))
    assert trees.holds(tree, entry(1, "b/x.md", None))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=3))))
def test_a_tree_holds_what_was_put_there(changes: list[tuple[str, bytes | None]]) -> None:
    trees, files = Trees(MemoryObjectStore()), dict[str, bytes]()
    tree: ObjectID | None = None
    for name, content in changes:
        tree = trees.change(tree, name, content)
        if content is None:
            files.pop(name, None)
        else:  # of a file and a folder with one name the later one is there
            above = {str(one) for one in Path(name).parents}
            gone = {one for one in files if one in above or one.startswith(f"{name}/")}
            files = {one: files[one] for one in files if one not in gone} | {name: content}
        assert flat(trees, tree) == files


def test_what_the_store_has_is_built_upon() -> None:
    store = MemoryObjectStore()
    first = Trees(store)
    tree = first.change(None, "a/x.md", b"x")
    for one in first.objects.values():
        store.add_object(one)
    second = Trees(store)
    second.change(tree, "a/y.md", b"y")
    assert len(second.objects) == 3
    assert second.change(tree, "a/x.md", None) == Tree().id
