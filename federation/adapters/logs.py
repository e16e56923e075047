# SPDX-License-Identifier: MIT
"""Structured logs: a rotating file in the state directory, warnings on standard error.

Remote text reaches a log only sanitised; secrets never do.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import time
import unicodedata
from collections import deque
from io import TextIOWrapper
from pathlib import Path
from typing import Literal

from federation import limits
from federation.identity.characters import is_blank

_ROOT = "federation"
_UNSHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_STANDARD = frozenset(vars(logging.makeLogRecord({})))


def sanitise(text: str) -> str:
    """Text without controls, line breaks, direction changes, or what does not show."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        f"\\u{ord(character):04x}"
        if unicodedata.category(character) in _UNSHOWN or is_blank(character, before)
        else character
        for before, character in zip(("", *text), text, strict=False)
    )


class _Formatter(logging.Formatter):
    def __init__(self, form: Literal["text", "json"]) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """One line a record."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        stamp = f"{moment}.{int(record.msecs):03d}Z"
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        text = sanitise(record.getMessage())
        if record.exc_info:
            text += " " + sanitise(self.formatException(record.exc_info))
        if self._form == "json":
            extra = {
                key: sanitise(value) if isinstance(value, str) else value
                for key, value in extra.items()
            }
            line = {"time": stamp, "level": record.levelname.lower(), "room": record.name,
                    "message": text, **extra}  # fmt: skip
            return json.dumps(line, ensure_ascii=False, default=str)
        pairs = "".join(f" {key}={sanitise(str(value))}" for key, value in extra.items())
        return f"{stamp} {record.levelname.lower():7} {text}{pairs}"


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """A rotating file that nobody else can read, after each rotation too."""

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(self.baseFilename, flags, 0o600)
        os.fchmod(handle, 0o600)
        return open(handle, "a", encoding="utf-8", errors="backslashreplace")

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - its name
        """By what is there: the line is not put together twice, as the handler's own way is."""
        full = self.stream is not None and os.fstat(self.stream.fileno()).st_size >= self.maxBytes
        return self.maxBytes > 0 and full


def set_up(path: Path, level: str, form: Literal["text", "json"]) -> None:
    """Log to a file (0600, rotated), and warnings to standard error."""
    root = logging.getLogger(_ROOT)
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    to_file: logging.Handler = _PrivateFile(
        path, maxBytes=limits.LOG_FILE, backupCount=limits.LOG_FILES, encoding="utf-8"
    )
    to_people = logging.StreamHandler()
    to_people.setLevel(logging.WARNING)
    for handler in (to_file, to_people):
        handler.setFormatter(_Formatter(form))
        root.addHandler(handler)
    root.propagate = False
    set_level(level)
    logging.raiseExceptions = False


def set_level(level: str) -> None:
    """Change the level: debug, info, warning or error."""
    logging.getLogger(_ROOT).setLevel(level.upper())


def tail(path: Path, lines: int) -> list[str]:
    """The newest lines of the log, oldest of them first."""
    found: deque[str] = deque(maxlen=lines)
    for number in range(limits.LOG_FILES, -1, -1):
        one = path if number == 0 else path.with_name(f"{path.name}.{number}")
        try:
            with open(one, encoding="utf-8", errors="replace") as stream:
                found.extend(line.rstrip("\n") for line in stream)
        except FileNotFoundError:
            continue
    return list(found)
