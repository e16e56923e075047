# SPDX-License-Identifier: MIT
"""A small terminal for a real program: what it shows, as text and as a picture.

The program gets a terminal description of its own with the few abilities that
are understood here, so that nothing else has to be: moving the cursor, erasing,
and the attributes of characters.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Self

import pytest

#: for ``tic``; colours are given in 24 bits, which COLORTERM promises
DESCRIPTION = r"""mlps|a terminal of the tests,
 am, colors#8, pairs#64, cols#80, lines#24,
 clear=\E[H\E[2J, cup=\E[%i%p1%d;%p2%dH, el=\E[K, ed=\E[J, cr=\r, bel=^G,
 bold=\E[1m, sitm=\E[3m, smul=\E[4m, rmul=\E[24m, rev=\E[7m, sgr0=\E[m,
 setaf=\E[3%p1%dm, setab=\E[4%p1%dm, op=\E[39;49m,
"""
#: colours 30 to 37 and 40 to 47
BASIC = ("#000000", "#b22222", "#228b22", "#b8860b", "#1f4fbf", "#8b008b", "#007f7f", "#bebebe")
_SEQUENCE = re.compile(r"\x1b\[([?>]?[\d;]*)([A-Za-z])|\x1b[()].|\x1b[=>78M]")
WIDTH, HEIGHT = 8.4, 18


@dataclass(frozen=True)
class Look:
    """The attributes of a character."""

    front: str = ""
    back: str = ""
    bold: bool = False
    slanted: bool = False
    under: bool = False
    reverse: bool = False


class Screen:
    """What a terminal shows: a character and its look for each place."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.cells = [[(" ", Look())] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.look = Look()
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> None:
        """Take what the program has written."""
        text = self._rest + self._decoder.decode(data)
        self._rest = ""
        place = 0
        while place < len(text):
            if text[place] == "\x1b":
                found = _SEQUENCE.match(text, place)
                if found is None:
                    if len(text) - place < 32:  # the rest of it is under way
                        self._rest = text[place:]
                        return
                    place += 1
                    continue
                if found[2]:
                    self._obey(found[1], found[2])
                place = found.end()
                continue
            self._put(text[place])
            place += 1

    def _put(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row = min(self.row + 1, self.rows - 1)
        elif character == "\b":
            self.column = max(self.column - 1, 0)
        elif character >= " ":
            self.cells[self.row][self.column] = (character, self.look)
            self.column += 1
            # The description says that the cursor moves on at once.
            if self.column == self.columns:
                self.column, self.row = 0, min(self.row + 1, self.rows - 1)

    def _obey(self, given: str, letter: str) -> None:
        if given[:1] in ("?", ">"):
            return
        numbers = [int(one or 0) for one in given.split(";")]
        if letter == "H":
            row, column = [*numbers, 1][:2]
            self.row = min(max(row, 1), self.rows) - 1
            self.column = min(max(column, 1), self.columns) - 1
        elif letter in "JK":
            if given == "2":
                self.row = self.column = 0
            self._erase(self.row, self.column)
            for row in range(self.row + 1, self.rows if letter == "J" else 0):
                self._erase(row, 0)
        elif letter == "m":
            self._attributes(numbers)

    def _erase(self, row: int, column: int) -> None:
        self.cells[row][column:] = [(" ", Look())] * (self.columns - column)

    def _attributes(self, numbers: list[int]) -> None:
        while numbers:
            one = numbers.pop(0)
            if one == 0:
                self.look = Look()
            elif one in (38, 48) and numbers[:1] == [2]:
                colour = "#{:02x}{:02x}{:02x}".format(*numbers[1:4])
                del numbers[:4]
                self.look = (replace(self.look, front=colour) if one == 38
                             else replace(self.look, back=colour))  # fmt: skip
            elif one == 39:
                self.look = replace(self.look, front="")
            elif one == 49:
                self.look = replace(self.look, back="")
            elif 30 <= one <= 37:
                self.look = replace(self.look, front=BASIC[one - 30])
            elif 40 <= one <= 47:
                self.look = replace(self.look, back=BASIC[one - 40])
            elif name := {1: "bold", 3: "slanted", 4: "under", 7: "reverse"}.get(one):
                self.look = replace(self.look, **{name: True})  # type: ignore[arg-type]
            elif one == 24:
                self.look = replace(self.look, under=False)

    # --- looking ------------------------------------------------------------------
    @property
    def lines(self) -> list[str]:
        """The text, line by line."""
        return ["".join(character for character, _ in row).rstrip() for row in self.cells]

    @property
    def text(self) -> str:
        """The whole text."""
        return "\n".join(self.lines)

    def picture(self, title: str) -> str:
        """The screen as an SVG drawing."""
        width, height = self.columns * WIDTH + 16, self.rows * HEIGHT + 16
        parts = [
            '<?xml version="1.0" encoding="UTF-8"?>',
            "<!-- SPDX-License-Identifier: MIT -->",
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
                'role="img" aria-labelledby="t" font-family="DejaVu Sans Mono, Menlo, Consolas, '
                'monospace" font-size="14" fill="#222222">'
            ),
            f'  <title id="t">{escape(title)}</title>',
            (
                f'  <rect width="{width:g}" height="{height:g}" rx="6" fill="#ffffff" '
                'stroke="#888888"/>'
            ),
        ]
        for number, row in enumerate(self.cells):
            parts += self._row(number, row)
        return "\n".join([*parts, "</svg>", ""])

    @staticmethod
    def _row(number: int, row: list[tuple[str, Look]]) -> list[str]:
        parts, start = [], 0
        top = 8 + number * HEIGHT
        while start < len(row):
            look = row[start][1]
            end = start
            while end < len(row) and row[end][1] == look:
                end += 1
            text = "".join(character for character, _ in row[start:end])
            left, length = 8 + start * WIDTH, (end - start) * WIDTH
            front, back = look.front or "#222222", look.back
            if look.reverse:
                front, back = back or "#ffffff", look.front or "#555555"
            if back:
                parts.append(f'  <rect x="{left:g}" y="{top:g}" width="{length:g}" '
                             f'height="{HEIGHT}" fill="{back}"/>')  # fmt: skip
            bare = text.strip()
            if bare:
                left += (len(text) - len(text.lstrip())) * WIDTH
                style = f' fill="{front}"' if front != "#222222" else ""
                style += ' font-weight="bold"' if look.bold else ""
                style += ' font-style="italic"' if look.slanted else ""
                style += ' text-decoration="underline"' if look.under else ""
                parts.append(
                    f'  <text x="{left:g}" y="{top + 13:g}" textLength="{len(bare) * WIDTH:g}" '
                    f'xml:space="preserve"{style}>{escape(bare)}</text>'
                )
            start = end
        return parts


class Terminal:
    """A program in a terminal of ``columns`` times ``rows``; ended by ``with``."""

    def __init__(
        self, program: Sequence[str], env: Mapping[str, str], folder: Path,
        columns: int = 114, rows: int = 22,
    ) -> None:  # fmt: skip
        self.screen = Screen(columns, rows)
        source = folder / "mlps.ti"
        source.write_text(DESCRIPTION)
        database = folder / "terminfo"
        subprocess.run(["tic", "-x", "-o", str(database), str(source)], check=True)
        self._main, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._process = subprocess.Popen(
            program, stdin=end, stdout=end, stderr=end, cwd=folder, start_new_session=True,
            env={**env, "TERM": "mlps", "TERMINFO": str(database), "COLORTERM": "truecolor"},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)
        os.close(self._main)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._main, keys.encode())

    def read(self, seconds: float) -> bool:
        """Take what comes within so many seconds; whether anything did."""
        ready, _, _ = select.select([self._main], [], [], seconds)
        if not ready:
            return False
        try:
            self.screen.feed(os.read(self._main, 65536))
        except OSError:
            pytest.fail(f"the program has ended:\n{self.screen.text}")
        return True

    def wait(self, condition: Callable[[str], object], what: str, limit: float = 90.0) -> None:
        """Wait until the text of the screen fulfils a condition, and nothing more comes."""
        deadline = time.monotonic() + limit
        while self.read(0.3) or not condition(self.screen.text):
            if time.monotonic() > deadline:
                pytest.fail(f"not within {limit} s: {what}\n{self.screen.text}")
