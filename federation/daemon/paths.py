# SPDX-License-Identifier: MIT
"""Local paths that a front end names."""

from __future__ import annotations

import re
from pathlib import Path

from federation.errors import Refusal

#: what Emacs would take for a remote file: /method:… or /[…]
_REMOTE = re.compile(r"^/([^/:]*:|\[)")


def user_path(text: str) -> Path:
    """A local, absolute path without ``..``; raises Refusal."""
    if _REMOTE.match(text):
        raise Refusal("path-tramp", text)
    path = Path(text)
    if ".." in path.parts:
        raise Refusal("path-traversal", text)
    if not path.is_absolute():
        reason = "path-not-regular" if text in (".", "./") else "path-not-absolute"
        raise Refusal(reason, text)
    return path
