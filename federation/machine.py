# SPDX-License-Identifier: MIT
"""A state machine as one readable table, and its picture.

A table maps (state, event) to the next state.  An event that a state does not
list is ignored there unless the machine says otherwise; the tests walk every
pair.  ``diagram`` draws the table for ``docs/explanation/architecture.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Generic, TypeVar

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)


class Table(Generic[S, E]):
    """The transitions of one kind of machine."""

    def __init__(self, name: str, start: S, moves: Mapping[tuple[S, E], S]) -> None:
        self.name = name
        self.start = start
        self.moves = dict(moves)

    def step(self, state: S, event: E) -> S:
        """The state after ``event``; the same one where the table says nothing."""
        return self.moves.get((state, event), state)

    def diagram(self) -> str:
        """A Mermaid ``stateDiagram-v2`` of the table."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.start.name}"]
        for (state, event), after in self.moves.items():
            label = event.name.lower().replace("_", " ")
            lines.append(f"    {state.name} --> {after.name}: {label}")
        return "\n".join(lines)
