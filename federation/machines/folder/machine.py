# SPDX-License-Identifier: MIT
"""The machine of one shared folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice

from federation import limits
from federation.machine import Table
from federation.machines.folder.deletions import Deletions
from federation.machines.folder.names import Names, is_aside
from federation.machines.folder.values import (
    Adopt,
    Away,
    Delete,
    Effect,
    Gone,
    Held,
    Known,
    Listing,
    Look,
    Move,
    Note,
    Read,
    Report,
    Restore,
    Root,
    Seen,
    Take,
)
from federation.replica.names import DEFAULT_EXTENSIONS


class State(Enum):
    """What is thought of the folder."""

    NEW = auto()
    LIVE = auto()
    HOLDING = auto()
    AWAY = auto()


class Event(Enum):
    """What moves it."""

    LISTED = auto()
    MANY_DELETED = auto()
    HOLD_ENDED = auto()
    VANISHED = auto()


TABLE = Table(
    "folder",
    State.NEW,
    {
        (State.NEW, Event.LISTED): State.LIVE,
        (State.NEW, Event.VANISHED): State.AWAY,
        (State.LIVE, Event.MANY_DELETED): State.HOLDING,
        (State.LIVE, Event.VANISHED): State.AWAY,
        (State.HOLDING, Event.HOLD_ENDED): State.LIVE,
        (State.HOLDING, Event.VANISHED): State.AWAY,
        (State.AWAY, Event.LISTED): State.LIVE,
    },
)


@dataclass(slots=True)
class _Restless:
    """A file that may still be written to."""

    seen: Seen
    first: float
    due: float


class Folder:
    """One shared folder.

    Times are monotonic seconds.  What a method returns is to be done in order.
    ``known``, ``root`` and ``state`` are to be read only.
    """

    def __init__(
        self,
        known: Mapping[str, Known],
        root: Root | None,
        now: float,
        *,
        auto_sync: bool = True,
        interval: float = limits.FOLDER_INTERVAL,
        extensions: frozenset[str] = DEFAULT_EXTENSIONS,
    ) -> None:
        """``root`` is the folder that was adopted before; None: the first one is."""
        self.state = TABLE.start
        self.known = dict(known)
        self.root = root
        self.auto_sync = auto_sync
        self._interval = interval
        self._look_at = now if auto_sync else float("inf")
        self._names = Names(extensions)
        self._deletions = Deletions()
        self._restless: dict[str, _Restless] = {}
        #: what is being read, as it looked when it rested
        self._reading: dict[str, _Restless] = {}
        #: our own writes make events, too: name -> until when they say nothing
        self._own: dict[str, float] = {}

    @property
    def held(self) -> tuple[str, ...]:
        """The deletions that wait for a yes."""
        return self._deletions.held

    @property
    def refused(self) -> dict[str, str]:
        """Names that are not synced -> why (a reason of ``errors.REASONS``)."""
        return self._names.refused

    @property
    def unsettled(self) -> int:
        """How many files changed, or are missing, and it is not said yet what that means."""
        return len(self._restless) + len(self._reading) + self._deletions.waiting

    def wants(self, name: str) -> bool:
        """Whether a file of this name would be looked into."""
        return name in self.known or self._names.may_be(name)

    # --- from the user ------------------------------------------------------------------
    def set_auto_sync(self, on: bool, now: float) -> list[Effect]:
        """Off: nothing is looked at but when asked.  On: at once, and from now on."""
        self.auto_sync = on
        self._look_at = now if on else float("inf")
        return self.handle_timer(now)

    def set_interval(self, interval: float, now: float) -> None:
        """Seconds between two whole listings; single events are taken as they come."""
        self._interval = interval
        if self.auto_sync:
            self._look_by(now + interval)

    def look(self, now: float) -> list[Effect]:
        """Look at everything now, also while auto-sync is off."""
        self._look_by(now)
        return self.handle_timer(now)

    def confirm(self, now: float) -> list[Effect]:
        """Yes, what is held is deleted: as far as one more look finds it missing still."""
        self._deletions.agree()
        return self.look(now) if self.held else []

    def decline(self) -> list[Effect]:
        """No, what is held is not deleted: it comes back."""
        names = self._deletions.decline()
        return [Restore(names), *self._end_hold()] if names else []

    # --- from the folder ----------------------------------------------------------------
    def receive_paths(self, seen: Mapping[str, Seen | None], now: float) -> list[Effect]:
        """Something happened to these names; None: no regular file is there (any more)."""
        effects: list[Effect] = []
        for name, look in seen.items():
            if not (self.auto_sync or name in self._reading or name in self._restless):
                continue
            if one := self._reading.pop(name, None):
                self._restless.setdefault(name, one)
            if self.state is State.AWAY:
                self._look_by(now)  # something stirs where nothing was
            elif look is not None:
                effects += self._happened(name, look, now)
            elif name in self.known or not is_aside(name):
                # A name that is not known may have been a folder.
                self._restless.pop(name, None)
                self._look_by(now + limits.FOLDER_GONE)
                if name in self.known:
                    self._deletions.miss(name, now)
        return effects + self.handle_timer(now)

    def receive_edited(self, name: str, look: Seen | None, now: float) -> list[Effect]:
        """We found that somebody changed a file: what rests already goes on resting."""
        one = self._restless.get(name)
        if name in self._reading or (one is not None and one.seen == look):
            return []
        return self.receive_paths({name: look}, now)

    def receive_listing(self, listing: Listing | Gone, now: float) -> list[Effect]:
        """What the whole folder looks like, or that it is gone."""
        self._look_at = now + self._interval if self.auto_sync else float("inf")
        if isinstance(listing, Gone):
            return self._vanish(listing.reason, now)
        other = self.root is not None and not listing.root.is_same(self.root)
        if other and not self._resembles(listing):
            return self._vanish("folder-replaced", now)
        doubtful = other or self.root is None
        effects: list[Effect] = [Away("")] if self.state is State.AWAY else []
        if listing.root != self.root:
            self.root = listing.root
            effects.append(Adopt(listing.root))
        self.state = TABLE.step(self.state, Event.LISTED)
        effects += self._look_through(listing, now)
        if listing.complete:
            effects += self._compare(listing, now, doubtful=doubtful)
        return effects + self._reads(now)

    def receive_read(self, name: str, known: Known, now: float) -> list[Effect]:
        """A file was read: what it holds, and what it looked like before and after.

        One that does not look as it did when it rested is being written, and may
        be half there: it is read again once it rests.
        """
        if self.state is State.AWAY:
            return []
        if self._stirs(name, known.seen, now):
            return self._reads(now)
        before = self.known.get(name)
        effect: Effect
        if before is not None and before.digest == known.digest:
            effect = Note(name, known)
        elif before is None and (old := self._deletions.renamed(name, known, self.known)):
            effect = Move(old, name, known, self.known.pop(old))
            self._deletions.back(old)
        else:
            effect = Take(name, known, before)
        self.known[name] = known
        self._deletions.back(name)
        return [effect, *self._end_hold(), *self._reads(now)]

    def receive_refused(self, name: str, reason: str, seen: Seen, now: float) -> list[Effect]:
        """A file could not be read; it is tried again when it looks different."""
        self._reading.pop(name, None)
        return [*self._names.refuse(name, reason, seen), *self._reads(now)]

    # --- what we did ourselves ------------------------------------------------------------
    def written(self, name: str, known: Known, now: float) -> list[Effect]:
        """We wrote this file: a change of somebody else, or one that was not to be deleted."""
        self._own.pop(name, None)  # the oldest is first
        while self._own and self._own[oldest := next(iter(self._own))] <= now:
            del self._own[oldest]
        self._own[name] = now + limits.FOLDER_OWN
        self.known[name] = known
        one = self._restless.get(name)
        if one is not None and one.seen == known.seen:  # else somebody has written it since
            del self._restless[name]
        self._deletions.back(name)
        return self._end_hold()

    def removed(self, name: str) -> list[Effect]:
        """We deleted this file: somebody else did."""
        self.known.pop(name, None)
        self._restless.pop(name, None)
        self._deletions.back(name)
        return self._end_hold()

    def failed(self, effect: Take | Note | Move | Delete, now: float) -> None:
        """What an effect says could not be recorded: it is found out again a moment later."""
        before = effect.known if isinstance(effect, Note) else effect.before
        there = None if isinstance(effect, Delete) else effect.known
        if self.known.get(effect.name) != there:
            return  # we have written it since
        self.known.pop(effect.name, None)
        if before is not None:
            name = effect.old if isinstance(effect, Move) else effect.name
            self.known[name] = before._replace(seen=before.seen._replace(size=-1))
        self._look_by(now + limits.WRITE_AGAIN)

    def doubt(self, name: str, now: float) -> None:
        """What this file was known to hold is not what was recorded of it: it is taken again."""
        if name in self.known:
            self.known[name] = Known("", self.known[name].seen._replace(size=-1))
            self._look_by(now)

    # --- time -----------------------------------------------------------------------------
    def next_timer(self) -> float:
        """When ``handle_timer`` has something to do."""
        if len(self._reading) >= limits.FOLDER_READS:
            return self._look_at
        return min((one.due for one in self._restless.values()), default=self._look_at)

    def handle_timer(self, now: float) -> list[Effect]:
        """Read what rests now; look at everything when it is time."""
        effects = self._reads(now)
        if now >= self._look_at:
            self._look_at = now + self._interval if self.auto_sync else float("inf")
            effects.append(Look())
        return effects

    # --- inside ---------------------------------------------------------------------------
    def _look_by(self, moment: float) -> None:
        self._look_at = min(self._look_at, moment)

    def _happened(self, name: str, look: Seen, now: float) -> list[Report]:
        """Something happened to a file: read it once it rests, whatever it looks like."""
        before = self.known.get(name)
        self._deletions.back(name)
        wanted, reports = self._names.judge(name, look, known=before is not None)
        ours = before is not None and before.seen == look and now < self._own.get(name, now)
        if wanted and not ours:
            self._disturb(name, look, now)
        return reports

    def _stirs(self, name: str, seen: Seen, now: float) -> bool:
        """Whether a file that was read is being written; what never rests may be read so."""
        asked = self._reading.pop(name, None)
        waits = self._restless.get(name)
        if waits is None:
            if asked is None or asked.seen == seen:
                return False
            waits = asked
        if seen.size and now >= waits.first + limits.FOLDER_SETTLE_MAX:
            waits.first, waits.due = now, now + limits.FOLDER_SETTLE
            return False
        self._restless[name] = waits
        self._disturb(name, seen, now)
        return True

    def _disturb(self, name: str, look: Seen, now: float) -> None:
        one = self._restless.setdefault(name, _Restless(look, now, now))
        one.seen, one.due = look, now + limits.FOLDER_SETTLE
        if look.size:  # what never rests is read all the same, but not what a program has emptied
            one.due = min(one.due, one.first + limits.FOLDER_SETTLE_MAX)

    def _reads(self, now: float) -> list[Effect]:
        """Read what rests, some files at a time."""
        resting = (name for name, one in self._restless.items() if now >= one.due)
        # no further than needed: there may be many, and this comes after each that was read
        names = list(islice(resting, max(limits.FOLDER_READS - len(self._reading), 0)))
        for name in names:
            self._reading[name] = self._restless.pop(name)
        return [Read(name) for name in names]

    def _look_through(self, listing: Listing, now: float) -> list[Effect]:
        """What is new or looks different, and what cannot be synced."""
        effects: list[Effect] = []
        self._names.keep_only({*listing.files, *listing.odd, *([] if listing.complete else [""])})
        for name, look in listing.files.items():
            before = self.known.get(name)
            if before is not None and before.seen == look:
                continue
            wanted, reports = self._names.judge(name, look, known=before is not None)
            effects += reports
            one = self._restless.get(name)
            if wanted and name not in self._reading and (one is None or one.seen != look):
                self._disturb(name, look, now)
        for name, reason in listing.odd.items():
            if not is_aside(name):
                effects += self._names.refuse(name, reason, None)
        if not listing.complete:
            effects += self._names.refuse("", "folder-too-large", None)
        return effects

    def _compare(self, listing: Listing, now: float, *, doubtful: bool) -> list[Effect]:
        """What a whole listing lacks, and nothing in it explains."""
        absent = {name for name in self.known if name not in listing.files}
        if listing.odd:
            absent = {name for name in absent if not _is_hidden(name, listing.odd)}
        busy = any(name not in self.known for name in [*self._restless, *self._reading])
        before = self.held
        deleted, again = self._deletions.decide(
            absent, len(self.known), now, doubtful=doubtful, busy=busy
        )
        self._look_by(again)
        effects: list[Effect] = []
        for name in deleted:
            self._deletions.back(name)
            self._restless.pop(name, None)
            effects.append(Delete(name, self.known.pop(name)))
        if self.held and self.held != before:
            self.state = TABLE.step(self.state, Event.MANY_DELETED)
            effects.append(Held(self.held))
        return effects + self._end_hold()

    def _end_hold(self) -> list[Effect]:
        if self.state is not State.HOLDING or self.held:
            return []
        self.state = TABLE.step(self.state, Event.HOLD_ENDED)
        return [Held(())]

    def _resembles(self, listing: Listing) -> bool:
        """Whether another folder holds most of what is shared: it was copied, or restored."""
        there = sum(name in listing.files for name in self.known)
        return 2 * there >= len(self.known) and (there > 0 or not self.known)

    def _vanish(self, reason: str, now: float) -> list[Effect]:
        """Nothing is to be learned from it: look again, from time to time."""
        before, self.state = self.state, TABLE.step(self.state, Event.VANISHED)
        self._deletions.forget()
        self._restless.clear()
        self._reading.clear()
        if self.auto_sync:
            self._look_by(now + limits.FOLDER_AWAY)
        told = [Held(())] if before is State.HOLDING else []
        return [*told, Away(reason)] if before is not State.AWAY else []


def _is_hidden(name: str, odd: Mapping[str, str]) -> bool:
    """Whether the name, or a folder that it lies in, could not be looked into."""
    parts = name.split("/")
    return any("/".join(parts[:count]) in odd for count in range(1, len(parts) + 1))
