# SPDX-License-Identifier: MIT
"""The way to the broker: connecting, and when a peer starts a broker of its own."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from federation import limits
from federation.adapters import broker as broker_adapter
from federation.broker_url import BrokerUrl
from federation.errors import Refusal
from federation.events import Instant, Publish
from federation.wire import messages, topics
from tests.daemon.mini_broker import MiniBroker
from tests.daemon.running import NOBODY, Running, key_of, running, soon, until
from tests.integration.brokers import free_port

OWN = key_of(1).peer_id


class FakeHost:
    """What stands in for the embedded broker: does at ``start`` what the test says."""

    made: list[FakeHost]
    answer: Callable[[FakeHost, int], object]

    def __init__(self, *, on_exit: Callable[[int], None]) -> None:
        self.on_exit = on_exit
        self.kind = "mosquitto"
        self.stopped = False
        self.inner: MiniBroker | None = None
        self.waiting: asyncio.Future[None] | None = None
        self.made.append(self)

    async def start(self, port: int, state_dir: Path) -> bool:
        assert os.path.isdir(state_dir)  # noqa: ASYNC240 - nothing else runs
        answer = type(self).answer(self, port)
        if isinstance(answer, Refusal):
            raise answer
        if answer == "for ever":
            self.waiting = asyncio.get_running_loop().create_future()
            await self.waiting
        self.inner = await MiniBroker(port).__aenter__()
        return answer is True

    async def stop(self) -> None:
        self.stopped = True
        if self.inner is not None:
            await self.inner.stop()
            self.inner = None


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakeHost]]:
    """Every broker that a peer tried to host; quick to try again."""
    FakeHost.made = []
    FakeHost.answer = lambda _self, _port: True
    monkeypatch.setattr(broker_adapter, "EmbeddedBroker", FakeHost)
    monkeypatch.setattr(limits, "HOST_PAUSE", 0.01)
    monkeypatch.setattr(limits, "HOST_AGAIN", 0.01)
    yield FakeHost.made
    del FakeHost.made


@pytest.fixture
def url() -> BrokerUrl:
    return BrokerUrl("mqtt", "127.0.0.1", free_port())


async def unreachable(here: Running, times: int) -> None:
    """Wait until the peer has tried in vain this often."""
    link = here.peer.link
    tried: list[str] = []
    told = link.connection._callbacks.on_unreachable

    def count(reason: str) -> None:
        tried.append(reason)
        told(reason)

    object.__setattr__(link.connection._callbacks, "on_unreachable", count)
    link.connection.reconnect_now()
    async with asyncio.timeout(10):
        while len(tried) < times:
            link.connection._hurry.set()
            await asyncio.sleep(0)


# --- connecting --------------------------------------------------------------------------------


async def test_connected_it_listens_announces_and_leaves_a_will(tmp_path: Path) -> None:
    async with MiniBroker() as broker:
        async with running(tmp_path, broker.url) as here:
            await here.turn()
            assert here.peer.link.status() == {
                "url": str(broker.url), "state": "connecting", "embedded": False, "kind": None,
                "protocol": None, "error": None,
            }  # fmt: skip
            await until(lambda: broker.on(topics.presence(OWN)))
            assert here.peer.link.up
            assert set(broker.sessions[0].filters) == set(topics.subscriptions(OWN))
            assert (broker.sessions[0].name).startswith(OWN)
            (live,) = broker.on(topics.ANNOUNCE)
            assert messages.parse(live, topics.ANNOUNCE).peer_id == OWN
            assert broker.retained[topics.presence(OWN)] == live
            status = here.peer.link.status()
            assert (status["state"], status["protocol"], status["error"]) == (
                "connected",
                "5",
                None,
            )
            will = broker.connects[0]
            assert topics.presence(OWN).encode() in will
            assert b'"status":"offline"' in will
        (*_, last) = broker.on(topics.presence(OWN))
        assert json.loads(last)["status"] == "offline"
        assert broker.retained[topics.presence(OWN)] == last
    assert here.peer.link.status()["state"] == "offline"


async def test_a_lost_broker_is_told_and_found_again(tmp_path: Path, url: BrokerUrl) -> None:
    async with running(tmp_path, url) as here:
        front = here.front()
        await front.call("events.subscribe")
        async with MiniBroker(url.port):
            here.peer.link.connection.reconnect_now()
            await until(lambda: here.peer.link.up)
        await until(lambda: not here.peer.link.up)
        status = here.peer.link.status()
        assert status["state"] == "connecting"
        assert status["error"]
        assert status["protocol"] is None
        async with MiniBroker(url.port) as again:
            here.peer.link.connection.reconnect_now()
            await until(lambda: again.on(topics.ANNOUNCE))
            await until(lambda: len(front.events) >= 3)
        names = [one["event"] for one in front.events[:3]]
        assert names == ["broker-connected", "broker-lost", "broker-connected"]
        assert front.events[0]["embedded"] is False
        assert front.events[1]["reason"]


async def test_messages_go_to_the_node_or_to_the_user(tmp_path: Path) -> None:
    async with MiniBroker() as broker, running(tmp_path, broker.url) as here:
        await until(lambda: here.peer.link.up and broker.listening(topics.SYNC))
        users: list[tuple[str, bytes, bool]] = []
        here.peer.link.on_user_message = lambda *message: users.append(message)
        await soon(here.peer.link.connection.subscribe([("user/#", 1), ("canvasl/#", 1)]))
        broker.send("user/topic", b"for the user")
        broker.send(topics.inbox(key_of(2).peer_id), b"for somebody else")
        broker.send(topics.SYNC, b"no message")
        broker.send(topics.inbox(OWN), b"no message either")
        await until(lambda: sum(here.peer.node.refused.values()) == 2)
        assert [topic for topic, _payload, _retained in users] == [
            "user/topic",
            topics.inbox(key_of(2).peer_id),
        ]


async def test_the_result_of_a_publish_comes_back_where_it_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with MiniBroker() as broker, running(tmp_path, broker.url) as here:
        await until(lambda: here.peer.link.up)
        results: list[tuple[tuple[str, str], str]] = []

        def published(about: tuple[str, str], result: str, _now: Instant) -> None:
            results.append((about, result))

        monkeypatch.setattr(here.peer.node, "receive_published", published)
        broker.publish_code = lambda topic: 0x87 if topic == "closed" else 0
        for topic in ("open", "closed", "bad/#"):
            here.peer.link.publish(Publish(topic, b"x", about=("a.md", topic)))
        here.peer.link.publish(Publish("nobody", b"x"))
        await until(lambda: len(results) == 3)
        assert sorted(results) == [
            (("a.md", "bad/#"), "refused:144"),
            (("a.md", "closed"), "refused:135"),
            (("a.md", "open"), "ok"),
        ]
        await until(lambda: broker.on("nobody"))
        await here.turn()
        assert len(results) == 3


# --- hosting -----------------------------------------------------------------------------------


async def test_who_finds_nobody_hosts(
    tmp_path: Path, url: BrokerUrl, hosts: list[FakeHost]
) -> None:
    async with running(tmp_path, url, may_host=True) as here:
        await until(lambda: here.peer.link.up)
        (host,) = hosts
        status = here.peer.link.status()
        assert (status["embedded"], status["kind"], status["state"]) == (
            True, "mosquitto", "connected",
        )  # fmt: skip
        assert not host.stopped
    assert host.stopped


async def test_who_may_not_host_never_does(
    tmp_path: Path, url: BrokerUrl, hosts: list[FakeHost]
) -> None:
    async with running(tmp_path, url) as here:
        await unreachable(here, 5)
        assert here.peer.link.status()["error"] == "connection refused"
    assert hosts == []


async def test_a_broker_that_refuses_is_no_reason_to_host(
    tmp_path: Path, hosts: list[FakeHost]
) -> None:
    async with MiniBroker() as broker:
        broker.connect_code = 0x87
        async with running(tmp_path, broker.url, may_host=True) as here:
            await unreachable(here, 5)
            status = here.peer.link.status()
            assert status["error"] == "refused: Not authorized"
            assert status["state"] == "connecting"
            assert here.peer.link._machine.host_at == float("inf")
            broker.connect_code = 0
            here.peer.link.connection.reconnect_now()
            await until(lambda: here.peer.link.up)
    assert hosts == []


async def test_a_rival_that_was_quicker_is_used(
    tmp_path: Path, url: BrokerUrl, hosts: list[FakeHost]
) -> None:
    FakeHost.answer = lambda _self, _port: False
    async with running(tmp_path, url, may_host=True) as here:
        await until(lambda: here.peer.link.up)
        status = here.peer.link.status()
        assert (status["embedded"], status["kind"]) == (False, None)
        (host,) = hosts
    assert not host.stopped, "it is not ours to stop"
    await host.stop()


async def test_of_two_peers_one_hosts_and_they_meet(
    tmp_path: Path, url: BrokerUrl, hosts: list[FakeHost]
) -> None:
    def first_wins(self: FakeHost, _port: int) -> object:
        return True if self is self.made[0] else Refusal("broker-unreachable", "somebody has it")

    FakeHost.answer = first_wins
    async with (
        running(tmp_path / "a", url, may_host=True) as a,
        running(tmp_path / "b", url, may_host=True, number=2) as b,
    ):
        await until(lambda: a.peer.link.up and b.peer.link.up)
        assert [one.peer.link.status()["embedded"] for one in (a, b)].count(True) == 1
        await until(lambda: a.peer.node.book.online() and b.peer.node.book.online())


async def test_a_broker_that_does_not_start_is_tried_again(
    tmp_path: Path, url: BrokerUrl, hosts: list[FakeHost]
) -> None:
    def third_time(self: FakeHost, _port: int) -> object:
        return True if len(self.made) == 3 else Refusal("missing-program", "no broker")

    FakeHost.answer = third_time
    async with running(tmp_path, url, may_host=True) as here:
        await until(lambda: here.peer.link.up)
        assert len(hosts) == 3


async def test_when_its_broker_ends_it_hosts_another(
    tmp_path: Path, url: BrokerUrl, hosts: list[FakeHost]
) -> None:
    async with running(tmp_path, url, may_host=True) as here:
        await until(lambda: here.peer.link.up)
        await hosts[0].stop()
        hosts[0].on_exit(-9)
        assert here.peer.link.status()["embedded"] is False
        await until(lambda: len(hosts) == 2 and here.peer.link.up)
        assert here.peer.link.status()["embedded"] is True


async def test_stopping_while_its_broker_starts_leaves_none(
    tmp_path: Path, url: BrokerUrl, hosts: list[FakeHost]
) -> None:
    FakeHost.answer = lambda _self, _port: "for ever"
    async with running(tmp_path, url, may_host=True):
        await until(lambda: hosts and hosts[0].waiting is not None)
    await until(lambda: hosts[0].stopped)
    assert len(hosts) == 1


async def test_stopping_before_the_pause_is_over_hosts_nothing(
    tmp_path: Path, hosts: list[FakeHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HOST_PAUSE", 3600.0)
    async with running(tmp_path, NOBODY, may_host=True) as here:
        await until(lambda: here.peer.link._timer is not None)
        timer = here.peer.link._timer
    assert timer is not None
    assert timer.cancelled()
    assert hosts == []
