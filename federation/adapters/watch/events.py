# SPDX-License-Identifier: MIT
"""News of a shared folder, as they happen: watchfiles in a thread, one for each folder.

Only the folders that a safe walk found are watched, each by itself: watching
recursively would follow links to anywhere.  What is told are hints.  Where some
may be missing (a new folder, too many at once, a watch that broke) the hint is
that anything may have changed, and a whole listing finds out what.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
import threading
from pathlib import Path

from watchfiles._rust_notify import RustNotify

from federation import limits
from federation.adapters.watch.scan import scan
from federation.machines.folder import Root, is_aside

log = logging.getLogger(__name__)


class Watch:
    """The news of one folder.  Made and used in one event loop.

    ``problem`` says why there are none at present; empty while it works.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._names: set[str] = set()
        self._all = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {path.name}", daemon=True)
        self._thread.start()

    async def next(self) -> frozenset[str] | None:
        """Wait for news: relative names, or None when anything may have changed.

        The first news come when the watch is set up, and are None.  Names that
        are hidden or temporary are left out.
        """
        await self._news.wait()
        self._news.clear()
        names, everything = frozenset(self._names), self._all
        self._names, self._all = set(), False
        return None if everything else names

    async def close(self) -> None:
        """Stop; the thread ends within a moment."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join)

    # --- in the loop --------------------------------------------------------------------
    def _arrived(self, names: set[str] | None, problem: str) -> None:
        if problem and problem != self.problem:
            log.warning("changes in a shared folder show in listings only: %s", problem)
        self.problem = problem
        if names is not None and len(self._names) + len(names) <= limits.WATCH_NAMES:
            self._names |= names
        else:
            self._names, self._all = set(), True
        self._news.set()

    # --- in the thread ------------------------------------------------------------------
    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                again = self._watch()
            except (OSError, RuntimeError) as error:  # the library raises no others
                self._tell(None, str(error) or type(error).__name__)
                again = limits.WATCH_AGAIN
            self._stop.wait(again)

    def _watch(self) -> float:
        """Watch until the folders have changed; how long to wait before it is done anew."""
        found, root = scan(self.path)
        folders = found.folders[: limits.WATCH_FOLDERS]
        paths = [str(self.path / name) for name in folders]
        # milliseconds: news are gathered so long, in these steps; so long it waits for any
        spans = (limits.WATCH_GATHER, limits.WATCH_GATHER / 2, limits.WATCH_AGAIN)
        gather, step, wait = (round(1000 * span) for span in spans)
        with RustNotify(paths, False, False, 0, False, True) as notify:
            if scan(self.path)[0].folders != found.folders:
                return limits.WATCH_GATHER  # one came before it could be watched
            self._tell(None, "")
            while True:
                raw = notify.watch(gather, step, wait, self._stop)
                if isinstance(raw, str):  # "stop", or nothing for a while
                    if self._stop.is_set() or not _is_at(root, self.path):
                        return 0.0
                    continue
                changed = {path for _, path in raw}
                if not changed.isdisjoint(paths) or any(map(_is_folder, changed)):
                    return limits.WATCH_GATHER
                names = {os.path.relpath(path, self.path) for path in changed}
                if wanted := {name for name in names if not is_aside(name)}:
                    self._tell(wanted, "")

    def _tell(self, names: set[str] | None, problem: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
            self._loop.call_soon_threadsafe(self._arrived, names, problem)


def _is_at(root: Root, path: Path) -> bool:
    """Whether the folder is still there; another one may be mounted or moved to its place."""
    status = os.lstat(path)
    return (status.st_dev, status.st_ino) == (root.device, root.inode)


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode) and not is_aside(os.path.basename(path))
    except OSError:
        return False
