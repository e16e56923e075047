# SPDX-License-Identifier: MIT
"""What is missing in a shared folder: renamed, about to come back, deleted, or held for a yes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from federation import limits
from federation.machines.folder.values import Known


def is_mass(deleted: int, shared: int) -> bool:
    """Whether so many deletions of so many files at once are held for a yes."""
    if deleted >= limits.MASS_DELETE_ANY:
        return True
    many = deleted >= limits.MASS_DELETE and deleted > shared * limits.MASS_DELETE_SHARE
    return many or deleted >= max(shared, 2)


class Deletions:
    """The files of one folder that are not where they were.  Times are monotonic seconds."""

    def __init__(self) -> None:
        #: name -> since when it is missing
        self._missing: dict[str, float] = {}
        self._held: set[str] = set()
        self._agreed: frozenset[str] = frozenset()
        #: missing in what may be another folder
        self._doubted: set[str] = set()
        #: being written again: missing for a while, and that means nothing
        self._restoring: set[str] = set()
        #: what was deleted of late: (when, how many)
        self._recent: list[tuple[float, int]] = []

    @property
    def held(self) -> tuple[str, ...]:
        """What waits for a yes."""
        return tuple(sorted(self._held))

    @property
    def waiting(self) -> int:
        """How many are missing, and not long enough to be held or deleted."""
        return sum(name not in self._held for name in self._missing)

    def miss(self, name: str, now: float) -> None:
        """This file is not there."""
        if name not in self._restoring:
            self._missing.setdefault(name, now)

    def back(self, name: str) -> None:
        """This file is there, or is none of ours any more."""
        self._missing.pop(name, None)
        for names in (self._held, self._doubted, self._restoring):
            names.discard(name)

    def agree(self) -> None:
        """What is held now may be deleted."""
        self._agreed = frozenset(self._held)

    def decline(self) -> tuple[str, ...]:
        """Nothing of what is held may be deleted; it is to be written again."""
        names = self.held
        for name in names:
            self.back(name)
        self._restoring.update(names)
        return names

    def forget(self) -> None:
        """Nothing is known of what is missing: the folder is not there."""
        self._missing.clear()
        self._held.clear()
        self._doubted.clear()
        self._agreed = frozenset()

    def renamed(self, name: str, new: Known, known: Mapping[str, Known]) -> str | None:
        """The missing file that this new one was; None if it was none.

        An empty file is that one only if it is the same on the disk, too.
        """
        same = [old for old in self._missing if known[old].digest == new.digest]
        twins = [old for old in same if known[old].seen.inode == new.seen.inode]
        if twins or new.seen.size == 0:
            same = twins
        base = name.rpartition("/")[2]
        return min(same, key=lambda old: (old.rpartition("/")[2] != base, old), default=None)

    def decide(
        self, absent: Collection[str], shared: int, now: float, *, doubtful: bool, busy: bool
    ) -> tuple[list[str], float]:
        """Compare with a whole listing: what is deleted now, and when to look again.

        ``absent`` of the ``shared`` files are not in it.  ``doubtful``: it may
        be another folder, so nothing is deleted without a yes.  ``busy``: new
        files are still to be read, and may be missing ones under new names.
        """
        for name in [*self._missing, *self._restoring]:
            if name not in absent:
                self.back(name)
        for name in absent:
            self.miss(name, now)
        if doubtful:
            self._doubted.update(self._missing)
        patience = limits.FOLDER_SETTLE_MAX if busy else limits.FOLDER_GONE
        agreed, self._agreed = self._agreed & self._held, frozenset()
        waiting = {one: at for one, at in self._missing.items() if one not in self._held}
        ripe = sorted(name for name, since in waiting.items() if now >= since + patience)
        unripe = [since for name, since in waiting.items() if now < since + patience]
        again = min(unripe, default=float("inf")) + patience
        if busy:
            again = min(again, now + limits.FOLDER_GONE)
        many = self._is_many(len(waiting), shared, now)
        if ripe and (many or self._held or not self._doubted.isdisjoint(ripe)):
            self._held.update(ripe)
            ripe = []
        if ripe:
            self._recent.append((now, len(ripe)))
        return sorted(agreed.union(ripe)), again

    def _is_many(self, missing: int, shared: int, now: float) -> bool:
        """Whether these, with those of a moment ago, are a mass."""
        self._recent = [one for one in self._recent if now < one[0] + limits.MASS_DELETE_WINDOW]
        before = sum(count for _, count in self._recent)
        return is_mass(missing + before, shared + before)
