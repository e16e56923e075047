# SPDX-License-Identifier: MIT
"""Two lists of entries that were made from a third."""

from __future__ import annotations

from federation.replica.merge.document import merge

LINES = [f'{{"id":"n{number}","x":{number}}}' for number in range(5)]


def text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def merged(a: list[str], b: list[str], base: list[str] | None = None) -> tuple[list[str], int]:
    found = merge("canvasl", text(LINES if base is None else base), text(a), text(b))
    assert found is not None
    return found.content.decode().splitlines(), len(found.conflicts)


def test_a_deletion_and_an_edit_elsewhere() -> None:
    assert merged(LINES[1:], [*LINES, "new"]) == ([*LINES[1:], "new"], 0)


def test_a_deletion_yields_to_an_edit() -> None:
    edited = [line.replace('"x":2', '"x":9') for line in LINES]
    found, conflicts = merged([*LINES[:2], *LINES[3:]], edited)
    assert edited[2] in found
    assert conflicts == 1


def test_a_deletion_yields_to_a_move() -> None:
    moved = [LINES[4], *LINES[:4]]
    found, _conflicts = merged(LINES[:4], moved)
    assert found == moved


def test_the_same_addition_is_there_once_and_another_one_too() -> None:
    both = '{"id":"m","x":1}'
    found, conflicts = merged([*LINES, both], [both, *LINES, '{"id":"o"}'])
    assert found.count(both) == 1
    assert '{"id":"o"}' in found
    assert conflicts == 0


def test_repeated_lines_keep_their_number() -> None:
    base = ["same"] * 3
    assert sorted(merged([*base, "a"], [*base, "b"], base)[0]) == ["a", "b", *base]


def test_both_added_one_id_with_other_words() -> None:
    found, conflicts = merged([*LINES, '{"id":"m","t":"a"}'], [*LINES, '{"id":"m","t":"b"}'])
    assert sum('"m"' in line for line in found) == 1
    assert conflicts == 1
