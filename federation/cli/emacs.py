# SPDX-License-Identifier: MIT
"""The verbs ``emacs-path`` and ``emacs-setup``: where the Emacs package is."""

from __future__ import annotations

from pathlib import Path

import federation
from federation.cli.context import Context
from federation.cli.output import Result
from federation.errors import Refusal


def folder(package: Path | None = None) -> Path:
    """The folder of the Emacs package: inside of the installed one, or beside it in a clone."""
    package = package or Path(federation.__file__).resolve().parent
    for candidate in (package / "elisp", package.parent / "elisp"):
        if (candidate / "meta-log-peer-sync.el").is_file():
            return candidate
    raise Refusal("file-not-found", "meta-log-peer-sync.el", hint="install the package again")


def quote(text: str) -> str:
    """``text`` as an Emacs Lisp string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def path(context: Context) -> Result:
    """Print the folder for Emacs's load-path."""
    found = str(folder())
    return Result({"path": found}, [found])


def setup(context: Context) -> Result:
    """Print the two lines for an init file."""
    lines = [f"(add-to-list 'load-path {quote(str(folder()))})", "(require 'meta-log-peer-sync)"]
    return Result({"lines": lines}, lines)
