# SPDX-License-Identifier: MIT
"""The records are values: frozen, comparable, with careful defaults."""

from __future__ import annotations

import dataclasses

import pytest

from federation.replica.records import Document, Held, Outgoing, Peer, Revision

PEER = Peer("peer-x", b"k" * 32)
REVISION = Revision("r", "x.md", "peer-x", 1, "t", 0, 0, "h", 0, False, "{}")


@pytest.mark.parametrize(
    "record",
    [PEER, REVISION, Document("x.md", "text", "r"), Held("r", "p", "x.md", b""),
     Outgoing("m", "p", b"")],
)  # fmt: skip
def test_records_do_not_change(record: object) -> None:
    assert dataclasses.is_dataclass(record)
    name = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, name, "other")
    assert not hasattr(record, "__dict__")


def test_a_peer_is_unknown_until_somebody_decides() -> None:
    assert PEER.trust == "unknown"
    assert PEER.caps == ()
    assert dataclasses.replace(PEER, trust="accepted") != PEER


def test_revisions_do_not_share_their_vector() -> None:
    other = Revision("s", "x.md", "peer-x", 2, "t", 0, 0, "h", 0, False, "{}")
    assert REVISION.vector is not other.vector
    assert REVISION.vector == {}
    assert not REVISION.plain


def test_a_document_is_not_written_at_first() -> None:
    assert Document("x.md", "text", "r").written is None
