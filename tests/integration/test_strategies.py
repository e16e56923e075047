# SPDX-License-Identifier: MIT
"""What each strategy does, with two live peers that changed one value at once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.brokers import Mosquitto
from tests.integration.pair import broker
from tests.integration.peers import Peer
from tests.integration.test_merging import CANVAS, bot, shown, verb

__all__ = ["broker"]  # a fixture
pytestmark = pytest.mark.mosquitto

LINE = '{"id": "a", "text": "pond", "x": %d}\n'


@contextlib.contextmanager
def clashed(
    folder: Path, broker: Mosquitto, first: str, second: str
) -> Iterator[tuple[Peer, Peer]]:
    """Two bots with these strategies: ``one`` says 1, ``two`` says 2, and then they meet."""
    flag = "--merge-strategy"
    with (
        bot(folder, broker, "one", flag, first) as one,
        bot(folder, broker, "two", flag, second) as two,
    ):
        one.wait(lambda: verb(one, "discovered")["peers"], what="one knows two")
        canvas = folder / CANVAS
        canvas.write_text(LINE % 0)
        verb(one, "sync", str(canvas), "--wait")
        two.wait((two.synced / CANVAS).exists, what="the canvas")
        broker.kill()
        for peer, value in ((one, 1), (two, 2)):
            (peer.synced / CANVAS).write_text(LINE % value)
            verb(peer, "sync", str(peer.synced / CANVAS))
        broker.start()
        for peer in (one, two):
            peer.wait(lambda peer=peer: len(verb(peer, "history", CANVAS)["revisions"]) >= 3,  # type: ignore[misc]
                      60, "both revisions")  # fmt: skip
        yield one, two


def x(peer: Peer) -> int:
    return int(json.loads(shown(peer))["x"])


def numbers(peer: Peer) -> list[str]:
    rows = verb(peer, "conflicts")["conflicts"]
    return [place["number"] for row in rows for place in row["places"]]


def settled(peer: Peer, value: int) -> None:
    peer.wait(lambda: x(peer) == value and not numbers(peer), 60.0, f"settled with {value}")


def test_auto_merge_shows_one_value_and_lists_the_other(tmp_path: Path, broker: Mosquitto) -> None:
    with clashed(tmp_path, broker, "auto_merge", "auto_merge") as (one, two):
        one.wait(lambda: numbers(one) and numbers(one) == numbers(two), 60.0, "one conflict")
        one.wait(lambda: shown(one) == shown(two), 60.0, "the same bytes")
        lost = 3 - x(one)
        verb(two, "resolve", CANVAS, numbers(two)[0][:12], "--value", str(lost))
        settled(one, lost)
        settled(two, lost)


def test_manual_keeps_the_own_value_until_somebody_chooses(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with clashed(tmp_path, broker, "manual", "manual") as (one, two):
        one.wait(lambda: numbers(one) and numbers(one) == numbers(two), 60.0, "one conflict")
        assert (x(one), x(two)) == (1, 2)
        verb(one, "resolve", CANVAS, numbers(one)[0][:12], "theirs")
        settled(one, 2)
        settled(two, 2)


@pytest.mark.parametrize(("strategy", "value"), [("prefer_local", 1), ("prefer_remote", 2)])
def test_a_preference_settles_it_for_both(
    tmp_path: Path, broker: Mosquitto, strategy: str, value: int
) -> None:
    with clashed(tmp_path, broker, strategy, "auto_merge") as (one, two):
        settled(one, value)
        settled(two, value)


def test_two_who_both_prefer_their_own_end_with_one_value(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with clashed(tmp_path, broker, "prefer_local", "prefer_local") as (one, two):
        one.wait(lambda: shown(one) == shown(two) and not numbers(one) and not numbers(two),
                 60, "one value")  # fmt: skip
        assert x(one) in (1, 2)
