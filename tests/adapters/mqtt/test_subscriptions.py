# SPDX-License-Identifier: MIT
"""What we listen to, without a broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from federation.adapters.mqtt.session import MqttSession
from federation.adapters.mqtt.subscriptions import FILTERS, Subscriptions

from .fakes import soon


class FakeSession:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[list[tuple[str, int]]] = []
        self.left: list[str] = []

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> int:
        self.asked.append(list(filters))
        return len(self.asked)

    def unsubscribe(self, filters: Sequence[str]) -> None:
        self.left += filters


def fake() -> tuple[FakeSession, MqttSession]:
    session = FakeSession()
    return session, cast("MqttSession", session)


async def test_filters_go_out_in_packets_of_a_bounded_size() -> None:
    seen, session = fake()
    subscriptions = Subscriptions()
    names = [f"t/{number}" for number in range(2 * FILTERS + 1)]
    result = subscriptions.add([(name, 1) for name in names], session)
    assert [len(part) for part in seen.asked] == [FILTERS, FILTERS, 1]
    subscriptions.answered(2, [1] * FILTERS)
    subscriptions.answered(1, [1] * (FILTERS - 1) + [135])
    assert not result.done()
    subscriptions.answered(3, [0])
    words = await soon(result)
    assert words[FILTERS - 1] == "refused:135"
    assert words.count("ok") == len(names) - 1
    assert subscriptions.refused == {names[FILTERS - 1]: 135}


async def test_everything_is_renewed_and_what_was_left_is_not() -> None:
    seen, session = fake()
    subscriptions = Subscriptions()
    assert await soon(subscriptions.add([("a", 0), ("b", 2), ("c#", 1)], None)) == [
        "offline",
        "offline",
        "refused:143",
    ]
    subscriptions.remove(["a", "unknown"], session)
    assert seen.left == ["a"]
    subscriptions.renew(session)
    assert seen.asked == [[("b", 1)]]


async def test_a_broker_that_forgets_a_filter_has_not_granted_it() -> None:
    _, session = fake()
    subscriptions = Subscriptions()
    result = subscriptions.add([("a", 1), ("b", 1)], session)
    subscriptions.answered(1, [1])
    assert await soon(result) == ["ok", "refused:128"]
    subscriptions.answered(1, [1, 1])
    subscriptions.answered(99, [1, 1, 1])
    assert subscriptions.refused == {"b": 128}


async def test_a_granted_filter_is_not_refused_any_more() -> None:
    _, session = fake()
    subscriptions = Subscriptions()
    subscriptions.add([("a", 1)], session)
    subscriptions.answered(1, [135])
    subscriptions.renew(session)
    subscriptions.answered(2, [1])
    assert subscriptions.refused == {}


async def test_a_lost_connection_answers_nobody_but_forgets_nothing() -> None:
    seen, session = fake()
    subscriptions = Subscriptions()
    result = subscriptions.add([("a", 1)], session)
    subscriptions.connection_lost()
    assert await soon(result) == ["offline"]
    subscriptions.renew(session)
    assert seen.asked == [[("a", 1)], [("a", 1)]]
    assert subscriptions.refused == {}


async def test_no_filters_is_no_packet() -> None:
    seen, session = fake()
    assert await soon(Subscriptions().add([], session)) == []
    assert seen.asked == []
