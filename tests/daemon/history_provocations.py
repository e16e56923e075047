# SPDX-License-Identifier: MIT
"""The refusals that have to do with comparing revisions and with the git mirror."""

from __future__ import annotations

from federation.errors import Refusal
from tests.daemon.file_provocations import dropped
from tests.daemon.provocations import Params, Provoked, fixed, provokes


@provokes(("history.diff", "unknown-revision"))
async def _unknown_side(world: Provoked) -> Params:
    return {"file": "a.md", "old": await world.here.sync("a.md", "text"), "new": "0" * 64}


@provokes(("history.diff", "content-dropped"))
async def _dropped_side(world: Provoked) -> Params:
    return {"file": "a.md", "old": (await dropped(world))["revision"]}


# --- the mirror --------------------------------------------------------------------------------
fixed("mirror.git", "config-unsafe-sync-dir", path="%")
fixed("mirror.git", "path-too-long", path="%/" + "x" * 300)


@provokes(("mirror.git", "path-not-directory"))
async def _file_above_mirror(world: Provoked) -> Params:
    return {"path": world.here.write("file.md", "text") + "/x/git"}


@provokes(("mirror.git", "mirror-exists"))
async def _second_mirror(world: Provoked) -> Params:
    await world.front.call("mirror.git", path=str(world.folder / "first"))
    return {"path": str(world.folder / "second")}


@provokes(("mirror.git", "missing-program"))
async def _without_dulwich(world: Provoked) -> Params:
    class Missing:
        def __init__(self, _path: object, *, bare: bool) -> None:
            raise Refusal("missing-program", f"dulwich, bare {bare}")

    world.patch.setattr("federation.daemon.mirroring.Mirror", Missing)
    return {"path": str(world.folder / "git")}
