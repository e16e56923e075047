# SPDX-License-Identifier: MIT
"""Events and effects: plain, frozen, and documented as they are used."""

from __future__ import annotations

import ast
import dataclasses
import typing
from pathlib import Path

import pytest

from federation import events
from federation.events import EVENTS, Effect, Instant, Notice


def calls(repository: Path) -> list[tuple[str, set[str]]]:
    """(event, fields) of every ``notify("event", field=…)`` in the sources."""
    found: list[tuple[str, set[str]]] = []
    for path in sorted((repository / "federation" / "node").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr == "notify" and isinstance(node.args[0], ast.Constant):
                names = {word.arg for word in node.keywords if word.arg is not None}
                found.append((str(node.args[0].value), names))
    return found


def test_every_event_of_the_node_has_its_documented_fields(repository: Path) -> None:
    found = calls(repository)
    assert len(found) >= 12
    for event, fields in found:
        assert fields == set(EVENTS[event][1]), event


def test_every_event_says_what_it_means() -> None:
    for event, (meaning, fields) in EVENTS.items():
        assert event == event.lower()
        assert " " not in event
        assert meaning
        assert all(fields.values())


@pytest.mark.parametrize("kind", [*typing.get_args(Effect), Notice, Instant])
def test_events_and_effects_are_plain_and_frozen(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    values: dict[str, typing.Any] = {one.name: "x" for one in dataclasses.fields(kind)}
    made = kind(**values)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, next(iter(values)), "y")
    assert made == kind(**values)


def test_a_notice_has_fields_of_its_own() -> None:
    first, second = Notice("ready"), Notice("ready")
    first.fields["peer_id"] = "x"
    assert second.fields == {}
    assert events.Publish("t", b"").qos == 1
