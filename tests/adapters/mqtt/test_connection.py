# SPDX-License-Identifier: MIT
"""The connection against a broker that is told what to do."""

from __future__ import annotations

import asyncio
import logging
from typing import NoReturn

import pytest

from federation.adapters.mqtt import connection as connection_module
from federation.adapters.mqtt.queue import WINDOW
from federation.broker_url import BrokerUrl
from federation.limits import OUTBOUND

from .fakes import CONNACK_4, WRONG_VERSION, FakeBroker, Owner, connected, publish, soon


async def test_up_tells_the_protocol_and_the_session(broker: FakeBroker, owner: Owner) -> None:
    connection = owner.connection(broker.url)
    assert (connection.up, connection.protocol) == (False, None)
    await connection.start()
    client = await broker.accept()
    body = await client.greet(b"\x20\x03\x01\x00\x00")
    assert body[6] == 5
    info = await soon(owner.ups.get())
    assert (info.protocol, info.session_present) == ("5", True)
    assert (connection.up, connection.protocol) == (True, "5")
    await connection.stop()
    assert (connection.up, connection.protocol) == (False, None)


async def test_connect_carries_identity_and_session(broker: FakeBroker, owner: Owner) -> None:
    owner.will = lambda: ("gone", b"will", 1, True)
    connection, client = await connected(
        broker, owner, username="peer", password="hunter2", persistent=True
    )
    del client
    await connection.stop()
    again = owner.connection(broker.url, username="peer", password="hunter2", persistent=True)
    await again.start()
    body = await (await broker.accept()).greet()
    assert body[7] == 0b11101100  # user, password, retained will of QoS 1, no clean start
    for part in (b"\x00\x02me", b"\x00\x04gone", b"\x00\x04will", b"\x00\x04peer", b"hunter2"):
        assert part in body
    assert b"\x11\x00\x09\x3a\x80" in body  # session expiry: seven days
    await again.stop()


async def test_secrets_stay_out_of_repr_and_logs(
    broker: FakeBroker, owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    connection, client = await connected(broker, owner, username="peer", password="hunter2")
    client.close()
    await soon(owner.downs.get())
    await connection.stop()
    assert "hunter2" not in repr(connection) + repr(vars(connection)) + caplog.text


async def test_a_broker_that_refuses_five_is_asked_with_four_at_once(
    broker: FakeBroker, owner: Owner
) -> None:
    connection = owner.connection(broker.url)
    await connection.start()
    first = await broker.accept()
    await first.greet(WRONG_VERSION)
    second = await broker.accept()
    body = await second.greet(CONNACK_4)
    assert body[6] == 4
    assert (await soon(owner.ups.get())).protocol == "3.1.1"
    assert owner.unreachable.empty()
    second.close()
    body = await (await broker.accept()).greet(CONNACK_4)
    assert body[6] == 4, "what worked is remembered"
    await connection.stop()


async def test_so_is_one_that_just_hangs_up(broker: FakeBroker, owner: Owner) -> None:
    connection = owner.connection(broker.url)
    await connection.start()
    first = await broker.accept()
    await first.expect(0x10)
    first.close()
    assert (await (await broker.accept()).greet(CONNACK_4))[6] == 4
    await connection.stop()


async def test_a_refusal_is_told_with_its_reason(broker: FakeBroker, owner: Owner) -> None:
    connection = owner.connection(broker.url, password="hunter2", username="me")
    await connection.start()
    await (await broker.accept()).greet(b"\x20\x03\x00\x87\x00")
    reason = await soon(owner.unreachable.get())
    assert reason == "refused: Not authorized"
    assert (connection.up, connection.last_error) == (False, reason)
    await (await broker.accept()).greet()
    await soon(owner.ups.get())
    assert (connection.up, connection.last_error) == (True, None)
    await connection.stop()


async def test_nobody_there(owner: Owner) -> None:
    async with FakeBroker() as broker:
        url = broker.url
    connection = owner.connection(url)
    await connection.start()
    assert await soon(owner.unreachable.get()) == "connection refused"
    assert await soon(owner.unreachable.get()) == "connection refused"
    await connection.stop()


async def test_publish_is_acknowledged_or_refused(broker: FakeBroker, owner: Owner) -> None:
    connection, client = await connected(broker, owner)
    verdicts = {
        b"": "ok",
        b"\x10\x00": "ok",  # nobody subscribed
        b"\x87\x00": "refused:135",
        b"\x95": "refused:149",  # not in the standard's list for PUBACK; mosquitto says it
    }
    for suffix, word in verdicts.items():
        result = connection.publish("t", b"payload")
        body = await client.expect(0x30)
        assert body[:3] == b"\x00\x01t"
        assert body.endswith(b"payload")
        client.send(bytes((0x40, 2 + len(suffix))) + body[3:5] + suffix)
        assert await soon(result) == word
    await connection.stop()


async def test_publish_without_a_connection(broker: FakeBroker, owner: Owner) -> None:
    connection = owner.connection(broker.url)
    assert await soon(connection.publish("t", b"")) == "offline"
    assert await soon(connection.publish("a/+", b"")) == "refused:144"
    assert await soon(connection.publish("a\0b", b"")) == "refused:144"


async def test_what_was_in_flight_is_lost_and_what_waited_was_never_sent(
    broker: FakeBroker, owner: Owner
) -> None:
    connection, client = await connected(broker, owner)
    results = [connection.publish("t", b"") for _ in range(WINDOW + 3)]
    for _ in range(WINDOW):
        await client.expect(0x30)
    assert connection.waiting == WINDOW + 3
    client.close()
    words = [await soon(result) for result in results]
    assert words == ["lost"] * WINDOW + ["offline"] * 3
    await soon(owner.downs.get())
    await connection.stop()


async def test_the_window_opens_with_each_acknowledgement(broker: FakeBroker, owner: Owner) -> None:
    connection, client = await connected(broker, owner, b"\x20\x06\x00\x00\x03\x21\x00\x02")
    results = [connection.publish("t", bytes([number])) for number in range(5)]
    seen = []
    bodies = [await client.expect(0x30), await client.expect(0x30)]
    while bodies:
        body = bodies.pop(0)
        seen.append(body[-1])
        client.send(b"\x40\x02" + body[3:5])
        if len(seen) + len(bodies) < 5:
            bodies.append(await client.expect(0x30))
    assert seen == [0, 1, 2, 3, 4]
    assert [await soon(result) for result in results] == ["ok"] * 5
    await connection.stop()


async def test_too_much_at_once_is_full(broker: FakeBroker, owner: Owner) -> None:
    connection, _ = await connected(broker, owner)
    results = [connection.publish("t", b"") for _ in range(WINDOW + OUTBOUND + 1)]
    assert await soon(results[-1]) == "full"
    assert not any(result.done() for result in results[:-1])
    await connection.stop()


async def test_what_the_broker_will_not_take_is_not_sent(broker: FakeBroker, owner: Owner) -> None:
    connack = b"\x20\x08\x00\x00\x05\x27\x00\x00\x04\x00"  # at most 1,024 bytes
    connection, client = await connected(broker, owner, connack)
    assert await soon(connection.publish("t", b"x" * 2000)) == "refused:149"
    result = connection.publish("t", b"x" * 500)
    client.send(b"\x40\x02" + (await client.expect(0x30))[3:5])
    assert await soon(result) == "ok"
    await connection.stop()


async def test_an_owner_that_fails_changes_nothing(
    broker: FakeBroker, owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    owner.fails = True
    owner.will = lambda: ("t", b"x" * 70_000, 0, False)
    connection, client = await connected(broker, owner)
    client.send(publish("a", b"1", packet_id=1) + publish("a", b"2", packet_id=2))
    assert (await soon(owner.messages.get()))[1] == b"1"
    assert (await soon(owner.messages.get()))[1] == b"2"
    assert await client.expect(0x40) == b"\x00\x01"
    assert await client.expect(0x40) == b"\x00\x02"
    assert "an owner's defect" in caplog.text
    assert connection.up
    await connection.stop()


async def test_hostile_messages_do_not_delay_the_next(broker: FakeBroker, owner: Owner) -> None:
    connection, client = await connected(broker, owner, max_payload=1000)
    client.send(publish("nul\0here", b"x", packet_id=1))
    client.send(publish("big", b"x" * 1001, packet_id=2))
    client.send(publish("huge", b"x" * 3_000_000, packet_id=3))
    client.send(publish("t", b"good", packet_id=4))
    assert await soon(owner.messages.get()) == ("t", b"good", False)
    assert sorted([await client.expect(0x40) for _ in range(4)]) == [
        b"\x00\x01",
        b"\x00\x02",
        b"\x00\x03",
        b"\x00\x04",
    ]
    assert connection.dropped == 3
    await connection.stop()


@pytest.mark.parametrize(
    "packet",
    [b"\xf0\x00", b"\x20\x01x", b"\x40\x01x", b"\x90\x02\x00\x01"],
)
def test_a_broker_that_talks_nonsense_is_left(packet: bytes) -> None:
    async def talk() -> None:
        owner = Owner()
        async with FakeBroker() as broker:
            connection, client = await connected(broker, owner)
            connection.publish("t", b"")
            await client.expect(0x30)
            client.send(packet)
            await soon(owner.downs.get())
            await (await broker.accept()).greet()
            await soon(owner.ups.get())
            await connection.stop()

    asyncio.run(talk())


async def test_the_brokers_goodbye_is_told(broker: FakeBroker, owner: Owner) -> None:
    connection, client = await connected(broker, owner)
    client.send(b"\xe0\x02\x8e\x00")
    assert await soon(owner.downs.get()) == "the broker ended it: Session taken over"
    await connection.stop()


async def test_while_paused_the_broker_has_to_wait(broker: FakeBroker, owner: Owner) -> None:
    connection, client = await connected(broker, owner)
    connection.pause()
    client.send(publish("t", b"1", packet_id=1))
    # The answer to this message comes behind the first one: it is not read either.
    result = connection.publish("t", b"")
    client.send(b"\x40\x02" + (await client.expect(0x30))[3:5])
    assert owner.messages.empty()
    connection.resume()
    assert await soon(result) == "ok"
    assert (await soon(owner.messages.get()))[1] == b"1"
    await connection.stop()


async def test_pausing_inside_a_message_stops_the_next(broker: FakeBroker) -> None:
    owner = Owner()
    connection, client = await connected(broker, owner)
    original = owner.messages.put_nowait

    def pause_after_first(item: tuple[str, bytes, bool]) -> None:
        original(item)
        connection.pause()

    owner.messages.put_nowait = pause_after_first  # type: ignore[method-assign]
    client.send(publish("t", b"1") + publish("t", b"2") + publish("t", b"3"))
    assert (await soon(owner.messages.get()))[1] == b"1"
    assert owner.messages.empty()
    connection.resume()
    assert (await soon(owner.messages.get()))[1] == b"2"
    connection.resume()
    assert (await soon(owner.messages.get()))[1] == b"3"
    await connection.stop()


async def test_stop_publishes_its_last_words_and_says_goodbye(
    broker: FakeBroker, owner: Owner
) -> None:
    connection, client = await connected(broker, owner)
    stopping = asyncio.create_task(connection.stop([("presence", b"offline", 1, True)]))
    first, body = await client.packet()
    assert first == 0x33  # QoS 1, retained
    client.send(b"\x40\x02" + body[10:12])
    assert await client.packet() == (0xE0, b"")
    client.close()
    await soon(stopping)
    assert owner.downs.empty()
    assert await soon(connection.publish("t", b"")) == "offline"


async def test_stop_leaves_unread_messages_to_the_next_connection(
    broker: FakeBroker, owner: Owner
) -> None:
    connection, client = await connected(broker, owner)
    stopping = asyncio.create_task(connection.stop([("presence", b"offline", 1, True)]))
    _, body = await client.packet()
    client.send(publish("t", b"late", packet_id=9))
    client.send(b"\x40\x02" + body[10:12])
    assert await client.packet() == (0xE0, b""), "no PUBACK of what nobody handled"
    client.close()
    await soon(stopping)
    assert owner.messages.empty()


async def test_stop_without_a_broker_is_immediate(owner: Owner) -> None:
    connection = owner.connection(BrokerUrl("mqtt", "127.0.0.1", 1))
    await connection.start()
    await soon(connection.stop([("presence", b"offline", 1, True)]))
    await soon(connection.stop())


async def test_reconnect_now_does_not_wait(broker: FakeBroker, owner: Owner) -> None:
    connection = owner.connection(broker.url)
    connection._backoff.delay = lambda: 3600.0  # type: ignore[method-assign]
    await connection.start()
    await (await broker.accept()).greet(b"\x20\x03\x00\x87\x00")
    await soon(owner.unreachable.get())
    connection.reconnect_now()
    await (await broker.accept()).greet()
    await soon(owner.ups.get())
    await connection.stop()


async def test_nobody_in_a_hurry_comes_back_after_the_goodbye(
    broker: FakeBroker, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, _client = await connected(broker, owner)
    attempts: list[object] = []

    async def refuse(*given: object) -> NoReturn:
        attempts.append(given)
        raise OSError

    monkeypatch.setattr(connection_module, "open_stream", refuse)
    connection.reconnect_now()
    await soon(connection.stop())
    assert attempts == []


async def test_a_cancelled_result_is_no_harm(broker: FakeBroker, owner: Owner) -> None:
    connection, client = await connected(broker, owner)
    result = connection.publish("t", b"")
    result.cancel()
    client.send(b"\x40\x02" + (await client.expect(0x30))[3:5])
    later = connection.publish("t", b"")
    client.send(b"\x40\x02" + (await client.expect(0x30))[3:5])
    assert await soon(later) == "ok"
    await connection.stop()
