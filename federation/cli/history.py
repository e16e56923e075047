# SPDX-License-Identifier: MIT
"""The verb ``history``: the revisions of a document, and what can be done with one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from federation.cli.context import Context, Row
from federation.cli.documents import document_name, revision_digits
from federation.cli.output import Result, clean, short_id, table, usage_error


def history(context: Context) -> Result:
    """The revisions of a document, oldest first; or compare, show, export or pin some."""
    wanted = [name for name in _WORK if context.argument(name) is not None]
    if not wanted:
        return _list(context)
    (name, *others) = wanted
    others += [one for one in ("limit", "before") if context.argument(one) is not None]
    if others:
        raise usage_error(f"--{name} goes without --{others[0]}", "see history --help")
    given = context.argument(name)
    return _WORK[name](context, [given] if isinstance(given, str) else given)


def _list(context: Context) -> Result:
    params: Row = {"file": document_name(context)}
    limit, before = context.argument("limit"), context.argument("before")
    if limit is not None:
        params["limit"] = limit
    if before is not None:
        params["before"] = revision_digits(before)
    data = context.call("documents.history", params)
    found = cast("list[Row]", data["revisions"])
    rows = [
        (str(entry["revision"])[:12],
         entry["time"] + ("" if entry["clock"] == "ok" else " (unverified)"),
         entry.get("name") or short_id(entry["peer_id"]),
         "deleted" if entry["deleted"] else entry["size"], _state(entry))
        for entry in found
    ]  # fmt: skip
    lines = table(("revision", "time", "who", "bytes", "state"), rows)
    if any(entry["state"] == "merged" for entry in found):
        lines.append("The document shows all that are marked `merged` together.")
    if data.get("more"):
        lines.append(f"There are older ones: --before {str(found[0]['revision'])[:12]}")
    return Result(data, lines)


def _state(entry: Row) -> str:
    marks = [mark for mark in ("pinned", "dropped") if entry.get(mark)]
    return ", ".join([str(entry["state"]), *marks])


def _diff(context: Context, given: list[str]) -> Result:
    if len(given) > 2:
        raise usage_error("--diff takes one or two revisions", "history FILE --diff OLD [NEW]")
    params: Row = {"file": document_name(context), "old": revision_digits(given[0])}
    if len(given) == 2:
        params["new"] = revision_digits(given[1])
    data = context.call("history.diff", params)
    if data["same"]:
        return Result(data, ["The two revisions have the same bytes."])
    if data["text"] is None:
        return Result(data, ["The two revisions differ; one of them is no text."])
    return _text(data, str(data["text"]), "" if data["whole"] else "[cut off here]")


def _show(context: Context, given: list[str]) -> Result:
    params = {"file": document_name(context), "revision": revision_digits(given[0])}
    data = context.call("documents.export", params)
    content = Path(str(data["path"])).read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return Result(data | {"text": None}, raw=content)
    return _text(data | {"text": text}, text)


def _text(data: Row, text: str, end: str = "") -> Result:
    """Text for people where people read it, else as it is; then a line of ours, if any."""
    more = [end] if end else []
    if not sys.stdout.isatty():
        return Result(data, more, raw=text.encode())
    lines = ["\t".join(map(clean, line.split("\t"))) for line in text.split("\n")]
    return Result(data, [*(lines if lines[-1] else lines[:-1]), *more])


def _export(context: Context, given: list[str]) -> Result:
    revision, target = given
    params = {"file": document_name(context), "revision": revision_digits(revision),
              "path": os.path.abspath(target)}  # fmt: skip
    data = context.call("documents.export", params)
    return Result(data, [f"{str(data['revision'])[:12]} is in {clean(data['path'])}"])


def _pin(context: Context, given: list[str]) -> Result:
    params = {"file": document_name(context), "revision": revision_digits(given[0]),
              "on": context.argument("pin") is not None}  # fmt: skip
    data = context.call("history.pin", params)
    what = "stays, whatever is dropped" if data["pinned"] else "is not pinned any more"
    return Result(data, [f"{clean(data['file'])} {str(data['revision'])[:12]} {what}"])


#: flag -> what it asks for
_WORK: Final[dict[str, Callable[[Context, list[str]], Result]]] = {
    "diff": _diff, "show": _show, "export": _export, "pin": _pin, "unpin": _pin,
}  # fmt: skip
