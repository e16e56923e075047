# SPDX-License-Identifier: MIT
"""Two bots edit one canvas while their broker is away: what both see when it is back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.brokers import Mosquitto
from tests.integration.pair import broker
from tests.integration.peers import Peer, command

__all__ = ["broker"]  # a fixture
pytestmark = pytest.mark.mosquitto

CANVAS = "plan.canvasl"
LINES = [
    '@version: "1.0"',
    '{"id": "a", "type": "text", "text": "first", "x": 0.50, "color": "1"}',
    '{"id": "b", "type": "text", "text": "second", "x": 1}',
    '{"id": "c", "type": "text", "text": "third", "x": 2}',
    '{"id": "e", "fromNode": "a", "toNode": "c"}',
]


def verb(peer: Peer, *words: str, code: int = 0) -> Any:
    """What a verb of the command line answers as JSON; for another ``code``, its error."""
    done = subprocess.run(
        command(*words, "--json", "--state-dir", str(peer.state_dir)),
        cwd=peer.env["HOME"], env=peer.env, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, (done.stdout, done.stderr)
    return json.loads(done.stderr if code else done.stdout)


def bot(folder: Path, broker: Mosquitto, name: str, *flags: str) -> Peer:
    """A bot that takes what announced peers sync."""
    flags = ("--trust-policy", "announced", "--identity-name", name, *flags)
    return Peer(folder / name, broker.url, flags=flags)


@pytest.fixture
def two(broker: Mosquitto, tmp_path: Path) -> Iterator[tuple[Peer, Peer]]:
    """Two bots that have one canvas, and whose broker is gone."""
    with bot(tmp_path, broker, "one") as one, bot(tmp_path, broker, "two") as two:
        one.wait(lambda: verb(one, "discovered")["peers"], what="one knows two")
        two.wait(lambda: verb(two, "discovered")["peers"], what="two knows one")
        canvas = tmp_path / CANVAS
        canvas.write_text("\n".join(LINES))
        verb(one, "sync", str(canvas), "--wait")
        two.wait((two.synced / CANVAS).exists, what="the canvas")
        broker.kill()
        yield one, two


def edit(peer: Peer, lines: list[str]) -> str:
    """Change the synced copy, as an editor does; the new revision."""
    path = peer.synced / CANVAS
    path.write_text("\n".join(lines))
    return str(verb(peer, "sync", str(path))["revision"])


def shown(peer: Peer) -> bytes:
    return (peer.synced / CANVAS).read_bytes()


def states(peer: Peer) -> dict[str, tuple[str, str]]:
    """revision -> (author's name, state)."""
    rows = verb(peer, "history", CANVAS)["revisions"]
    return {row["revision"]: (row["name"], row["state"]) for row in rows}


def edit_both(one: Peer, other: Peer) -> dict[str, str]:
    """Different properties of one entry, a move, a new entry, and one value twice.

    All revisions that there are, and whose they are.
    """
    revisions = dict.fromkeys(states(one), "one")
    mine = [*LINES]
    mine[1] = mine[1].replace('"color": "1"', '"color": "5"')
    revisions[edit(one, mine)] = "one"
    mine[2] = mine[2].replace('"x": 1', '"x": 10')
    mine.append(mine.pop(3))
    revisions[edit(one, mine)] = "one"
    theirs = [*LINES]
    theirs[1] = theirs[1].replace('"first"', '"the first"')
    theirs[2] = theirs[2].replace('"x": 1', '"x": 20')
    theirs.insert(2, '{"id": "new", "text": "more"}')
    revisions[edit(other, theirs)] = "two"
    return revisions


def the_place(one: Peer, other: Peer) -> Any:
    """The one conflict, the same on both."""
    answers = [verb(peer, "conflicts")["conflicts"] for peer in (one, other)]
    assert [row["places"] for row in answers[0]] == [row["places"] for row in answers[1]]
    ((row,), _) = answers
    (place,) = row["places"]
    assert (row["file"], row["versions"], place["path"]) == (CANVAS, [], ["b", "x"])
    assert {place["a"]["value"], place["b"]["value"]} == {"10", "20"}
    return place


def test_a_canvas_edited_on_both_sides_of_a_broken_broker(
    two: tuple[Peer, Peer], broker: Mosquitto, tmp_path: Path
) -> None:
    one, other = two
    revisions = edit_both(one, other)
    assert verb(one, "conflicts") == verb(other, "conflicts") == {"conflicts": []}
    broker.start()
    for peer in two:
        peer.wait(lambda peer=peer: verb(peer, "conflicts")["conflicts"], 60, "the merge")  # type: ignore[misc]
    one.wait(
        lambda: set(states(one)) == set(states(other)) == set(revisions), 60.0, "all revisions"
    )
    one.wait(lambda: shown(one) == shown(other), 60.0, "the same bytes")
    lines = shown(one).decode().split("\n")
    assert lines[0] == LINES[0]
    assert '{"id": "a", "type": "text", "text": "the first", "x": 0.50, "color": "5"}' in lines
    assert [json.loads(line)["id"] for line in lines[1:]] == ["a", "new", "b", "e", "c"]
    place = the_place(one, other)
    assert f'"x": {place[place["kept"]]["value"]}' in lines[3]
    for peer in two:
        heads = [(name, state) for name, state in states(peer).values() if state != "past"]
        assert sorted(heads) == [("one", "merged"), ("two", "merged")]

    # settled on one of them, it is settled on both
    number = place["number"][:8]
    error = verb(other, "resolve", CANVAS, number, "--value", "no JSON", code=1)
    assert error["reason"] == "bad-params"
    answer = verb(other, "resolve", CANVAS, number, "--value", "15")
    assert answer["open"] == 0
    revisions[answer["revision"]] = "two"
    for peer in two:
        peer.wait(lambda peer=peer: not verb(peer, "conflicts")["conflicts"], 60.0, "settled")  # type: ignore[misc]
    one.wait(lambda: shown(one) == shown(other), 60.0, "the same bytes")
    assert b'{"id": "b", "type": "text", "text": "second", "x": 15}' in shown(one)
    assert verb(one, "resolve", CANVAS, number, "a", code=1)["reason"] == "unknown-conflict"
    for peer in two:
        found = states(peer)
        assert {revision: name for revision, (name, _state) in found.items()} == revisions
        assert found[answer["revision"]] == ("two", "current")
    other.stop()
    check_late(bot(tmp_path, broker, "three", "--merge-strategy", "manual"), one)


def check_late(late: Peer, one: Peer) -> None:
    """Who comes later has the same bytes and history, also of whom it never met."""
    with late:
        late.wait(lambda: late.history(CANVAS) and states(late) == states(one), 60, "the history")
        late.wait(lambda: shown(late) == shown(one), 60.0, "the same bytes")
        assert verb(late, "conflicts") == {"conflicts": []}
        for revision in states(one):
            contents = []
            for peer in (late, one):
                copy = peer.state_dir.parent / f"{peer.state_dir.name}-{revision[:8]}"
                params = {"file": CANVAS, "revision": revision, "path": str(copy)}
                peer.call("documents.export", params)
                contents.append(copy.read_bytes())
            assert contents[0] == contents[1]


def test_bytes_that_are_no_text_stay_side_by_side(
    two: tuple[Peer, Peer], broker: Mosquitto
) -> None:
    for peer in two:
        (peer.synced / CANVAS).write_bytes(b"\xff" + peer.state_dir.name.encode())
        verb(peer, "sync")
    broker.start()
    one, other = two
    kept = ""
    for peer in two:
        peer.wait(lambda peer=peer: verb(peer, "conflicts")["conflicts"], 60, "the conflict")  # type: ignore[misc]
        assert shown(peer) == b"\xff" + peer.state_dir.name.encode()
        (row,) = verb(peer, "conflicts")["conflicts"]
        assert row["places"] == []
        assert {Path(one["path"]).read_bytes() for one in row["versions"]} == {
            b"\xffone", b"\xfftwo",
        }  # fmt: skip
        kept = row["current"]
    verb(other, "restore", CANVAS, kept[:12])
    one.wait(lambda: shown(one) == b"\xfftwo", 60.0, "the version that was chosen")
    assert verb(one, "conflicts") == verb(other, "conflicts") == {"conflicts": []}
