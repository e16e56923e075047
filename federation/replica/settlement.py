# SPDX-License-Identifier: MIT
"""Which conflicts a revision settles: those of the changes that its author had seen.

A conflict's number is made of its place and its values, so it is the same for
every peer and stays the same while the heads grow elsewhere.  The same values
can come back at the same place, though, when people make the same two changes
once more.  That is a new conflict with the old number: whoever settled the
first one had seen neither of the new changes.
"""

from __future__ import annotations

from collections.abc import Sequence

from federation.replica.ancestry import Ancestry
from federation.replica.records import Clashing, Revision


def settles(resolution: Revision, conflict: Clashing, ancestry: Ancestry) -> bool:
    """Whether a revision that names the number of ``conflict`` settles it.

    It does when its author had seen, on either side, something that the other
    side had not: the sides are concurrent since then, and were merged by it.
    What a side grew by elsewhere, unseen, changes nothing in that.  A whole
    document's conflict has the deletion itself in its number.
    """
    if not conflict.path or not conflict.head_b:
        return True
    ours = [one for one in map(ancestry.parent, conflict.heads_a) if one is not None]
    theirs = [one for one in (ancestry.parent(conflict.head_b),) if one is not None]
    return _met(resolution, ours, theirs, ancestry) and _met(resolution, theirs, ours, ancestry)


def _met(
    resolution: Revision, side: Sequence[Revision], others: Sequence[Revision], ancestry: Ancestry
) -> bool:
    """Whether ``resolution`` is or has seen a revision of ``side`` that no other one has."""
    return any(
        one.revision == resolution.revision or ancestry.contains(resolution, one)
        for one in ancestry.apart(side, others)
    )
