# SPDX-License-Identifier: MIT
"""A counter is used once, also by an author that began without any."""

from __future__ import annotations

from federation.wire import topics
from tests.node.test_inbox import document, pair


def test_a_fork_is_one_also_after_messages_without_a_counter() -> None:
    _world, a, b = pair()
    plain = document(a, "x.md", "without a counter")
    first = document(a, "x.md", "first", seq=7)
    second = document(a, "x.md", "second", seq=7)
    for message in (plain, first, second):
        b.take(topics.SYNC, message, retained=False)
    assert b.refused["fork"] == 1
    assert b.heads("x.md") == {b"first"}
