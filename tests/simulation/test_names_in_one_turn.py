# SPDX-License-Identifier: MIT
"""Documents whose names exclude each other, arriving in one turn."""

from __future__ import annotations

from federation.wire import topics
from tests.node.test_inbox import document, pair


def test_a_document_is_no_folder_also_before_either_is_written() -> None:
    _world, a, b = pair()
    for first, then, reason in (
        ("x.md", "x.md/y.md", "path-not-directory"),
        ("p.md/q/r.md", "p.md", "path-not-regular"),
    ):
        messages = [document(a, first, "1"), document(a, then, "2")]
        for message in messages:
            b.later.append(
                lambda now, message=message: b.node.receive_message(  # type: ignore[misc]
                    topics.SYNC, message, retained=False, now=now
                )
            )
        b.turn()
        assert b.refused[reason] == 1
        assert first in b.files.synced
        assert b.store.document(then) is None
