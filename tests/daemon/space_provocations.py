# SPDX-License-Identifier: MIT
"""For each refusal of the methods about spaces: how to get it."""

from __future__ import annotations

from federation import limits
from tests.daemon.provocations import Params, Provoked, fixed, provokes

for _name in ("share", "leave", "set", "confirm", "restore"):
    _more = {"path": "%"} if _name == "share" else {}
    fixed(f"spaces.{_name}", "unknown-space", space="nowhere", **_more)
for _name in ("confirm", "restore"):
    fixed(f"spaces.{_name}", "nothing-held", space="commons")
fixed("spaces.create", "bad-space", space="No Space")
fixed("spaces.create", "space-exists", space="commons")
fixed("spaces.create", "space-encrypted", space="x", kind="encrypted")
fixed("spaces.share", "file-not-found", path="%/nothing")
fixed("spaces.share", "folder-overlap", path="%")
fixed("spaces.share", "path-not-absolute", path="nothing")
fixed("spaces.share", "path-not-regular", path=".")
fixed("spaces.share", "path-tramp", path="/ssh:host:/folder")
fixed("spaces.share", "path-traversal", path="%/../x")


@provokes(("spaces.create", "queue-full"))
async def _many(world: Provoked) -> Params:
    world.patch.setattr(limits, "SPACES", 1)
    return {"space": "x"}


@provokes(("spaces.share", "path-not-directory"))
async def _file(world: Provoked) -> Params:
    return {"path": world.here.write("user/file.md", "text")}


@provokes(("spaces.share", "space-shared"))
async def _second(world: Provoked) -> Params:
    for name in ("one", "two"):
        (world.folder / name).mkdir()
    await world.front.call("spaces.share", path=str(world.folder / "one"))
    return {"path": str(world.folder / "two")}
