# SPDX-License-Identifier: MIT
"""What a document looks like while it has several heads.

Concurrent revisions are merged, never written back: the view is a pure
function of the heads and of what they were made from, so peers that hold the
same revisions show the same bytes, in whatever order these came.  The next
edit names the heads as its parents, and they are heads no more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from typing import Final

from federation import limits
from federation.replica.ancestry import Ancestry, Find, Missing
from federation.replica.kinds import merge_versions
from federation.replica.merge.document import Conflict
from federation.replica.records import Clashing, Revision

Content = Callable[[Revision], bytes | None]
#: a conflict, the heads on its one side, and the head that is its other side
Found = tuple[Conflict, Sequence[Revision], Revision]
#: stands for the whole document where that is in conflict with its deletion
EDITED: Final = "the document"


@dataclass(frozen=True, slots=True)
class View:
    """Merged content; ``number`` is its id, like that of a revision.

    ``lacking``: what the heads were made from and whose contents are not here.
    ``whole``: nothing else that may still come would make another view.
    """

    number: str
    content: bytes
    conflicts: tuple[Clashing, ...]
    lacking: tuple[str, ...] = ()
    whole: bool = True


class Viewer:
    """Merges heads; ``find`` and ``content`` look revisions up."""

    def __init__(self, find: Find, content: Content, missing: Missing | None = None) -> None:
        self.ancestry = Ancestry(find, missing)
        self._content = content
        self._lacking: dict[str, None] = {}

    def merged(self, file: str, kind: str, heads: Iterable[Revision]) -> View | None:
        """All heads in one, or None where one of them is no text.

        The heads are folded in the order of their ids; where a scalar was
        changed twice, the later one's value stands.  A deletion takes nothing
        from those who edited: it is a conflict.  None, too, if all are deletions.
        """
        self.ancestry.forget()
        self._lacking.clear()
        ordered = sorted(heads, key=lambda head: head.revision)
        living = [head for head in ordered if not head.deleted]
        merged = self._fold(kind, living, 0) if living else None
        if merged is None:
            return None
        content, conflicts = merged
        digest = hashlib.sha256(content).hexdigest()
        number = view_id([head.revision for head in ordered], digest)
        found = _numbered(file, number, conflicts)
        authors = _authors(living)
        gone = [_deletion(file, number, head, authors) for head in ordered if head.deleted]
        lacking, whole = tuple(self._lacking), not self.ancestry.guessed
        return View(number, content, (*found, *gone), lacking, whole)

    def _fold(
        self, kind: str, heads: Sequence[Revision], depth: int
    ) -> tuple[bytes, list[Found]] | None:
        content = self._content(heads[0])
        if content is None:
            return None
        conflicts: list[Found] = []
        for number, head in enumerate(heads[1:], 1):
            other = self._content(head)
            if other is None:
                return None
            base, lost = self._base(kind, heads[:number], head, depth)
            merged = merge_versions(kind, base, content, other, lost=lost)
            if merged is None:
                return None
            content = merged.content
            sides = self._sides(kind, heads[:number], head, depth, merged.conflicts)
            conflicts += [
                (one, side, head) for one, side in zip(merged.conflicts, sides, strict=True)
            ]
        return content, conflicts

    def _sides(
        self, kind: str, taken: Sequence[Revision], head: Revision, depth: int,
        conflicts: Sequence[Conflict],
    ) -> list[Sequence[Revision]]:  # fmt: skip
        """For each conflict with ``head`` those among ``taken`` whose value it is about.

        Who of several it was shows when each is merged with the head alone: the
        same value at the same place, else the same two values, else the same place.
        """
        many = len(conflicts) > limits.MERGE_SIDES_CONFLICTS
        if not conflicts or many or depth or not 1 < len(taken) < limits.MERGE_SIDES:
            return [taken for _one in conflicts]
        other = self._content(head) or b""
        alone: list[tuple[Revision, Conflict]] = []
        for one in taken:
            base, lost = self._base(kind, [one], head, depth)
            merged = merge_versions(kind, base, self._content(one) or b"", other, lost=lost)
            alone += [(one, found) for found in merged.conflicts] if merged else []
            if len(alone) > limits.MERGE_SIDES * limits.MERGE_SIDES_CONFLICTS:
                return [taken for _one in conflicts]
        return [_same_side(one, alone) or taken for one in conflicts]

    def _base(
        self, kind: str, taken: Sequence[Revision], head: Revision, depth: int
    ) -> tuple[bytes | None, bool]:
        """What both were made from, and whether there was something that is not here.

        Several such versions are merged themselves.
        """
        ancestry, guessed = self.ancestry, self.ancestry.guessed
        ancestry.broken = ancestry.guessed = False
        ancestry.ends.clear()
        found = self.common(taken, head)
        # after a deletion, both began anew
        common = [one for one in found if not one.deleted]
        # what both were made from may still come: until then, nothing that either has goes
        waits = ancestry.guessed or any(starmap(ancestry.expects, () if found else ancestry.ends))
        ancestry.guessed = guessed or waits
        if not common or depth >= limits.MERGE_BASES:
            return None, ancestry.broken and not found and not waits
        gone = [one.revision for one in common if self._content(one) is None]
        self._lacking.update(dict.fromkeys(gone))
        if gone:
            return None, True
        if len(common) == 1:
            return self._content(common[0]), False
        merged = self._fold(kind, common, depth + 1)
        if merged is None:
            return None, False
        sides = [self._content(one) or b"" for one in (*taken, head)]
        return _chosen(merged[0], [one for one, _side, _head in merged[1]], sides), False

    def common(self, taken: Sequence[Revision], head: Revision) -> list[Revision]:
        """The newest revisions that ``head`` and one of ``taken`` were made from, by id."""
        found: dict[str, Revision] = {}
        for one in taken:
            for start, other in ((one, head), (head, one)):
                for revision in self.ancestry.reached(start, other):
                    found[revision.revision] = revision
        candidates = list(found.values())
        newest = [
            one
            for one in candidates
            if not any(other is not one and self._above(other, one) for other in candidates)
        ]
        return sorted(newest, key=lambda one: one.revision)

    def _above(self, newer: Revision, older: Revision) -> bool:
        contains = self.ancestry.contains
        return contains(newer, older) and not contains(older, newer)


def _chosen(base: bytes, conflicts: Iterable[Conflict], sides: Sequence[bytes]) -> bytes:
    """What both were made from, without the lines of ``a`` where people chose at once.

    Both versions of some lines stood there, and some took the one, some the
    other.  Merged as they are, each would take away what the other has kept,
    and none would be left.  Made from ``b``, who chose ``a`` has changed it, and
    that stands, as with two values of which one stood.
    """
    for one in conflicts:
        a, b = one.a or "", one.b or ""
        if not (a.endswith("\n") and b.endswith("\n") and one.kept == a + b):
            continue
        for end in ("\n", "\r\n"):  # conflicts have their lines with LF
            first, second = (value.replace("\n", end).encode() for value in (a, b))
            held = {(first in side, second in side) for side in sides}
            if base.count(first + second) == 1 and held == {(True, False), (False, True)}:
                base = base.replace(first + second, second)
    return base


def _authors(heads: Iterable[Revision]) -> str:
    return ",".join(dict.fromkeys(one.author for one in heads))


def _same_side(
    conflict: Conflict, alone: Sequence[tuple[Revision, Conflict]]
) -> Sequence[Revision]:
    """Those who have a conflict by themselves, as nearly the same as any."""

    def near(other: Conflict) -> int:
        place, value = other.path == conflict.path, other.a == conflict.a
        return 3 * (place and value) or 2 * (value and other.b == conflict.b) or place

    best = max((near(found) for _head, found in alone), default=0)
    named = {head.revision: head for head, found in alone if best and near(found) == best}
    return list(named.values())


def view_id(heads: Iterable[str], content_hash: str) -> str:
    """The id of what some heads show: of the same form as a revision's."""
    text = "\n".join(("canvasl-merge/v1", *sorted(heads), content_hash))
    return hashlib.sha256(text.encode()).hexdigest()


def _numbered(file: str, view: str, conflicts: Sequence[Found]) -> tuple[Clashing, ...]:
    """Conflicts with ids that do not depend on who merged them, nor on what else did.

    The id is made of the place and the values; the same place and values
    again (in a repeated line) count on.  Later, the same may come back: what
    is settled of it then says ``replica.settlement``.
    """
    counts: dict[str, int] = {}
    found: list[Clashing] = []
    for conflict, side, head in conflicts:
        values = sorted(str(value) for value in (conflict.a, conflict.b))
        text = json.dumps([file, conflict.path, conflict.base, values])
        counts[text] = counts.get(text, 0) + 1
        digest = hashlib.sha256(f"canvasl-conflict/v1\0{counts[text]}\0{text}".encode())
        found.append(
            Clashing(
                digest.hexdigest(), file, view, conflict.path,
                conflict.entry[: limits.CONFLICT_TEXT],
                conflict.base, conflict.a, conflict.b, conflict.kept, _authors(side), head.author,
                tuple(sorted(one.revision for one in side)), head.revision,
            )
        )  # fmt: skip
    return tuple(found)


def _deletion(file: str, view: str, head: Revision, authors: str) -> Clashing:
    """The conflict of a deletion with those who edited the document at once."""
    digest = hashlib.sha256(f"canvasl-deletion/v1\0{head.revision}\0{file}".encode())
    return Clashing(
        digest.hexdigest(), file, view, (), "", EDITED, None, EDITED, EDITED, head.author, authors
    )


def carried(conflicts: Iterable[Clashing], view: str) -> list[Clashing]:
    """The same conflicts as those of another view."""
    return [replace(one, view=view) for one in conflicts]
