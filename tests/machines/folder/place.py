# SPDX-License-Identifier: MIT
"""A folder on a disk of dicts, and a driver that does what its machine asks for."""

from __future__ import annotations

import hashlib

from federation.machines.folder import (
    Effect,
    Folder,
    Gone,
    Known,
    Listing,
    Look,
    Read,
    Root,
    Seen,
)

HERE = Root(1, 2)


def digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def named(effects: list[Effect]) -> list[tuple[type[Effect], str]]:
    """What effects ask for, and of which names."""
    return [(type(one), getattr(one, "name", "")) for one in effects]


class Place:
    """The files of one folder, and what is to be known of them."""

    def __init__(self, folder: Folder, files: dict[str, str], root: Root = HERE) -> None:
        self.folder = folder
        self.files = dict(files)
        self.root = root
        self.odd: dict[str, str] = {}
        self.complete = True
        self.gone = ""
        self.unreadable: set[str] = set()
        #: answers to Read are kept back
        self.slow = False
        self.now = 0.0
        self.read: list[str] = []
        self.looks = 0
        self._touched: dict[str, int] = {}
        self._inodes: dict[str, int] = {}
        self._numbers = 0

    def seen(self, name: str) -> Seen:
        content = self.files[name]
        if name not in self._inodes:
            self._numbers += 1
            self._inodes[name] = self._numbers
        inode = self._inodes[name]
        time = int(digest(content)[:8], 16) + self._touched.get(name, 0)
        return Seen(len(content), time, inode)

    def known_now(self, name: str) -> Known:
        return Known(digest(self.files[name]), self.seen(name))

    def touch(self, name: str) -> None:
        self._touched[name] = self._touched.get(name, 0) + 1

    def rename(self, old: str, new: str) -> None:
        inode = self.seen(old).inode
        self.files[new] = self.files.pop(old)
        del self._inodes[old]
        self._inodes[new] = inode

    def happened(self, *names: str, missing: bool = False) -> list[Effect]:
        there = {name for name in names if name in self.files and not missing}
        look = {name: self.seen(name) if name in there else None for name in names}
        return self.do(self.folder.receive_paths(look, self.now))

    def do(self, effects: list[Effect]) -> list[Effect]:
        """Answer looks and reads; what is left is for the node and the user."""
        left: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Look):
                left += self._list()
            elif isinstance(effect, Read):
                left += [] if self.slow else self._read(effect.name)
            else:
                left.append(effect)
        return left

    def _list(self) -> list[Effect]:
        self.looks += 1
        files = {name: self.seen(name) for name in self.files}
        listing = Listing(self.root, files, self.odd, self.complete)
        answer = Gone(self.gone) if self.gone else listing
        return self.do(self.folder.receive_listing(answer, self.now))

    def _read(self, name: str) -> list[Effect]:
        self.read.append(name)
        if name not in self.files:
            return self.do(self.folder.receive_paths({name: None}, self.now))
        if name in self.unreadable:
            seen = self.seen(name)
            return self.do(self.folder.receive_refused(name, "path-io-error", seen, self.now))
        return self.do(self.folder.receive_read(name, self.known_now(name), self.now))

    def step(self) -> list[Effect]:
        return self.do(self.folder.handle_timer(self.now))

    def run(self, seconds: float) -> list[Effect]:
        """Let time go by."""
        end, effects = self.now + seconds, list[Effect]()
        while (at := self.folder.next_timer()) <= end:
            self.now = max(self.now, at)
            effects += self.step()
        self.now = end
        return effects


def place(files: dict[str, str], *, auto_sync: bool = True, root: Root = HERE) -> Place:
    """A folder that was shared just now."""
    return Place(Folder({}, None, 0.0, auto_sync=auto_sync), files, root)


def live(files: dict[str, str]) -> Place:
    """A folder whose files are known."""
    one = place(files)
    one.run(30.0)
    one.read.clear()
    assert set(one.folder.known) == set(files)
    return one
