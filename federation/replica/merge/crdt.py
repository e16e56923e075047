# SPDX-License-Identifier: MIT
"""The CRDT library, in one place: loro, for the order of sequences.

A document of it lives as long as one merge: what is kept and sent are signed
revisions, whose bytes do not depend on any merge algorithm or its version.  The library
is loaded by the first merge of orders: many peers never make one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import loro


def new_document(peer: int) -> loro.LoroDoc:
    """An empty document whose operations are those of ``peer``."""
    import loro

    document: loro.LoroDoc = loro.LoroDoc()  # type: ignore[no-untyped-call]
    document.peer_id = peer
    return document


def join(document: loro.LoroDoc, other: loro.LoroDoc) -> None:
    """Take what another document has, and this one has not."""
    import loro

    document.import_(other.export(loro.ExportMode.Updates(document.oplog_vv)))
