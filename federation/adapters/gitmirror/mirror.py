# SPDX-License-Identifier: MIT
"""The door to a git mirror; what is behind it needs dulwich."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from federation.adapters.gitmirror.entry import MirrorEntry
from federation.errors import Refusal


class Mirror:
    """A git repository that follows a space.  Methods block: call them apart.

    With ``bare`` it has no work tree.  A path that is new or empty becomes one;
    any other that was not made here is refused (``config-unsafe-sync-dir``), and
    so is everything where dulwich is not installed (``missing-program``).
    """

    def __init__(self, path: Path, *, bare: bool = True) -> None:
        try:
            from federation.adapters.gitmirror.history import History
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "dulwich":
                raise
            raise Refusal("missing-program", "dulwich", hint=_how_to_install()) from None
        self._history = History(path, bare=bare)

    def missing(self, revisions: Iterable[str]) -> set[str]:
        """Those of these revisions (ids) that are no commits yet."""
        return self._history.missing(revisions)

    def record(self, revisions: Iterable[MirrorEntry]) -> int:
        """Make each revision a commit, in this order; how many were new.

        A revision that is there is skipped.  Raises Refusal; what came before
        the one that failed may be recorded, and the rest is taken next time.
        """
        return self._history.record(revisions)


def _how_to_install() -> str:
    """The command with pip and the one with uv, for the very Python that runs this.

    The sidecar may be alone in an environment of its own, where neither is on
    anybody's PATH, and the package may be a wheel that no registry has.
    """
    python = shlex.quote(sys.executable)
    wanted = "'dulwich>=1.2'"
    return f"{python} -m pip install {wanted}, or uv pip install --python {python} {wanted}"
