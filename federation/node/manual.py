# SPDX-License-Identifier: MIT
"""Strategy ``manual``: what one peer sees of a conflict, apart from what all others see.

Such a peer shows its own value until somebody chooses.  That is its view
alone: what its user changes elsewhere in the document is recorded as a change
of what everybody sees.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from federation.node.context import Context
from federation.replica.choice import cut_off, holds, own_value, stand
from federation.replica.kinds import merge_kind
from federation.replica.records import Clashing, Revision

#: What a revision says; None where it was dropped from the history.
Content = Callable[[Revision], bytes | None]


class Manual:
    """The own values of this peer in open conflicts; without the strategy there are none."""

    def __init__(self, context: Context, content: Content) -> None:
        self._context = context
        self._content = content

    def _own(self, file: str) -> list[tuple[Clashing, str | None]]:
        """The open conflicts of a document in which we have a side, with our value."""
        if self._context.settings.strategy != "manual":
            return []
        me = self._context.peer_id
        found = [(one, own_value(one, me)) for one in self._context.store.open_conflicts(file)]
        return [(one, own[0]) for one, own in found if own is not None]

    def shown(self, file: str, content: bytes) -> bytes:
        """What everybody sees, with our own value wherever we are in conflict."""
        return _with_values(merge_kind(file), content, self._own(file))

    def overwritten(self, file: str, content: bytes, base: Sequence[Revision]) -> list[str]:
        """The conflicts whose own value, shown until now, the user replaced.

        That is a choice; the next view would else undo what was just saved.
        """
        kind = merge_kind(file)
        before = [was for was in map(self._content, base) if was is not None]
        return [
            one.number
            for one, own in self._own(file)
            if any(holds(kind, was, one, own) for was in before)
            and not holds(kind, content, one, own)
        ]

    def for_all(
        self, file: str, content: bytes, base: Sequence[Revision], common: bytes | None,
        chosen: Collection[str],
    ) -> bytes:  # fmt: skip
        """What the user saved, with everybody's value wherever only ours was shown.

        ``common`` is what everybody sees now; the conflicts of the numbers
        ``chosen`` end with it.  What was saved comes out of it again by
        :meth:`shown`, byte by byte; else it is recorded as it is.
        """
        own = [(one, value) for one, value in self._own(file) if one.number not in chosen]
        before = [was for was in map(self._content, base) if was is not None]
        if not own or common is None or common in before:
            return content
        kind, changed = merge_kind(file), content
        for one, value in own:
            seen = all(holds(kind, was, one, value) for was in (*before, content))
            if not seen or holds(kind, common, one, value):
                continue
            if holds(kind, common, one, one.kept):
                changed = stand(kind, changed, one, one.kept) or changed
        return changed if _with_values(kind, changed, own) == content else content


def _with_values(kind: str, content: bytes, own: Sequence[tuple[Clashing, str | None]]) -> bytes:
    """A content with these values; what would leave an edge without its entry is not shown."""
    waiting = list(own)
    for _ in range(2):  # an edge that goes, too, may stand behind its entry
        left = []
        for one, value in waiting:
            changed = stand(kind, content, one, value)
            if changed is None or changed == content:
                continue
            if cut_off(kind, content, changed):
                left.append((one, value))
            else:
                content = changed
        waiting = left
    return content
