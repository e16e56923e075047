# SPDX-License-Identifier: MIT
"""Verbs about spaces: space, auto-sync, interval."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, cast

from federation.cli.context import Context, Row
from federation.cli.documents import space_lines
from federation.cli.output import Result, clean, count, usage_error
from federation.errors import Refusal
from federation.replica.spaces import COMMONS


def space(context: Context) -> Result:
    """Share, make, show and leave spaces, and decide about deletions that are held."""
    action = str(context.argument("action"))
    target = context.argument("target")
    if action == "list":
        spaces = _spaces(context)
        return Result({"spaces": spaces}, space_lines(spaces))
    if target is None and action != "show":
        what = "a FOLDER" if action == "share" else "the NAME of a space"
        raise usage_error(f"space {action} needs {what}", "see meta-log-peer-sync space --help")
    return _ACTIONS[action](context, str(target or COMMONS))


def _spaces(context: Context) -> list[Row]:
    return cast("list[Row]", context.call("spaces.list")["spaces"])


def _show(context: Context, name: str) -> Result:
    for one in _spaces(context):
        if one["name"] == name:
            lines = [f"{key.replace('_', ' ')}: {clean(value)}" for key, value in one.items()]
            return Result(one, lines)
    raise Refusal("unknown-space", clean(name))


def _share(context: Context, folder: str) -> Result:
    name = _named(context)
    data = context.call("spaces.share", {"path": os.path.abspath(folder), "space": name})
    return Result(data, [f"{clean(data['folder'])} shows {clean(name)} now, and is watched"])


def _create(context: Context, name: str) -> Result:
    kind = "encrypted" if context.argument("encrypted") else "local"
    data = context.call("spaces.create", {"space": name, "kind": kind})
    return Result(data, [f"{clean(name)} is a local space, in {clean(data['home'])}"])


def _leave(context: Context, name: str) -> Result:
    data = context.call("spaces.leave", {"space": name})
    return Result(data, [f"The folder of {clean(name)} is watched no more; its files stay."])


def _confirm(context: Context, name: str) -> Result:
    data = context.call("spaces.confirm", {"space": name})
    return Result(data, [f"{count(data['count'], 'file')} of {clean(name)} deleted for everybody"])


def _restore(context: Context, name: str) -> Result:
    data = context.call("spaces.restore", {"space": name})
    return Result(data, [f"{count(data['count'], 'file')} of {clean(name)} written again"])


_ACTIONS: Final[dict[str, Callable[[Context, str], Result]]] = {
    "share": _share,
    "create": _create,
    "show": _show,
    "leave": _leave,
    "confirm": _confirm,
    "restore-held": _restore,
}


def _named(context: Context) -> str:
    return str(context.argument("space") or COMMONS)


def auto_sync(context: Context) -> Result:
    """Take changes of files as they happen, or only when asked."""
    on = context.argument("switch") == "on"
    name = _named(context)
    data = context.call("spaces.set", {"space": name, "auto_sync": on})
    then = "taken as they happen" if on else "taken by `sync` only"
    return Result(data, [f"Changes in {clean(name)} are {then}."])


def interval(context: Context) -> Result:
    """Seconds between two whole looks at the folders of a space."""
    name, seconds = _named(context), float(context.argument("seconds"))
    data = context.call("spaces.set", {"space": name, "interval": seconds})
    return Result(data, [f"{clean(name)} is looked through every {seconds:g} s"])
