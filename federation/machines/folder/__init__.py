# SPDX-License-Identifier: MIT
"""One shared folder of a space: what other programs do to its files, and what that means.

The machine is given what the folder looks like (whole listings, and single
names to which something happened) and answers with values: read this file,
take that change, it has another name, it is deleted.  Doubt deletes nothing:

* a file is read once it rests, and taken only if it holds something new;
* a file counts as deleted when a whole listing still lacks it a while after it
  was first missed, in the very folder that is shared, and nothing explains it:
  a part that cannot be read, a link in its place, another name;
* many deletions at once are held for a yes, or until the files come back;
* a folder that is gone, or another one in its place, says nothing of its files.
"""

from federation.machines.folder.machine import TABLE, Event, Folder, State
from federation.machines.folder.names import is_aside
from federation.machines.folder.values import (
    Adopt,
    Away,
    Delete,
    Effect,
    Gone,
    Held,
    Known,
    Listing,
    Look,
    Move,
    Note,
    Read,
    Report,
    Restore,
    Root,
    Seen,
    Take,
)

__all__ = [
    "TABLE",
    "Adopt",
    "Away",
    "Delete",
    "Effect",
    "Event",
    "Folder",
    "Gone",
    "Held",
    "Known",
    "Listing",
    "Look",
    "Move",
    "Note",
    "Read",
    "Report",
    "Restore",
    "Root",
    "Seen",
    "State",
    "Take",
    "is_aside",
]
