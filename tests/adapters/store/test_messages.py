# SPDX-License-Identifier: MIT
"""Messages that wait, and messages that were seen: bounded, ordered, once."""

from __future__ import annotations

import pytest

from federation import limits
from federation.adapters.store import SqliteStore
from federation.replica.records import Held, Outgoing


@pytest.fixture
def store() -> SqliteStore:
    return SqliteStore(":memory:")


def test_what_is_held_comes_out_oldest_first(store: SqliteStore) -> None:
    for number, file in enumerate(("x.md", "x.md", "y.md")):
        store.hold(Held(f"r{number}", "p", file, b"raw%d" % number), 0)
    store.hold(Held("r0", "p", "x.md", b"again"), 0)
    store.hold(Held("s", "q", "z.md", b"12345"), 0)
    assert [one.raw for one in store.held("p")] == [b"raw0", b"raw1", b"raw2"]
    assert store.is_held("r0")
    assert not store.is_held("r9")
    assert store.held_counts() == {"p": (2, 12), "q": (1, 5)}
    assert (store.held_from("p"), store.held_from("nobody")) == ((2, 12), (0, 0))
    store.drop_one_held("r0")
    assert store.held_from("p") == (2, 8)
    assert [one.revision for one in store.held("p")] == ["r1", "r2"]
    assert store.drop_held("p") == 2
    assert store.held_counts() == {"q": (1, 5)}


def test_what_is_held_is_counted_without_looking_through_it(store: SqliteStore) -> None:
    """A stranger's thousandth document costs what the first one did."""
    looked = 0

    def look() -> int:
        nonlocal looked
        looked += 1
        return 0

    for number in range(1000):
        store.hold(Held(f"r{number}", "p", f"{number}.md", b"x"), 0)
    store._db.set_progress_handler(look, 100)
    store.hold(Held("r", "p", "n.md", b"x"), 0)
    assert store.held_from("p") == (1001, 1001)
    assert looked < 10


def test_the_outbox_keeps_order_and_each_message_once(store: SqliteStore) -> None:
    for number in (3, 1, 2, 1):
        store.queue_message(Outgoing(f"m{number}", "p", b"%d" % number), 0)
    store.queue_message(Outgoing("m1", "q", b"other"), 0)
    assert [one.message_id for one in store.queued_messages("p")] == ["m3", "m1", "m2"]
    assert store.count_queued() == {"p": 3, "q": 1}
    assert store.drop_message("m1", "p")
    assert not store.drop_message("m1", "p")
    assert store.queued_messages("q")[0].raw == b"other"


def test_a_message_is_new_once(store: SqliteStore) -> None:
    assert store.first_time("p", "m")
    assert not store.first_time("p", "m")
    assert store.first_time("q", "m")


def test_what_was_seen_is_remembered_within_bounds(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEEN_PER_PEER", 300)
    assert store.first_time("quiet", "m")
    for number in range(3000):
        assert store.first_time("p", f"{number}")
    (count,) = store._db.execute("SELECT count(*) FROM seen WHERE peer_id='p'").fetchone()
    assert count <= 300 + 256
    assert not store.first_time("p", "2999")
    assert not store.first_time("p", "2701")
    assert not store.first_time("quiet", "m")
