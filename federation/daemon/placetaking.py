# SPDX-License-Identifier: MIT
"""Taking what other programs did to the files of a folder: each change is a revision.

What a file held before is what the change was made from.  A file that is new in
a shared folder, while there is a document of its name, was made from nothing:
both are merged, and neither is written over.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from federation import limits
from federation.adapters.watch import Shared
from federation.daemon.placewriting import held_at
from federation.errors import Refusal
from federation.events import Instant
from federation.machines.folder import Delete, Effect, Known, Move, Note, Read, Seen, Take
from federation.replica.names import kind_of
from federation.replica.soundness import Fault, new_faults
from federation.wire import timestamps

if TYPE_CHECKING:
    from federation.daemon.place import Place

log = logging.getLogger(__name__)
#: refusals of a change that a later try may not meet
PASSING = frozenset({
    "disk-full", "path-io-error", "queue-full", "shutting-down", "internal-error",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Changed:
    """A change of a file that is to be recorded; ``content`` is what the file holds now."""

    effect: Take | Move | Delete
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of a change: whether there is a new revision, and what a canvas held before."""

    new: bool
    #: None where there is no canvas to look at
    before: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """A file that was looked into: read, or else what it looks like, and why it was not read."""

    name: str
    read: tuple[bytes, Known] | None
    seen: Seen | None
    reason: str
    locked: bool


async def read(place: Place, names: Sequence[str]) -> None:
    """Read some files, and tell the machine what they hold.

    One that an editor has unsaved changes of is left alone for a while: the
    editor tells what it saved itself.
    """
    now = time.monotonic()
    overdue = {name for name, at in place.locked.items() if now - at >= limits.FOLDER_LOCKED}
    before = {name: place.folder.known.get(name) for name in names}
    found = await asyncio.to_thread(_look_into, place.shared, names, overdue)
    changes: list[Changed] = []
    others: list[Effect] = []
    for one in found:
        now = time.monotonic()
        if one.locked:
            place.locked.setdefault(one.name, now)
        else:
            place.locked.pop(one.name, None)
        if one.read is not None and place.folder.known.get(one.name) != before[one.name]:
            # we have written it while it was read: what it held then is known, or not of interest
            others += place.folder.receive_paths({one.name: one.read[1].seen}, now)
        elif one.read is not None:
            content, known = one.read
            for effect in place.folder.receive_read(one.name, known, now):
                if isinstance(effect, Take | Move):
                    changes.append(Changed(effect, content))
                else:
                    others.append(effect)
        elif one.reason and one.seen is not None:
            others += place.folder.receive_refused(one.name, one.reason, one.seen, now)
        else:
            others += place.folder.receive_paths({one.name: one.seen}, now)
    # what these hold is recorded before more is read, and what is alike comes together
    others.sort(key=lambda effect: isinstance(effect, Read))
    place.feed([*changes, *others, *(Read(name) for name in names[len(found) :])])


def _look_into(shared: Shared, names: Sequence[str], overdue: Collection[str]) -> list[_Found]:
    """In a thread: read files, as many as may be in memory at a time."""
    found: list[_Found] = []
    size = 0
    for name in names:
        try:
            locked = shared.is_locked(name)
            content = None if locked and name not in overdue else shared.read(name)
            reason = ""
        except Refusal as refusal:
            locked, content, reason = False, None, refusal.reason
        seen = shared.look([name])[name] if content is None else None
        found.append(_Found(name, content, seen, reason, locked))
        size += len(content[0]) if content is not None else 0
        if size >= limits.FOLDER_READ_BYTES:
            break
    return found


async def record(place: Place, changes: Sequence[Changed]) -> None:
    """Make changes of files revisions of their documents, in one turn where it has the time."""
    asked = [place.peer.turns.ask(partial(_at, place, one)) for one in changes]
    results = await asyncio.gather(*asked, return_exceptions=True)
    canvases: list[tuple[str, bytes, bytes]] = []
    for one, result in zip(changes, results, strict=True):
        if isinstance(result, Refusal):
            _refused(place, one.effect, result)
        elif isinstance(result, BaseException):
            raise result
        elif result is None:
            _once_more(place, one.effect)
        else:
            place.taken += result.new
            place.unrecorded.pop(one.effect.name, None)
            if result.before is not None:
                canvases.append((one.effect.name, result.before, one.content))
            if not place.home:
                place.show(one.effect.name)
    if canvases:
        _warn(place, await asyncio.to_thread(_broken, canvases))


async def note(place: Place, notes: Sequence[Note]) -> None:
    """What these files look like now, that hold what is recorded."""
    store, left = place.peer.store, place.unrecorded
    noted = [one for one in notes if left.get(one.name) != one.known.digest]

    def put() -> list[str]:
        doubted: list[str] = []
        for one in noted:
            held = held_at(store, place.path_of(one.name))
            if held is not None and held.content_hash == one.known.digest:
                store.put_file(place.key, one.name, one.known)
            else:  # something else was recorded since, and somebody went back to this
                doubted.append(one.name)
        return doubted

    if not noted:
        return
    for name in await place.peer.turns.ask(lambda _now: put()):
        place.folder.doubt(name, time.monotonic())
    place.feed(())
    if not place.home:
        for one in noted:
            place.show(one.name)


def _broken(canvases: Sequence[tuple[str, bytes, bytes]]) -> list[tuple[str, Fault]]:
    """In a thread: the canvases that were not broken so before, with the first new fault."""
    found = [(name, new_faults(kind_of(name), old, new)) for name, old, new in canvases]
    return [(name, faults[0]) for name, faults in found if faults]


def _warn(place: Place, broken: Sequence[tuple[str, Fault]]) -> None:
    """Say of broken canvases what `sync` says of one: they were taken as they are."""
    for name, fault in broken:
        about = {"file": place.path_of(name), "line": fault.line, "fault": fault.text}
        log.warning("a canvas was taken as it is, and is broken", extra=about)


def _at(place: Place, one: Changed, now: Instant) -> _Done | None:
    return place.peer.node.at(now, lambda: _change(place, one.effect, one.content))


def _once_more(place: Place, effect: Take | Move | Delete) -> None:
    place.folder.failed(effect, time.monotonic())
    place.feed(())


def _refused(place: Place, effect: Take | Move | Delete, refusal: Refusal) -> None:
    if refusal.reason in PASSING:
        _once_more(place, effect)
    else:
        if not isinstance(effect, Delete):
            place.unrecorded[effect.name] = effect.known.digest
        place.report(effect.name, refusal.message)


def _change(place: Place, effect: Take | Move | Delete, content: bytes) -> _Done | None:
    """In a turn: whether there is a new revision, of what; None: it holds something else now.

    What a file held a moment ago may be what a later one was made from, that is
    recorded already: recorded after that one, it would take it back.
    """
    store, node, changed = place.peer.store, place.peer.node, False
    before: bytes | None = None
    if not isinstance(effect, Delete):
        if place.shared.look([effect.name])[effect.name] != effect.known.seen:
            return None
        file, path = place.file_of(effect.name), place.path_of(effect.name)
        if kind_of(file) != "text" and len(content) <= limits.CHECK_CANVAS:
            before = _held(place, effect.old if isinstance(effect, Move) else effect.name)
        changed = node.import_changed(file, content, path, apart=not place.home)
        store.put_file(place.key, effect.name, effect.known)
    if not isinstance(effect, Take):
        gone = effect.old if isinstance(effect, Move) else effect.name
        # a file that is known again, or there, was written since: what was deleted is older
        if gone not in place.folder.known and place.shared.look([gone])[gone] is None:
            deleted = node.delete(place.file_of(gone), place.path_of(gone))
            changed = changed or deleted is not None
            store.drop_file(place.key, gone)
    if changed:
        now = timestamps.format_us(node.context.now.wall_us)
        store.set_meta(f"imported {place.space.name}", now)
    return _Done(changed, before if changed else None)


def _held(place: Place, name: str) -> bytes | None:
    """What a file held when it was read or written last; None where that was dropped."""
    store = place.peer.store
    revision = held_at(store, place.path_of(name))
    try:
        return store.content(revision.content_hash) if revision is not None else b""
    except Refusal:  # what an old version was like is worth no line in the log
        return None
