# SPDX-License-Identifier: MIT
"""Parts of ``reference/elisp.md``, from the Emacs package by a batch Emacs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

from docs.generator.markdown import code, fenced

_HERE: Final = Path(__file__).resolve().parent
_ELISP: Final = _HERE.parents[1] / "elisp"
#: Pages that cannot be made without an Emacs.
PAGES: Final = ("reference/elisp.md",)
#: Files of the documented API, in the order of the page.
API: Final = (
    "meta-log-peer-sync-demo", "meta-log-federation", "meta-log-mqtt", "meta-log-webrtc",
    "meta-log-identity",
)  # fmt: skip
#: Variables of the documented API that are private by name, and nothing else.
_NAMED: Final = (
    "meta-log-peer-sync-demo--identity", "meta-log-federation--peers",
    "meta-log-federation--mqtt-connection",
)  # fmt: skip

Entry = dict[str, Any]


def program() -> str | None:
    """The Emacs to use, or None where none is installed."""
    return shutil.which("emacs")


@cache
def entries() -> tuple[Entry, ...]:
    """Everything that the package defines, sorted by name."""
    emacs = program()
    if emacs is None:
        raise RuntimeError("an Emacs is needed to make reference/elisp.md")
    files = sorted(str(path) for path in _ELISP.glob("*.el") if "autoloads" not in path.name)
    command = [emacs, "-Q", "--batch", "-l", str(_HERE / "extract.el"), *files]
    done = subprocess.run(command, capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"})
    found: list[Entry] = json.loads(done.stdout)
    return tuple(sorted(found, key=lambda entry: str(entry["name"])))


def private(entry: Entry) -> bool:
    """Whether it is not for users: by its name, and not named in the documents."""
    return "--" in entry["name"] and entry["name"] not in _NAMED


def _inner(entry: Entry) -> bool:
    """Whether it serves other files of the package, not its users."""
    return bool(re.search(r"-(rpc|core|guard|list|events)-", entry["name"]))


def documented() -> str:
    """The functions and variables of the documented API, file by file."""
    parts: list[str] = []
    for file in API:
        parts.append(f"### {code(file)}\n")
        parts += [
            _shown(entry) for entry in entries()
            if entry["file"] == file and not private(entry)
            and entry["kind"] in ("function", "variable")
            and not entry["name"].endswith("-unload-function")
        ]  # fmt: skip
    return "\n".join(parts)


def commands() -> str:
    """Every command that is not part of the documented API."""
    return "\n".join(
        _shown(entry) for entry in entries()
        if entry.get("command") is True and entry["file"] not in API and not private(entry)
    )  # fmt: skip


def options() -> str:
    """Every user option that is no hook."""
    return "\n".join(
        _shown(entry) for entry in entries()
        if entry["kind"] == "option" and entry["type"] != "hook"
    )  # fmt: skip


def hooks() -> str:
    """Every hook."""
    return "\n".join(
        _shown(entry) for entry in entries()
        if entry["kind"] == "option" and entry["type"] == "hook"
    )  # fmt: skip


def _shown(entry: Entry) -> str:
    name = entry["name"]
    heading = f"#### {code(name)}\n"
    parts = [heading]
    if entry["kind"] == "function":
        arguments = " ".join(
            one if one.startswith("&") else one.upper() for one in entry["arguments"]
        )
        parts.append(fenced(f"({name}{' ' if arguments else ''}{arguments})", "elisp"))
    if entry["kind"] == "option" and entry["type"] != "hook":
        parts.append(f"Default: {code(entry['default'])}\n")
    parts.append(prose(entry["doc"]) + "\n")
    return "\n".join(parts)


def prose(doc: str) -> str:
    """A documentation string as Markdown."""
    text = re.sub(r"\\\\?\[([^]]+)\]", r"`M-x \1`", doc)
    text = re.sub(r"\\\\?[{<][^}>]*[}>]", "", text).replace("\\=", "")
    text = re.sub(r"`([^`'\n]+)'", r"`\1`", text)
    # What is indented is an example, and stays as it is; the first line is a paragraph.
    return re.sub(r"(?m)^ {2,}", "    ", text).strip().replace("\n", "\n\n", 1)
