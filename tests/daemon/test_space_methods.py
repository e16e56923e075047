# SPDX-License-Identifier: MIT
"""The methods about spaces, as a front end calls them."""

from __future__ import annotations

from pathlib import Path

from tests.daemon.folders import quick, shown
from tests.daemon.running import NOBODY, running, until

__all__ = ["quick"]  # a fixture


async def test_settings_hold_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    async with running(tmp_path, NOBODY) as here:
        front = here.front()
        await front.call("spaces.share", path=str(folder))
        row = await front.call("spaces.set", auto_sync=False)
        assert (row["auto_sync"], row["state"]) == (False, "off")
        (folder / "x.md").write_text("x")
        (folder / "x.exe").write_text("x")
        (folder / ".hidden.md").write_text("x")
        (row,) = (await front.call("spaces.list"))["spaces"]
        assert (row["waiting"], row["documents"], row["last_import"]) == (1, 0, None)
        assert (await front.call("sync.all"))["imported"] == 1
        (row,) = (await front.call("spaces.list"))["spaces"]
        assert (row["waiting"], row["documents"]) == (0, 1)
        assert row["last_import"].endswith("Z")
        (folder / "y.md").write_text("y")
        row = await front.call("spaces.set", auto_sync=True, interval=5)
        assert row["interval"] == 5
        await until(lambda: shown(here, "y.md") == b"y")
        assert (await front.call("spaces.leave", space="commons"))["space"] == "commons"
        (row,) = (await front.call("spaces.list"))["spaces"]
        assert (row["folder"], row["documents"]) == (None, 2)
        (folder / "y.md").write_text("nobody looks")
        await front.call("sync.all")
        assert shown(here, "y.md") == b"y"
        await front.call("spaces.share", path=str(folder))
        await until(lambda: b"nobody looks" in (shown(here, "y.md") or b""))
