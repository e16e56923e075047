# SPDX-License-Identifier: MIT
"""Spaces and the names of their documents.

Documents of ``commons`` have plain names.  Those of a local space NAME are named
``~NAME/…``: a name that the grammar of documents refuses (``replica.names``), so
no message can bring such a document, and :func:`may_leave` is the one question
to ask before anything about a document leaves this machine.
"""

from __future__ import annotations

import re
from typing import Final

from federation.errors import Refusal
from federation.replica.names import DEFAULT_EXTENSIONS, check_name

#: the open space, which is always there
COMMONS: Final = "commons"
#: begins the names of the documents of local spaces
LOCAL: Final = "~"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def check_space(name: str) -> str:
    """``name`` if a space can have it; else ``bad-space``."""
    if _NAME.fullmatch(name) is None:
        raise Refusal("bad-space", name)
    return name


def document_in(space: str, name: str) -> str:
    """The document that the file ``name`` of a space's folder is."""
    return name if space == COMMONS else f"{LOCAL}{space}/{name}"


def parts_of(file: str) -> tuple[str, str]:
    """The space of a document, and its name there."""
    if not file.startswith(LOCAL):
        return COMMONS, file
    space, _, name = file[len(LOCAL) :].partition("/")
    return space, name


def may_leave(file: str) -> bool:
    """Whether other peers may ever hear of this document."""
    return not file.startswith(LOCAL)


def check_document(file: str, extensions: frozenset[str] = DEFAULT_EXTENSIONS) -> str:
    """``file`` if it names a document of this machine: of ``commons`` or of a local space.

    What comes from others is checked by ``check_name`` alone, which refuses the latter.
    """
    space, name = parts_of(file)
    if space != COMMONS:
        check_space(space)
    check_name(name, extensions)
    return file
