# SPDX-License-Identifier: MIT
"""The git mirror of a running peer: every revision of ``commons`` becomes a commit.

It goes on beside the turns: a turn only reads some contents, git's objects are
written in a thread.  Nothing is noted about how far it came; the mirror itself
says which revisions it has, so a crash, a new mirror and one that was deleted
need nothing of their own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from federation import limits
from federation.adapters.doors import FrontEnd, Handler
from federation.adapters.gitmirror import Mirror, MirrorEntry
from federation.daemon.paths import user_path
from federation.errors import Refusal
from federation.events import Instant
from federation.replica.records import Revision
from federation.replica.spaces import may_leave
from federation.rpc import params as p

if TYPE_CHECKING:
    from federation.daemon.peer import RunningPeer

log = logging.getLogger(__name__)
Answer = dict[str, object]
#: where the store notes the path
_KEY = "mirror.git"


class Mirroring:
    """Follows the documents with a git repository, while somebody wants one."""

    def __init__(self, peer: RunningPeer) -> None:
        self._peer = peer
        self._mirror: Mirror | None = None
        #: the number of the last revision that the mirror is known to have
        self._done = 0
        self._error: Refusal | None = None
        self._changed = asyncio.Event()

    def handlers(self) -> Mapping[str, Handler]:
        """Method name -> handler."""
        return {"mirror.git": self.git, "mirror.off": self.off, "mirror.status": self.status}

    # --- what people want ------------------------------------------------------------
    async def git(self, _front_end: FrontEnd, given: p.MirrorGit) -> Answer:
        """``mirror.git``: from now on, and after every start."""
        path = user_path(given.path)
        state = self._peer.options.state_dir
        if path.is_relative_to(state) or state.is_relative_to(path):
            raise Refusal("config-unsafe-sync-dir", f"{path} is not apart from {state}")
        if self._peer.spaces.document_of(path / "x.md") is not None:
            # what it writes would be edits of yet more documents
            raise Refusal("config-unsafe-sync-dir", f"{path} is in a shared folder")
        if self.path not in ("", str(path)):
            raise Refusal("mirror-exists", self.path)
        await self._peer.apart(_open, path)
        await self._want(str(path))
        return self._state()

    async def off(self, _front_end: FrontEnd, _given: p.Nothing) -> Answer:
        """``mirror.off``: the repository stays as it is."""
        await self._want("")
        return self._state()

    async def status(self, _front_end: FrontEnd, _given: p.Nothing) -> Answer:
        """``mirror.status``."""
        return self._state()

    async def _want(self, path: str) -> None:
        def note(_now: Instant) -> None:
            self._peer.store.set_meta(_KEY, path)
            self._start_over(None)
            # in the turn: whoever waits for the end of one sees it
            self._changed.set()

        await self._peer.turns.ask(note)

    def _start_over(self, error: Refusal | None) -> None:
        self._mirror, self._done, self._error = None, 0, error

    @property
    def path(self) -> str:
        """Where the mirror is to be; empty for none."""
        return self._peer.store.meta(_KEY) or ""

    def _state(self) -> Answer:
        path = self.path
        waiting = self._peer.store.count_recorded(self._done) if path else 0
        state = "off" if not path else "failing" if self._error is not None else "on"
        error = None if self._error is None else self._error.as_data()
        return {"state": state, "path": path or None, "waiting": waiting, "error": error}

    # --- following -------------------------------------------------------------------
    async def run(self) -> None:
        """Follow the documents until cancelled."""
        while True:
            pause = 0.0
            try:
                if path := self.path:
                    await self._follow(Path(path))
            except Refusal as refusal:
                log.warning("the git mirror lags behind: %s", refusal)
                self._start_over(refusal)
                pause = limits.MIRROR_AGAIN
            except Exception:
                log.exception("the git mirror met a defect; it is tried again later")
                self._start_over(Refusal("internal-error"))
                pause = limits.MIRROR_AGAIN
            await self._rest(pause)

    async def _rest(self, pause: float) -> None:
        """Wait until somebody wants something else, or ``pause`` seconds (0: without end)."""
        try:
            async with asyncio.timeout(pause or None):
                await self._changed.wait()
                self._changed.clear()
        except TimeoutError:
            return

    async def _follow(self, path: Path) -> None:
        """Record what there is and what comes, until somebody wants something else."""
        self._changed.clear()
        peer = self._peer
        mirror = self._mirror = await peer.apart(_open, path)
        while not self._changed.is_set():
            while not self._changed.is_set() and await self._step(mirror):
                self._error = None
            self._error = None
            async with peer.turns.turned:
                await peer.turns.turned.wait_for(
                    lambda: self._changed.is_set() or peer.store.last_recorded() > self._done
                )
            await asyncio.sleep(limits.MIRROR_GATHER)

    async def _step(self, mirror: Mirror) -> bool:
        """Record the next revisions; whether there were any."""
        peer, done = self._peer, self._done
        found = await peer.turns.ask(lambda _now: peer.store.recorded(done, limits.MIRROR_LIST))
        missing = await peer.apart(mirror.missing, [one.revision for _number, one in found])
        numbers = {one.revision: number for number, one in found}
        # documents of local spaces are not those of commons
        wanted = [one for _, one in found if one.revision in missing and may_leave(one.file)]
        while wanted and not self._changed.is_set():
            entries = await self._read(wanted)
            start = time.monotonic()
            await peer.apart(mirror.record, entries)
            if wanted and mirror is self._mirror:
                self._done = numbers[wanted[0].revision] - 1
            # a thread takes the loop's time, too: half of it at the most
            await asyncio.sleep(min(time.monotonic() - start, limits.MIRROR_GATHER))
        if found and not wanted and mirror is self._mirror:
            self._done = found[-1][0]
        return bool(found)

    async def _read(self, wanted: list[Revision]) -> list[MirrorEntry]:
        """The first of these as a mirror takes them; they are wanted no more.

        Those whose contents were dropped can be no commits any more.
        """
        found: list[MirrorEntry] = []
        room = limits.MIRROR_BYTES
        while wanted and room > 0 and len(found) < limits.MIRROR_STEP:
            some = partial(self._contents, wanted[: limits.MIRROR_STEP - len(found)])
            for content in await self._peer.turns.ask(some):
                one = wanted.pop(0)
                if content is not None:
                    room -= len(content)
                    found.append(self._entry(one, content))
        return found

    def _contents(self, revisions: Sequence[Revision], _now: Instant) -> list[bytes | None]:
        """In a turn: the contents of the first of these, None for one that was dropped."""
        found: list[bytes | None] = []
        end = time.monotonic() + limits.MIRROR_TURN
        room = limits.MIRROR_BYTES
        for one in revisions:
            try:
                store = self._peer.store
                content: bytes | None = b"" if one.deleted else store.content(one.content_hash)
            except Refusal:
                content = None
            found.append(content)
            room -= len(content or b"")
            if room <= 0 or time.monotonic() > end:
                break
        return found

    def _entry(self, one: Revision, content: bytes) -> MirrorEntry:
        """A revision as a mirror takes it."""
        return MirrorEntry(
            one.file, None if one.deleted else content, self._name(one.author), one.author,
            one.timestamp_us, one.revision, one.parents,
        )  # fmt: skip

    def _name(self, author: str) -> str:
        """What people call an author; empty for none."""
        context = self._peer.node.context
        own = author == context.peer_id
        return (context.settings.name if own else self._peer.node.book.name(author)) or ""


def _open(path: Path) -> Mirror:
    """A mirror with a work tree, so that an editor can show the log of a file."""
    return Mirror(path, bare=False)
