# SPDX-License-Identifier: MIT
"""The verbs about conflicts: what they show, and what they ask of the peer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from federation.errors import Refusal
from tests.cli.conftest import Run
from tests.cli.peer import standing_in

ME, BOB, EVE = ("peer-" + letter * 52 for letter in "abe")
REVISION, NUMBER = "0123456789abcdef" * 4, "abcdef0123456789" * 4
PEOPLE: dict[str, Any] = {
    "status": {"peer_id": ME},
    "peers.list": {"peers": [{"peer_id": BOB, "name": "Bob\x1b"}, {"peer_id": EVE, "name": None}]},
}
PLACE: dict[str, Any] = {
    "number": NUMBER, "path": ["n1", "x"], "entry": '{"id":"n1","x":2}', "base": "0", "kept": "b",
    "a": {"peers": [ME], "value": "1"}, "b": {"peers": [BOB], "value": "2"},
}  # fmt: skip


def listed(*places: dict[str, Any], versions: Any = ()) -> dict[str, Any]:
    row = {"file": "c.canvasl", "current": REVISION, "versions": list(versions),
           "places": list(places)}  # fmt: skip
    return {**PEOPLE, "conflicts.list": {"conflicts": [row]}}


def test_no_conflicts(run: Run, state: Path) -> None:
    with standing_in(state, {"conflicts.list": {"conflicts": []}}):
        assert run("conflicts").out == "No conflicts.\n"


def test_versions_that_cannot_be_merged(run: Run, state: Path) -> None:
    version = {"revision": REVISION, "peer_id": BOB, "time": "t", "size": 1, "path": "/p"}
    with standing_in(state, listed(versions=[version, version | {"revision": "f"}])):
        out = run("conflicts").out
    assert out.count("(in place)") == 1
    assert out.count("Bob\ufffd") == 2
    assert "peer-" not in out
    assert "restore" in out
    assert "resolve" not in out


def test_a_place_with_both_values_and_who_made_them(run: Run, state: Path) -> None:
    with standing_in(state, listed(PLACE)):
        head, row, hint = run("conflicts").out.splitlines()
        assert run("conflicts", "--json").data["conflicts"][0]["places"] == [PLACE]
    assert head.split() == ["number", "document", "where", "before", "a", "b", "stands"]
    assert re.split(" {2,}", row) == [
        "abcdef01", "c.canvasl", "n1/x", "0", "1 (you)", "2 (Bob\ufffd)", "b",
    ]  # fmt: skip
    assert "resolve DOCUMENT NUMBER" in hint


def test_what_was_removed_or_was_not_there_is_told_apart(run: Run, state: Path) -> None:
    place = PLACE | {"base": None, "a": {"peers": [EVE, BOB], "value": None}, "kept": "neither"}
    with standing_in(state, listed(place)):
        row = run("conflicts").out.splitlines()[1]
    assert " - " in row
    assert "removed (peer-eeeeeeee, Bob\ufffd)" in row
    assert row.endswith("neither")


def test_long_and_odd_values_stay_on_their_line(run: Run, state: Path) -> None:
    odd = ["x" * 5000, "\u4e00" * 5000, "a\nb\x1b[2J\n", "\n" * 10]
    places = [PLACE | {"base": value, "number": f"{place}" * 64} for place, value in enumerate(odd)]
    with standing_in(state, listed(*places)):
        lines = run("conflicts").out.splitlines()
    assert len(lines) == 1 + len(odd) + 1
    assert all(len(line) < 160 for line in lines)
    assert "x" * 31 + "…" in lines[1]
    assert "\u4e00" * 15 + "…" in lines[2]
    assert "a b\ufffd[2J" in lines[3]


def test_numbers_are_as_long_as_it_takes_to_tell_them_apart(run: Run, state: Path) -> None:
    other = PLACE | {"number": NUMBER[:11] + "0" * 53}
    with standing_in(state, listed(PLACE, other)):
        rows = run("conflicts").out.splitlines()[1:3]
    assert [row.split()[0] for row in rows] == [NUMBER[:12], NUMBER[:11] + "0"]


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["a"], {"choice": "a"}), (["b"], {"choice": "b"}), (["kept"], {"choice": "kept"}),
        (["--value", "-5"], {"choice": "value", "value": "-5"}),
        (["--value={}"], {"choice": "value", "value": "{}"}),
        (["--value", ""], {"choice": "value", "value": ""}),
    ],
)  # fmt: skip
def test_resolving(run: Run, state: Path, words: list[str], asked: dict[str, str]) -> None:
    answer = {"file": "c.canvasl", "revision": REVISION, "path": "/s/synced/c.canvasl", "open": 0}
    with standing_in(state, {"conflicts.resolve": answer}) as peer:
        outcome = run("resolve", "c.canvasl", NUMBER[:8].upper(), *words)
        assert outcome.out == "c.canvasl is now 0123456789ab, in /s/synced/c.canvasl\n"
        peer.answers["conflicts.resolve"] = answer | {"open": 2}
        assert "2 conflicts left" in run("resolve", "c.canvasl", NUMBER, *words).out
        assert run("resolve", "c.canvasl", NUMBER, *words, "--json").data == answer | {"open": 2}
    params = [given for _method, given in peer.asked]
    assert params[0] == {"file": "c.canvasl", "number": NUMBER[:8], **asked}
    assert params[1]["number"] == NUMBER


@pytest.mark.parametrize("reason", ["unknown-conflict", "conflict-moved", "bad-params"])
def test_what_the_peer_refuses(run: Run, state: Path, reason: str) -> None:
    with standing_in(state, {"conflicts.resolve": Refusal(reason, "x")}):
        outcome = run("resolve", "c.canvasl", NUMBER, "a", "--json")
    assert outcome.error["reason"] == reason
    assert outcome.code == 1
    assert outcome.out == ""


@pytest.mark.parametrize("words", [[], ["neither"], ["a", "--value", "1"]])
def test_exactly_one_choice_is_made(run: Run, state: Path, words: list[str]) -> None:
    with standing_in(state, {}) as peer:
        outcome = run("resolve", "c.canvasl", NUMBER, *words, "--json")
    assert outcome.code == 2
    assert outcome.error["reason"] == "usage"
    assert peer.asked == []


@pytest.mark.parametrize("number", ["abc", "z" * 8, "a" * 65, "abcdef0\x1b"])
def test_what_is_no_number_is_told_so(run: Run, state: Path, number: str) -> None:
    with standing_in(state, {}) as peer:
        outcome = run("resolve", "c.canvasl", number, "a", "--json")
    assert outcome.error["reason"] == "unknown-conflict"
    assert "8 to 64" in outcome.error["message"]
    assert peer.asked == []
