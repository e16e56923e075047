# SPDX-License-Identifier: MIT
"""State tables: stepping, and the picture."""

from __future__ import annotations

from enum import Enum, auto

from federation.machine import Table


class _State(Enum):
    SHUT = auto()
    OPEN = auto()


class _Event(Enum):
    PUSHED = auto()
    LEFT_ALONE = auto()


DOOR = Table(
    "door",
    _State.SHUT,
    {
        (_State.SHUT, _Event.PUSHED): _State.OPEN,
        (_State.OPEN, _Event.LEFT_ALONE): _State.SHUT,
    },
)


def test_a_step_follows_the_table_and_ignores_the_rest() -> None:
    assert DOOR.step(_State.SHUT, _Event.PUSHED) is _State.OPEN
    assert DOOR.step(_State.OPEN, _Event.LEFT_ALONE) is _State.SHUT
    assert DOOR.step(_State.OPEN, _Event.PUSHED) is _State.OPEN
    assert DOOR.step(_State.SHUT, _Event.LEFT_ALONE) is _State.SHUT


def test_the_diagram_shows_every_move() -> None:
    assert DOOR.diagram().splitlines() == [
        "stateDiagram-v2",
        "    [*] --> SHUT",
        "    SHUT --> OPEN: pushed",
        "    OPEN --> SHUT: left alone",
    ]


def test_the_table_is_a_copy() -> None:
    moves = {(_State.SHUT, _Event.PUSHED): _State.OPEN}
    table = Table("door", _State.SHUT, moves)
    moves.clear()
    assert table.step(_State.SHUT, _Event.PUSHED) is _State.OPEN
