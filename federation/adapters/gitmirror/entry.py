# SPDX-License-Identifier: MIT
"""A revision as git shows it: who, when, and a message that names it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from federation import limits
from federation.errors import Refusal
from federation.identity.peer_id import check_peer_id, short_id
from federation.replica.names import check_name

#: Who makes the commits; the authors are the peers.  ``invalid`` is nobody's domain (RFC 2606).
COMMITTER: Final = b"meta-log-peer-sync <mirror@peers.invalid>"
_REVISION: Final = re.compile(r"[0-9a-f]{64}")
_TRAILER: Final = re.compile(rb"^Revision: ([0-9a-f]{64})$", re.MULTILINE)
#: The end of the year 9999: what git and its friends can write as a date.
_LAST: Final = 253_402_300_799


@dataclass(frozen=True, slots=True)
class MirrorEntry:
    """One revision.

    ``content`` is None where it is a deletion; ``time`` is what the author
    says, in microseconds since 1970; ``parents`` are revisions of the same file.
    """

    file: str
    content: bytes | None
    author: str
    peer_id: str
    time: int
    revision: str
    parents: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise Refusal for what would not be a safe name, id or peer in git."""
        check_name(self.file, frozenset({PurePosixPath(self.file).suffix.lower()}))
        check_peer_id(self.peer_id)
        for revision in (self.revision, *self.parents):
            if _REVISION.fullmatch(revision) is None:
                raise Refusal("bad-field", "revision")

    @property
    def seconds(self) -> int:
        """The time as git takes it."""
        return min(max(self.time // 1_000_000, 0), _LAST)

    @property
    def signature(self) -> bytes:
        """The author as git writes one: a name, and an address that leads nowhere."""
        plain = "".join(one for one in self.author if unicodedata.category(one)[0] != "C")
        name = plain.translate(dict.fromkeys(map(ord, "<>\\\"'`"))).strip(" .,:;")
        name = " ".join(name[: limits.DISPLAY_NAME].split()) or short_id(self.peer_id)
        return f"{name} <{self.peer_id}@peers.invalid>".encode()

    @property
    def message(self) -> bytes:
        """The message of the commit; its trailers are for programs."""
        what = "deleted" if self.content is None else f"revision {self.revision[:12]}"
        lines = [f"{self.file}: {what}", "", f"File: {self.file}", f"Revision: {self.revision}"]
        lines += [f"Parent: {parent}" for parent in self.parents]
        return "\n".join([*lines, f"Peer: {self.peer_id}", ""]).encode()


def revision_in(message: bytes) -> str | None:
    """The revision that a message of ours names."""
    found = _TRAILER.search(message.rstrip(b"\n").rpartition(b"\n\n")[2])
    return None if found is None else found[1].decode()
