# SPDX-License-Identifier: MIT
"""Turns: many events, one commit, then the effects.

    event … event -> node (inside one transaction) -> commit, fsynced
                  -> messages -> files -> notices -> replies

Whatever waits while a turn is being made durable shares the next one, so the
number of fsyncs follows the disk, not the number of messages.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from federation import limits
from federation.adapters.store import SqliteStore, is_passing, refusal_of
from federation.errors import Refusal
from federation.events import Effect, Instant
from federation.node.router import Node

log = logging.getLogger(__name__)
T = TypeVar("T")


def instant() -> Instant:
    """Now."""
    return Instant(time.time_ns() // 1000, time.monotonic())


@dataclass(slots=True)
class _Work:
    run: Callable[[Instant], Any]
    future: asyncio.Future[Any] | None
    size: int
    #: turns that failed with it
    tries: int = 0
    #: it has failed so often that it is tried now and then only
    parked: bool = False
    #: what is noted before anything else: later work is to know it
    note: bool = False


class Turns:
    """The one place where the node runs."""

    def __init__(
        self, store: SqliteStore, node: Node, perform: Callable[[Sequence[Effect]], Awaitable[None]]
    ) -> None:
        self._store = store
        self._node = node
        self._perform = perform
        self._queue: deque[_Work] = deque()
        self._lazy: deque[_Work] = deque()
        self._asked: deque[_Work] = deque()
        self._again: deque[_Work] = deque()
        self._parked: deque[_Work] = deque()
        self._unparking: asyncio.TimerHandle | None = None
        self._bytes = 0
        self._wake = asyncio.Event()
        self._stopping = False
        #: carries effects out that have no files
        self.perform_now: Callable[[Sequence[Effect]], None] = lambda _effects: None
        #: a turn is on its way
        self._busy = False
        #: there was no room for the notes: until there is, they are tried alone
        self._unnoted = False
        #: called with True when too much waits, with False when there is room again
        self.on_pressure: Callable[[bool], None] = lambda _full: None
        self._pressed = False
        #: pulsed after every turn, for whoever waits for a state
        self.turned = asyncio.Condition()
        self.failing = ""

    def post(self, run: Callable[[Instant], object], size: int = 0) -> None:
        """Run something in the next turn; nobody waits for its result."""
        self._add(_Work(run, None, size))

    def post_lazily(self, run: Callable[[Instant], None]) -> None:
        """Run something at the head of the next turn, whatever makes that one.

        For notes that a crash may lose: they cost no commit of their own while
        there is other work.
        """
        if not self._lazy:
            asyncio.get_running_loop().call_later(limits.LAZY, self._wake.set)
        self._lazy.append(_Work(run, None, 0, note=True))

    def ask(self, run: Callable[[Instant], T]) -> asyncio.Future[T]:
        """Run something in the next turn; the result comes when it is durable.

        It goes before what others sent: no flood of messages delays the user.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._stopping:
            future.set_exception(Refusal("shutting-down"))
            return future
        self._asked.append(_Work(run, future, 0))
        self._wake.set()
        return future

    def read(self, run: Callable[[], T]) -> T:
        """Run what only reads, at once: between turns there is nothing half done.

        It waits for no turn of others and none of their files.  Raises Refusal.
        """
        try:
            return run()
        except sqlite3.Error as error:
            raise refusal_of(error) from error

    def at_once(self, run: Callable[[Instant], T]) -> T | None:
        """Run what only reads the store, and carry its effects out, without a turn.

        Only while nothing waits, so that nothing is overtaken: None then, and
        it has to be asked for.  Raises its Refusal.
        """
        if self._waits or self._busy or self._stopping:
            return None
        try:
            return run(instant())
        finally:
            self._wake.set()  # a timer of the node may be due earlier now
            self.perform_now(self._node.take_effects())

    def _add(self, work: _Work) -> None:
        self._queue.append(work)
        self._bytes += work.size
        if not self._pressed and (
            len(self._queue) > limits.INBOUND or self._bytes > limits.INBOUND_BYTES
        ):
            self._pressed = True
            self.on_pressure(True)
        self._wake.set()

    async def wait_for(self, reached: Callable[[], bool], seconds: float) -> bool:
        """Wait until a condition of the node holds; whether it did in time."""
        try:
            async with asyncio.timeout(seconds), self.turned:
                await self.turned.wait_for(reached)
        except TimeoutError:
            return reached()
        return True

    async def run(self) -> None:
        """Make turns until stopped and empty."""
        while not (self._stopping and not self._waits and not self._lazy):
            pause = self._node.next_timer() - time.monotonic()
            if not self._waits and pause > 0 and not self._stopping:
                self._wake.clear()
                try:
                    async with asyncio.timeout(min(pause, 3600.0)):
                        await self._wake.wait()
                except TimeoutError:
                    pass  # a timer of the node is due
                if self._idle():
                    continue
            self._busy = True
            await self._turn()
            self._busy = False
            await asyncio.sleep(0)

    def _idle(self) -> bool:
        """Whether a turn would find nothing to do."""
        late = self._node.next_timer() <= time.monotonic()
        return not (self._waits or self._lazy or late)

    @property
    def _waits(self) -> bool:
        """Whether there is work that is not lazy."""
        return bool(self._asked or self._again or self._queue)

    def stop(self) -> None:
        """Take nothing more; what waits is still done."""
        self._stopping = True
        if self._unparking is not None:
            self._unparking.cancel()
        self._wake.set()

    async def _turn(self) -> None:
        batch, noted = self._next_batch(), True
        if self._unnoted and self._lazy:
            self._unnoted = False
            noted = await self._make(self._take_notes())
        if not (await self._make(batch) and noted):
            await asyncio.sleep(0.2)

    async def _make(self, batch: Sequence[_Work]) -> bool:
        """Commit a batch, and carry out what follows; whether the store took it."""
        self._bytes -= sum(work.size for work in batch)
        try:
            results, effects = self._commit(batch)
        except sqlite3.Error as error:
            self._failed(batch, error)
            return False
        if not self._unnoted:
            self.failing = ""
        self._put_back(batch[len(results) :])
        if any(work.parked for work in batch[: len(results)]):
            self._unpark()
        try:
            await self._perform(effects)
        except Exception:
            # What is recorded stays, and comparison sends what was not sent.
            log.exception("the effects of a turn met a defect; the peer goes on")
        for work, result in zip(batch, results, strict=False):
            _settle(work.future, result)
        room = len(self._queue) < limits.INBOUND // 2 and self._bytes <= limits.INBOUND_BYTES // 2
        if self._pressed and room:
            self._pressed = False
            self.on_pressure(False)
        async with self.turned:
            self.turned.notify_all()
        return True

    def _next_batch(self) -> list[_Work]:
        """What the next turn tries.

        What a failed turn left goes alone, in order and before what came after
        it: whatever it was that failed then holds up nothing else.
        """
        batch = [*([] if self._unnoted else self._take_notes()), *self._asked]
        self._asked.clear()
        if self._again:
            return batch or [self._again.popleft()]
        count = min(len(self._queue), limits.BATCH)
        return batch + [self._queue.popleft() for _ in range(count)]

    def _take_notes(self) -> list[_Work]:
        notes = [*self._lazy]
        self._lazy.clear()
        return notes

    def _put_back(self, works: Sequence[_Work]) -> None:
        """What the turn had no time for comes first in the next one."""
        self._note_again([work for work in works if work.note])
        asked = [work for work in works if work.future is not None]
        others = [work for work in works if work.future is None and not work.note]
        self._asked.extendleft(reversed(asked))
        self._queue.extendleft(reversed(others))
        self._bytes += sum(work.size for work in others)

    def _note_again(self, works: Sequence[_Work]) -> None:
        """What was noted last time, or was to be, comes before what is asked."""
        if works:
            self._lazy.extendleft(reversed(works))
            asyncio.get_running_loop().call_later(limits.LAZY, self._wake.set)

    def _commit(self, batch: Sequence[_Work]) -> tuple[list[object], Sequence[Effect]]:
        """Run a batch, or the part of it that a turn has time for; durable when this returns."""
        results: list[object] = []
        with self._store.transaction():
            now = instant()
            for work in batch:
                results.append(self._one(work, now))
                if time.monotonic() - now.mono > limits.TURN:
                    break
            self._node.handle_timer(now)
            effects = self._node.take_effects()
        return results, effects

    def _one(self, work: _Work, now: Instant) -> object:
        """One piece of work; a defect in it undoes only its own changes."""
        mark = self._node.mark()
        try:
            return self._store.attempt(lambda: work.run(now))
        except Refusal as refusal:
            self._node.undo(mark)
            return refusal
        except sqlite3.Error:
            raise
        except Exception:
            log.exception("an event met a defect; the others go on")
            self._node.undo(mark)
            return Refusal("internal-error")

    def _failed(self, batch: Sequence[_Work], error: sqlite3.Error) -> None:
        """The store could not be written: nothing of this turn has happened.

        Who asked is told so.  What came from outside comes once only: the news
        of the broker is tried until the store can be written again, a message
        some times, and then now and then (a document of another implementation
        is never sent again; but one that is too large for the disk may not
        stand in the way).
        """
        self._node.undo()
        refusal = refusal_of(error)
        if not any(work.parked for work in batch):
            if self.failing != str(error):
                log.error("the store cannot be written: %s", error)
            self.failing = str(error)
        for work in batch:
            _settle(work.future, refusal)
        if is_passing(error):
            notes = [work for work in batch if work.note]
            self._note_again(notes)
            self._unnoted = self._unnoted or bool(notes)
            left = [work for work in batch if work.future is None and not work.note]
            for work in left:
                work.tries += 1
            kept = [work for work in left if not work.size or work.tries <= limits.TRIES]
            self._again.extendleft(reversed(kept))
            self._bytes += sum(work.size for work in kept)
            self._park([work for work in left if work.size and work.tries > limits.TRIES])

    def _park(self, works: Sequence[_Work]) -> None:
        """Keep messages aside, to be tried now and then; the oldest go if there are too many."""
        for work in works:
            work.parked = True
            self._parked.append(work)
        while sum(work.size for work in self._parked) > limits.INBOUND_BYTES:
            self._parked.popleft()
        if self._parked and self._unparking is None:
            loop = asyncio.get_running_loop()
            self._unparking = loop.call_later(limits.WRITE_AGAIN, self._unpark)

    def _unpark(self) -> None:
        """Try the oldest message that was kept aside; when that is recorded, the next one."""
        if self._unparking is not None:
            self._unparking.cancel()
            self._unparking = None
        if self._parked and not self._stopping:
            work = self._parked.popleft()
            self._again.append(work)
            self._bytes += work.size
            self._wake.set()


def _settle(future: asyncio.Future[Any] | None, result: object) -> None:
    if future is None or future.done():
        return
    if isinstance(result, Refusal):
        future.set_exception(result)
    else:
        future.set_result(result)
