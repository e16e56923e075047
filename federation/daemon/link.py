# SPDX-License-Identifier: MIT
"""The peer's way to the broker: connecting, hosting, subscribing."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from federation import limits
from federation.adapters.mqtt import ConnectionInfo, MqttCallbacks, MqttConnection, MqttOptions
from federation.broker_url import BrokerUrl
from federation.daemon.outlet import Outlet
from federation.daemon.turns import Turns
from federation.errors import Refusal
from federation.events import Follow, Instant, Notice, Publish
from federation.machines.link import Event, Link, State
from federation.node.router import Node
from federation.wire import topics

if TYPE_CHECKING:
    from federation.adapters.broker import EmbeddedBroker

log = logging.getLogger(__name__)


class BrokerLink:
    """The connection to the peer's own broker, and the broker it may host."""

    def __init__(
        self,
        url: BrokerUrl,
        options: MqttOptions,
        node: Node,
        turns: Turns,
        outlet: Outlet,
        *,
        may_host: bool,
        state_dir: Path,
    ) -> None:
        self.url = url
        self._node = node
        self._turns = turns
        self._outlet = outlet
        self._state_dir = state_dir
        self._broker: EmbeddedBroker | None = None
        self._hosting: asyncio.Task[None] | None = None
        self._random = random.Random(secrets.randbits(64))  # noqa: S311 - jitter, not a secret
        self._machine = Link(may_host)
        self._timer: asyncio.TimerHandle | None = None
        #: why there was no broker, when that was last said in the log
        self._told = ""
        #: messages of topics that the user subscribed to
        self.on_user_message: Callable[[str, bytes, bool], None] = lambda *_message: None
        #: called with every new connection
        self.on_connected: Callable[[], None] = lambda: None
        self.connection = MqttConnection(
            url,
            options,
            MqttCallbacks(
                on_message=self._message,
                on_dropped=self._dropped,
                on_up=self._up,
                on_down=self._down,
                on_unreachable=self._unreachable,
                make_will=self._will,
            ),
            random=self._random.random,
        )

        #: messages and their bytes since the start
        self.received = self.received_bytes = self.published = self.published_bytes = 0

    # --- what status shows ------------------------------------------------------------
    def status(self) -> dict[str, object]:
        """The ``broker`` field of ``status``."""
        names = {State.UP: "connected", State.OFFLINE: "offline"}
        return {
            "url": str(self.url),
            "state": names.get(self._machine.state, "connecting"),
            "embedded": self._broker is not None,
            "kind": self._broker.kind if self._broker is not None else None,
            "protocol": self.connection.protocol,
            "error": self.connection.last_error,
        }

    @property
    def up(self) -> bool:
        """Whether the broker answers."""
        return self._machine.state is State.UP

    # --- life --------------------------------------------------------------------------
    async def start(self) -> None:
        """Begin to connect; never waits for the broker."""
        self._step(Event.STARTED)
        filters = [(one, 1) for one in topics.subscriptions(self._node.context.peer_id)]
        self.connection.subscribe(filters)
        await self.connection.start()

    async def stop(self) -> None:
        """Say offline, disconnect, end our broker."""
        self._step(Event.STOPPED)
        if self._timer is not None:
            self._timer.cancel()
        if self._hosting is not None:
            self._hosting.cancel()
        final = []
        if self.connection.up:
            own = topics.presence(self._node.context.peer_id)
            final.append((own, self._node.book.announcement("offline"), 1, True))
        await self.connection.stop(final)
        if self._broker is not None:
            await self._broker.stop()

    def _step(self, event: Event) -> None:
        self._machine.receive(event, time.monotonic(), self._random.random())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pause = self._machine.host_at - time.monotonic()
        if pause < limits.WAIT_MAX:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(pause, 0), self._maybe_host)

    # --- hosting ------------------------------------------------------------------------
    def _maybe_host(self) -> None:
        idle = self._hosting is None or self._hosting.done()
        if idle and self._machine.should_host(time.monotonic()):
            self._hosting = asyncio.ensure_future(self._host())

    async def _host(self) -> None:
        """Start a broker of our own; somebody else may be faster."""
        from federation.adapters.broker import EmbeddedBroker  # only who hosts one loads it

        broker = EmbeddedBroker(on_exit=self._broker_ended)
        try:
            ours = await broker.start(self.url.port, self._state_dir)
        except Refusal as refusal:
            log.info("no broker of our own: %s", refusal)
            self._step(Event.HOST_FAILED)
            self.connection.reconnect_now()
            return
        except asyncio.CancelledError:
            await broker.stop()
            raise
        if ours:
            self._broker = broker
            log.info("started a broker of our own", extra={"kind": broker.kind})
        self._step(Event.HOSTED if ours else Event.HOST_FAILED)
        self.connection.reconnect_now()

    def _broker_ended(self, status: int) -> None:
        log.warning("the broker of our own has ended", extra={"status": status})
        self._broker = None

    # --- callbacks of the connection ------------------------------------------------------
    def _up(self, info: ConnectionInfo) -> None:
        self._told = ""
        self._step(Event.CONNECTED)
        self.on_connected()
        body: dict[str, object] = {
            "broker": str(self.url),
            "protocol": info.protocol,
            "embedded": self._broker is not None,
        }
        self._outlet.notice(Notice("broker-connected", body))
        self._turns.post(self._node.receive_link_up)

    def _down(self, reason: str) -> None:
        self._step(Event.LOST)
        self._outlet.notice(Notice("broker-lost", {"broker": str(self.url), "reason": reason}))
        self._turns.post(self._node.receive_link_down)

    def _unreachable(self, reason: str) -> None:
        # a broker that answers and refuses is no reason to start another one
        if not reason.startswith("refused"):
            self._step(Event.UNREACHABLE)
        # each reason once: attempts go on for as long as it takes
        level = logging.DEBUG if reason == self._told else logging.WARNING
        self._told = reason
        log.log(level, "no broker at %s: %s", self.url, reason)

    def _will(self) -> tuple[str, bytes, int, bool]:
        own = topics.presence(self._node.context.peer_id)
        return own, self._node.book.announcement("offline"), 1, True

    def _message(self, topic: str, payload: bytes, retained: bool) -> None:
        self.received += 1
        self.received_bytes += len(payload)
        if not topics.is_own(topic, self._node.context.peer_id):
            self.on_user_message(topic, payload, retained)
            return

        def receive(now: Instant) -> bool:
            self._node.receive_message(topic, payload, retained=retained, now=now)
            return True

        # what is typed is in no file and in no table: it waits for nobody's commit
        if not topics.is_live(topic) or self._turns.at_once(receive) is None:
            self._turns.post(receive, len(payload))

    def _dropped(self, topic: str, size: int, reason: str) -> None:
        """A message too large to be read at all is refused like any other."""
        self._turns.post(
            lambda now: self._node.receive_refused(topic, reason, f"{size} bytes", now)
        )

    def follow(self, effect: Follow) -> None:
        """Carry a subscription out, or its end."""
        if effect.on:
            self.connection.subscribe([(effect.topic, 1)])
        else:
            self.connection.unsubscribe([effect.topic])

    # --- publishing -------------------------------------------------------------------------
    def publish(self, effect: Publish) -> None:
        """Carry a publish out, and bring its result back where it matters."""
        self.published += 1
        self.published_bytes += len(effect.payload)
        future = self.connection.publish(effect.topic, effect.payload, effect.qos, effect.retain)
        about = effect.about
        if about is None:
            return

        def done(finished: asyncio.Future[str]) -> None:
            if not finished.cancelled():
                result = finished.result()
                self._turns.post_lazily(
                    lambda now: self._node.receive_published(about, result, now)
                )

        future.add_done_callback(done)
