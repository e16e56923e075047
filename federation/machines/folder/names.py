# SPDX-License-Identifier: MIT
"""Which names of a shared folder are documents, and who was told about the others."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from federation import limits
from federation.errors import Refusal
from federation.machines.folder.values import Report, Seen
from federation.replica.names import check_name

#: What is hidden, and what programs leave beside files for a while: locks, copies that
#: save themselves, backups, halves.  That is no news for anybody.
_ASIDE: Final = re.compile(
    r"""
      \..* | \#.* | ~\$.* | .*~ | 4913 | .*___jb_(?:tmp|old)___ | .*\.sync-conflict-.*
    | thumbs\.db | desktop\.ini
    | .*\.(?:tmp|temp|swp|swo|swn|part|partial|lock|bak|orig|rej|crdownload|download)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def is_aside(name: str) -> bool:
    """Whether any part of this name is hidden, temporary, a lock or a backup."""
    return any(_ASIDE.fullmatch(part) for part in name.split("/"))


class Names:
    """What is not synced, and why; each is reported once, as long as it is there."""

    def __init__(self, extensions: frozenset[str]) -> None:
        self._extensions = extensions
        #: names whose look or content is refused -> reason, and the look it had
        self._refused: dict[str, tuple[str, Seen | None]] = {}

    @property
    def refused(self) -> dict[str, str]:
        """Name -> reason."""
        return {name: reason for name, (reason, _) in self._refused.items()}

    def may_be(self, name: str) -> bool:
        """Whether a new file of this name is a document."""
        if is_aside(name) or name in self._refused:
            return False
        try:
            check_name(name, self._extensions)
        except Refusal:
            return False
        return True

    def judge(self, name: str, seen: Seen, *, known: bool) -> tuple[bool, list[Report]]:
        """Whether to look into this file, and what to tell."""
        before = self._refused.get(name)
        if before is not None and before[1] in (None, seen):
            return False, []
        if not known:
            if is_aside(name):
                return False, []
            try:
                check_name(name, self._extensions)
            except Refusal as refusal:
                return False, self.refuse(name, refusal.reason, None)
        if seen.size > limits.DOCUMENT:
            return False, self.refuse(name, "file-too-large", seen)
        self._refused.pop(name, None)
        return True, []

    def refuse(self, name: str, reason: str, seen: Seen | None) -> list[Report]:
        """Leave this name alone: for ever (no ``seen``), or until it looks different."""
        before = self._refused.get(name)
        if before is None and len(self._refused) >= limits.FOLDER_REFUSED:
            return []
        self._refused[name] = (reason, seen)
        return [] if before is not None and before[0] == reason else [Report(name, reason)]

    def keep_only(self, there: Collection[str]) -> None:
        """Forget names that are not there any more."""
        self._refused = {name: why for name, why in self._refused.items() if name in there}
