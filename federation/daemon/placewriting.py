# SPDX-License-Identifier: MIT
"""Writing what documents show into the folder that shares them.

Never over what nobody has recorded, never while an editor has unsaved changes,
and not in the place of a file that is missing for a reason not known yet.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from typing import TYPE_CHECKING

from federation import limits
from federation.adapters.watch import Modified
from federation.errors import Refusal
from federation.machines.folder import Known, State
from federation.replica.records import Revision

if TYPE_CHECKING:
    from federation.daemon.place import Place

log = logging.getLogger(__name__)
#: the folder is not there: everything is written when it is back
_AWAY = frozenset({"file-not-found", "folder-replaced"})


async def write_one(place: Place, name: str) -> None:
    """Make the file ``name`` show its document, if that may be done now."""
    store, folder = place.peer.store, place.folder
    document = store.document(place.file_of(name))
    revision = store.revision(document.current) if document is not None else None
    if revision is None or folder.state is State.AWAY or folder.root is None:
        return
    row = store.synced_from(place.path_of(name))
    known = folder.known.get(name)
    shown = row is not None and row[1] == revision.revision
    if shown and (known or revision.deleted) and name not in place.restoring:
        return
    if place.is_missing(name) or (revision.deleted and place.peer.spaces.is_held(revision.file)):
        return
    digests = [known.digest if known else None]
    before = store.revision(row[1]) if row is not None else None
    if before is not None and not before.deleted:
        digests.append(before.content_hash)
    try:
        found = await _change(place, name, revision, digests)
    except Refusal as refusal:
        if refusal.reason not in _AWAY:
            _later(place, name, refusal)
        return
    if isinstance(found, Modified):
        # somebody wrote it: that is recorded first, and then this is done again
        seen = await asyncio.to_thread(place.shared.look, [name])
        place.feed(folder.receive_paths(seen, time.monotonic()))
        return
    await _note(place, name, revision, found)


async def _change(
    place: Place, name: str, revision: Revision, digests: list[str | None]
) -> Known | Modified | None:
    """Write the file or remove it; what it may hold is one of ``digests``."""
    content = None if revision.deleted else place.peer.store.content(revision.content_hash)
    found: Known | Modified | None = None
    for digest in digests:
        if content is not None:
            found = await asyncio.to_thread(place.shared.write, name, content, digest)
        else:
            found = await asyncio.to_thread(place.shared.delete, name, digest or "")
        if not isinstance(found, Modified):
            break
        if hashlib.sha256(found.content).hexdigest() not in digests:
            break
    return found


async def _note(place: Place, name: str, revision: Revision, known: Known | None) -> None:
    """The file holds this revision now; or it is gone, with its document."""
    store, now = place.peer.store, time.monotonic()
    place.restoring.discard(name)
    place.feed(place.folder.written(name, known, now) if known else place.folder.removed(name))

    def note() -> None:
        store.set_synced_from(place.path_of(name), revision.file, revision.revision)
        if known is not None:
            store.put_file(place.key, name, known)
        else:
            store.drop_file(place.key, name)

    await place.peer.turns.ask(lambda _now: note())


def _later(place: Place, name: str, refusal: Refusal) -> None:
    """An editor has it, the disk is full: again in a moment."""
    log.info("a shared file could not be written: %s", refusal, extra={"file": name})
    asyncio.get_running_loop().call_later(limits.WRITE_AGAIN, place.show, name)
