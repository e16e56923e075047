# SPDX-License-Identifier: MIT
"""Deletions: revisions that say that a document is no more.

They travel and stand in the history like any other revision, so the last text
can be brought back.  Whoever edited the document at the same time keeps it:
that is a conflict (``replica.view``), and the file stays until somebody chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from federation.node.context import Context
from federation.node.heads import Recorded
from federation.replica.records import Revision

Write = Callable[[str, Sequence[Revision], Sequence[str]], Recorded]


def delete(context: Context, file: str, path: str | None, write: Write) -> Recorded | None:
    """Record that the user deleted a document; None where there is nothing to delete.

    ``path`` is where it was deleted: what that file held is what the deletion
    was made from, so it takes nothing that the user has not seen.  Without a
    path it is made from what the document shows.
    """
    store = context.store
    document = store.document(file)
    if document is None or document.deleted:
        return None
    known = store.synced_from(path) if path else None
    name = known[1] if known is not None and known[0] == file else document.current
    base = store.revision(name)
    if base is None or base.deleted:
        return None
    shows = name == document.current
    settled = [one.number for one in store.open_conflicts(file)] if shows else []
    recorded = write(file, [base], settled)
    if path:
        store.set_synced_from(path, file, recorded.revision.revision)
    return recorded
