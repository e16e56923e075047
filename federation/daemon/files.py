# SPDX-License-Identifier: MIT
"""Writing what documents hold into their files below the state directory.

A turn with many documents waits for the disk once, not once for each: some
threads write beside and fsync at the same time, one puts what they wrote in
place, and each folder is fsynced when that is done.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

from federation import limits
from federation.adapters.disk import Disk, Modified, Staged
from federation.adapters.store import SqliteStore
from federation.daemon.turns import Turns
from federation.errors import Fault, Refusal
from federation.events import DropConflicts, Effect, Notice, WriteConflict, WriteFile
from federation.machines.folder import Known
from federation.node.router import Node
from federation.replica.records import Document

log = logging.getLogger(__name__)

#: what became of a file: it holds its document, is gone with it, was changed, or none of these
_Outcome: TypeAlias = "Known | Modified | Refusal | None"


@dataclass(frozen=True, slots=True)
class _Plan:
    """A file that is to hold its document; ``known``: the hash of what was written last."""

    effect: WriteFile
    #: None: the file goes
    content: bytes | None
    known: str | None


class Files:
    """The files of one peer's documents.  The callables are set by who watches folders."""

    def __init__(
        self, store: SqliteStore, node: Node, disk: Disk, notice: Callable[[Notice], None]
    ) -> None:
        self._store = store
        self._node = node
        self._disk = disk
        self._notice = notice
        self.turns: Turns | None = None
        #: whether a file may be written now: it may be missing, and nobody has said why
        self.may_write: Callable[[str], bool] = lambda _file: True
        #: whether the file of a document that is deleted may go now
        self.may_remove: Callable[[str], bool] = lambda _file: True
        #: a document shows another version now
        self.changed: Callable[[str], None] = lambda _file: None
        #: a document's file holds what nobody has recorded
        self.edited: Callable[[str], None] = lambda _file: None
        #: a document's file holds its newest version (what, and its look), or is gone with it
        self.wrote: Callable[[str, Known | None], None] = lambda _file, _known: None
        self._later: dict[str, WriteFile] = {}
        self._retry: asyncio.TimerHandle | None = None
        #: those of ``_later`` whose turn has not come this time
        self._round: deque[WriteFile] = deque()
        self._hands = ThreadPoolExecutor(limits.FSYNCS, "files")

    @property
    def waiting(self) -> int:
        """How many files could not be written, and are tried again."""
        return len(self._later)

    def waits(self, file: str) -> bool:
        """Whether a version of this document waits until it can be written."""
        return file in self._later

    def close(self) -> None:
        """Write nothing more; what is under way is put right at the next start."""
        if self._retry is not None:
            self._retry.cancel()
        self._hands.shutdown(wait=False, cancel_futures=True)

    # --- some files ------------------------------------------------------------------
    def write(self, effects: Sequence[Effect]) -> None:
        """Write the files of these effects, one after the other."""
        for effect in _newest(effects):
            self._write(effect)
            self.changed(effect.file)
        self._conflicts(effects)

    async def write_all(self, effects: Sequence[Effect]) -> None:
        """Write the files of these effects; many of them while the loop goes on."""
        newest = _newest(effects)
        if len(newest) < limits.FILES_APART:
            self.write(effects)
            return
        for some in self._portions(newest):
            for plan, outcome in zip(some, await self._carry_out(some), strict=True):
                self._ended(plan, outcome)
        for effect in newest:
            self.changed(effect.file)
        self._conflicts(effects)

    def _portions(self, effects: Sequence[WriteFile]) -> Iterator[list[_Plan]]:
        """What is to be done, as much at a time as may be in memory."""
        some: list[_Plan] = []
        size = 0
        for effect in effects:
            plan = self._plan(effect)
            if plan is None:
                continue
            some.append(plan)
            size += len(plan.content or b"")
            if size >= limits.FOLDER_READ_BYTES:
                yield some
                some, size = [], 0
        if some:
            yield some

    async def _carry_out(self, plans: Sequence[_Plan]) -> list[_Outcome]:
        loop, staged = asyncio.get_running_loop(), dict[str, Staged | Refusal]()
        some = [(plan.effect.file, plan.content) for plan in plans if plan.content is not None]
        parts = [some[first :: limits.FSYNCS] for first in range(min(limits.FSYNCS, len(some)))]
        for part in await asyncio.gather(
            *(loop.run_in_executor(self._hands, self._stage, part) for part in parts)
        ):
            staged.update(part)
        return await loop.run_in_executor(self._hands, self._put_all, plans, staged)

    def _stage(self, some: Sequence[tuple[str, bytes]]) -> dict[str, Staged | Refusal]:
        """In a thread: write these beside."""
        done: dict[str, Staged | Refusal] = {}
        for file, content in some:
            try:
                done[file] = self._disk.stage(file, content)
            except Refusal as refusal:
                done[file] = refusal
        return done

    def _put_all(
        self, plans: Sequence[_Plan], staged: dict[str, Staged | Refusal]
    ) -> list[_Outcome]:
        """In a thread: put what is staged in place, and remove what is to go."""
        outcomes = [self._put_one(plan, staged.get(plan.effect.file)) for plan in plans]
        folders: dict[str, list[str]] = {}
        for file in staged:
            folders.setdefault(file.rpartition("/")[0], []).append(file)
        failed: dict[str, Refusal] = {}
        for files in folders.values():
            try:
                self._disk.fsync_folders(files)
            except Refusal as refusal:
                failed.update(dict.fromkeys(files, refusal))
        return [
            failed.get(plan.effect.file, one) if isinstance(one, Known) else one
            for plan, one in zip(plans, outcomes, strict=True)
        ]

    def _put_one(self, plan: _Plan, staged: Staged | Refusal | None) -> _Outcome:
        try:
            if isinstance(staged, Refusal):
                raise staged
            if plan.content is None:
                return self._disk.remove_synced(plan.effect.file, plan.known)
            return self._disk.write_synced(plan.effect.file, plan.content, plan.known, staged)
        except Refusal as refusal:
            return refusal

    # --- one file --------------------------------------------------------------------
    def _write(self, effect: WriteFile) -> None:
        """Write a document's file; later again when that is not possible now."""
        plan = self._plan(effect)
        if plan is not None:
            self._ended(plan, self._put_one(plan, None))

    def _plan(self, effect: WriteFile) -> _Plan | None:
        """What is to be done about a document's file; None if nothing, or not now."""
        revision = self._store.revision(effect.revision)
        document = self._store.document(effect.file)
        if revision is None or document is None or document.current != effect.revision:
            return None
        if revision.deleted and not self.may_remove(effect.file):
            return None
        try:
            if not self.may_write(effect.file):
                raise Refusal("path-local-modified", effect.file)
            content = None if revision.deleted else self._store.content(revision.content_hash)
        except Refusal as refusal:
            self._write_later(effect, refusal)
            return None
        except Fault as fault:
            log.error("a file could not be written: %s", fault)
            return None
        return _Plan(effect, content, self._held(document))

    def _held(self, document: Document) -> str | None:
        """The hash of what the file held when that was last recorded or written; None: nothing.

        Only that may be written over: an older version is there because somebody went back to it.
        """
        row = self._store.synced_from(self._disk.synced_path(document.file))
        name = row[1] if row is not None and row[0] == document.file else document.written
        before = self._store.revision(name) if name else None
        return before.content_hash if before and not before.deleted else None

    def _ended(self, plan: _Plan, outcome: _Outcome) -> None:
        """Note what became of a file, unless it holds what nobody has recorded yet."""
        effect = plan.effect
        if isinstance(outcome, Refusal):
            self._write_later(effect, outcome)
        elif isinstance(outcome, Modified):
            # That is recorded once it rests (it may be half written), by who watches the
            # folder; what comes of that is written then, or this again.
            log.info("edited outside meanwhile", extra={"file": effect.file})
            self._write_later(effect, Refusal("path-local-modified", effect.file))
            self.edited(effect.file)
        else:
            self._later.pop(effect.file, None)
            self.wrote(effect.file, outcome)
            if self.turns is not None:
                self.turns.post_lazily(
                    lambda now: self._node.receive_written(effect.file, effect.revision, now)
                )

    # --- again -----------------------------------------------------------------------
    def _write_later(self, effect: WriteFile, refusal: Refusal) -> None:
        first = effect.file not in self._later
        self._later[effect.file] = effect
        if first:
            log.warning("a file could not be written: %s", refusal,
                        extra={"file": effect.file, "reason": refusal.reason})  # fmt: skip
            if refusal.reason != "path-local-modified":
                about = {"file": effect.file, "revision": effect.revision, "peer_id": None}
                self._notice(Notice("sync-failed", {**about, "reason": refusal.message}))
        self._again_in(limits.WRITE_AGAIN)

    def _again_in(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._retry is not None:
            if self._retry.when() <= loop.time() + seconds:
                return
            self._retry.cancel()
        self._retry = loop.call_later(seconds, self._write_again)

    def _write_again(self) -> None:
        """Once more all that could not be written, as much at a time as the loop can spare."""
        self._retry = None
        self._round = self._round or deque(self._later.values())
        until = time.monotonic() + limits.TURN
        while self._round:
            effect = self._round.popleft()
            document = self._store.document(effect.file)
            if document is None or document.current != effect.revision:
                self._later.pop(effect.file, None)
            elif self._later.get(effect.file) is effect:
                self._write(effect)
            if time.monotonic() >= until:
                break
        if self._later:
            self._again_in(limits.LAZY if self._round else limits.WRITE_AGAIN)

    # --- versions side by side ---------------------------------------------------------
    def _conflicts(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, WriteConflict | DropConflicts):
                self._conflict(effect)

    def _conflict(self, effect: WriteConflict | DropConflicts) -> None:
        try:
            if isinstance(effect, DropConflicts):
                self._disk.drop_conflicts(effect.file, effect.keep)
                return
            revision = self._store.revision(effect.revision)
            if revision is not None:
                content = self._store.content(revision.content_hash)
                self._disk.write_conflict(effect.file, effect.revision, content)
        except Refusal as refusal:
            log.warning("a concurrent version could not be written: %s", refusal)


def _newest(effects: Sequence[Effect]) -> list[WriteFile]:
    """For each file what it is to hold in the end."""
    return list({one.file: one for one in effects if isinstance(one, WriteFile)}.values())
