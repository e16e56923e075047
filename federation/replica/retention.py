# SPDX-License-Identifier: MIT
"""Which contents of a history may go, when there are more than are to be kept.

Only contents go; who made which revision, when and from what is kept.  What
somebody may need is never among them: see ``ports.DocumentStore.compact``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from federation import limits
from federation.replica.records import Revision
from federation.replica.view import Viewer


@dataclass(frozen=True, slots=True)
class Kept:
    """A revision whose content is here: its number, id, arrival, and the bytes it takes."""

    number: int
    revision: str
    received_us: int
    weight: int


def droppable(
    history: Sequence[Kept],
    needed: Collection[str],
    *,
    keep_recent: int,
    keep_since_us: int,
    keep_bytes: int | None = None,
) -> list[Kept]:
    """What may go of a document's ``history`` (oldest first), oldest first.

    Recent is what is among the last ``keep_recent`` or came at ``keep_since_us``
    or later.  Where all together weighs more than ``keep_bytes``, what is beyond
    three quarters of that goes although it is recent; ``needed`` ids stay.
    """
    over = keep_bytes is not None and sum(one.weight for one in history) > keep_bytes
    room = 0 if keep_bytes is None else keep_bytes * 3 // 4
    found: list[Kept] = []
    for place, one in enumerate(reversed(history)):
        room -= one.weight
        recent = place < keep_recent or one.received_us >= keep_since_us
        if one.revision not in needed and (not recent or (over and room < 0)):
            found.append(one)
    return found[::-1]


def bases(find: Callable[[str], Revision | None], heads: Sequence[Revision]) -> set[str]:
    """The ids of all revisions whose contents a merge of ``heads`` looks at, but for these."""
    viewer = Viewer(find, lambda _revision: None)
    found: set[str] = set()
    waiting = [(sorted(heads, key=lambda head: head.revision), 0)]
    seen: set[tuple[str, ...]] = set()
    while waiting:
        group, depth = waiting.pop()
        for number in range(1, len(group)):
            common = viewer.common(group[:number], group[number])
            names = tuple(one.revision for one in common)
            found.update(names)
            if len(common) > 1 and depth < limits.MERGE_BASES and names not in seen:
                seen.add(names)
                waiting.append((common, depth + 1))
    return found
