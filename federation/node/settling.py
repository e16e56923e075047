# SPDX-License-Identifier: MIT
"""What a choice means for a conflict, and the document in which it stands."""

from __future__ import annotations

from collections.abc import Sequence

from federation.errors import Refusal
from federation.replica.blackboard.fields import TOGETHER
from federation.replica.choice import both, cut_off, is_lines, own_side, stand
from federation.replica.kinds import BOARD, merge_kind
from federation.replica.names import kind_of
from federation.replica.records import Clashing
from federation.replica.soundness import expected, new_faults


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


def together(one: Clashing, open_ones: Sequence[Clashing]) -> list[Clashing]:
    """A conflict with those that are only true together with it, of the same two sides.

    They are the properties of one revision of a canvas in a blackboard: a
    signature next to another revision's content id would be false.
    """
    if merge_kind(one.file) != BOARD or not one.path or one.path[-1] not in TOGETHER:
        return [one]
    place = (one.path[0], one.author_a, one.author_b)
    return [
        other
        for other in open_ones
        if other.path
        and other.path[-1] in TOGETHER
        and (other.path[0], other.author_a, other.author_b) == place
    ]


def check_edges(kind: str, before: bytes, after: bytes) -> None:
    """``bad-params`` where a choice would take an entry away that edges still join."""
    if names := cut_off(kind, before, after):
        which = ", ".join(sorted(names)[:3])
        detail = f"{which}: an edge would be left without its end"
        raise Refusal("bad-params", detail, hint="remove the edges first, or keep what they join")


def check_value(one: Clashing, value: str | None, before: bytes, after: bytes) -> None:
    """``bad-params`` for a value that would make a sound entry of a canvas unsound.

    ``before`` and ``after`` are the document without the value and with it.
    """
    kind = merge_kind(one.file)
    if value is None or kind == BOARD:
        return
    if not is_lines(kind, before, one):
        wanted = expected(kind, one.path, value, (one.base, one.a, one.b))
        if wanted:
            raise Refusal("bad-params", f"value: {wanted}")
    for fault in new_faults(kind_of(one.file), before, after):
        # Some canvases lead into other files on purpose.
        if fault.problem != "no-end" or fault.more == 0:
            raise Refusal("bad-params", f"value: {fault.text}")


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
