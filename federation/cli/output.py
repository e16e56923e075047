# SPDX-License-Identifier: MIT
"""What verbs print: text for people, JSON for programs, errors as one line, exit codes.

Exit codes: 0 success · 1 the operation failed (no running peer, a broker that
does not answer, a defect) · 2 the input was refused, or the usage is wrong ·
3 a wait ran out; the message names who is missing · 75 (``serve`` only) the
peer that was relayed to went away · 130 interrupted.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from federation.errors import Refusal
from federation.identity.characters import is_blank

OK: Final = 0
FAILED: Final = 1
REFUSED: Final = 2
TIMED_OUT: Final = 3
INTERRUPTED: Final = 130
PROGRAM: Final = "meta-log-peer-sync"

#: Unicode categories that do something else than show: controls, formats (with the
#: direction marks), surrogates, private and unassigned characters, line separators.
_UNSHOWN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Result:
    """What a verb found: ``data`` for ``--json``, ``lines`` for people.

    ``raw`` is written before the lines, byte for byte, when people did not ask
    for JSON.  ``problem`` is an error to report beside it, which decides the exit code;
    without one that is ``code``.  ``warnings`` go to standard error, a line each, when
    people did not ask for JSON, and change nothing else.
    """

    data: object
    lines: Sequence[str] = ()
    code: int = OK
    problem: CommandError | None = field(default=None)
    raw: bytes = b""
    warnings: Sequence[str] = ()


class CommandError(Exception):
    """An error in the form of ``--json``; a refusal of ours or of the running peer."""

    def __init__(self, code: int, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.hint = hint

    @classmethod
    def of(cls, refusal: Refusal) -> CommandError:
        """The same refusal as an error to print."""
        return cls(refusal.code, refusal.reason, refusal.message, refusal.hint)

    @property
    def exit_code(self) -> int:
        """What the process ends with."""
        if self.reason == "timeout":
            return TIMED_OUT
        operation = 5000 <= self.code < 6000 or self.reason == "internal-error"
        return FAILED if operation else REFUSED


def usage_error(message: str, hint: str) -> CommandError:
    """A command line that is not understood, in JSON-RPC's code for wrong parameters."""
    return CommandError(-32602, "usage", message, hint)


def clean(text: object) -> str:
    """Text from elsewhere as one harmless line.

    What does not show, or would move other text, becomes U+FFFD.
    """
    line = str(text)
    if line.isascii() and line.isprintable():
        return line
    return "".join(
        "\ufffd" if unicodedata.category(char) in _UNSHOWN or is_blank(char, before) else char
        for before, char in zip(("", *line), line, strict=False)
    )


def width(text: str) -> int:
    """Columns that ``text`` takes on a terminal."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    marks = sum(unicodedata.combining(char) != 0 for char in text)
    return len(text) + wide - marks


def pad(text: str, columns: int) -> str:
    """``text`` filled up with spaces to ``columns``."""
    return text + " " * (columns - width(text))


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Aligned lines under ``headers``; every cell is made harmless."""
    cells = [list(headers), *([clean(cell) for cell in row] for row in rows)]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(pad, row, widths)).rstrip() for row in cells]


def pairs(entries: Sequence[tuple[str, object]]) -> list[str]:
    """One aligned ``name  value`` line an entry; every value is made harmless."""
    columns = max((width(name) for name, _ in entries), default=0)
    return [f"{pad(name, columns)}  {clean(value)}" for name, value in entries]


def count(number: object, noun: str) -> str:
    """``1 peer``, ``2 peers``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def short_id(peer_id: object) -> str:
    """The short form of a peer id for people (contract)."""
    return clean(str(peer_id)[:13])


def print_result(result: Result, *, as_json: bool) -> int:
    """Print to standard output (and a problem to standard error); the exit code."""
    if as_json:
        print(json.dumps(result.data))
    else:
        if result.raw:
            sys.stdout.flush()
            sys.stdout.buffer.write(result.raw)
        for line in result.lines:
            print(line)
        for warning in result.warnings:
            print(clean(f"{PROGRAM}: warning: {warning}"), file=sys.stderr)
    if result.problem is None:
        return result.code
    return print_error(result.problem, as_json=as_json)


def print_error(error: CommandError, *, as_json: bool) -> int:
    """Print one line to standard error; the exit code."""
    if as_json:
        line = json.dumps(
            {"code": error.code, "reason": error.reason, "message": error.message,
             "hint": error.hint}
        )  # fmt: skip
    else:
        hint = f" ({error.hint})" if error.hint else ""
        line = clean(f"{PROGRAM}: {error.message}{hint}")
    print(line, file=sys.stderr)
    return error.exit_code
