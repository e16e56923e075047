# SPDX-License-Identifier: MIT
"""Values that people choose at a conflict's place: what may stand, and what does stand there."""

from __future__ import annotations

from federation.replica.blackboard import settle as board
from federation.replica.kinds import BOARD
from federation.replica.merge import links, tree
from federation.replica.merge.document import LISTS, split_lines
from federation.replica.merge.entry import Entry
from federation.replica.merge.settle import is_cut, is_plain, put
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


def stand(kind: str, content: bytes, conflict: Clashing, value: str | None) -> bytes | None:
    """The document with ``value`` (None: nothing) at a conflict's place; None where that is gone.

    ``kind`` is that of the merge (``kinds.merge_kind``).  ``bad-params`` for a
    value that cannot be there.
    """
    known = (conflict.kept, conflict.a, conflict.b)
    if kind == BOARD:
        changed = board.put(content.decode("utf-8", "replace"), conflict.path, known, value)
        return None if changed is None else changed.encode()
    entry = conflict.entry
    if is_cut(entry) and conflict.kept and is_plain(kind, content, conflict.path, entry):
        entry = conflict.kept
    return put(kind, content, conflict.path, entry, value, known[1:])


def cut_off(kind: str, before: bytes, after: bytes) -> set[str]:
    """The entries of a canvas that ``after`` has no more, and that its edges still join."""
    return links.cut_off(_entries(kind, before), _entries(kind, after))


def _entries(kind: str, content: bytes) -> list[Entry]:
    text = content.decode("utf-8", "replace")
    if kind == "canvasl":
        return [Entry(line) for line in split_lines(text)[1]]
    if kind != "json-canvas":
        return []
    try:
        root = tree.parse(text.removeprefix("\ufeff"))[1]
    except tree.NotJson:
        return []
    found = [root.get(key) for key in LISTS]
    lists = [one for one in found if one is not None and one.kind == "array"]
    return [Entry(text) for one in lists for text in one.texts]


def is_lines(kind: str, content: bytes, conflict: Clashing) -> bool:
    """Whether a conflict is about lines, of which both versions may stand."""
    if not conflict.path:
        return False
    if kind == BOARD:
        return conflict.path[-1] == "(body)"
    return is_plain(kind, content, conflict.path, conflict.entry)


def both(conflict: Clashing) -> str:
    """The lines of both sides, one after the other."""
    a, b = conflict.a or "", conflict.b or ""
    return a + b if not a or a[-1] in "\r\n" else f"{a}\n{b}"


def holds(kind: str, content: bytes, conflict: Clashing, value: str | None) -> bool:
    """Whether a document of this kind has ``value`` (None: nothing) at a conflict's place."""
    if not conflict.path:
        return value is not None
    changed = stand(kind, content, conflict, value)
    return changed == content or (changed is None and value is None)


def own_side(conflict: Clashing, peer_id: str) -> str | None:
    """``a`` or ``b``, the side of a peer; None where it has none, or both."""
    sides = (peer_id in conflict.author_a.split(","), peer_id == conflict.author_b)
    return None if sides[0] == sides[1] else "a" if sides[0] else "b"


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
