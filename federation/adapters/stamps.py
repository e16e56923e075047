# SPDX-License-Identifier: MIT
"""What the files below a folder look like, without reading them: size and times.

A file whose stamp is the one that was noted holds what it held then.  Whoever
wants to know what another one holds has to read it.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A file's size and times as one word, and how long ago it was changed (seconds).

    The age is negative for a time that is still to come (a clock that was put right).
    """

    text: str
    age: float


def stamps(root: Path) -> dict[str, Stamp]:
    """Relative name -> stamp, of everything below ``root``; no link is followed.

    What cannot be looked at, or goes away meanwhile, is left out.
    """
    now, found = time.time(), dict[str, Stamp]()
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(root / folder) as entries:
                for entry in entries:
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(name)
                    found[name] = _stamp(entry.stat(follow_symlinks=False), now)
        except OSError as error:
            log.debug("%s: %s", root / folder, error.strerror)
    return found


def _stamp(status: os.stat_result, now: float) -> Stamp:
    # The time of the last change of its status, too: that one nobody can set back.
    text = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
    return Stamp(text, now - status.st_mtime)
