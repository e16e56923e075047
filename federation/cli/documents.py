# SPDX-License-Identifier: MIT
"""Verbs about documents: sync, sync-status, restore."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from federation.cli.context import Context, Row
from federation.cli.output import CommandError, Result, clean, count, short_id, table
from federation.errors import Refusal
from federation.replica.spaces import document_in


def sync(context: Context) -> Result:
    """Import a file as a new revision, or compare everything with the peers."""
    file, peer = context.argument("file"), context.argument("peer")
    if file is None:
        return _sync_all(context, peer)
    wait = bool(context.argument("wait"))
    seconds = float(context.argument("timeout"))
    params: Row = {"path": os.path.abspath(file), "wait": wait, "timeout": seconds}
    data = context.call("sync.file", params, extra=seconds + 0.1 if wait else 0)
    if peer is not None:
        context.call("sync.all", {"peer_id": context.peer_id(peer)})
    revision = str(data["revision"])[:12]
    done = f"{clean(data['file'])} {revision} {clean(data['state'])}"
    lines = [f"{done}, copy in {clean(data['path'])}"]
    if data.get("conflict"):
        lines.append("The document has conflicts: `conflicts` lists them.")
    warnings = [_warning(data["file"], one) for one in cast("list[Row]", data.get("warnings", []))]
    if not wait:
        return Result(data, lines, warnings=warnings)
    missing = cast("list[str]", data.get("missing") or [])
    have = cast("list[str]", data.get("acknowledged") or [])
    lines.append(f"{count(len(have), 'peer')} acknowledged")
    if not missing:
        return Result(data, lines, warnings=warnings)
    names = ", ".join(map(short_id, missing))
    late = Refusal("timeout", f"{names} did not acknowledge in {seconds:g} s",
                   hint="it is kept, and sent again")  # fmt: skip
    return Result(data, lines, problem=CommandError.of(late), warnings=warnings)


def _warning(file: object, fault: Row) -> str:
    """What is wrong with a canvas, and where; it was synced as it is."""
    more = f" (and {count(fault['more'], 'more place')})" if fault["more"] else ""
    return f"{file}, line {fault['line']}: {fault['text']}{more}"


def _sync_all(context: Context, peer: str | None) -> Result:
    if context.argument("wait"):
        raise CommandError.of(
            Refusal("rpc-invalid-params", "--wait needs a FILE", hint="sync FILE --wait")
        )
    params: Row = {} if peer is None else {"peer_id": context.peer_id(peer)}
    data = context.call("sync.all", params)
    asked = cast("list[str]", data["peers"])
    imported = count(data["imported"], "document")
    return Result(data, [f"{imported} imported, {count(len(asked), 'peer')} asked"])


def sync_status(context: Context) -> Result:
    """What waits in each space, and who has which document."""
    data = context.call("sync.status", {"deleted": bool(context.argument("deleted"))})
    lines = [*space_lines(cast("list[Row]", data["spaces"])), ""]
    documents = cast("list[Row]", data["documents"])
    rows = [
        (str(document["file"]) + (" (deleted)" if document["deleted"] else ""),
         str(document["revision"])[:12], len(document["acknowledged"]),
         " ".join(map(short_id, document["pending"])) or "-")
        for document in documents
    ]  # fmt: skip
    headers = ("document", "revision", "peers have it", "waiting for")
    return Result(data, lines + (table(headers, rows) if rows else ["No documents yet."]))


def space_lines(spaces: Sequence[Row]) -> list[str]:
    """A line for each space, and what to do about deletions that are held."""
    rows = [
        (space["name"], space["kind"], space["folder"] or space["home"], space["documents"],
         "on" if space["auto_sync"] else "off", f"{space['interval']:g} s", space["waiting"],
         space["held"], space["last_import"] or "-", _state(space))
        for space in spaces
    ]  # fmt: skip
    headers = ("space", "kind", "folder", "documents", "auto-sync", "interval", "waiting", "held",
               "last import", "state")  # fmt: skip
    lines = table(headers, rows)
    for space in spaces:
        if space["held"]:
            name = clean(space["name"])
            lines.append(
                f"{count(space['held'], 'deletion')} of {name} held: `space confirm {name}` "
                f"deletes, `space restore-held {name}` brings the files back."
            )
    return lines


def _state(space: Row) -> str:
    reason = f" ({space['reason']})" if space["reason"] else ""
    return f"{space['state']}{reason}"


def document_name(context: Context) -> str:
    """The document that the argument names; a path in a folder of a space names it, too.

    A relative path does so where there is such a file.
    """
    given = str(context.argument("file"))
    relative = not os.path.isabs(given)
    if relative and not os.path.lexists(given):
        return given
    path = Path(os.path.abspath(given))
    for space in cast("list[Row]", context.call("spaces.list")["spaces"]):
        folder = space["folder"]
        if folder is not None and path.is_relative_to(folder):
            return document_in(str(space["name"]), path.relative_to(folder).as_posix())
    synced = Path(str(context.call("status")["synced_dir"]))
    if path.is_relative_to(synced):
        return path.relative_to(synced).as_posix()
    return given if relative else path.name


def revision_digits(text: object) -> str:
    """The first digits of a revision's id, as the peer takes them."""
    wanted = str(text).lower()
    if re.fullmatch(r"[0-9a-f]{8,64}", wanted) is None:
        detail = f"{clean(wanted)} is not the 8 to 64 first digits of an id"
        raise CommandError.of(Refusal("unknown-revision", detail))
    return wanted


def restore(context: Context) -> Result:
    """Make an earlier revision the newest."""
    wanted = revision_digits(context.argument("revision"))
    params = {"file": document_name(context), "revision": wanted}
    data = context.call("documents.restore", params)
    revision = str(data["revision"])[:12]
    return Result(data, [f"{clean(data['file'])} is now {revision}, in {clean(data['path'])}"])
