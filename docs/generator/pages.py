# SPDX-License-Identifier: MIT
"""Which parts of which pages are made by what, and putting them into their place."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from docs.generator import cli, config, diagrams, doctor, elisp, examples, rpc, wire

ROOT: Final = Path(__file__).resolve().parents[2]

#: page below docs/ -> name of each part -> what makes it
PAGES: Final[dict[str, dict[str, Callable[[], str]]]] = {
    "reference/wire.md": {
        "topics": wire.topic_table,
        "common fields": wire.common_fields,
        "types": wire.types,
        "example keys": examples.keys_table,
        "signing example": examples.signing,
        "examples": examples.messages,
        "endings": wire.endings,
        "limits": wire.bounds,
        "reasons": wire.reasons,
    },
    "reference/rpc.md": {
        "methods": rpc.methods,
        "events": rpc.events,
        "reasons": rpc.reasons,
        "bounds": rpc.bounds,
    },
    "reference/cli.md": {"common": cli.common, "verbs": cli.verbs},
    "reference/config.md": {"keys": config.keys, "variables": config.variables},
    "reference/elisp.md": {
        "api": elisp.documented,
        "commands": elisp.commands,
        "options": elisp.options,
        "hooks": elisp.hooks,
    },
    "how-to/troubleshooting.md": {"cases": doctor.cases},
    "explanation/architecture.md": {
        "rooms": diagrams.rooms,
        "presence": lambda: diagrams.machine("presence"),
        "comparison": lambda: diagrams.machine("comparison"),
        "link": lambda: diagrams.machine("link"),
        "folder": lambda: diagrams.machine("folder"),
    },
}


def render(page: str, text: str) -> str:
    """The text of a page with its generated parts made again.

    ``ValueError`` when the page lacks a part, or has one that nobody makes.
    """
    parts = PAGES[page]
    marked = set(re.findall(r"<!-- generated: (.+?) -->", text))
    if marked != set(parts):
        raise ValueError(f"{page}: parts {sorted(marked ^ set(parts))} do not fit")
    for name, make in parts.items():
        pattern = re.compile(
            rf"(<!-- generated: {re.escape(name)} -->\n).*?(<!-- end of {re.escape(name)} -->)",
            re.DOTALL,
        )
        body = make().strip()
        text, count = pattern.subn(lambda found, b=body: f"{found[1]}\n{b}\n\n{found[2]}", text)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"{page}: the part {name} has no end")
    return text
