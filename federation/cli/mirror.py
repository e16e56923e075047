# SPDX-License-Identifier: MIT
"""The verb ``mirror``: a git repository that follows the documents."""

from __future__ import annotations

import os
from typing import cast

from federation.cli.context import Context, Row
from federation.cli.output import Result, clean, count, usage_error


def mirror(context: Context) -> Result:
    """Show, start or stop the git mirror."""
    action, path = context.argument("action"), context.argument("path")
    if (action == "git") != (path is not None):
        raise usage_error("`git` needs a PATH, and nothing else takes one", "mirror git PATH")
    if action == "git":
        data = context.call("mirror.git", {"path": os.path.abspath(path)})
    else:
        data = context.call("mirror.off" if action == "off" else "mirror.status")
    return Result(data, _lines(data))


def _lines(data: Row) -> list[str]:
    if data["state"] == "off":
        return ["No git repository follows the documents."]
    left = cast("int", data["waiting"])
    rest = f", {count(left, 'revision')} to be recorded" if left else ""
    lines = [f"{clean(data['path'])} follows the documents{rest}"]
    error = cast("Row | None", data["error"])
    if error is not None:
        lines.append(f"It lags behind: {clean(error['message'])} ({clean(error['hint'])})")
    return lines
