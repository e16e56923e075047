# SPDX-License-Identifier: MIT
"""Parts of ``reference/cli.md``, from the verb table and what each verb tells the parser."""

from __future__ import annotations

import argparse
from typing import Any, Final, cast

from docs.generator.markdown import cell, code, fenced, table
from federation.cli.output import PROGRAM
from federation.cli.parser import VERBS, Verb
from federation.config import KEYS

_COMMON: Final = {
    "-h, --help": "show what the verb does and takes, and end",
    "--json": "the answer as JSON on standard output, an error as JSON on standard error: "
    "`{code, reason, message, hint}`",
    "--state-dir DIR": "the state directory; without it `META_LOG_PEER_SYNC_STATE_DIR`, else that "
    "of the user's only running peer, else the default of the system",
    "--config FILE": "the configuration file; without it `META_LOG_PEER_SYNC_CONFIG`, else "
    "`config.toml` in the state directory",
    "--version": "the version, and end; before the verb only",
}


class _Recorder:
    """Stands in for a parser, and remembers the arguments."""

    def __init__(self) -> None:
        self.arguments: list[tuple[tuple[str, ...], dict[str, Any]]] = []

    def add_argument(self, *names: str, **options: Any) -> None:
        """Remember one argument."""
        self.arguments.append((names, options))


def verbs() -> str:
    """A heading, the usage and a table of arguments for each verb."""
    return "\n".join(map(_verb, VERBS))


def _verb(verb: Verb) -> str:
    usage = " ".join(filter(None, (PROGRAM, verb.name, verb.usage, "[OPTIONS]")))
    parts = [f"### {code(verb.name)}\n", f"{verb.help}\n", fenced(usage)]
    recorder = _Recorder()
    if verb.arguments is not None:
        verb.arguments(cast("argparse.ArgumentParser", recorder))
    rows = [
        (_shown(names, options), cell(options.get("help", "")).replace("%%", "%"))
        for names, options in recorder.arguments
    ]
    if rows:
        parts.append(table(("argument", "meaning"), rows))
    return "\n".join(parts)


def _shown(names: tuple[str, ...], options: dict[str, Any]) -> str:
    choices = options.get("choices")
    value = "|".join(choices) if choices else str(options.get("metavar", ""))
    if not names[0].startswith("-"):
        return code(value or names[0])
    if options.get("action") == "store_true":
        return ", ".join(map(code, names))
    value = value or names[-1].strip("-").upper()
    return ", ".join(code(f"{name} {value}") for name in names)


def common() -> str:
    """The flags of every verb."""
    rows = [(code(flag), meaning) for flag, meaning in _COMMON.items()]
    flags = sum(key.flag is not None for key in KEYS.values())
    return table(("flag", "meaning"), rows) + (
        f"\nBeside these every verb takes the {flags} flags of the configuration keys "
        "([config](config.md)), such as `--broker-url URL`.\n"
    )
