# SPDX-License-Identifier: MIT
"""What a shared folder looks like, and what is to be done about it: plain values.

Names are relative, with ``/``.  Digests are SHA-256, in hex.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


# Of these two there are thousands, made at every start and by every look: tuples are
# made in a third of the time.
class Seen(NamedTuple):
    """What a file looks like without reading it."""

    size: int
    mtime_ns: int
    inode: int


class Known(NamedTuple):
    """What a file was last known to hold, and what it looked like then."""

    digest: str
    seen: Seen


@dataclass(frozen=True, slots=True)
class Root:
    """Which folder it is: its device and inode, and what its marker says (empty: none)."""

    device: int
    inode: int
    marker: str = ""

    def is_same(self, other: Root) -> bool:
        """Whether it is the same folder: markers say so; numbers change, and are used again."""
        if self.marker or other.marker:
            return self.marker == other.marker
        return (self.device, self.inode) == (other.device, other.inode)


@dataclass(frozen=True, slots=True)
class Listing:
    """A whole look at the folder.

    ``files`` are the regular files.  ``odd`` is what was not looked into (name
    -> reason): links, devices, folders that cannot be read, other file systems.
    A listing that is not ``complete`` ended at a limit.
    """

    root: Root
    files: Mapping[str, Seen]
    odd: Mapping[str, str]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Gone:
    """The folder cannot be looked at; ``reason`` is one of ``errors.REASONS``."""

    reason: str


@dataclass(frozen=True, slots=True)
class Look:
    """List the whole folder, and give it to ``receive_listing``."""


@dataclass(frozen=True, slots=True)
class Read:
    """Read this file; answer with ``receive_read``, ``_paths`` or ``_refused``."""

    name: str


@dataclass(frozen=True, slots=True)
class Take:
    """The file holds something new; ``before`` is None for a new file."""

    name: str
    known: Known
    before: Known | None


@dataclass(frozen=True, slots=True)
class Note:
    """The file looks different and holds the same: remember its look."""

    name: str
    known: Known


@dataclass(frozen=True, slots=True)
class Move:
    """The file ``old`` has another name and its old content."""

    old: str
    name: str
    known: Known
    before: Known


@dataclass(frozen=True, slots=True)
class Delete:
    """The file is deleted, for everybody."""

    name: str
    before: Known


@dataclass(frozen=True, slots=True)
class Restore:
    """These deletions are not meant: write the files again, and tell ``written``."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """Tell the user which deletions wait for a yes; none: there are no more."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Away:
    """Tell the user why nothing is taken from the folder; an empty reason: it is back."""

    reason: str


@dataclass(frozen=True, slots=True)
class Adopt:
    """Remember that this is the folder, for the next start."""

    root: Root


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the user, once, why this name is not synced (a reason of ``errors.REASONS``)."""

    name: str
    reason: str


#: What a folder asks for.
Effect = Look | Read | Take | Note | Move | Delete | Restore | Held | Away | Adopt | Report
