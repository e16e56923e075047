# SPDX-License-Identifier: MIT
"""Conflicts and crashes: what people can read is what there is."""

from __future__ import annotations

from federation.wire import topics
from tests.node.test_library import apart


def test_versions_are_readable_and_settled_also_after_a_crash() -> None:
    world, (a, b) = apart(base=b"base\xff")
    a.sync("x.md", b"mine\xff", "/0/x.md")
    b.sync("x.md", b"theirs\xff", "/1/x.md")
    world.settle(60)
    a.files.conflicts.clear()  # as a crash before the effects leaves it
    a.restart()
    assert list(a.files.conflicts.values()) == [b"theirs\xff"]
    current = a.store.document("x.md")
    assert current is not None
    a.lose_effects = True
    a.turn(lambda now: a.node.at(now, lambda: a.node.restore("x.md", current.current)))
    assert a.heads("x.md") == {b"mine\xff"}
    assert a.files.conflicts == {}


def test_a_merge_that_was_not_written_is_written_after_a_crash() -> None:
    world, (a, b) = apart(base=b"one\ntwo\nthree\n")
    a.sync("x.md", b"ONE\ntwo\nthree\n", "/0/x.md")
    b.sync("x.md", b"one\ntwo\nTHREE\n", "/1/x.md")
    a.go_online()
    a.lose_effects = True
    a.take(topics.SYNC, b.node.library.packing.message_of(b.store.heads("x.md")[0]), retained=False)
    assert a.lost_effects == 1
    assert a.files.synced["x.md"] == b"ONE\ntwo\nTHREE\n"
    assert a.files.conflicts == {}
    world.settle(60)
    world.check_converged()


def test_who_wrote_the_same_has_no_conflict_after_a_crash() -> None:
    world, (a, b) = apart(base=b"base\n")
    a.sync("x.md", b"same\n", "/0/x.md")
    b.sync("x.md", b"same\n", "/1/x.md")
    a.go_online()
    b.go_online()
    world.settle(60)
    assert len(a.store.heads("x.md")) == 2
    a.restart()
    assert a.files.conflicts == {}
    world.settle(60)
    world.check_converged()
