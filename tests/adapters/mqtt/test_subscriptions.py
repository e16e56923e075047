# SPDX-License-Identifier: MIT
"""What we listen to: without a broker, and with one that is told what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from federation.adapters.mqtt.connection import MqttConnection
from federation.adapters.mqtt.session import MqttSession
from federation.adapters.mqtt.subscriptions import FILTERS, Subscriptions

from .fakes import FakeBroker, Owner, connected, soon


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


# --- through a connection ---


async def test_subscriptions_are_answered_and_renewed(broker: FakeBroker, owner: Owner) -> None:
    connection, client = await connected(broker, owner, no_local=True)
    result = connection.subscribe([("a/#", 1), ("b#", 1), ("secret", 2)])
    body = await client.expect(0x80)
    assert body[3:] == b"\x00\x03a/#\x05\x00\x06secret\x05"  # QoS 1, no local
    client.send(b"\x90\x05" + body[:2] + b"\x00\x01\x87")
    assert await soon(result) == ["ok", "refused:143", "refused:135"]
    assert connection.refused_filters == {"secret": 135}
    connection.unsubscribe(["secret", "never"])
    assert (await client.expect(0xA0))[3:] == b"\x00\x06secret"
    assert connection.refused_filters == {}
    client.close()
    again = await broker.accept()
    await again.greet(b"\x20\x03\x01\x00\x00")
    assert (await again.expect(0x80))[3:] == b"\x00\x03a/#\x05"
    await connection.stop()


async def test_a_subscription_without_a_connection_is_remembered(
    broker: FakeBroker, owner: Owner
) -> None:
    connection = owner.connection(broker.url)
    assert await soon(connection.subscribe([("t", 0)])) == ["offline"]
    await connection.start()
    client = await broker.accept()
    await client.greet()
    assert (await client.expect(0x80))[3:] == b"\x00\x01t\x00"
    lost = connection.subscribe([("u", 1)])
    await client.expect(0x80)
    client.close()
    assert await soon(lost) == ["offline"]
    await connection.stop()


async def test_subscriptions_come_before_what_on_up_publishes(broker: FakeBroker) -> None:
    class Eager(Owner):
        connection_: MqttConnection

        def _tell(self, queue):  # type: ignore[no-untyped-def]
            told = super()._tell(queue)

            def tell(value: object) -> None:
                if queue is self.ups:
                    self.connection_.publish("hello", b"")
                told(value)

            return tell

    owner = Eager()
    connection = owner.connection(broker.url)
    owner.connection_ = connection
    connection.subscribe([("t", 1)])
    await connection.start()
    client = await broker.accept()
    await client.greet()
    await client.expect(0x80)
    await client.expect(0x30)
    await connection.stop()
