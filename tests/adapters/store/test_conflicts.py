# SPDX-License-Identifier: MIT
"""Conflicts that pass or stand, what was settled, and what is missing of a history."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from federation import limits
from federation.adapters.store import SqliteStore
from federation.errors import Refusal
from federation.replica.records import Clashing, Document
from tests.adapters.store.test_documents import revision

ONE = Clashing("1" * 64, "x.canvasl", "v", ("é", "text", "2"), '{"id":"é"}', None, "1", None, "1",
               "a,b", "c")  # fmt: skip
TWO = replace(ONE, number="2" * 64, kept=None, base="\u2028")


@pytest.fixture
def store() -> SqliteStore:
    return SqliteStore(":memory:")


def conflicted(store: SqliteStore) -> list[str]:
    """What is conflicted, asked for as a whole and one by one."""
    found = store.conflicted()
    assert [one.file for one in store.documents() if store.is_conflicted(one.file)] == [
        one.file for one in store.documents() if one.file in found
    ]
    return found


def test_a_conflict_comes_back_as_it_was(store: SqliteStore) -> None:
    other = replace(ONE, file="a.canvasl")
    store.put_conflicts([TWO, ONE, other], standing=False)
    assert store.open_conflicts("x.canvasl") == [ONE, TWO]
    assert store.open_conflicts() == [other, ONE, TWO]
    assert store.open_conflicts("y.canvasl") == []
    assert conflicted(store) == ["a.canvasl", "x.canvasl"]


def test_those_of_a_view_pass_with_it_and_standing_ones_stay(store: SqliteStore) -> None:
    store.put_conflicts([ONE], standing=True)
    store.put_conflicts([TWO], standing=False)
    store.drop_passing("other.canvasl")
    assert len(store.open_conflicts()) == 2
    store.drop_passing("x.canvasl")
    assert store.open_conflicts() == [ONE]


def test_what_stands_does_not_pass_with_a_view_that_has_it_too(store: SqliteStore) -> None:
    store.put_conflicts([ONE], standing=True)
    newer = replace(ONE, entry='{"id":"é","x":1}', view="w", heads_a=("r1", "r2"), head_b="r3")
    store.put_conflicts([newer], standing=False)
    # one conflict, as the present view has it
    assert store.open_conflicts() == [newer]
    assert store.instances("x.canvasl", [ONE.number, TWO.number, ONE.number]) == [ONE, newer]
    store.drop_passing("x.canvasl")
    assert store.open_conflicts() == [ONE]
    again = replace(ONE, kept="3")
    store.put_conflicts([again], standing=False)
    store.drop_passing("x.canvasl")
    assert store.open_conflicts() == [again]


def test_what_was_settled_is_known_by_who_did(store: SqliteStore) -> None:
    store.put_conflicts([ONE, TWO], standing=True)
    store.settle("x.canvasl", [ONE.number, ONE.number, "9" * 64], "s1")
    store.settle("x.canvasl", [ONE.number], "s1")
    store.settle("x.canvasl", [ONE.number], "s0")
    assert store.settled("x.canvasl") == {ONE.number: ["s0", "s1"], "9" * 64: ["s1"]}
    # of one document, not of another
    assert store.settled("y.canvasl") == {}


def test_one_merges_record_goes_and_the_others_stay(store: SqliteStore) -> None:
    newer = replace(ONE, view="w")
    other = replace(ONE, file="y.canvasl")
    store.put_conflicts([ONE, newer, TWO, other], standing=True)
    store.drop_conflict(ONE)
    assert store.open_conflicts("x.canvasl") == [newer, TWO]
    store.drop_conflict(newer)
    store.drop_conflict(TWO)
    assert store.open_conflicts() == [other]
    assert conflicted(store) == ["y.canvasl"]
    store.drop_conflict(other)
    assert conflicted(store) == []


def test_conflicts_are_there_after_a_restart(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "s.db"))
    with store.transaction():
        store.put_conflicts([ONE, TWO], standing=True)
        store.settle("x.canvasl", [TWO.number], "s")
        store.note_gaps("x.canvasl", "r", ["p"])
    store.close()
    again = SqliteStore(str(tmp_path / "s.db"))
    assert again.open_conflicts() == [ONE, TWO]
    assert again.settled("x.canvasl") == {TWO.number: ["s"]}
    assert again.gaps("x.canvasl") == ["p"]
    again.close()


def test_a_refused_event_leaves_no_conflict(store: SqliteStore) -> None:
    def fail() -> None:
        store.put_conflicts([ONE], standing=True)
        store.settle("x.canvasl", [TWO.number], "s")
        raise Refusal("queue-full")

    with store.transaction(), pytest.raises(Refusal):
        store.attempt(fail)
    assert store.open_conflicts() == []
    assert store.settled("x.canvasl") == {}


def test_versions_that_cannot_be_merged_make_a_document_conflicted(store: SqliteStore) -> None:
    """Two that say the same do not, nor two whose merge is shown."""
    for name, content in (("r1", b"1"), ("r2", b"2"), ("r3", b"2"), ("view", b"12")):
        store.add_revision(revision(name, seq=int(name[1:]) if name != "view" else 9,
                                    content=content), content)  # fmt: skip
    store.put_document(Document("x.md", "text", "r2"))
    store.set_heads("x.md", ["r2", "r3"])
    assert conflicted(store) == []
    store.set_heads("x.md", ["r1", "r2"])
    assert conflicted(store) == ["x.md"]
    store.put_document(Document("x.md", "text", "view"))
    assert conflicted(store) == []


# --- the ends of a history ---
def test_what_tells_best_what_is_here_comes_first(store: SqliteStore) -> None:
    """The ends of what is known: below them nothing is missing that is no gap itself."""
    chain = [("old1", ()), ("old2", ("old1",)), ("new1", ("gone",)), ("new2", ("new1",)),
             ("new3", ("new2",))]  # fmt: skip
    for number, (name, parents) in enumerate(chain):
        one = replace(revision(name, seq=number, content=name.encode()), parents=parents)
        store.add_revision(one, name.encode())
    # a view names versions, too, and is nobody's
    view = replace(revision("view", author="", content=b"v"), parents=("new3", "old2"))
    store.add_revision(view, b"v")
    assert store.newest("x.md", 2) == ["new3", "old2"]
    assert store.newest("x.md", limits.WANTS) == ["new3", "old2", "new2", "new1", "old1"]
    assert store.newest("y.md", 5) == []
