# SPDX-License-Identifier: MIT
"""The conflicts of documents: which are open, which stand, and what settles them.

Those of the present view pass with it; those of heads that somebody's revision
joined stand until a revision settles them, on every peer alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from federation import limits
from federation.node.context import Context
from federation.replica.ancestry import Find
from federation.replica.kinds import merge_kind
from federation.replica.records import Clashing, Revision
from federation.replica.settlement import settles
from federation.replica.view import View, Viewer, carried


class Conflicts:
    """The conflicts of all documents; ``signed`` looks up what somebody signed."""

    def __init__(self, context: Context, viewer: Viewer, signed: Find) -> None:
        self._context = context
        self._viewer = viewer
        self._signed = signed
        self._contains = viewer.ancestry.contains

    def stand(self, revision: Revision) -> None:
        """The conflicts of the versions that a revision joined stand until they are settled.

        What deletes the document leaves none.  While something may still come
        that they were made from, they wait for that.
        """
        if revision.deleted:
            return
        found = [self._signed(name) for name in revision.parents]
        parents = [one for one in found if one is not None and one.file == revision.file]
        below = {name for one in parents for name in one.parents}
        missing = self._context.store.missing(revision.file)
        if any(name in missing for name in set(revision.parents) - below):
            return
        joined = [
            one
            for one in parents
            if not any(self._contains(other, one) for other in parents if other is not one)
        ]
        if len(joined) > 1:
            view = self._viewer.merged(revision.file, merge_kind(revision.file), joined)
            if view is not None and view.whole and not self.lacks(revision.file, view):
                self.note(revision, carried(view.conflicts, revision.revision), standing=True)
        elif len(parents) > 1:
            # one has seen the other: less of the history was here when they were in conflict
            self._context.store.drop_merge(revision.file, revision.revision)

    def lacks(self, file: str, view: View) -> bool:
        """Ask for contents that a merge needs; whether they may still come."""
        store = self._context.store
        if view.lacking:
            store.note_lost(file, view.lacking)
        return not store.missing(file).isdisjoint(view.lacking)

    def note(self, cause: Revision, conflicts: Sequence[Clashing], *, standing: bool) -> None:
        """Record conflicts that were not settled, and tell of the new ones."""
        store = self._context.store
        before = {one.number for one in store.open_conflicts(cause.file)}
        if standing:
            # what was found of the same merge before, when less of the history was here
            store.drop_merge(cause.file, cause.revision)
        settled = store.settled(cause.file)
        open_ones = [
            one
            for one in conflicts
            if not any(self._settles(name, one) for name in settled.get(one.number, ()))
        ]
        room = limits.CONFLICTS - len(before)
        new = [one for one in open_ones if one.number not in before][: max(room, 0)]
        again = [one for one in open_ones if one.number in before and self._has_room(one)]
        store.put_conflicts([*again, *new], standing=standing)
        if new:
            self._context.notify(
                "conflict-detected",
                file=cause.file,
                peer_id=cause.author,
                revision=cause.revision,
                path=self._context.files.synced_path(cause.file),
                current=new[0].view,
                conflicts=[one.number for one in new],
            )

    def settle(self, revision: Revision, numbers: Sequence[str]) -> None:
        """Note what a revision settles, and forget what it has settled of that."""
        store = self._context.store
        store.settle(revision.file, numbers, revision.revision)
        for one in store.instances(revision.file, numbers):
            if settles(revision, one, self._viewer.ancestry):
                store.drop_conflict(one)

    def _has_room(self, one: Clashing) -> bool:
        """Whether one more merge's record of a conflict is kept."""
        return len(self._context.store.instances(one.file, [one.number])) < limits.CONFLICT_MERGES

    def _settles(self, name: str, conflict: Clashing) -> bool:
        """Whether a conflict is settled by the revision of this id, which names its number."""
        found = self._signed(name) if name else None
        return found is None or settles(found, conflict, self._viewer.ancestry)
