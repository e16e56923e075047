# SPDX-License-Identifier: MIT
"""Values that people choose at a conflict's place: what may stand, and what does stand there."""

from __future__ import annotations

from federation.replica.merge import tree
from federation.replica.merge.settle import put
from federation.replica.records import Clashing


def fits(kind: str, conflict: Clashing, value: str | None) -> bool:
    """Whether ``value`` (None: removed) is what a document of this kind can have there.

    A whole document is kept or deleted.  Where a whole entry was, an entry; ``put`` looks
    at the rest.
    """
    if not conflict.path:
        return False
    depth = {"canvasl": 1, "json-canvas": 2}.get(kind)
    if value is None or len(conflict.path) != depth:
        return True
    sides = [side for side in (conflict.base, conflict.a, conflict.b) if side is not None]
    return _kind(value) == "object" or any(_kind(side) != "object" for side in sides)


def holds(kind: str, content: bytes, conflict: Clashing, value: str | None) -> bool:
    """Whether a document of this kind has ``value`` (None: nothing) at a conflict's place."""
    if not conflict.path:
        return value is not None
    changed = put(kind, content, conflict.path, conflict.entry, value)
    return changed == content or (changed is None and value is None)


def own_value(conflict: Clashing, peer_id: str) -> tuple[str | None] | None:
    """The value of a peer's side, in a tuple; None where it has no side.

    Nor has anybody in the conflict with a deletion: the document stays until it is settled.
    """
    if not conflict.path:
        return None
    if peer_id in conflict.author_a.split(","):
        return (conflict.a,)
    return (conflict.b,) if peer_id == conflict.author_b else None


def _kind(text: str) -> str | None:
    """The kind of a JSON value; None for what is no JSON."""
    try:
        return tree.parse(text)[1].kind
    except tree.NotJson:
        return None
