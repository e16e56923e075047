# SPDX-License-Identifier: MIT
"""Taking what other programs did to the files of a folder: each change is a revision.

What a file held before is what the change was made from.  A file that is new in
a shared folder, while there is a document of its name, was made from nothing:
both are merged, and neither is written over.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from federation.errors import Refusal
from federation.machines.folder import Delete, Move, Take
from federation.wire import timestamps

if TYPE_CHECKING:
    from federation.daemon.place import Place

#: refusals of a change that a later try may not meet
PASSING = frozenset({
    "disk-full", "path-io-error", "queue-full", "shutting-down", "internal-error",
})  # fmt: skip


async def record(place: Place, effect: Take | Move | Delete, content: bytes) -> None:
    """Make a change of a file a revision of its document; ``content`` is what it holds now."""
    node = place.peer.node
    try:
        changed = await place.peer.turns.ask(
            lambda now: node.at(now, lambda: _change(place, effect, content))
        )
    except Refusal as refusal:
        if refusal.reason in PASSING:
            place.folder.failed(effect, time.monotonic())
            place.feed(())
        else:
            place.report(effect.name, refusal.message)
        return
    place.taken += changed
    if not place.home:
        place.show(effect.name)


def _change(place: Place, effect: Take | Move | Delete, content: bytes) -> bool:
    """In a turn: whether there is a new revision."""
    store, node, changed = place.peer.store, place.peer.node, False
    if not isinstance(effect, Delete):
        _find_base(place, effect.name)
        file, path = place.file_of(effect.name), place.path_of(effect.name)
        changed = node.import_changed(file, content, path, apart=not place.home)
        store.put_file(place.key, effect.name, effect.known)
    if not isinstance(effect, Take):
        gone = effect.old if isinstance(effect, Move) else effect.name
        deleted = node.delete(place.file_of(gone), place.path_of(gone))
        changed = changed or deleted is not None
        store.drop_file(place.key, gone)
    if changed:
        now = timestamps.format_us(node.context.now.wall_us)
        store.set_meta(f"imported {place.space.name}", now)
    return changed


def _find_base(place: Place, name: str) -> None:
    """A file of a home holds what was written last, also where the state directory was moved."""
    store, path = place.peer.store, place.path_of(name)
    document = store.document(place.file_of(name))
    if not place.home or document is None or document.written is None:
        return
    if store.synced_from(path) is None:
        store.set_synced_from(path, document.file, document.written)
