# SPDX-License-Identifier: MIT
"""The bounds fit each other."""

from __future__ import annotations

import pytest

from federation import limits
from federation.identity.keys import SigningKey
from federation.wire import canonical, envelope
from federation.wire.forms import encode_base64
from federation.wire.messages import TYPES, parse

NAMES = [name for name in vars(limits) if name.isupper()]


@pytest.mark.parametrize("name", NAMES)
def test_every_limit_is_a_number_above_nothing(name: str) -> None:
    value = getattr(limits, name)
    assert isinstance(value, int | float)
    assert value > 0


def test_a_whole_piece_fits_a_message() -> None:
    key = SigningKey(b"k" * 32)
    message: dict[str, object] = {
        "type": "canvasl-piece", "peer_id": key.peer_id, "to": key.peer_id,
        "timestamp": "2026-01-01T00:00:00.123456789Z", "id": "0" * 64, "index": 0,
        "count": 2, "size": 2 * limits.PIECE, "data": encode_base64(b"x" * limits.PIECE),
    }  # fmt: skip
    raw = canonical.encode(envelope.sign(message, key))
    assert len(raw) <= limits.WIRE_MESSAGE
    assert parse(raw, f"canvasl/peers/{key.peer_id}/messages").type in TYPES


def test_lists_fit_a_message() -> None:
    hashes = limits.HEADS_PER_MESSAGE * (64 + 3)
    assert 3 * hashes < limits.WIRE_MESSAGE
    # the longest names: pages are split by number, and a page of them must fit too
    assert limits.HEADS_PER_MESSAGE * (limits.NAME_TOTAL + 64 + 8) <= 2 * limits.WIRE_MESSAGE


def test_a_document_fits_what_is_put_together() -> None:
    assert limits.DOCUMENT * 4 // 3 < limits.ASSEMBLED_MESSAGE
    assert limits.ASSEMBLED_MESSAGE <= limits.ASSEMBLY_BYTES
    assert limits.HELD_PER_PEER >= limits.DOCUMENT


def test_times_are_in_order() -> None:
    assert limits.RESEND_FIRST < limits.RESEND_MAX <= limits.ANTI_ENTROPY
    assert limits.LIST_AGAIN < limits.RESEND_FIRST
    assert limits.PRESENCE < limits.FRESHNESS
    assert limits.SHUTDOWN < 3
    assert limits.RECONNECT_FIRST < limits.RECONNECT_MAX <= 5


def test_front_ends_get_what_emacs_takes() -> None:
    assert limits.RPC_NOTIFICATION <= 64 * limits.KIB
    assert limits.RPC_EVENT_INTERVAL >= 0.01


def test_what_is_remembered_is_enough_for_what_is_kept() -> None:
    assert limits.OUTBOX_PER_PEER <= limits.SEEN_PER_PEER
    assert limits.HEADS <= limits.PARENTS
