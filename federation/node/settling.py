# SPDX-License-Identifier: MIT
"""What a choice means for a conflict, and the document in which it stands."""

from __future__ import annotations

from federation.errors import Refusal
from federation.replica.choice import both, is_lines, own_side, stand
from federation.replica.kinds import merge_kind
from federation.replica.records import Clashing


def chosen(
    one: Clashing, choice: str, value: str | None, content: bytes, peer_id: str
) -> str | None:
    """The text that a choice of a peer means; None for nothing.

    ``bad-params`` for one that the conflict does not have.
    """
    choice = side(one, choice, peer_id)
    if choice == "both":
        if not is_lines(merge_kind(one.file), content, one):
            detail = "both: only lines of text can stand together"
            raise Refusal("bad-params", detail, hint="choose a, b, kept or another value")
        return both(one)
    return {"a": one.a, "b": one.b, "kept": one.kept}.get(choice, value)


def side(one: Clashing, choice: str, peer_id: str) -> str:
    """The choice with ``ours`` and ``theirs`` as ``a`` or ``b``; ``bad-params`` without a side."""
    if choice not in ("ours", "theirs"):
        return choice
    own = own_side(one, peer_id)
    if own is None:
        detail = f"{choice}: neither side is yours alone"
        raise Refusal("bad-params", detail, hint="choose a or b")
    return own if choice == "ours" else {"a": "b", "b": "a"}[own]


def settled(one: Clashing, content: bytes, wanted: str | None, *, must: bool) -> bytes:
    """The content with what was wanted at the place of a conflict.

    Where that place is gone: ``conflict-moved`` if it ``must`` be there, else the same content.
    """
    kind = merge_kind(one.file)
    changed = stand(kind, content, one, wanted)
    if changed is not None:
        return changed
    # an entry that is gone was removed, lines that are gone were written over
    if must and (wanted is not None or is_lines(kind, content, one)):
        where = f"{'/'.join(one.path)} in {one.file}"
        raise Refusal("conflict-moved", f"{where}: what stood there is not there any more")
    return content
