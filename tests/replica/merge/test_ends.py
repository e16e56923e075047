# SPDX-License-Identifier: MIT
"""What is around the lines of a document."""

from __future__ import annotations

import pytest

from federation.replica.merge import ends
from federation.replica.merge.document import merge

TEXTS = ["", "a", "a\n", "a\nb", "a\r\nb\r\n", "\ufeffa\r\nb", "\ufeff", "a\rb", "a\r\nb\n", "\n"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("joined", [False, True])
def test_what_is_taken_off_is_put_on_again(text: str, *, joined: bool) -> None:
    around = ends.of(text)
    joined = joined and ends.can_join(around)
    assert ends.dressed(ends.bare(text, around, joined=joined), around, joined=joined) == text


def test_each_is_merged_for_itself() -> None:
    base, a, b = ends.of("x\n"), ends.of("\ufeffx\n"), ends.of("x\r\ny")
    assert ends.merged(base, a, b) == ends.Ends("\ufeff", "\r\n", ended=False)
    assert ends.merged(base, b, a) == ends.merged(base, a, b)
    assert ends.merged(None, ends.of(""), b) == b


@pytest.mark.parametrize("kind", ["text", "canvasl"])
def test_one_side_changes_all_line_ends(kind: str) -> None:
    base = b'{"id":1}\nplain\n{"id":2}\n{"id":3}\n'
    crlf = base.replace(b"\n", b"\r\n")
    edited = b'{"id":1}\n{"id":2}\n{"id":3,"x":4}\n'
    wanted = b'{"id":1}\r\n{"id":2}\r\n{"id":3,"x":4}\r\n'
    for a, b in ((crlf, edited), (edited, crlf)):
        found = merge(kind, base, a, b)
        assert found is not None
        assert (found.content, found.conflicts) == (wanted, ())


def test_a_conflict_has_the_line_ends_of_the_document() -> None:
    for end in ("\n", "\r\n"):
        base, a, b = ((end.join(("one", word, "two"))).encode() for word in ("x", "y", "z"))
        found = merge("text", base, a, b)
        assert found is not None
        assert [one.kept for one in found.conflicts] == [f"y{end}z{end}"] or [
            one.kept for one in found.conflicts
        ] == [f"z{end}y{end}"]
        assert all(one.entry in found.content.decode() for one in found.conflicts)


@pytest.mark.parametrize("kind", ["text", "canvasl", "json-canvas"])
@pytest.mark.parametrize("base", [None, b"", b"\xef\xbb\xbf", b"one line"])
def test_who_writes_crlf_first_keeps_it(kind: str, base: bytes | None) -> None:
    ours, theirs = b"a\nb\n", b"c\r\nd\r\n"
    for a, b in ((ours, theirs), (theirs, ours)):
        found = merge(kind, base, a, b)
        assert found is not None
        assert found.content.count(b"\r\n") == found.content.count(b"\n") == 4
        assert {*found.content.split(b"\r\n")} == {b"a", b"b", b"c", b"d", b""}


@pytest.mark.parametrize(("base", "a", "b", "end"), [
    ("x\r\n", "x\r\ny\r\n", "x\n", "\n"),  # a program changed all of them
    ("x\n", "x\ny\n", "x\r\n", "\r\n"),
    ("", "x\n", "y\n", "\n"), ("", "x\n", "y", "\n"), ("", "x\r\n", "y", "\r\n"),
])  # fmt: skip
def test_whose_line_ends_all_lines_get(base: str, a: str, b: str, end: str) -> None:
    old, ours, theirs = map(ends.of, (base, a, b))
    assert ends.merged(old, ours, theirs).end == ends.merged(old, theirs, ours).end == end
