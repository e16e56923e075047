# SPDX-License-Identifier: MIT
"""The spaces of one peer: their settings, their folders, and who is told of a change.

``commons`` is always there; other spaces are local: their documents have names
that no message can carry (``replica.spaces``).  Each space has a home below
``synced/``, and may share one folder of the user's.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from federation import limits
from federation.adapters.watch import Shared
from federation.daemon.place import Place
from federation.daemon.removals import Removals
from federation.errors import Refusal
from federation.machines.folder import Gone, Known
from federation.replica.records import Space
from federation.replica.spaces import COMMONS, LOCAL, check_space, document_in, parts_of

if TYPE_CHECKING:
    from federation.daemon.peer import RunningPeer

T = TypeVar("T")


class Spaces:
    """All spaces, and the folders that are watched for them."""

    def __init__(self, peer: RunningPeer) -> None:
        self._peer = peer
        self._spaces: dict[str, Space] = {}
        #: space -> its home, and the folder that it shares, if it does
        self._places: dict[str, list[Place]] = {}
        self._running = False
        #: one change of the settings at a time: each begins with what the one before it left
        self._changing = asyncio.Lock()
        self._removals = Removals(peer)

    # --- life -------------------------------------------------------------------------
    def load(self) -> None:
        """Read the settings; before the first turn."""
        peer = self._peer
        with peer.store.transaction():
            for space in [Space(COMMONS, "open"), *peer.store.spaces()]:
                self._open(space)
        peer.outlet.files.changed = self._changed
        peer.outlet.files.wrote = self._wrote
        peer.outlet.files.edited = lambda file: self._home(file, lambda p, n: p.edited(n))
        peer.outlet.files.may_write = lambda file: (
            not self._home(file, lambda p, n: p.is_missing(n))
        )
        peer.outlet.files.may_remove = self._removals.may_remove

    def start(self) -> None:
        """Begin to watch."""
        self._running = True
        for place in self._all():
            place.start()

    async def close(self) -> None:
        """Watch no more."""
        self._running = False
        await asyncio.gather(*(place.close() for place in self._all()))

    def places(self, space: str) -> list[Place]:
        """The home of a space, and the folder that it shares."""
        return self._places[space]

    def _all(self) -> Iterator[Place]:
        for places in self._places.values():
            yield from places

    def _write_again(self, space: str) -> None:
        """The home of a space was gone at the start: that says nothing about its documents."""
        store = self._peer.store
        store.drop_place(str(self._home_of(space)))
        for document in store.documents():
            if parts_of(document.file)[0] == space:
                store.put_document(replace(document, written=None))

    def _home_of(self, space: str) -> Path:
        synced = self._peer.disk.synced
        return synced if space == COMMONS else synced / f"{LOCAL}{space}"

    def _open(self, space: Space) -> None:
        """In a transaction: the places of a space."""
        home = self._home_of(space.name)
        if self._was_gone(home, space.name):
            self._write_again(space.name)
        if self._peer.store.root(str(home)) is None:
            home.mkdir(mode=0o700, exist_ok=True)
            self._adopt(home)
        self._spaces[space.name] = space
        self._places[space.name] = [Place(self._peer, space, home, home=True)]
        if space.folder is not None:
            folder = Path(space.folder)
            self._places[space.name].append(Place(self._peer, space, folder, home=False))

    def _was_gone(self, home: Path, space: str) -> bool:
        """Whether a home was removed, or is another folder with none of its files."""
        root = self._peer.store.root(str(home))
        if root is None:
            return False
        if not home.is_dir() or (space == COMMONS and self._peer.disk.is_new):
            return True
        shared = Shared(home)
        # the usual case takes no listing of thousands of files
        if shared.is_still(root) or isinstance(listing := shared.listing(), Gone):
            return False
        known = self._peer.store.files_of(str(home))
        return bool(known) and known.keys().isdisjoint(listing.files)

    def _adopt(self, folder: Path, mark: str = "") -> None:
        """In a transaction: this is the folder; ``mark`` says so in itself."""
        shared = Shared(folder)
        listing = shared.listing()
        if isinstance(listing, Gone):
            raise Refusal(listing.reason, str(folder))
        if mark and not listing.root.marker:
            shared.accept(listing.root)
            shared.mark(mark)
            listing = shared.listing()
        if not isinstance(listing, Gone):
            self._peer.store.set_root(str(folder), listing.root)

    # --- what the outlet tells ---------------------------------------------------------
    def _space_of(self, file: str) -> Space:
        space = parts_of(file)[0]
        return self._spaces.get(space, Space(space, "local"))

    def takes(self, file: str) -> bool:
        """Whether what somebody writes into a document's file is recorded without a word."""
        return self._space_of(file).auto_sync

    def _home(self, file: str, ask: Callable[[Place, str], T]) -> T | None:
        space, name = parts_of(file)
        places = self._places.get(space)
        return ask(places[0], name) if places else None

    def _changed(self, file: str) -> None:
        """A document shows something else now."""
        space, name = parts_of(file)
        for place in self._places.get(space, [])[1:]:
            place.show(name)

    def _wrote(self, file: str, known: Known | None) -> None:
        self._home(file, lambda place, name: place.wrote(name, known))

    # --- questions ---------------------------------------------------------------------
    def document_of(self, path: Path) -> str | None:
        """The document that a file of a folder of ours is; None outside of all."""
        found = self.place_of(path)
        return None if found is None else found[0].file_of(found[1])

    def place_of(self, path: Path) -> tuple[Place, str] | None:
        """The folder of ours that a file lies in, and its name there."""
        ways = (path, Path(os.path.realpath(path.parent)) / path.name)
        for place in sorted(self._all(), key=lambda one: -len(one.key)):
            for way in ways:
                if way.is_relative_to(place.path):
                    return place, way.relative_to(place.path).as_posix()
        return None

    def require(self, name: str) -> Space:
        """The space of this name; ``unknown-space`` otherwise."""
        if name not in self._spaces:
            raise Refusal("unknown-space", name)
        return self._spaces[name]

    @property
    def held(self) -> int:
        """Deletions that wait for a yes."""
        return sum(len(place.folder.held) for place in self._all()) + len(self._removals.held)

    def is_held(self, file: str) -> bool:
        """Whether others deleted this document, and its files are still to stay."""
        return self._removals.holds(file)

    @property
    def folders(self) -> list[dict[str, object]]:
        """The shared folders, and what the names of their documents begin with."""
        return [
            {"path": space.folder, "prefix": document_in(space.name, "")}
            for space in self._spaces.values()
            if space.folder is not None
        ]

    async def rows(self) -> list[dict[str, object]]:
        """What `space list` shows."""
        return [await self._row(space) for space in self._spaces.values()]

    async def _row(self, space: Space) -> dict[str, object]:
        store, places = self._peer.store, self._places[space.name]
        documents = [
            one for one in store.documents()
            if not one.deleted and parts_of(one.file)[0] == space.name
        ]  # fmt: skip
        waiting = [await place.waiting() for place in places]
        held = sorted(self._held_in(space.name))
        states = [place.state for place in places]
        order = ("away", "holding", "off", "watching")
        return {
            "name": space.name,
            "kind": space.kind,
            "folder": space.folder,
            "home": places[0].key,
            "documents": len(documents),
            "auto_sync": space.auto_sync,
            "interval": space.interval,
            "state": min(states, key=order.index),
            "reason": next((place.away for place in places if place.away), ""),
            "waiting": sum(waiting),
            "held": len(held),
            "held_documents": held[: limits.HELD_SHOWN],
            "last_import": store.meta(f"imported {space.name}"),
        }

    def _held_in(self, space: str) -> set[str]:
        """The documents of a space whose deletions wait for a yes."""
        places = self._places[space]
        own = {place.file_of(one) for place in places for one in place.folder.held}
        return own.union(self._removals.held if space == COMMONS else ())

    async def row(self, name: str) -> dict[str, object]:
        """The same for one space."""
        return await self._row(self.require(name))

    # --- what the user wants -------------------------------------------------------------
    async def create(self, name: str) -> None:
        """Make a local space."""
        async with self._changing:
            check_space(name)
            if name in self._spaces:
                raise Refusal("space-exists", name)
            if len(self._spaces) >= limits.SPACES:
                raise Refusal("queue-full", f"{limits.SPACES} spaces")
            space = Space(name, "local")

            def make() -> None:
                self._peer.store.put_space(space)
                self._open(space)

            await self._peer.turns.ask(lambda _now: make())
            self._start_new(name)

    async def share(self, folder: Path, name: str) -> None:
        """Show the documents of a space in a folder, and take what changes there."""
        async with self._changing:
            space = self.require(name)
            if space.folder is not None:
                raise Refusal("space-shared", space.folder)
            folder = self._check_folder(folder)
            shared = replace(space, folder=str(folder))
            mark = secrets.token_hex(16)

            def note() -> Place:
                root = self._peer.store.root(str(folder))
                if root is None or not root.marker or not Shared(folder).is_still(root):
                    self._peer.store.drop_place(str(folder))  # else it is shared again
                self._adopt(folder, mark)
                self._peer.store.put_space(shared)
                return Place(self._peer, shared, folder, home=False)

            place = await self._peer.turns.ask(lambda _now: note())
            self._spaces[name] = shared
            self._places[name].append(place)
            place.start()

    def _check_folder(self, folder: Path) -> Path:
        """The real path of a folder that may be shared."""
        found = Path(os.path.realpath(folder))
        if not found.is_dir():
            raise Refusal("path-not-directory" if found.exists() else "file-not-found", str(found))
        for other in [self._peer.options.state_dir, *(place.path for place in self._all())]:
            there = Path(os.path.realpath(other))
            if found.is_relative_to(there) or there.is_relative_to(found):
                raise Refusal("folder-overlap", str(there))
        return found

    def _start_new(self, name: str) -> None:
        for place in self._places[name]:
            place.start()

    async def leave(self, name: str) -> None:
        """Share no folder any more; a local space without one is forgotten. Files stay."""
        async with self._changing:
            space = self.require(name)
            places = self._places[name]
            left = places[1:] if space.kind == "open" else places
            for place in left:
                await place.close()

            def forget() -> None:
                store, stays = self._peer.store, space.kind == "open"
                forget_place = store.leave_place if stays else store.drop_place
                for place in left:
                    forget_place(place.key)
                if stays:
                    store.put_space(replace(space, folder=None))
                else:
                    store.drop_space(name)

            await self._peer.turns.ask(lambda _now: forget())
            if space.kind == "open":
                self._spaces[name] = replace(space, folder=None)
                self._places[name] = places[:1]
            else:
                del self._spaces[name], self._places[name]

    async def configure(self, name: str, *, auto_sync: bool | None = None,
                        interval: float | None = None) -> Space:  # fmt: skip
        """Change the settings of a space."""
        async with self._changing:
            space = self.require(name)
            if auto_sync is not None:
                space = replace(space, auto_sync=auto_sync)
            if interval is not None:
                space = replace(space, interval=interval)
            await self._peer.turns.ask(lambda _now: self._peer.store.put_space(space))
            self._spaces[name] = space
            for place in self._places[name]:
                place.configure(space)
            return space

    async def decide(self, name: str, *, delete: bool) -> int:
        """What is held is deleted, or comes back; how many files."""
        self.require(name)
        count = len(self._held_in(name))
        if not count:
            raise Refusal("nothing-held", name)
        for place in self._places[name]:
            if place.folder.held:
                (place.confirm if delete else place.restore)()
        if name == COMMONS and self._removals.held:
            node, removals = self._peer.node, self._removals
            await self._peer.turns.ask(
                lambda now: node.at(now, lambda: removals.decide(delete=delete))
            )
            self._peer.outlet.settle(removals.writes())
        return count

    async def take_all(self) -> int:
        """Take what was changed in every folder up to now."""
        return sum(await asyncio.gather(*(place.take() for place in self._all())))
