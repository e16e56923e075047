# SPDX-License-Identifier: MIT
"""What is missing of a history: room, turns and patience are shared among those who name it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from federation import limits
from federation.adapters.store import SqliteStore
from tests.adapters.store.test_documents import revision

FILE = "x.md"


@pytest.fixture
def store() -> SqliteStore:
    return SqliteStore(":memory:")


def give_up(store: SqliteStore, *names: str) -> None:
    for _ in range(limits.GAP_TRIES):
        store.tried(FILE, names or store.gaps(FILE))


def test_a_gap_is_there_until_its_revision_is(store: SqliteStore) -> None:
    for name in ("r1", "r2"):
        one = replace(revision(name, content=name.encode()), parents=("p1", "p2", "r1"))
        store.add_revision(one, name.encode())
        store.note_gaps(FILE, name, one.parents)
    assert store.gaps(FILE) == ["p1", "p2"]
    assert store.files_with_gaps() == [FILE]
    asked = ((FILE, "p1"), (FILE, "r1"), ("y.md", "p1"))
    assert [store.is_gap(*one) for one in asked] == [True, False, False]
    store.add_revision(replace(revision("p1", seq=7), parents=()), b"text")
    store.note_gaps(FILE, "p1", ())
    assert store.gaps(FILE) == ["p2"]
    store.note_gaps(FILE, "p2", ("p3",))
    assert store.gaps(FILE) == ["p3"]
    store.note_gaps(FILE, "p3", ("r1",))
    assert store.files_with_gaps() == []


def test_the_greediest_makes_room_and_everybody_is_asked_in_turn(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GAPS", 6)
    store.note_lost(FILE, [f"0{number}" for number in range(9)], "greedy")
    assert len(store.missing(FILE)) == 6
    store.note_lost(FILE, ["p", "q"], "honest")
    assert store.missing(FILE) == {"00", "01", "02", "03", "p", "q"}
    assert store.gaps(FILE) == ["00", "p", "01", "q", "02", "03"]
    # nobody gets more than what all have
    store.note_lost(FILE, ["r", "s"], "honest")
    store.note_lost(FILE, ["0a"], "greedy")
    assert store.missing(FILE) == {"00", "01", "02", "p", "q", "r"}
    store.note_lost("a.md", ["t"], "greedy")
    store.note_lost("b.md", ["t"], "greedy")
    store.note_lost("c.md", ["t"], "honest")
    files = store.files_with_gaps()
    assert sorted(files) == ["a.md", "b.md", "c.md", FILE]
    assert files.index("c.md") < 3


def test_who_names_what_another_has_named_has_a_place_of_its_own_for_it(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GAPS", 4)
    store.note_lost(FILE, ["z"], "greedy")
    give_up(store)
    assert store.missing(FILE) == set()
    store.note_lost(FILE, ["z"], "honest")
    assert store.missing(FILE) == {"z"}
    store.note_lost(FILE, ["0", "1", "2", "3"], "greedy")
    assert "z" in store.missing(FILE)
    store.note_gaps(FILE, "z", ())
    assert "z" not in store.gaps(FILE)


def test_what_comes_does_not_delay_for_ever(store: SqliteStore) -> None:
    """Somebody feeds a history of its own bit by bit, and what it invented waits with it."""
    store.note_lost(FILE, ["invented", "own 0"], "liar")
    waited = []
    for number in range(limits.GAP_ASKS + 1):
        waited.append(store.missing(FILE))
        store.tried(FILE, store.gaps(FILE))
        store.note_gaps(FILE, f"own {number}", (f"own {number + 1}",), "liar")
    # longer than where nothing comes, and not for ever; nor is what comes bit by bit
    assert waited[limits.GAP_TRIES] == {"invented", f"own {limits.GAP_TRIES}"}
    assert waited[limits.GAP_ASKS - 1] == {"invented", f"own {limits.GAP_ASKS - 1}"}
    assert waited[limits.GAP_ASKS] == set()
    assert set(store.gaps(FILE)) == {"invented", f"own {limits.GAP_ASKS + 1}"}


def test_who_named_much_that_never_came_is_waited_for_no_more(store: SqliteStore) -> None:
    for number in range(limits.GAP_DEBT):
        store.note_lost(FILE, [f"i{number}"], "liar")
        assert store.missing(FILE) == {f"i{number}"}
        give_up(store)
    store.note_lost(FILE, ["next"], "liar")
    assert store.missing(FILE) == set()
    # it is asked for all the same, and that is a matter of this author and document
    assert "next" in store.gaps(FILE)
    store.note_lost(FILE, ["more"], "honest")
    store.note_lost("y.md", ["more"], "liar")
    assert store.missing(FILE) == store.missing("y.md") == {"more"}
    # what came after all is owed no more
    store.note_gaps(FILE, "i0", (), "liar")
    store.note_gaps(FILE, "next", (), "liar")
    store.note_lost(FILE, ["again"], "liar")
    assert store.missing(FILE) == {"more", "again"}


def test_what_a_late_joiner_hears_of_from_others_is_its_authors_at_last(
    store: SqliteStore,
) -> None:
    """An honest revision repeats what its author misses; then that comes which invented it."""
    invented = [f"i{number}" for number in range(limits.GAP_DEBT)]
    store.note_gaps(FILE, "head", ["lie", *invented], "honest")
    give_up(store, *invented)
    store.note_gaps(FILE, "lie", invented, "liar")
    store.note_lost(FILE, ["next"], "honest")
    store.note_lost(FILE, ["other"], "liar")
    assert store.missing(FILE) == {"next"}


def test_of_what_was_given_up_everybody_keeps_a_part(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "GAPS", 4)
    store.note_lost(FILE, ["zz"], "honest")
    give_up(store)
    for part in range(3):
        store.note_lost(FILE, [f"{part}{number}" for number in range(4)], "greedy")
        give_up(store)
    assert "zz" in store.gaps(FILE)
    assert len(store.gaps(FILE)) == 4
