# SPDX-License-Identifier: MIT
"""Whole documents, of every kind."""

from __future__ import annotations

import hashlib
import json

import pytest

from federation.replica.merge.document import Merged, is_canvasl, merge, split_lines
from tests.replica.merge.canvases import Maker, check

KINDS = ("canvasl", "json-canvas")
VERSIONS = [
    b"", b"\n", b"a", b"a\n", b'\xef\xbb\xbf{"id":1}\n', b'{"id":1}\r\n{"id":2}\r\n',
    b'{"id":1}\r{"id":2}', b'\n\n{"id":1}\n\n', b"@include a\n@include a\n", b"{}", b"not: json\n",
]  # fmt: skip


@pytest.mark.parametrize("kind", [*KINDS, "text"])
@pytest.mark.parametrize("version", VERSIONS)
def test_what_only_one_side_changed_is_as_it_wrote_it(kind: str, version: bytes) -> None:
    for base in VERSIONS:
        for a, b in ((base, version), (version, base), (version, version)):
            merged = merge(kind, base, a, b)
            assert merged is not None
            assert (merged.content, merged.conflicts) == (version, ())


@pytest.mark.parametrize("kind", [*KINDS, "text"])
@pytest.mark.parametrize("odd", [b"\xff", b"a\0b"])
def test_what_is_no_text_is_not_merged(kind: str, odd: bytes) -> None:
    assert merge(kind, b"base", odd, b"other") is None
    assert merge(kind, odd, b"one", b"other") is None


@pytest.mark.parametrize("kind", KINDS)
def test_documents_that_began_apart(kind: str) -> None:
    a, b = (
        json.dumps({"nodes": [{"id": name}]}).encode() if kind == "json-canvas"
        else f'{{"id":"{name}"}}\n'.encode()
        for name in "ab"
    )  # fmt: skip
    merged = merge(kind, None, a, b)
    assert merged is not None
    assert b'"a"' in merged.content
    assert b'"b"' in merged.content


def test_what_two_texts_that_began_apart_have_in_common_is_there_once() -> None:
    merged = merge("text", None, b"mine\r\nbase\r\nx\r\n", b"base\r\nx\r\nyours\r\n")
    assert merged == Merged(b"mine\r\nbase\r\nx\r\nyours\r\n")
    assert merge("text", None, b"a\n", b"b\n") == Merged(b"a\nb\n")


def test_yaml_that_calls_itself_canvasl_is_text() -> None:
    assert not is_canvasl("a: 1\nb: 2\n")
    assert is_canvasl('@version 1\n{"id":1}\n')


@pytest.mark.parametrize("text", ["", "\n", "a", "a\n", "\ufeffa\nb", "\r\n"])
def test_lines_are_taken_apart_without_loss(text: str) -> None:
    mark, lines, ended = split_lines(text)
    assert mark + "\n".join(lines) + ("\n" if ended and lines else "") == text


def test_the_sides_give_the_same_bytes_each_time() -> None:
    maker = Maker(7, strict=True)
    style = maker.style("canvasl")
    base = maker.canvas()
    texts = [style.render(base), style.render(base.copy())]
    check("canvasl", texts[0], texts[1], texts[0], set())


def test_lines_of_the_same_bytes_keep_each_its_change() -> None:
    line = '{"id":"n","tags":["a","b"]}'
    base = f"{line}\n{line}\n".encode()
    a = base.replace(b'"b"', b'"b","c"', 1)
    b = (line.replace('["a"', '["x","a"') + "\n" + line.replace('"b"]', '"b","y"]') + "\n").encode()
    for sides in ((a, b), (b, a)):
        found = merge("canvasl", base, *sides)
        assert found is not None
        assert found.content.decode().splitlines() == [
            '{"id":"n","tags":["x","a","b","c"]}', '{"id":"n","tags":["a","b","y"]}'
        ]  # fmt: skip


def test_deletions_beside_a_new_order() -> None:
    """A program that sorts all entries moves none of them on purpose; a person does."""
    lines = [f'{{"id":"n{number}"}}' for number in range(40)]
    write = "\n".join
    mixed = sorted(lines, key=lambda line: hash_of(line))
    moved = [*lines[1:], lines[0]]
    for side, stays in ((mixed, False), (moved, True)):
        found = merge(
            "canvasl", write(lines).encode(), write(side).encode(), write(lines[1:]).encode()
        )
        assert found is not None
        assert (lines[0] in found.content.decode().splitlines()) is stays
        assert len(found.conflicts) == stays


def hash_of(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()
