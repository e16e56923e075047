# SPDX-License-Identifier: MIT
"""What a revision was made from, however far back: proved by the hashes that it names.

Vectors say quickly what its author had *not* seen; what it had seen follows from
the parents, so no vector takes another author's work for seen.  Only where a
part of the history is not here, a vector's word is taken for it.  Who makes
histories that take too long to walk is not believed: then nothing was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from federation import limits
from federation.replica.records import Revision
from federation.replica.succession import claims
from federation.replica.walks import Walks

Find = Callable[[str], Revision | None]
#: of a document, the revisions that are named, not here, and may still come
Missing = Callable[[str], Collection[str]]


class Ancestry:
    """Histories of documents; ``find`` looks a revision up.

    What is not here and not ``missing`` either is gone for good, like a beginning;
    without ``missing``, all may still come.  ``guessed`` tells whether an answer
    depends on what may come, ``broken`` whether a walk ended where the history does, and
    ``ends`` where those of both sides did: (document, revision that is not here).
    With ``walks``, what was walked is remembered when all else is forgotten.
    """

    def __init__(
        self, find: Find, missing: Missing | None = None, walks: Walks | None = None
    ) -> None:
        self._find = find
        self._walks = walks
        self._missing = missing
        self._expected: dict[str, Collection[str]] = {}
        self.broken = False
        self._found: dict[str, Revision] = {}
        self._proved: dict[tuple[str, str], bool] = {}
        #: revision -> all that parents lead to from there, the plain messages' last counters
        self._behind: dict[str, tuple[set[str], dict[str, int]] | None] = {}
        self._looks = 0
        self.guessed = False
        self.ends: set[tuple[str, str]] = set()

    def forget(self) -> None:
        """Begin anew, with an empty memory."""
        self._found.clear()
        self._proved.clear()
        self._expected.clear()
        self._behind.clear()
        self._looks = 0
        self.guessed = False
        self.broken = False
        self.ends.clear()

    def contains(self, newer: Revision, older: Revision) -> bool:
        """Whether the author of ``newer`` had seen ``older``."""
        if older.revision in newer.parents:
            return True
        if newer.vector.get(older.author, -1) < older.seq or newer.revision in older.parents:
            return False
        key = (newer.revision, older.revision)
        proved = self._proved.get(key)
        if proved is None:
            proved = self._prove(newer, older)
            if proved is None:
                self.guessed = True
                return claims(newer, older)
            self._proved[key] = proved
        return proved

    def _prove(self, newer: Revision, older: Revision) -> bool | None:
        """Whether parents lead from one to the other; None where that is not known here."""
        if self._walks is None or older.plain or newer.file != older.file:
            return False if self._unreached(newer, older) else self._leads(newer, older)
        walk = self._walks.take(newer, older.author)
        self._looks += walk.go_on(self.parent, limits.MERGE_LOOKS - self._looks)
        self._walks.keep(newer, older.author, walk)
        if walk.leads(older):
            return True
        if not walk.done:
            return False if self._looks >= limits.MERGE_LOOKS else None
        return None if any(self.expects(older.file, one) for one in walk.ends(older)) else False

    def _leads(self, newer: Revision, older: Revision) -> bool | None:
        """Whether parents lead from one to the other; None where that is not known here.

        Only those can be on the way that say so of themselves.
        """
        whole = True
        waiting, seen = [newer], {newer.revision}
        while waiting:
            self._looks += 1
            if self._looks > limits.MERGE_LOOKS:
                return False
            revision = waiting.pop()
            if older.revision in revision.parents or _follows(revision, older):
                return True
            if len(seen) > limits.MERGE_WALK:
                return None
            for name in revision.parents:
                if name in seen:
                    continue
                seen.add(name)
                parent = self.parent(name)
                if parent is None:
                    whole = whole and not self.expects(older.file, name)
                elif parent.file == older.file and parent.vector.get(older.author, -1) >= older.seq:
                    waiting.append(parent)
        return False if whole else None

    def _unreached(self, newer: Revision, older: Revision) -> bool:
        """Whether surely no parents lead from one to the other; one walk answers it for all."""
        if newer.revision not in self._behind:
            self._behind[newer.revision] = self._all_behind(newer)
        found = self._behind[newer.revision]
        if found is None or older.revision in found[0]:
            return False
        return not older.plain or found[1].get(older.author, -1) <= older.seq

    def _all_behind(self, start: Revision) -> tuple[set[str], dict[str, int]] | None:
        """What parents lead to; None where some of it may still come, or is too much."""
        waiting, seen = [start], {start.revision}
        plain: dict[str, int] = {}
        while waiting:
            self._looks += 1
            if len(seen) > limits.MERGE_WALK or self._looks > limits.MERGE_LOOKS:
                return None
            revision = waiting.pop()
            if revision.plain:
                plain[revision.author] = max(plain.get(revision.author, -1), revision.seq)
            for name in revision.parents:
                if name in seen:
                    continue
                seen.add(name)
                parent = self.parent(name)
                if parent is None:
                    if self.expects(start.file, name):
                        return None
                elif parent.file == start.file:
                    waiting.append(parent)
        return seen, plain

    def expects(self, file: str, name: str) -> bool:
        """Whether a revision that is not here may still come."""
        if self._missing is None:
            return True
        if file not in self._expected:
            self._expected[file] = self._missing(file)
        return name in self._expected[file]

    def parent(self, name: str) -> Revision | None:
        """A revision that another one names, if it is here."""
        found = self._found.get(name)
        if found is None:
            found = self._find(name)
            if found is not None:
                self._found[name] = found
        return found

    def apart(self, side: Sequence[Revision], others: Sequence[Revision]) -> Iterator[Revision]:
        """Going back from ``side``, the revisions that none of the ``others`` contains."""
        return (one for one, shared in self._walk(side, others) if not shared)

    def reached(self, start: Revision, other: Revision) -> list[Revision]:
        """Going back from ``start``, the first revisions that ``other`` contains."""
        return [one for one, shared in self._walk([start], [other]) if shared]

    def _walk(
        self, side: Sequence[Revision], others: Sequence[Revision]
    ) -> Iterator[tuple[Revision, bool]]:
        """Back from ``side``, and no further than to what one of the ``others`` contains."""
        waiting, seen = list(side), {one.revision for one in side}
        absent: dict[str, str] = {}
        both = {name for other in others for name in other.parents}
        while waiting and len(seen) < limits.MERGE_WALK:
            revision = waiting.pop()
            shared = any(
                other.revision == revision.revision or self.contains(other, revision)
                for other in others
            )
            yield revision, shared
            if shared:
                both.update(revision.parents)
                continue
            for name in revision.parents:
                parent = None if name in seen else self.parent(name)
                if parent is not None and parent.file == revision.file:
                    seen.add(name)
                    waiting.append(parent)
                elif parent is None and name not in seen:
                    absent[name] = revision.file
        self.ends.update((absent[name], name) for name in absent.keys() & both)
        # what the others have, too, leads nowhere else
        for name in absent.keys() - both:
            self.broken = True
            self.guessed = self.guessed or self.expects(absent[name], name)


def _follows(newer: Revision, older: Revision) -> bool:
    """Whether both are plain messages of one author: its own clock says which came first."""
    return newer.plain and older.plain and newer.author == older.author and newer.seq > older.seq
