# SPDX-License-Identifier: MIT
"""What users do with MQTT themselves: any topic, and other brokers."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from federation import broker_url, limits
from federation.adapters.doors import FrontEnd
from federation.adapters.mqtt import MqttCallbacks, MqttConnection, MqttOptions
from federation.daemon.copies import Copies
from federation.daemon.outlet import now_text
from federation.errors import Refusal
from federation.rpc import params as p
from federation.wire import topics

if TYPE_CHECKING:
    from federation.daemon.peer import RunningPeer

log = logging.getLogger(__name__)


class Extras:
    """Topics that front ends subscribed to, and second connections."""

    def __init__(self, peer: RunningPeer) -> None:
        self._peer = peer
        self._connections: dict[int, tuple[FrontEnd, MqttConnection]] = {}
        #: what each connection may bring more than once; 0 is the peer's own
        self.copies: dict[int, Copies] = {0: Copies()}
        self._number = 0
        self._closing: set[asyncio.Task[None]] = set()

    # --- messages in -----------------------------------------------------------------
    def own_broker_message(self, topic: str, payload: bytes, retained: bool) -> None:
        """A message of the own broker that is none of the peer's own."""
        if self._peer.doors is not None:
            self._receive(self._peer.doors.front_ends, topic, payload, 0, retained=retained)

    def _receive(
        self,
        front_ends: Collection[FrontEnd],
        topic: str,
        payload: bytes,
        connection: int,
        *,
        retained: bool,
    ) -> None:
        """Tell a message once, however many filters it matches and copies of it come.

        What a broker kept comes for every filter that is subscribed: each is
        another handler's.
        """
        filters = {
            one for front_end in front_ends for number, one in front_end.topics
            if number == connection
        }  # fmt: skip
        matching = sum(topics.matches(one, topic) for one in filters)
        copies = self.copies[connection]
        if retained or not copies.is_copy(topic, payload, matching, time.monotonic()):
            self._tell(front_ends, topic, payload, connection)

    def _tell(
        self, front_ends: Iterable[FrontEnd], topic: str, payload: bytes, connection: int
    ) -> None:
        text = payload.decode("utf-8", "replace")
        body: dict[str, object] = {
            "event": "message-received",
            "time": now_text(),
            "topic": topic,
            "message": self._peer.outlet.shortened(text),
            "connection": connection,
            "verified": False,
        }
        for front_end in front_ends:
            filters = (one for number, one in front_end.topics if number == connection)
            if any(topics.matches(one, topic) for one in filters):
                front_end.notify("message-received", body)

    # --- the methods --------------------------------------------------------------------
    def _connection(self, front_end: FrontEnd, number: int) -> MqttConnection:
        """The peer's own connection, or one that this front end has opened."""
        if number == 0:
            return self._peer.link.connection
        owner, connection = self._connections.get(number, (None, None))
        if connection is None or owner is not front_end:
            raise Refusal("unknown-connection", f"{number}")
        return connection

    async def publish(self, front_end: FrontEnd, given: p.Publish) -> dict[str, object]:
        """``topic.publish``."""
        connection = self._connection(front_end, given.connection)
        topic = topics.check_topic(given.topic)
        payload = given.message.encode("utf-8")
        if len(payload) > limits.WIRE_MESSAGE:
            raise Refusal("oversize", f"{len(payload)} bytes")
        try:
            async with asyncio.timeout(limits.WAIT_DEFAULT):
                result = await connection.publish(topic, payload, given.qos, given.retain)
        except TimeoutError:
            raise Refusal("timeout", "the broker did not confirm the message") from None
        if result.startswith("refused"):
            raise Refusal("publish-refused", result.partition(":")[2])
        if result in ("offline", "lost"):
            raise Refusal("broker-unreachable", str(connection.url))
        if result != "ok":
            raise Refusal("queue-full")
        return {"published": True}

    async def subscribe(self, front_end: FrontEnd, given: p.Subscribe) -> dict[str, object]:
        """``topic.subscribe``."""
        connection = self._connection(front_end, given.connection)
        one = topics.check_filter(given.topic)
        mine = (given.connection, one)
        if mine not in front_end.topics and len(front_end.topics) >= limits.SUBSCRIPTIONS:
            raise Refusal("queue-full", f"{limits.SUBSCRIPTIONS} subscriptions")
        front_end.topics.add(mine)
        try:
            async with asyncio.timeout(limits.WAIT_DEFAULT):
                (result,) = await connection.subscribe([(one, 1)])
        except TimeoutError:
            self._forget(front_end, given.connection, one)
            raise Refusal("timeout", "the broker did not confirm the subscription") from None
        if result.startswith("refused"):
            self._forget(front_end, given.connection, one)
            raise Refusal("broker-refused", f"the topic {one}")
        return {"subscribed": True}

    async def unsubscribe(self, front_end: FrontEnd, given: p.Subscribe) -> dict[str, object]:
        """``topic.unsubscribe``."""
        self._connection(front_end, given.connection)
        one = topics.check_filter(given.topic)
        self._forget(front_end, given.connection, one)
        return {"subscribed": False}

    def _forget(self, front_end: FrontEnd, number: int, one: str) -> None:
        """A front end listens no more: unsubscribe unless somebody else does, or we do."""
        front_end.topics.discard((number, one))
        own = topics.subscriptions(self._peer.node.context.peer_id) if number == 0 else ()
        doors = self._peer.doors
        others = doors.front_ends if doors is not None else set()
        if one in own or any((number, one) in other.topics for other in others):
            return
        if number == 0 or number in self._connections:
            self._connection(front_end, number).unsubscribe([one])

    async def open(self, front_end: FrontEnd, given: p.Open) -> dict[str, object]:
        """``broker.open``."""
        if len(self._connections) >= limits.CONNECTIONS:
            raise Refusal("queue-full", f"{limits.CONNECTIONS} connections")
        config = self._peer.options.config
        allow = config.boolean("broker.allow_plaintext")
        url = broker_url.parse(given.url, allow_plaintext=allow)
        self._number += 1
        number = self._number
        options = MqttOptions(
            client_id=given.client_id or f"meta-log-{secrets.token_hex(8)}",
            username=given.username,
            password=given.password,
            ca_file=self._peer.options.ca_file,
        )

        def message(topic: str, payload: bytes, retained: bool) -> None:
            if number in self._connections:
                self._receive([front_end], topic, payload, number, retained=retained)

        copies = self.copies[number] = Copies()
        callbacks = MqttCallbacks(on_message=message, on_up=lambda _info: copies.reset())
        connection = MqttConnection(url, options, callbacks, random=random.random)
        self._connections[number] = (front_end, connection)
        await connection.start()
        return {"connection": number, "url": str(url)}

    async def close_one(self, front_end: FrontEnd, given: p.Close) -> dict[str, object]:
        """``broker.close``."""
        connection = self._connection(front_end, given.connection)
        del self._connections[given.connection], self.copies[given.connection]
        front_end.topics -= {one for one in front_end.topics if one[0] == given.connection}
        await connection.stop()
        return {"connection": given.connection}

    # --- ends --------------------------------------------------------------------------
    def forget_front_end(self, front_end: FrontEnd) -> None:
        """A front end is gone, and with it what it opened."""
        for number, (owner, connection) in list(self._connections.items()):
            if owner is front_end:
                del self._connections[number], self.copies[number]
                self._closing.add(task := asyncio.ensure_future(connection.stop()))
                task.add_done_callback(self._closing.discard)
        for number, one in list(front_end.topics):
            self._forget(front_end, number, one)

    async def close(self) -> None:
        """Close all second connections."""
        left = [connection for _owner, connection in self._connections.values()]
        self._connections.clear()
        await asyncio.gather(*(connection.stop() for connection in left), *self._closing)
