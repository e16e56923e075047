# SPDX-License-Identifier: MIT
"""The Info manual: its reference chapters from the Emacs package, and the built file.

The source is Texinfo.  An Emacs formats it, so that nothing else is needed to
build it; the result lies beside the Lisp files, and travels with them.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from docs.generator import elisp
from docs.generator.elisp import Entry

_HERE: Final = Path(__file__).resolve().parent
ROOT: Final = _HERE.parents[1]
SOURCE: Final = ROOT / "docs" / "manual" / "meta-log-peer-sync.texi"
INFO: Final = ROOT / "elisp" / "meta-log-peer-sync.info"
_PART: Final = re.compile(r"(@c generated: (\w+)\n).*?(@c end of \2\n)", re.DOTALL)


def escaped(text: str) -> str:
    """Text in which Texinfo finds no command."""
    return re.sub(r"([@{}])", r"@\1", text)


def prose(doc: str, arguments: list[str]) -> str:
    """A documentation string as Texinfo."""
    text = re.sub(r"\\\\?[{<][^}>]*[}>]", "", doc).replace("\\=", "")
    text = escaped(re.sub(r"\\\\?\[([^]]+)\]", "\0\\1\1", text))
    text = re.sub(r"`([^`'\n]+)'", r"@code{\1}", text)
    text = text.replace("\0", "@kbd{M-x ").replace("\1", "}")
    for one in {name for name in arguments if not name.startswith("&")}:
        text = re.sub(rf"\b{re.escape(one.upper())}\b", f"@var{{{one}}}", text)
    text = re.sub(r"(?:^ {2,}.*\n?)+", lambda block: f"@example\n{block[0]}@end example\n", text,
                  flags=re.MULTILINE)  # fmt: skip
    return text.strip()


def _definition(kind: str, entry: Entry, doc: str) -> str:
    """One entry of the reference; ``kind`` is what stands before its name."""
    arguments = " ".join(entry.get("arguments", ()))
    head = {"Command": "@deffn Command", "Function": "@deffn Function", "Option": "@defopt",
            "Hook": "@defvr Hook"}[kind]  # fmt: skip
    end = head.split()[0].removeprefix("@")
    return f"{head} {entry['name']} {arguments}".rstrip() + f"\n{doc}\n@end {end}\n"


def _functions(command: bool) -> str:
    found = []
    for entry in elisp.entries():
        is_command = entry.get("command") is True
        shown = is_command or (
            entry["kind"] == "function" and entry["file"] in elisp.API
            and not entry["name"].endswith("-unload-function")
        )  # fmt: skip
        if shown and is_command is command and not elisp.private(entry):
            doc = prose(entry["doc"], entry.get("arguments", []))
            found.append(_definition("Command" if command else "Function", entry, doc))
    return "\n".join(found)


def _options(hooks: bool) -> str:
    found = []
    for entry in elisp.entries():
        if entry["kind"] == "option" and (entry["type"] == "hook") is hooks:
            doc = prose(entry["doc"], [])
            if not hooks:
                doc += f"\n\nDefault: @code{{{escaped(entry['default'])}}}"
            found.append(_definition("Hook" if hooks else "Option", entry, doc))
    return "\n".join(found)


def render(text: str) -> str:
    """The source with its generated parts made again."""
    parts = {
        "commands": _functions(command=True), "options": _options(hooks=False),
        "hooks": _options(hooks=True), "functions": _functions(command=False),
    }  # fmt: skip
    return _PART.sub(lambda found: f"{found[1]}\n{parts[found[2]]}\n{found[3]}", text)


def build(source: str, emacs: str | None = None) -> str:
    """The Info file of this source, formatted by an Emacs."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / SOURCE.name
        path.write_text(source, encoding="utf-8")
        command = [emacs or elisp.program() or "emacs", "-Q", "--batch", "-l",
                   str(_HERE / "build-info.el"), str(path)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the manual cannot be formatted: {done.stderr}")
        return path.with_suffix(".info").read_text(encoding="utf-8")
