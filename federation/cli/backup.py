# SPDX-License-Identifier: MIT
"""The verb ``backup``: archives of the state directory, verified, rotated, brought back."""

from __future__ import annotations

import time
from pathlib import Path

from federation.adapters import archive, runtime
from federation.cli.context import Context
from federation.cli.output import Result, clean, count, usage_error
from federation.errors import Refusal


def backup(context: Context) -> Result:
    """Make an archive, verify one, or bring one back into a new state directory."""
    if context.argument("verify") and context.argument("restore"):
        raise usage_error("--verify and --restore exclude one another", "backup --help")
    path = runtime.absolute(context.argument("path"), context.environ)
    if context.argument("verify"):
        manifest = archive.verify(path)
        return Result(
            {"archive": str(path), **manifest},
            [f"{clean(path)} is whole: {count(len(manifest['files']), 'file')}"],
        )
    if context.argument("restore"):
        return _restore(context, path)
    made, gone = make(context.state_dir(), path, int(context.argument("keep")))
    lines = [f"{clean(made)} is made and verified"]
    lines += [f"{clean(one)} is removed" for one in gone]
    return Result({"archive": str(made), "removed": [str(one) for one in gone]}, lines)


def make(state_dir: Path, folder: Path, keep: int) -> tuple[Path, list[Path]]:
    """A new archive of a state directory, and the older ones that went for it."""
    if not (state_dir / "identity.json").exists():
        raise Refusal("identity-missing", str(state_dir))
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    made = archive.make(state_dir, folder, moment)
    return made, archive.rotate(folder, keep)


def _restore(context: Context, path: Path) -> Result:
    state_dir = context.state_dir(running=False)
    runtime.check_state_dir(state_dir, context.environ)
    manifest = archive.restore(path, state_dir)
    line = f"{clean(state_dir)} is as it was at {manifest['made']}"
    return Result(
        {"archive": str(path), "state_dir": str(state_dir), **manifest},
        [line, "Never start it while the old one runs."],
    )
