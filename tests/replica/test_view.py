# SPDX-License-Identifier: MIT
"""Views: several heads in one."""

from __future__ import annotations

import dataclasses

import pytest

from federation import limits
from federation.replica.records import Revision
from federation.replica.view import view_id
from tests.replica.histories import History

BASE = b'{"id":"1","x":1}\n{"id":"2","y":1}\n'


def forked() -> tuple[History, Revision, Revision]:
    history = History()
    history.add("0", "a", 1, BASE)
    one = history.add("1", "a", 2, BASE.replace(b'"x":1', b'"x":2'), "0")
    other = history.add("2", "b", 1, BASE.replace(b'"y":1', b'"y":2'), "0")
    return history, one, other


def test_two_heads_over_what_they_were_made_from() -> None:
    history, one, other = forked()
    view = history.viewer.merged("x.canvasl", "canvasl", [one, other])
    assert view is not None
    assert view.content == b'{"id":"1","x":2}\n{"id":"2","y":2}\n'
    assert view == history.viewer.merged("x.canvasl", "canvasl", [other, one])
    assert [base.revision for base in history.viewer.common([one], other)] == ["0"]


def test_heads_that_crossed_have_several_bases() -> None:
    history, _one, _other = forked()
    both = b'{"id":"1","x":2}\n{"id":"2","y":2}\n'
    left = history.add("3", "a", 3, both.replace(b'"x":2', b'"x":3'), "1", "2")
    right = history.add("4", "b", 2, both.replace(b'"y":2', b'"y":3'), "1", "2")
    assert [base.revision for base in history.viewer.common([left], right)] == ["1", "2"]
    view = history.viewer.merged("x.canvasl", "canvasl", [left, right])
    assert view is not None
    assert view.content == b'{"id":"1","x":3}\n{"id":"2","y":3}\n'
    assert view.conflicts == ()


def test_a_conflict_has_one_number_however_it_is_seen() -> None:
    history, one, _other = forked()
    third = history.add("5", "c", 1, BASE.replace(b'"x":1', b'"x":7'), "0")
    fourth = history.add("6", "d", 1, BASE.replace(b'"y":1', b'"y":9'), "0")
    two = history.viewer.merged("x.canvasl", "canvasl", [one, third])
    three = history.viewer.merged("x.canvasl", "canvasl", [fourth, third, one])
    assert two is not None
    assert three is not None
    assert [c.number for c in two.conflicts] == [c.number for c in three.conflicts]
    (conflict,) = two.conflicts
    assert {conflict.a, conflict.b} == {"2", "7"}
    assert {conflict.author_a, conflict.author_b} == {"a", "c"}


def test_bytes_that_are_no_text_have_no_view() -> None:
    history, one, _other = forked()
    odd = history.add("7", "c", 1, b"\xff", "0")
    assert history.viewer.merged("x.canvasl", "canvasl", [one, odd]) is None


def test_a_lost_base_is_no_base() -> None:
    history, one, other = forked()
    del history.revisions["0"]
    assert history.viewer.merged("x.canvasl", "canvasl", [one, other]) is not None


@pytest.mark.parametrize("missing", ["2", "1 2", "3", "2 3", "1 2 3"])
def test_over_a_gap_nothing_is_lost_and_nothing_is_there_twice(missing: str) -> None:
    """What both were made from is on its way; whoever saves meanwhile saves what is shown."""
    history = History()
    history.add("1", "a", 1, b"base\n")
    history.add("2", "a", 2, b"base\nA\n", "1")
    history.add("3", "b", 1, b"B\nbase\n", "1")
    left = history.add("4", "a", 3, b"left\nB\nbase\nA\n", "2", "3")
    right = history.add("5", "b", 2, b"B\nbase\nA\nright\n", "2", "3")
    whole = history.viewer.merged("x.md", "text", [left, right])
    for name in missing.split():
        del history.revisions[name]
    view = history.viewer.merged("x.md", "text", [left, right])
    assert whole is not None
    assert view is not None
    assert view.content == whole.content == b"left\nB\nbase\nA\nright\n"
    assert view.conflicts == ()
    assert whole.whole
    assert not view.whole or "2 3" not in missing


def test_ids() -> None:
    assert view_id(["a", "b"], "c") == view_id(["b", "a"], "c") != view_id(["a"], "c")
    assert dataclasses.is_dataclass(Revision)


def test_a_conflict_names_those_whose_values_it_is_about() -> None:
    history, _one, _other = forked()
    heads = [
        history.add("5", "c", 1, BASE.replace(b'"x":1', b'"x":7'), "0"),
        history.add("6", "d", 1, BASE.replace(b'"y":1', b'"y":9'), "0"),
        history.add("7", "e", 1, BASE.replace(b'"x":1', b'"x":8'), "0"),
        history.add("8", "f", 1, BASE.replace(b'"x":1', b'"x":8'), "0"),
    ]
    view = history.viewer.merged("x.canvasl", "canvasl", heads[:3])
    assert view is not None
    assert [(one.author_a, one.author_b) for one in view.conflicts] == [("c", "e")]
    # two of the same value stand on one side together
    again = history.add("9", "g", 1, BASE.replace(b'"x":1', b'"x":5'), "0")
    view = history.viewer.merged("x.canvasl", "canvasl", [*heads[1:], again])
    assert view is not None
    assert [(one.author_a, one.author_b) for one in view.conflicts] == [("e,f", "g")]


def test_of_many_versions_all_have_the_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MERGE_SIDES", 2)
    history, _one, _other = forked()
    heads = [
        history.add(str(number), name, 1, BASE.replace(b'"x":1', b'"x":%d' % value), "0")
        for number, (name, value) in enumerate((("c", 7), ("d", 1), ("e", 8)), 5)
    ]
    view = history.viewer.merged("x.canvasl", "canvasl", heads)
    assert view is not None
    assert [(one.author_a, one.author_b) for one in view.conflicts] == [("c,d", "e")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("swapped", [False, True])
def test_of_two_choices_of_lines_that_were_made_at_once_one_stands(
    end: bytes, swapped: bool
) -> None:
    def text(*lines: bytes) -> bytes:
        return b"".join(line + end for line in (b"* A", *lines, b"* B"))

    history = History()
    history.add("0", "a", 1, text(b"alpha"))
    one = history.add("1", "a", 2, text(b"beta"), "0")
    other = history.add("2", "b", 1, text(b"gamma"), "0")
    both = history.viewer.merged("x.org", "text", [one, other])
    assert both is not None
    assert both.content == text(b"beta", b"gamma")
    chosen = (b"gamma", b"beta") if swapped else (b"beta", b"gamma")
    left = history.add("3", "a", 3, text(chosen[0]), "1", "2")
    right = history.add("4", "b", 2, text(chosen[1], b"more"), "1", "2")
    view = history.viewer.merged("x.org", "text", [right, left])
    assert view is not None
    assert view.content == text(b"beta", b"more")
    assert view.conflicts == ()
