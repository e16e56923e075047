# SPDX-License-Identifier: MIT
"""Topics that front ends listen to, and the brokers that they open beside the peer's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from federation import limits
from federation.wire import topics
from tests.daemon.mini_broker import MiniBroker
from tests.daemon.running import Front, Row, Running, key_of, running, until

OWN = key_of(1).peer_id


@pytest.fixture
async def broker() -> AsyncIterator[MiniBroker]:
    async with MiniBroker() as made:
        yield made


@pytest.fixture
async def other() -> AsyncIterator[MiniBroker]:
    """Another broker than the peer's own."""
    async with MiniBroker() as made:
        yield made


@pytest.fixture
async def here(broker: MiniBroker, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, broker.url, username="me", password="hunter2") as made:
        await until(lambda: made.peer.link.up and broker.listening(topics.SYNC))
        yield made


async def listening(here: Running) -> Front:
    """A front end that gets events."""
    front = here.front()
    await front.call("events.subscribe")
    return front


def heard(front: Front, connection: int = 0) -> list[str]:
    """The messages of topics that a front end was told."""
    return [
        one["message"] for one in front.events
        if one["event"] == "message-received" and one["connection"] == connection
        and not one["verified"]
    ]  # fmt: skip


# --- the peer's own broker --------------------------------------------------------------------


async def test_a_subscription_brings_what_matches_to_who_asked(
    here: Running, broker: MiniBroker
) -> None:
    first, second = await listening(here), await listening(here)
    await first.call("topic.subscribe", topic="a/+")
    await second.call("topic.subscribe", topic="a/b/#")
    for topic in ("a/b", "a/b/c", "a", "x"):
        broker.send(topic, topic.encode())
    await until(lambda: len(heard(first)) == 1 and len(heard(second)) == 2)
    assert (heard(first), heard(second)) == (["a/b"], ["a/b", "a/b/c"])
    (event,) = [one for one in first.events if one["event"] == "message-received"]
    assert set(event) == {"event", "time", "topic", "message", "connection", "verified"}
    assert (event["topic"], event["verified"]) == ("a/b", False)


async def test_filters_that_overlap_bring_a_message_once(
    here: Running, broker: MiniBroker, other: MiniBroker
) -> None:
    front = await listening(here)
    number = (await front.call("broker.open", url=str(other.url)))["connection"]
    await until(lambda: other.sessions)
    for connection, at in ((0, broker), (number, other)):
        for one in ("a/#", "a/+", "+/b"):
            await front.call("topic.subscribe", topic=one, connection=connection)
        for payload in (b"x", b"y", b"x"):
            for _copy in range(3):  # as a broker does that sends one for each filter
                at.send("a/b", payload)
        at.send("a/b/c", b"for one filter")
    await until(lambda: len(heard(front)) == len(heard(front, number)) == 4)
    assert heard(front) == heard(front, number) == ["x", "y", "x", "for one filter"]


async def test_what_a_broker_kept_comes_for_every_filter(here: Running, broker: MiniBroker) -> None:
    front = await listening(here)
    await here.front().call("topic.publish", topic="a/b", message="kept", retain=True)
    for one in ("a/#", "+/b"):
        await front.call("topic.subscribe", topic=one)
    await until(lambda: len(heard(front)) == 2)
    assert heard(front) == ["kept", "kept"]


async def test_what_is_not_text_is_told_as_far_as_it_is(here: Running, broker: MiniBroker) -> None:
    front = await listening(here)
    await front.call("topic.subscribe", topic="t")
    broker.send("t", b"a\xff\x00b")
    await until(lambda: heard(front))
    assert heard(front) == ["a\ufffd\ufffdb"]


async def test_the_broker_is_told_only_when_nobody_listens_any_more(
    here: Running, broker: MiniBroker
) -> None:
    first, second = await listening(here), await listening(here)
    for front in (first, second):
        await front.call("topic.subscribe", topic="t")
        await front.call("topic.subscribe", topic="t")
    assert await first.call("topic.unsubscribe", topic="t") == {"subscribed": False}
    broker.send("t", b"one")
    await until(lambda: heard(second))
    assert heard(first) == []
    assert broker.unsubscribed == []
    second.leave()
    await until(lambda: broker.unsubscribed)
    assert broker.unsubscribed == ["t"]
    assert not broker.listening("t")


async def test_the_peers_own_topics_stay_whoever_unsubscribes(
    here: Running, broker: MiniBroker
) -> None:
    front = await listening(here)
    for topic in topics.subscriptions(OWN):
        await front.call("topic.subscribe", topic=topic)
        await front.call("topic.unsubscribe", topic=topic)
    await front.call("topic.subscribe", topic="marker")
    await front.call("topic.unsubscribe", topic="marker")
    await until(lambda: broker.unsubscribed)
    assert broker.unsubscribed == ["marker"]
    assert set(broker.sessions[0].filters) == set(topics.subscriptions(OWN))


async def test_a_refused_filter_is_forgotten(here: Running, broker: MiniBroker) -> None:
    front = await listening(here)
    broker.filter_code = lambda name: 0x87 if name == "closed" else 1
    assert await front.reason("topic.subscribe", topic="closed") == "broker-refused"
    connection = here.peer.link.connection
    assert connection.refused_filters == {}
    assert set(connection._subscriptions._filters) == set(topics.subscriptions(OWN))
    assert front.end.topics == set()


async def test_at_the_limit_what_one_has_may_be_asked_for_again(
    here: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SUBSCRIPTIONS", 1)
    front = await listening(here)
    await front.call("topic.subscribe", topic="one")
    assert await front.reason("topic.subscribe", topic="one") == ""
    assert await front.reason("topic.subscribe", topic="two") == "queue-full"
    assert await here.front().reason("topic.subscribe", topic="two") == ""


@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_publishing_as_mqtt_does(here: Running, broker: MiniBroker, qos: int) -> None:
    front = here.front()
    params: Row = {"topic": "t", "message": "\u00fc\0", "qos": qos, "retain": True}
    assert await front.call("topic.publish", **params) == {"published": True}
    await until(lambda: broker.on("t"))
    (one,) = [one for one in broker.published if one.topic == "t"]
    assert (one.payload, one.qos, one.retain) == ("\u00fc\0".encode(), qos, True)


async def test_a_publish_that_was_lost_is_not_called_published(
    here: Running, broker: MiniBroker
) -> None:
    broker.publish_code = lambda _topic: None
    front = here.front()

    def gone(topic: str) -> None:
        for client in broker._clients:
            client.close()

    broker.publish_code = gone
    assert await front.reason("topic.publish", topic="t", message="") == "broker-unreachable"


# --- second connections ------------------------------------------------------------------------


async def test_a_second_connection_is_one_of_its_own(
    here: Running, broker: MiniBroker, other: MiniBroker
) -> None:
    front = await listening(here)
    opened = await front.call("broker.open", url=str(other.url), client_id="mine")
    number = opened["connection"]
    assert number > 0
    await until(lambda: other.sessions)
    assert other.sessions[0].name == "mine"
    assert b"hunter2" not in other.connects[0], "the peer's own secrets stay with its broker"
    await front.call("topic.subscribe", topic="t", connection=number)
    await front.call("topic.publish", topic="t", message="over there", connection=number)
    other.send("t", b"from there")
    broker.send("t", b"not listened to here")
    await until(lambda: len(heard(front, number)) == 2)
    assert heard(front, number) == ["over there", "from there"]
    assert heard(front) == []
    assert broker.on("t") == []


async def test_a_second_connection_to_a_known_topic_is_not_the_peers(
    here: Running, other: MiniBroker
) -> None:
    """A message on `canvasl/sync` of another broker is the user's, and never taken as ours."""
    front = await listening(here)
    opened = await front.call("broker.open", url=str(other.url))
    await until(lambda: other.sessions)
    number = opened["connection"]
    await front.call("topic.subscribe", topic=topics.SYNC, connection=number)
    friend = await here.known()
    other.send(topics.SYNC, friend.signed("canvasl-sync", file="a.md", content="x"))
    await until(lambda: heard(front, number))
    assert here.peer.store.documents() == []


async def test_user_and_password_are_those_of_the_call(here: Running, other: MiniBroker) -> None:
    front = here.front()
    await front.call("broker.open", url=str(other.url), username="somebody", password="secret")
    await until(lambda: other.connects)
    assert b"somebody" in other.connects[0]
    assert b"secret" in other.connects[0]
    assert "secret" not in front.raw.decode()


async def test_a_connection_is_known_to_its_front_end_alone(
    here: Running, other: MiniBroker
) -> None:
    owner, stranger = here.front(), here.front()
    number = (await owner.call("broker.open", url=str(other.url)))["connection"]
    for method, params in (
        ("topic.publish", {"topic": "t", "message": ""}),
        ("topic.subscribe", {"topic": "t"}),
        ("topic.unsubscribe", {"topic": "t"}),
        ("broker.close", {}),
    ):
        reason = await stranger.reason(method, connection=number, **params)
        assert reason == "unknown-connection"
    assert await owner.call("broker.close", connection=number) == {"connection": number}
    assert await owner.reason("broker.close", connection=number) == "unknown-connection"
    await until(lambda: not other.sessions)


async def test_closing_one_forgets_its_subscriptions_and_numbers_never_return(
    here: Running, other: MiniBroker
) -> None:
    front = here.front()
    numbers = []
    for _ in range(3):
        number = (await front.call("broker.open", url=str(other.url)))["connection"]
        await front.call("topic.subscribe", topic="t", connection=number)
        await front.call("topic.subscribe", topic="own")
        await front.call("broker.close", connection=number)
        numbers.append(number)
    assert front.end.topics == {(0, "own")}
    assert len(set(numbers)) == 3


async def test_a_front_end_that_goes_takes_its_connections_along(
    here: Running, other: MiniBroker
) -> None:
    leaver, stayer = here.front(), here.front()
    for front in (leaver, stayer):
        number = (await front.call("broker.open", url=str(other.url)))["connection"]
        await until(lambda: len(other.sessions) == len(here.peer.extras._connections))
        await front.call("topic.subscribe", topic="t", connection=number)
    leaver.leave()
    await until(lambda: len(other.sessions) == 1)
    assert len(here.peer.extras._connections) == 1
    assert await stayer.reason("topic.publish", topic="t", message="", connection=2) == ""


async def test_stopping_closes_them_all(here: Running, other: MiniBroker, tmp_path: Path) -> None:
    fronts = [here.front(), here.front()]
    for front in fronts:
        await front.call("broker.open", url=str(other.url))
    await until(lambda: len(other.sessions) == 2)
    fronts[0].leave()
    await here.peer.extras.close()
    await until(lambda: not other.sessions)
    assert here.peer.extras._closing == set()
