# SPDX-License-Identifier: MIT
"""Writing what documents show into the folder that shares them.

Never over what nobody has recorded, never while an editor has unsaved changes,
and not in the place of a file that is missing for a reason not known yet.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from federation import limits
from federation.adapters.watch import Modified, Shared
from federation.errors import Fault, Refusal
from federation.machines.folder import Known, State
from federation.replica.records import Revision

if TYPE_CHECKING:
    from federation.adapters.store import SqliteStore
    from federation.daemon.place import Place

#: what a file was found to hold: what we wrote, something else, nothing any more, or no
_Outcome: TypeAlias = "Known | Modified | Refusal | None"

log = logging.getLogger(__name__)
#: the folder is not there: everything is written when it is back
_AWAY = frozenset({"file-not-found", "folder-replaced"})


@dataclass(frozen=True, slots=True)
class _Plan:
    """A file that is to show a revision; ``digest``: of what it may hold now (None: nothing)."""

    name: str
    revision: Revision
    #: None: the file goes
    content: bytes | None
    digest: str | None


async def write(place: Place, names: Sequence[str]) -> None:
    """Make files show their documents, as far as that may be done now."""
    plans: list[_Plan] = []
    left = list(dict.fromkeys(names))
    size = 0
    while left and size < limits.FOLDER_READ_BYTES:
        name = left.pop(0)
        try:
            plan = _plan(place, name)
        except Fault as fault:
            log.error("a shared file could not be written: %s", fault, extra={"file": name})
            continue
        if plan is not None:
            plans.append(plan)
            size += len(plan.content or b"")
    for name in left:
        place.show(name)
    if not plans:
        await asyncio.sleep(0)  # there may be thousands that are shown already
    place.writing = frozenset(plan.name for plan in plans)
    try:
        await _write(place, plans)
    finally:
        place.writing = frozenset()


async def _write(place: Place, plans: list[_Plan]) -> None:
    # a folder that gets empty is removed: not while something is written into it
    plans.sort(key=lambda plan: plan.content is None)
    staying = sum(plan.content is not None for plan in plans)
    outcomes = await _carry_out(place.shared, plans[:staying])
    outcomes += await _carry_out(place.shared, plans[staying:])
    written = []
    for plan, found in zip(plans, outcomes, strict=True):
        if isinstance(found, Refusal):
            if found.reason not in _AWAY:
                _later(place, plan.name, found)
        elif isinstance(found, Modified):
            # somebody wrote it: that is recorded first, and then this is done again
            seen = await asyncio.to_thread(place.shared.look, [plan.name])
            now = time.monotonic()
            place.feed(place.folder.receive_edited(plan.name, seen[plan.name], now))
        else:
            written.append((plan, found))
    if written:
        await _note(place, written)


def _plan(place: Place, name: str) -> _Plan | None:
    """What is to be done about a file; None if nothing, or not now."""
    store, folder = place.peer.store, place.folder
    document = store.document(place.file_of(name))
    revision = store.revision(document.current) if document is not None else None
    if revision is None or folder.state is State.AWAY or folder.root is None:
        return None
    row = store.synced_from(place.path_of(name))
    known = folder.known.get(name)
    shown = row is not None and row[1] == revision.revision
    if shown and (known or revision.deleted) and name not in place.restoring:
        return None
    if place.is_missing(name) or (revision.deleted and place.peer.spaces.is_held(revision.file)):
        return None
    # An older version is there because somebody went back to it.
    held = held_at(store, place.path_of(name))
    content = None if revision.deleted else store.content(revision.content_hash)
    digest = held.content_hash if held is not None and not held.deleted else None
    return _Plan(name, revision, content, digest)


def held_at(store: SqliteStore, path: str) -> Revision | None:
    """What a file held when that was last recorded or written; None: nothing that is known."""
    row = store.synced_from(path)
    return None if row is None else store.revision(row[1])


async def _carry_out(shared: Shared, plans: Sequence[_Plan]) -> list[_Outcome]:
    """Some at a time: what the disk is told by many at once takes it hardly longer."""
    parts = [plans[first :: limits.FSYNCS] for first in range(min(len(plans), limits.FSYNCS))]
    done = await asyncio.gather(*(
        asyncio.to_thread(lambda part=part: [_change(shared, plan) for plan in part])  # type: ignore[misc]
        for part in parts
    ))  # fmt: skip
    return [done[number % len(parts)][number // len(parts)] for number in range(len(plans))]


def _change(shared: Shared, plan: _Plan) -> _Outcome:
    """Write the file or remove it, if it holds what the plan says."""
    try:
        if plan.content is not None:
            return shared.write(plan.name, plan.content, plan.digest)
        return shared.delete(plan.name, plan.digest or "")
    except Refusal as refusal:
        return refusal


async def _note(place: Place, written: Sequence[tuple[_Plan, Known | None]]) -> None:
    """These files hold their revisions now; or they are gone, with their documents."""
    store, now = place.peer.store, time.monotonic()
    for plan, known in written:
        place.restoring.discard(plan.name)
        folder = place.folder
        place.feed(folder.written(plan.name, known, now) if known else folder.removed(plan.name))

    def note() -> None:
        for plan, known in written:
            revision = plan.revision
            store.set_synced_from(place.path_of(plan.name), revision.file, revision.revision)
            if known is not None:
                store.put_file(place.key, plan.name, known)
            else:
                store.drop_file(place.key, plan.name)

    try:
        await place.peer.turns.ask(lambda _now: note())
    except Refusal:  # the disk is full: noted before anything else that is asked
        place.peer.turns.post_lazily(lambda _now: note())
        raise


def _later(place: Place, name: str, refusal: Refusal) -> None:
    """An editor has it, the disk is full: again in a moment."""
    log.info("a shared file could not be written: %s", refusal, extra={"file": name})
    asyncio.get_running_loop().call_later(limits.WRITE_AGAIN, place.show, name)
