# SPDX-License-Identifier: MIT
"""The CRDT library, in one place: loro, for the order of sequences.

A document of it lives as long as one merge: what is kept and sent are signed
revisions, whose bytes do not depend on any merge algorithm or its version.
"""

from __future__ import annotations

import loro


def new_document(peer: int) -> loro.LoroDoc:
    """An empty document whose operations are those of ``peer``."""
    document: loro.LoroDoc = loro.LoroDoc()  # type: ignore[no-untyped-call]
    document.peer_id = peer
    return document
