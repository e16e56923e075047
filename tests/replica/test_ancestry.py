# SPDX-License-Identifier: MIT
"""What a revision was made from: proved by parents, guessed from vectors where they are missing."""

from __future__ import annotations

import dataclasses

import pytest

from federation import limits
from federation.replica.ancestry import Ancestry
from federation.replica.records import Revision
from tests.replica.histories import History


def forged() -> History:
    """``m`` says that it has seen all that ``a`` will ever write; ``a2`` came later."""
    made = History()
    for name, seq, *parents in (
        ("a1", 1), ("m1", 1, "a1"), ("m2", 2, "m1"), ("a2", 2, "a1"), ("b1", 1, "m2"),
        ("c1", 1, "a2", "b1"),
    ):  # fmt: skip
        made.add(name, name[0], int(seq), name.encode(), *map(str, parents))
    for name in ("m1", "m2", "b1"):
        one = made.revisions[name]
        made.revisions[name] = dataclasses.replace(one, vector={**one.vector, "a": 99})
    return made


@pytest.mark.parametrize(
    ("newer", "older", "seen"),
    [
        ("m1", "a1", True),
        ("m2", "a1", True),
        ("b1", "a1", True),
        ("m1", "a2", False),
        ("m2", "a2", False),
        ("b1", "a2", False),
        ("a2", "m1", False),
        ("c1", "a2", True),
        ("c1", "a1", True),
        ("c1", "m1", True),
        ("a1", "c1", False),
    ],
)
def test_parents_prove_what_was_seen(newer: str, older: str, seen: bool) -> None:
    made = forged()
    ancestry = Ancestry(made.revisions.get)
    for _again in range(2):
        assert ancestry.contains(made.revisions[newer], made.revisions[older]) is seen
    assert not ancestry.guessed


def test_where_the_history_is_missing_a_vector_is_believed() -> None:
    made = forged()
    gone = made.revisions.pop("m1")
    ancestry = Ancestry(made.revisions.get)
    assert ancestry.contains(made.revisions["b1"], made.revisions["a2"])
    assert ancestry.guessed
    # it comes, and the word is not taken any more
    made.revisions["m1"] = gone
    ancestry = Ancestry(made.revisions.get)
    assert not ancestry.contains(made.revisions["b1"], made.revisions["a2"])
    assert not ancestry.guessed


def test_what_both_have() -> None:
    made = forged()
    ancestry = Ancestry(made.revisions.get)
    a2, b1 = made.revisions["a2"], made.revisions["b1"]
    assert [one.revision for one in ancestry.reached(a2, b1)] == ["a1"]
    assert [one.revision for one in ancestry.reached(b1, a2)] == ["a1"]
    assert [one.revision for one in ancestry.apart([b1], [a2])] == ["b1", "m2", "m1"]
    assert not ancestry.guessed
    del made.revisions["m1"]
    ancestry.forget()
    assert [one.revision for one in ancestry.apart([b1], [a2])] == ["b1", "m2"]
    assert ancestry.guessed


def test_plain_messages_follow_their_authors_clock() -> None:
    """The middle one came last: it names none, and none names it."""
    made = History()
    for name, seq, *parents in (("p1", 10), ("p3", 30, "p1"), ("p2", 20, "p1")):
        one = made.add(name, "p", int(seq), name.encode(), *map(str, parents))
        made.revisions[name] = dataclasses.replace(one, plain=True, vector={"p": int(seq) - 1})
    ancestry = Ancestry(made.revisions.get)
    one, two, three = (made.revisions[name] for name in ("p1", "p2", "p3"))
    assert ancestry.contains(three, two)
    assert ancestry.contains(two, one)
    assert not ancestry.contains(two, three)


def test_another_document_is_no_part_of_the_history() -> None:
    made = forged()
    made.revisions["b1"] = dataclasses.replace(made.revisions["b1"], file="y.canvasl")
    ancestry = Ancestry(made.revisions.get)
    assert not ancestry.contains(made.revisions["c1"], made.revisions["m1"])


def test_the_walk_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MERGE_WALK", 2)
    made = forged()
    ancestry = Ancestry(made.revisions.get)
    # beyond it a vector is believed
    assert ancestry.contains(made.revisions["b1"], made.revisions["a2"])
    assert ancestry.guessed


def two_long_histories(length: int, *parents: str) -> History:
    """``h`` and ``m`` beside one another, each of which says that it has seen the other."""
    made = History()
    made.add("m0", "m", 10 * length, b"0")
    made.add("h0", "h", 1, b"0", "m0")
    for number in range(1, length + 1):
        made.add(f"h{number}", "h", number + 1, b"h", f"h{number - 1}")
    before = parents
    for number in range(1, length + 1):
        one = made.add(f"m{number}", "m", number, b"m")
        made.revisions[f"m{number}"] = dataclasses.replace(
            one, vector={"h": 10 * length, "m": number}, parents=before
        )
        before = (f"m{number}",)
    return made


@pytest.mark.parametrize("parents", [(), ("m0",), ("never",)])
def test_long_histories_beside_one_another_are_walked_a_few_times(
    monkeypatch: pytest.MonkeyPatch, parents: tuple[str, ...]
) -> None:
    length = 300
    monkeypatch.setattr(limits, "MERGE_LOOKS", 20 * length)
    made = two_long_histories(length, *parents)
    looks = 0

    class Counting(Ancestry):
        def parent(self, name: str) -> Revision | None:
            nonlocal looks
            looks += 1
            return super().parent(name)

    ancestry = Counting(made.revisions.get, lambda _file: {"never"})
    ends = (made.revisions[f"h{length}"], made.revisions[f"m{length}"])
    reached = [ancestry.reached(one, other) for one, other in (ends, ends[::-1])]
    assert looks < 40 * length
    # only where a part of the history may still come, a vector's word counts
    assert (f"h{length}" in [one.revision for one in reached[0]]) is ("never" in parents)


def test_what_takes_too_long_was_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MERGE_LOOKS", 2)
    made = forged()
    ancestry = Ancestry(made.revisions.get)
    assert not ancestry.contains(made.revisions["b1"], made.revisions["a2"])
    assert not ancestry.guessed
