# SPDX-License-Identifier: MIT
"""Verbs about conflicts: conflicts, resolve."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

from federation.cli.context import Context, Row
from federation.cli.documents import document_name
from federation.cli.output import (
    CommandError,
    Result,
    clean,
    count,
    short_id,
    table,
    usage_error,
    width,
)
from federation.errors import Refusal

#: a value is cut to this many columns; `--json` has all of it
_COLUMNS: Final = 32
#: least digits of a number that are shown
_DIGITS: Final = 8


def conflicts(context: Context) -> Result:
    """Values that two changed at once, and versions that cannot be merged."""
    data = context.call("conflicts.list")
    rows = cast("list[Row]", data["conflicts"])
    names = _names(context) if rows else {}
    versions = _versions(rows, names)
    places = [(row["file"], place) for row in rows for place in row["places"]]
    lines: list[str] = []
    if places:
        lines += _places(places, names)
        lines.append(
            "`resolve DOCUMENT NUMBER a|b|ours|theirs|both|kept|--value TEXT` settles one, "
            "for everybody."
        )
    if versions and lines:
        lines.append("")
    if versions:
        lines += table(("document", "revision", "time", "who", "bytes", "path"), versions)
        lines.append("`restore FILE REVISION` makes one of them the newest.")
    return Result(data, lines or ["No conflicts."])


def _versions(conflicted: Sequence[Row], names: Mapping[str, str]) -> list[Sequence[object]]:
    return [
        (conflict["file"],
         str(version["revision"])[:12]
         + (" (in place)" if version["revision"] == conflict["current"] else ""),
         version["time"], _name(version["peer_id"], names), version["size"], version["path"])
        for conflict in conflicted
        for version in conflict["versions"]
    ]  # fmt: skip


def _names(context: Context) -> dict[str, str]:
    """Peer id -> what people call it; this peer is `you`."""
    known = cast("list[Row]", context.call("peers.list")["peers"])
    names = {str(peer["peer_id"]): str(peer["name"] or short_id(peer["peer_id"])) for peer in known}
    return {**names, str(context.call("status")["peer_id"]): "you"}


def _name(peer: object, names: Mapping[str, str]) -> str:
    return names.get(str(peer), short_id(peer))


def _places(places: Sequence[tuple[str, Row]], names: Mapping[str, str]) -> list[str]:
    digits = _short([str(place["number"]) for _file, place in places])
    rows = [
        (str(place["number"])[:digits], file,
         "/".join(map(str, place["path"])) or "(the document itself)",
         _cut(place["base"], "-"), _side(place["a"], names), _side(place["b"], names),
         place["kept"])
        for file, place in places
    ]  # fmt: skip
    return table(("number", "document", "where", "before", "a", "b", "stands"), rows)


def _short(numbers: Sequence[str]) -> int:
    """How many digits tell these numbers apart."""
    different = len(set(numbers))
    return next(
        digits
        for digits in range(_DIGITS, 65)
        if digits == 64 or len({one[:digits] for one in numbers}) == different
    )


def _side(side: Row, names: Mapping[str, str]) -> str:
    who = ", ".join(_name(peer, names) for peer in side["peers"])
    return f"{_cut(side['value'], 'removed')} ({who})"


def _cut(value: object, none: str) -> str:
    """A value on one line of bounded width; ``none`` for what is not there."""
    if value is None:
        return none
    text = clean(str(value).rstrip("\r\n").replace("\n", " "))
    if width(text) <= _COLUMNS:
        return text
    while width(text) >= _COLUMNS:
        text = text[: min(len(text) - 1, _COLUMNS)]
    return text + "…"


def resolve(context: Context) -> Result:
    """Settle one conflict, for everybody."""
    number = str(context.argument("number")).lower()
    choice, value = context.argument("choice"), context.argument("value")
    if (choice is None) == (value is None):
        choices = "one of a, b, ours, theirs, both, kept and --value TEXT is needed"
        raise usage_error(choices, "see `conflicts`")
    if re.fullmatch(r"[0-9a-f]{8,64}", number) is None:
        detail = f"{clean(number)} is not the 8 to 64 first digits of a number"
        raise CommandError.of(Refusal("unknown-conflict", detail))
    params: Row = {"file": document_name(context), "number": number, "choice": choice or "value"}
    if value is not None:
        params["value"] = str(value)
    data = context.call("conflicts.resolve", params)
    left = cast("int", data["open"])
    rest = f", {count(left, 'conflict')} left" if left else ""
    revision = str(data["revision"])[:12]
    return Result(
        data, [f"{clean(data['file'])} is now {revision}, in {clean(data['path'])}{rest}"]
    )
