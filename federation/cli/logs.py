# SPDX-License-Identifier: MIT
"""The verb ``logs``: the end of the log file, with or without a running peer."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from federation import limits
from federation.adapters import runtime
from federation.cli.context import Context
from federation.cli.output import OK, Result, clean

#: How often a followed log is looked at (seconds).
_INTERVAL: Final = 0.2
LEVELS: Final = ("debug", "info", "warning", "error")


def logs(context: Context) -> Result | int:
    """The newest lines of the log; with ``--follow`` also those that come, until interrupted."""
    path = context.state_dir() / runtime.LOG_NAME
    level = context.argument("level")
    lines = tail(path, int(context.argument("lines")), level)
    if not context.argument("follow"):
        shown = [clean(line) for line in lines] or ["The log is empty."]
        return Result({"lines": lines}, shown)
    for line in lines:
        _print(line, as_json=context.as_json)
    for line in follow(path, lambda: time.sleep(_INTERVAL)):
        if reaches(line, level):
            _print(line, as_json=context.as_json)
    return OK


def _print(line: str, *, as_json: bool) -> None:
    print(json.dumps({"line": line}) if as_json else clean(line), flush=True)


def reaches(line: str, level: str | None) -> bool:
    """Whether a line of the log, of either form, is of this level or above."""
    if level is None:
        return True
    try:
        value = json.loads(line) if line.startswith("{") else None
    except ValueError:
        value = None
    found = value.get("level") if isinstance(value, dict) else "".join(line.split()[1:2])
    return found not in LEVELS or LEVELS.index(found) >= LEVELS.index(level)


def tail(path: Path, count: int, level: str | None = None) -> list[str]:
    """The last ``count`` lines of a level, from the file and those before it."""
    lines: deque[str] = deque(maxlen=count)
    older = range(limits.LOG_FILES, 0, -1)
    for part in (*(path.with_name(f"{path.name}.{number}") for number in older), path):
        try:
            with part.open(encoding="utf-8", errors="replace") as file:
                lines.extend(line.rstrip("\n") for line in file if reaches(line, level))
        except FileNotFoundError:
            continue
    return list(lines)


def follow(path: Path, pause: Callable[[], None]) -> Iterator[str]:
    """The lines written from now on, also after the file was put aside for a new one."""
    try:
        position = path.stat().st_size
        current = path.stat().st_ino
    except FileNotFoundError:
        position = current = 0
    rest = b""
    while True:
        pause()
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != current or status.st_size < position:
                    position, current, rest = 0, status.st_ino, b""
                file.seek(position)
                data = file.read()
        except FileNotFoundError:
            continue
        position += len(data)
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")
