# SPDX-License-Identifier: MIT
"""Git's trees, one change after another, and the objects that this makes."""

from __future__ import annotations

import stat
from collections.abc import Sequence

from dulwich.object_store import BaseObjectStore
from dulwich.objects import Blob, ObjectID, ShaFile, Tree

from federation.adapters.gitmirror.entry import MirrorEntry

_FILE = 0o100644


class Trees:
    """Builds trees on top of those that a store has.  ``objects`` are to be added to it."""

    def __init__(self, store: BaseObjectStore) -> None:
        self._store = store
        self.objects: dict[ObjectID, ShaFile] = {}

    def add(self, one: ShaFile) -> ObjectID:
        """Note a new object; its id."""
        self.objects[one.id] = one
        return one.id

    def change(self, tree: ObjectID | None, file: str, content: bytes | None) -> ObjectID:
        """The tree in which ``file`` holds ``content``, or is not (None)."""
        blob = None if content is None else self.add(Blob.from_string(content))
        changed = self._change(tree, file.encode().split(b"/"), blob)
        return self.add(Tree()) if changed is None else changed

    def holds(self, tree: ObjectID, one: MirrorEntry) -> bool:
        """Whether a tree has the file of a revision just as that has it."""
        mode, here = stat.S_IFDIR, tree
        for part in one.file.encode().split(b"/"):
            below = self._tree(here) if stat.S_ISDIR(mode) else Tree()
            if part not in below:
                return one.content is None
            mode, here = below[part]
        return one.content is not None and here == Blob.from_string(one.content).id

    def _change(
        self, tree: ObjectID | None, parts: Sequence[bytes], blob: ObjectID | None
    ) -> ObjectID | None:
        """The changed tree; None for an empty one, which git does not keep."""
        after, before = Tree(), {one.path: one for one in self._tree(tree).items()}
        for entry in before.values():
            after.add(entry.path, entry.mode, entry.sha)
        name, *rest = parts
        found = before.get(name)
        mode, there = (0, None) if found is None else (found.mode, found.sha)
        below = there if stat.S_ISDIR(mode) else None
        if rest:
            blob = self._change(below, rest, blob) if blob or below else None
        if blob is not None:  # also where a file was and a folder is now, or the other way
            after[name] = (stat.S_IFDIR if rest else _FILE, blob)
        elif there is not None and bool(rest) == (below is not None):
            del after[name]
        return self.add(after) if len(after) else None

    def _tree(self, tree: ObjectID | None) -> Tree:
        if tree is None:
            return Tree()
        found = self.objects[tree] if tree in self.objects else self._store[tree]
        if not isinstance(found, Tree):
            raise KeyError(tree)
        return found
