# SPDX-License-Identifier: MIT
"""Conflicts and crashes: what people can read is what there is."""

from __future__ import annotations

from tests.node.test_library import apart


def test_a_conflict_is_readable_and_settled_also_after_a_crash() -> None:
    world, (a, b) = apart()
    a.sync("x.md", b"mine", "/0/x.md")
    b.sync("x.md", b"theirs", "/1/x.md")
    world.settle(60)
    a.files.conflicts.clear()  # as a crash before the effects leaves it
    a.restart()
    assert list(a.files.conflicts.values()) == [b"theirs"]
    current = a.store.document("x.md")
    assert current is not None
    a.lose_effects = True
    a.turn(lambda now: a.node.at(now, lambda: a.node.restore("x.md", current.current)))
    assert a.heads("x.md") == {b"mine"}
    assert a.files.conflicts == {}
