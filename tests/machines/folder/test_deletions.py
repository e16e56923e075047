# SPDX-License-Identifier: MIT
"""What is missing: when it is deleted, when it is held, when it has another name."""

from __future__ import annotations

import pytest

from federation import limits
from federation.machines.folder.deletions import Deletions, is_mass
from federation.machines.folder.values import Known, Seen

LATER = limits.FOLDER_GONE
FOREVER = float("inf")


def names(count: int) -> set[str]:
    return {f"{number:04}.md" for number in range(count)}


def decide(one: Deletions, absent: set[str], shared: int, now: float, **given: bool) -> list[str]:
    options = {"doubtful": False, "busy": False, **given}
    deleted, again = one.decide(absent, shared, now, **options)
    assert again > now
    for name in deleted:
        one.back(name)
    return deleted


@pytest.mark.parametrize(
    ("deleted", "shared", "mass"),
    [
        (0, 0, False), (1, 1, False), (1, 100, False), (2, 2, True), (2, 3, False), (3, 3, True),
        (9, 20, False), (10, 20, True), (10, 40, False), (11, 40, True), (999, 5000, False),
        (1000, 5000, True),
    ],
)  # fmt: skip
def test_what_many_is(deleted: int, shared: int, mass: bool) -> None:
    assert is_mass(deleted, shared) is mass


def test_a_file_is_deleted_a_while_after_it_was_missed() -> None:
    one = Deletions()
    assert one.decide({"x.md"}, 5, 10.0, doubtful=False, busy=False) == ([], 10.0 + LATER)
    assert decide(one, {"x.md"}, 5, 9.9 + LATER) == []
    assert one.decide({"x.md"}, 5, 10 + LATER, doubtful=False, busy=False) == (["x.md"], FOREVER)


def test_a_file_that_came_back_begins_anew() -> None:
    one = Deletions()
    one.miss("x.md", 0.0)
    assert decide(one, set(), 5, 1.0) == []
    assert decide(one, {"x.md"}, 5, LATER) == []
    assert decide(one, {"x.md"}, 5, 2 * LATER) == ["x.md"]


def test_while_new_files_are_unread_a_missing_one_may_be_renamed() -> None:
    one = Deletions()
    one.miss("x.md", 0.0)
    assert decide(one, {"x.md"}, 5, LATER, busy=True) == []
    assert decide(one, {"x.md"}, 5, limits.FOLDER_SETTLE_MAX, busy=True) == ["x.md"]


def test_many_at_once_are_held_until_a_yes() -> None:
    one, many = Deletions(), names(20)
    assert decide(one, many, 30, 0.0) == []
    assert decide(one, many, 30, LATER) == []
    assert set(one.held) == many
    assert decide(one, many | {"other.md"}, 30, LATER) == []
    assert decide(one, many | {"other.md"}, 30, 1000.0) == []
    assert set(one.held) == many | {"other.md"}
    one.agree()
    assert decide(one, many - {"0000.md"}, 30, 1001.0) == sorted(many - {"0000.md"})
    assert one.held == ()


def test_a_yes_is_for_what_was_held_then() -> None:
    one, many = Deletions(), names(20)
    one.decide(many, 30, 0.0, doubtful=False, busy=False)
    decide(one, many, 30, LATER)
    one.agree()
    late = {f"late {number}.md" for number in range(10)}
    assert decide(one, many | late, 30, LATER) == sorted(many)
    assert decide(one, late, 10, 3 * LATER) == []
    assert set(one.held) == late
    one.agree()
    assert decide(one, late, 10, 4 * LATER) == sorted(late)


def test_many_one_after_another_are_many() -> None:
    one, left, deleted = Deletions(), names(30), 0
    for step, name in enumerate(sorted(left)):
        now = step * 2.5
        one.miss(name, now)
        deleted += len(decide(one, {name, *one.held}, len(left) - deleted, now + LATER))
    assert 0 < deleted < 10
    assert len(one.held) == 30 - deleted


def test_slow_deletions_are_not_held() -> None:
    one = Deletions()
    for step, name in enumerate(sorted(names(30))):
        one.miss(name, step * limits.MASS_DELETE_WINDOW)
        assert decide(one, {name}, 60, step * limits.MASS_DELETE_WINDOW + LATER) == [name]


def test_in_another_folder_nothing_is_deleted_without_a_yes() -> None:
    one = Deletions()
    assert decide(one, {"x.md"}, 50, 0.0, doubtful=True) == []
    assert decide(one, {"x.md"}, 50, LATER) == []
    assert one.held == ("x.md",)
    one.agree()
    assert decide(one, {"x.md"}, 50, LATER + 1) == ["x.md"]
    one.miss("y.md", LATER + 1)
    assert decide(one, {"y.md"}, 49, 3 * LATER) == ["y.md"]


def test_no_means_that_missing_says_nothing_until_it_was_there_again() -> None:
    one, many = Deletions(), names(20)
    one.decide(many, 30, 0.0, doubtful=False, busy=False)
    decide(one, many, 30, LATER)
    assert set(one.decline()) == many
    assert one.held == ()
    for moment in range(3, 9):
        assert decide(one, many, 30, moment * LATER) == []
    assert one.held == ()
    assert decide(one, set(), 30, 10 * LATER) == []
    assert decide(one, {"0001.md"}, 30, 11 * LATER) == []
    assert decide(one, {"0001.md"}, 30, 12 * LATER) == ["0001.md"]


def known(content: str, inode: int = 0, size: int = 1) -> Known:
    return Known(content, Seen(size, 1, inode))


def test_which_missing_file_a_new_one_was() -> None:
    one = Deletions()
    table = {"a.md": known("A", 1), "b.md": known("A", 2), "d/x.md": known("A", 3),
             "0.md": known("0", 9, size=0), "there.md": known("T", 8)}  # fmt: skip
    for name in ("a.md", "b.md", "d/x.md", "0.md"):
        one.miss(name, 0.0)
    assert one.renamed("n.md", known("A", 2), table) == "b.md"  # the same file
    assert one.renamed("e/x.md", known("A", 77), table) == "d/x.md"  # in another folder
    assert one.renamed("n.md", known("A", 77), table) == "a.md"
    assert one.renamed("n.md", known("B", 1), table) is None
    assert one.renamed("n.md", known("T", 8), table) is None  # a copy
    assert one.renamed("n.md", known("0", 77, size=0), table) is None  # all empty files are equal
    assert one.renamed("n.md", known("0", 9, size=0), table) == "0.md"


def test_what_is_forgotten_is_missed_anew() -> None:
    one, many = Deletions(), names(20)
    one.decide(many, 20, 0.0, doubtful=True, busy=False)
    decide(one, many, 20, LATER)
    one.agree()
    one.forget()
    assert one.held == ()
    assert decide(one, {"0001.md"}, 20, 2 * LATER) == []
    assert decide(one, {"0001.md"}, 20, 3 * LATER) == ["0001.md"]
