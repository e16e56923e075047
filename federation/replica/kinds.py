# SPDX-License-Identifier: MIT
"""Which merge a document gets: that of its kind, or that of the blackboard."""

from __future__ import annotations

from federation.replica.blackboard import BLACKBOARD, merge_blackboard
from federation.replica.blackboard.fields import Conflict as FieldConflict
from federation.replica.blackboard.settle import standing
from federation.replica.merge.document import Conflict, Merged, merge
from federation.replica.names import kind_of

#: kind of the blackboard, whose entries merge one by one
BOARD = "blackboard"


def merge_kind(file: str) -> str:
    """How the document of this name is merged."""
    return BOARD if file.rpartition("/")[2] == BLACKBOARD else kind_of(file)


def merge_versions(
    kind: str, base: bytes | None, a: bytes, b: bytes, *, lost: bool = False
) -> Merged | None:
    """Both sides' changes of ``base``, or None for what is no text.

    ``lost``: there was a base, which nobody has any more.
    """
    if kind != BOARD:
        return merge(kind, base, a, b, lost=lost)
    try:
        texts = [None if one is None else one.decode("utf-8") for one in (base, a, b)]
    except UnicodeDecodeError:
        return None
    old, ours, theirs = texts
    text, found = merge_blackboard(old, ours or "", theirs or "")
    return Merged(text.encode(), tuple(_conflict(text, one) for one in found))


def _conflict(text: str, found: FieldConflict) -> Conflict:
    """A conflict of a board, with what stands in the merged one."""
    path, sides = (found.entry, found.property), (found.base, found.a, found.b)
    stands = standing(text, path, sides)
    if stands is None:  # several entries have that title: what the rules let stand
        stands = found.a if found.b is None else found.b
    return Conflict(path, "", *sides, stands)
