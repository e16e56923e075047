# SPDX-License-Identifier: MIT
"""One watched folder of a space: what its machine asks for is done here.

Every space has a home below ``synced/``, which the outlet writes; a space may
show its documents in a folder that the user shared, too, and that one is
written here.  What other programs do to the files becomes revisions of the
documents, made from what each file held.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections import deque
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from federation import limits
from federation.adapters.watch import Shared, Watch
from federation.daemon.placetaking import Changed, note, read, record
from federation.daemon.placewriting import write
from federation.errors import Refusal
from federation.events import Notice, WriteFile
from federation.machines.folder import (
    Adopt,
    Away,
    Delete,
    Effect,
    Folder,
    Gone,
    Held,
    Known,
    Listing,
    Look,
    Note,
    Read,
    Report,
    Restore,
    State,
)
from federation.replica.names import DEFAULT_EXTENSIONS
from federation.replica.records import Space
from federation.replica.spaces import LOCAL, document_in

if TYPE_CHECKING:
    from federation.daemon.peer import RunningPeer

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Write:
    """Make a file of the shared folder show its document."""

    name: str


#: what is done for some files at a time
_TOGETHER = (Read, Changed, Note)


class Place:
    """One folder, as long as it is watched."""

    def __init__(self, peer: RunningPeer, space: Space, path: Path, *, home: bool) -> None:
        self.peer = peer
        self.space = space
        self.path = path
        self.home = home
        self.key = str(path)
        store = peer.store
        root = store.root(self.key)
        self.shared = Shared(path, root)
        self._watch: Watch | None = None
        self.folder = Folder(
            store.files_of(self.key), root, time.monotonic(),
            auto_sync=space.auto_sync, interval=self._interval,
            extensions=peer.options.node.extensions or DEFAULT_EXTENSIONS,
        )  # fmt: skip
        self.away = ""
        #: changes recorded since the start
        self.taken = 0
        #: written again though they are missing, as somebody has said so
        self.restoring: set[str] = set()
        self._todo: deque[Effect | Changed] = deque()
        #: what is being written, until it is noted what these hold
        self.writing: frozenset[str] = frozenset()
        #: what the folder is to show, once all that it holds is recorded
        self._shows: dict[str, None] = {}
        #: name -> the digest of what may not be recorded: nobody may write over it
        self.unrecorded: dict[str, str] = {}
        #: since when an editor has the lock of a file that was changed
        self.locked: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._fed = asyncio.Event()
        self._working = self._closing = False
        self._listed = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def _interval(self) -> float:
        """Seconds between two looks at the whole folder."""
        chosen = self.space.interval != limits.FOLDER_INTERVAL
        watched = self._watch is not None and not self._watch.problem
        return limits.HOME_INTERVAL if self.home and watched and not chosen else self.space.interval

    # --- life -------------------------------------------------------------------------
    def start(self) -> None:
        """Begin to watch."""
        self._closing = False
        self._watch = Watch(self.path)
        parts: tuple[Coroutine[object, object, None], ...] = (
            self._work(), self._timers(), self._news(self._watch),
        )  # fmt: skip
        self._tasks = [asyncio.ensure_future(one) for one in parts]
        if not self.space.auto_sync and not self.home:
            self._reconcile(())  # nobody looks, but what others wrote is to be seen

    async def close(self) -> None:
        """Watch no more, once what is being written now is noted."""
        self._closing = True
        self._wake.set()
        for task in self._tasks[self._working :]:
            task.cancel()
        with contextlib.suppress(TimeoutError):  # it does not answer: nothing more is known
            async with asyncio.timeout(limits.SHUTDOWN):
                await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._watch is not None:
            await self._watch.close()

    def file_of(self, name: str) -> str:
        """The document that a file of this folder is."""
        return document_in(self.space.name, name)

    def path_of(self, name: str) -> str:
        """Where a file of this folder is."""
        return f"{self.key}/{name}"

    # --- what is asked from outside ----------------------------------------------------
    def configure(self, space: Space) -> None:
        """Other settings of the space."""
        before, self.space, now = self.space, space, time.monotonic()
        if space.interval != before.interval:
            self.folder.set_interval(self._interval, now)
        if space.auto_sync != before.auto_sync:
            self.feed(self.folder.set_auto_sync(space.auto_sync, now))
        self._fed.set()

    async def take(self) -> int:
        """Record everything that changed up to now; how many documents have a new revision."""
        before = self.taken
        self.feed(self.folder.look(time.monotonic()))
        try:
            async with asyncio.timeout(limits.FOLDER_TAKE):
                while not self.quiet:
                    self._fed.set()
                    await asyncio.sleep(limits.LAZY)
        except TimeoutError:
            log.warning("a folder does not come to rest", extra={"folder": self.key})
        return self.taken - before

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way here."""
        return not (self._todo or self._shows or self._working or self.folder.unsettled)

    async def waiting(self) -> int:
        """How many files differ from what is recorded, and are not taken yet."""
        if self.space.auto_sync:
            return self.folder.unsettled
        listing = self._ours(await asyncio.to_thread(self.shared.listing))
        if isinstance(listing, Gone):
            return 0
        known = self.folder.known
        new = (n for n, seen in listing.files.items() if n not in known or known[n].seen != seen)
        changed = sum(self.folder.wants(name) for name in new)
        return changed + sum(name not in listing.files for name in known)

    def confirm(self) -> None:
        """What is held may be deleted."""
        self.feed(self.folder.confirm(time.monotonic()))

    def restore(self) -> None:
        """What is held comes back."""
        self.feed(self.folder.decline())

    def show(self, name: str) -> None:
        """A document has changed: its file in the shared folder is to follow."""
        self._shows[name] = None
        self._wake.set()

    def is_missing(self, name: str) -> bool:
        """Whether a file is gone, and it is not decided yet what that means."""
        if name in self.restoring:
            return False
        if self.folder.state is State.AWAY:
            return True
        return name in self.folder.known and not os.path.lexists(self.path_of(name))

    def wrote(self, name: str, known: Known | None) -> None:
        """A file of the home was written, with this look; None: it was removed."""
        store, key = self.peer.store, self.key
        self.restoring.discard(name)
        if known is None:
            self.feed(self.folder.removed(name))
            self.peer.turns.post_lazily(lambda _now: store.drop_file(key, name))
            return
        self.feed(self.folder.written(name, known, time.monotonic()))
        self.peer.turns.post_lazily(lambda _now: store.put_file(key, name, known))

    def edited(self, name: str) -> None:
        """A file holds what nobody has recorded: look into it once it rests."""
        seen, now = self.shared.look([name])[name], time.monotonic()
        self.feed(self.folder.receive_edited(name, seen, now))

    # --- loops ------------------------------------------------------------------------
    def feed(self, effects: Collection[Effect | Changed]) -> None:
        """Do this, in order, soon."""
        self._todo.extend(effects)
        self._wake.set()
        self._fed.set()

    async def _timers(self) -> None:
        while True:
            self._fed.clear()
            pause = self.folder.next_timer() - time.monotonic()
            try:
                async with asyncio.timeout(min(max(pause, limits.LAZY / 5), 3600.0)):
                    await self._fed.wait()
            except TimeoutError:
                pass  # it is time
            if time.monotonic() >= self.folder.next_timer():
                self._todo.extend(self.folder.handle_timer(time.monotonic()))
                self._wake.set()

    async def _news(self, watch: Watch) -> None:
        while True:
            names = await watch.next()
            self.folder.set_interval(self._interval, time.monotonic())
            if names is None:
                if self.folder.auto_sync:
                    self.feed(self.folder.look(time.monotonic()))
                continue
            seen = await asyncio.to_thread(self.shared.look, filter(self._is_ours, names))
            self.feed(self.folder.receive_paths(seen, time.monotonic()))

    async def _work(self) -> None:
        if not self.home:
            await asyncio.to_thread(self.shared.tidy)
        while not self._closing:
            while (self._todo or self._shows) and not self._closing:
                effects = self._next()
                self._working = True
                try:
                    await self._do(effects)
                except Refusal as refusal:
                    log.warning("a shared folder: %s", refusal, extra={"folder": self.key})
                except Exception:
                    log.exception("a shared folder met a defect; it goes on")
                finally:
                    self._working = False
            self._wake.clear()
            self._fed.set()
            if not self._closing:
                await self._wake.wait()

    # --- what the machine asks for -------------------------------------------------------
    def _next(self) -> list[Effect | Changed | Write]:
        """What comes first, with what is like it: files share their hops and their commits.

        Nothing is written while it is still to be recorded what files hold: that
        was made from what they held before.
        """
        if not self._todo:
            names = list(islice(self._shows, limits.FOLDER_READS))
            for name in names:
                del self._shows[name]
            return [Write(name) for name in names]
        some: list[Effect | Changed | Write] = [self._todo.popleft()]
        kind = type(some[0])
        while self._todo and kind in _TOGETHER and type(self._todo[0]) is kind:
            if len(some) >= limits.FOLDER_READS:
                break
            some.append(self._todo.popleft())
        return some

    async def _do(self, effects: Sequence[Effect | Changed | Write]) -> None:
        reads = [effect.name for effect in effects if isinstance(effect, Read)]
        changes = [effect for effect in effects if isinstance(effect, Changed)]
        writes = [effect.name for effect in effects if isinstance(effect, Write)]
        notes = [effect for effect in effects if isinstance(effect, Note)]
        if reads:
            await read(self, reads)
        elif changes:
            await record(self, changes)
        elif writes:
            await write(self, writes)
        elif notes:
            await note(self, notes)
        else:
            await self._do_one(effects[0])

    async def _do_one(self, effect: Effect | Changed | Write) -> None:
        if isinstance(effect, Delete):
            await record(self, [Changed(effect)])
        elif isinstance(effect, Look):
            await self._look()
        elif isinstance(effect, Restore):
            self._restore(effect.names)
        elif isinstance(effect, Held | Away | Adopt | Report):
            await self._note(effect)

    async def _look(self) -> None:
        listing = self._ours(await asyncio.to_thread(self.shared.listing))
        self.feed(self.folder.receive_listing(listing, time.monotonic()))
        if not self._listed and isinstance(listing, Listing):
            self._listed = True
            self._reconcile(listing.files)

    def _is_ours(self, name: str) -> bool:
        """Below the home of ``commons`` lie those of the local spaces."""
        return not (self.home and name.startswith(LOCAL))

    def _ours(self, listing: Listing | Gone) -> Listing | Gone:
        if isinstance(listing, Gone):
            return listing
        files = {name: seen for name, seen in listing.files.items() if self._is_ours(name)}
        odd = {name: why for name, why in listing.odd.items() if self._is_ours(name)}
        return replace(listing, files=files, odd=odd)

    def _reconcile(self, files: Collection[str]) -> None:
        """What is not here as it should be, for whatever reason, is written now."""
        store = self.peer.store
        for document in store.documents():
            file = document.file
            name = file.partition("/")[2] if file.startswith(LOCAL) else file
            if self.file_of(name) != file:
                continue
            if not self.home:
                self.show(name)
            elif not document.deleted and name not in files and name not in self.folder.known:
                self.peer.outlet.settle([WriteFile(file, document.current)])

    def _restore(self, names: Collection[str]) -> None:
        """What is missing was not to be deleted."""
        self.restoring.update(names)
        for name in names:
            document = self.peer.store.document(self.file_of(name))
            if not self.home:
                self.show(name)
            elif document is not None:
                self.peer.outlet.settle([WriteFile(document.file, document.current)])

    async def _note(self, effect: Held | Away | Adopt | Report) -> None:
        store, turns, key = self.peer.store, self.peer.turns, self.key
        if isinstance(effect, Adopt):
            root = effect.root
            self.shared.accept(root)
            if not root.marker and not self.home:
                await asyncio.to_thread(self.shared.mark, secrets.token_hex(16))
                # with its mark it is this one, whatever takes its number later
                self.feed(self.folder.look(time.monotonic()))
            await turns.ask(lambda _now: store.set_root(key, root))
        elif isinstance(effect, Report):
            self.report(effect.name, effect.reason)
        elif isinstance(effect, Held):
            shown = [self.file_of(name) for name in effect.names[: limits.HELD_SHOWN]]
            self._tell("deletions-held", count=len(effect.names), documents=shown)
        else:
            self.away = effect.reason
            self._listed = False
            self._tell("folder-away", reason=effect.reason)

    def _tell(self, event: str, **fields: object) -> None:
        body = {"space": self.space.name, "folder": self.key, **fields}
        self.peer.outlet.notice(Notice(event, body))

    def report(self, name: str, reason: str) -> None:
        """A file is not synced, and why; below ``synced/`` there may be anything."""
        if self.home and not self.peer.outlet.files.waits(self.file_of(name)):
            log.info("a file is not synced", extra={"file": self.path_of(name), "reason": reason})
            return
        about = {"revision": None, "peer_id": None, "reason": reason}
        self.peer.outlet.notice(Notice("sync-failed", {"file": self.path_of(name), **about}))

    @property
    def state(self) -> str:
        """``watching``, ``holding``, ``away`` or ``off``."""
        if self.folder.state is State.AWAY:
            return "away"
        if self.folder.held:
            return "holding"
        return "watching" if self.space.auto_sync else "off"
