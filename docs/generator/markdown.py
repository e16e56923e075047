# SPDX-License-Identifier: MIT
"""The few forms of Markdown that the generated parts need."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from types import ModuleType


def cell(text: object) -> str:
    """Text for one cell of a table."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def code(text: object) -> str:
    """Text as code, also inside of a table."""
    return f"`{cell(text)}`"


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; the cells are Markdown already."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def fenced(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def bounds(module: ModuleType, sections: Sequence[str]) -> str:
    """The constants of ``limits`` in these of its sections, with what is said above each."""
    rows: list[Sequence[object]] = []
    wanted, words = False, [""]
    for line in inspect.getsource(module).splitlines():
        if found := re.match(r"# --- ([a-z]+(?: [a-zA-Z]+)*)", line):
            wanted, words = found[1] in sections, []
        elif line.startswith("#: "):
            words.append(line[3:])
        elif line.startswith("#  "):
            words.append(line[1:].strip())
        elif (found := re.match(r"([A-Z_]+): Final = ", line)) and wanted:
            rows.append((code(found[1]), f"{getattr(module, found[1]):,}", cell(" ".join(words))))
            words = []
        elif line.strip():
            words = []
    return table(("name", "value", "why"), rows)
