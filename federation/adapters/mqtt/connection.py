# SPDX-License-Identifier: MIT
"""The MQTT transport: one broker, connected for as long as it is wanted.

    start -> attempt -> up -> down -> attempt -> … -> stop

An attempt opens a stream (``link``), then a session on it
(``session``).  What is published gets exactly one result; a message is
never sent again by this adapter, because only the end-to-end acknowledgement
above knows whether that is needed (a PUBACK proves nothing).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeVar

from federation import limits
from federation.adapters.mqtt.client import SessionSettings, Will
from federation.adapters.mqtt.link import describe, open_stream
from federation.adapters.mqtt.options import ConnectionInfo, MqttCallbacks, MqttOptions
from federation.adapters.mqtt.packets import MAX_TOPIC, BrokerError, valid_topic
from federation.adapters.mqtt.policy import GOOD_CONNECTION, Backoff, Versions
from federation.adapters.mqtt.queue import Outgoing, SendQueue
from federation.adapters.mqtt.session import UNSUPPORTED_VERSION, Accepted, Hooks, MqttSession
from federation.adapters.mqtt.stream import Stream
from federation.adapters.mqtt.subscriptions import Subscriptions
from federation.broker_url import BrokerUrl

T = TypeVar("T")

log = logging.getLogger(__name__)

#: How long ``stop`` waits for the acknowledgement of its last messages, and
#: for the broker to close.
LAST_WORDS: Final = 1.0
FAREWELL: Final = 0.5
#: "Packet too large" (MQTT 5, section 2.4).
TOO_LARGE: Final = 149


class MqttConnection:
    """A connection that comes back by itself.

    ``random()`` gives numbers in [0, 1) for the jitter of reconnecting.  All
    methods belong to the loop that called :meth:`start`.
    """

    def __init__(
        self,
        url: BrokerUrl,
        options: MqttOptions,
        callbacks: MqttCallbacks,
        *,
        random: Callable[[], float],
    ) -> None:
        self.url = url
        self.last_error: str | None = None
        self._options = options
        self._callbacks = callbacks
        self._backoff = Backoff(random)
        self._versions = Versions()
        self._queue: SendQueue[asyncio.Future[str]] = SendQueue()
        self._subscriptions = Subscriptions()
        self._session: MqttSession | None = None
        self._info: ConnectionInfo | None = None
        self._max_packet: int | None = None
        self._paused = self._stopping = False
        self._dropped = 0
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<MqttConnection {self.url} {'up' if self.up else 'down'}>"

    @property
    def up(self) -> bool:
        """Whether the broker has accepted us, and is still there."""
        return self._current is not None

    @property
    def _current(self) -> MqttSession | None:
        """The session, while it can be used."""
        session = self._session
        return session if session and self._info and not session.closed else None

    @property
    def refused_filters(self) -> dict[str, int]:
        """Filters that the broker does not grant, with its reason code."""
        return dict(self._subscriptions.refused)

    @property
    def protocol(self) -> str | None:
        """``5`` or ``3.1.1`` while up."""
        return self._info.protocol if self._info and self.up else None

    @property
    def dropped(self) -> int:
        """Messages dropped for their size or topic since the start."""
        return self._dropped + (self._session.dropped if self._session else 0)

    @property
    def waiting(self) -> int:
        """Messages handed over and neither acknowledged nor given up."""
        return len(self._queue) + self._queue.in_flight

    # --- life ---

    async def start(self) -> None:
        """Begin to connect; returns at once, ``on_up`` tells the rest."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"mqtt {self.url}")

    async def stop(self, final: Sequence[Will] = ()) -> None:
        """Publish the last messages, disconnect properly, and be gone.

        Takes at most LAST_WORDS + FAREWELL seconds; the broker does not
        publish our will afterwards.  No callback is called any more, and the
        connection cannot be started again.
        """
        if self._stopping:
            return
        self._stopping = True
        session = self._current
        if session is not None:
            session.refuse_messages()
            session.resume()
            last = [self._publish_last(session, message) for message in final]
            if last:
                await asyncio.wait(last, timeout=LAST_WORDS)
            await session.leave(FAREWELL)
        if self._task is not None:
            while not self._task.done():
                self._task.cancel()
                await asyncio.wait([self._task], timeout=FAREWELL)
        self._give_up()

    def reconnect_now(self) -> None:
        """Do not wait for the next attempt: the owner knows that a broker is there."""
        self._backoff.reset()
        self._hurry.set()

    def pause(self) -> None:
        """Take nothing from the broker; a pause of some minutes is fine."""
        self._paused = True
        if session := self._current:
            session.pause()

    def resume(self) -> None:
        """Take messages again."""
        self._paused = False
        if session := self._current:
            session.resume()

    # --- publishing ---

    def publish(
        self, topic: str, payload: bytes, qos: int = 1, retain: bool = False
    ) -> asyncio.Future[str]:
        """Publish; the result is one of

        ``ok`` (acknowledged; with QoS 0: handed to the socket), ``lost`` (the
        connection went before the acknowledgement), ``offline`` (never sent),
        ``full`` (too much waits), ``refused:N`` (MQTT 5 reason code N; 144 for
        a topic that nobody may publish to, 149 for a message too large).
        """
        result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        message = Outgoing(topic, payload, qos, retain, result)
        if refusal := self._refuse(message):
            result.set_result(refusal)
        else:
            self._pump()
        return result

    def _refuse(self, message: Outgoing[asyncio.Future[str]]) -> str | None:
        if not valid_topic(message.topic):
            return "refused:144"
        if not self.up or self._stopping:
            return "offline"
        if self._max_packet is not None and message.size > self._max_packet:
            return f"refused:{TOO_LARGE}"
        return None if self._queue.offer(message) else "full"

    def _pump(self) -> None:
        """Hand to the session what the window admits."""
        while (session := self._current) is not None and not self._stopping:
            message = self._queue.take(session.unsent)
            if message is None:
                return
            self._hand_over(session, message)

    def _hand_over(self, session: MqttSession, message: Outgoing[asyncio.Future[str]]) -> None:
        try:
            packet_id = session.publish(message)
        except (BrokerError, ValueError) as error:
            log.warning("a message could not be encoded: %s", error)
            _settle(message.ticket, "refused:128")
            return
        if message.qos:
            self._queue.started(packet_id, message)
        else:
            _settle(message.ticket, "ok")

    def _publish_last(self, session: MqttSession, message: Will) -> asyncio.Future[str]:
        """Past queue and window: there may be no time for them."""
        topic, payload, qos, retain = message
        result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        if valid_topic(topic):
            self._hand_over(session, Outgoing(topic, payload, qos, retain, result))
        else:
            result.set_result("refused:144")
        return result

    def _published(self, packet_id: int, code: int) -> None:
        message = self._queue.finished(packet_id)
        if message is not None:
            _settle(message.ticket, "ok" if code < 128 else f"refused:{code}")
        self._pump()

    # --- subscribing ---

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> asyncio.Future[list[str]]:
        """Subscribe now and after every reconnection (QoS 1 at most).

        The result has an entry for each filter: ``ok``, ``refused:N`` (143 for
        a malformed one, which is not remembered), or ``offline`` (remembered).
        """
        return self._subscriptions.add(filters, self._current)

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """Undo :meth:`subscribe`, now and for later connections."""
        self._subscriptions.remove(filters, self._current)

    # --- connecting ---

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping:  # who said goodbye does not knock again
            self._hurry.clear()
            level = self._versions.choose(loop.time())
            try:
                if await self._connect(level):
                    continue  # the other version, at once
            except Exception:
                # A defect, but the next attempt may not meet it.
                log.exception("an attempt to connect to %s failed", self.url)
            try:
                async with asyncio.timeout(self._backoff.delay()):
                    await self._hurry.wait()
            except TimeoutError:
                pass  # nobody was in a hurry

    async def _connect(self, level: Literal[4, 5]) -> bool:
        """One attempt and the connection's life; whether to try the other version."""
        loop = asyncio.get_running_loop()
        try:
            stream = await open_stream(self.url, self._options.ca_file, limits.CONNECT_TIMEOUT)
        except (OSError, ValueError, BrokerError) as error:
            # ValueError: a host that TLS or the name service finds impossible.
            self._versions.failed(level, refused_version=False, reached=False)
            self._unreachable(describe(error))
            return False
        ended: asyncio.Future[tuple[str, int]] = loop.create_future()
        born: list[float] = []

        def accepted(answer: Accepted) -> None:
            born.append(loop.time())
            self._versions.succeeded(level)
            self._up(level, answer)

        session = self._make_session(stream, level, accepted, ended)
        self._session = session
        try:
            session.open(self._versions.timeout(level))
            reason, code = await ended
        finally:
            session.close("stopped")
            self._dropped += session.dropped
            self._session = None
        if not born:
            refused_version = code == UNSUPPORTED_VERSION
            again = self._versions.failed(level, refused_version=refused_version, reached=code == 0)
            if not again:
                self._unreachable(reason)
            return again
        if loop.time() - born[0] >= GOOD_CONNECTION:
            self._backoff.reset()
        self._down(reason)
        return False

    def _make_session(
        self,
        stream: Stream,
        level: Literal[4, 5],
        accepted: Callable[[Accepted], None],
        ended: asyncio.Future[tuple[str, int]],
    ) -> MqttSession:
        def closed(reason: str, code: int) -> None:
            if not ended.done():
                ended.set_result((reason, code))

        options = self._options
        settings = SessionSettings(
            level=level,
            client_id=options.client_id,
            username=options.username,
            password=options.password,
            persistent=options.persistent,
            keepalive=options.keepalive,
            max_payload=options.max_payload,
            no_local=options.no_local,
            will=self._will(),
        )
        hooks = Hooks(
            accepted=accepted,
            closed=closed,
            message=self._message,
            dropped=self._callbacks.on_dropped,
            published=self._published,
            subscribed=self._subscriptions.answered,
            drained=self._pump,
        )
        return MqttSession(stream, settings, hooks)

    def _will(self) -> Will | None:
        try:
            will = self._callbacks.make_will()
        except Exception:
            log.exception("no will: its maker failed")
            return None
        if will is not None and (not valid_topic(will[0]) or len(will[1]) > MAX_TOPIC):
            log.error("no will: its topic or its size is not possible")
            return None
        return will

    def _up(self, level: int, answer: Accepted) -> None:
        self._info = ConnectionInfo("5" if level == 5 else "3.1.1", answer.session_present)
        self._max_packet = answer.max_packet
        self._queue.limit_window(answer.receive_maximum)
        self.last_error = None
        if session := self._session:
            # Subscriptions go first: what on_up publishes may be answered.
            self._subscriptions.renew(session)
            if self._paused:
                session.pause()
        log.info("connected to %s, MQTT %s", self.url, self._info.protocol)
        self._tell(self._callbacks.on_up, self._info)

    def _down(self, reason: str) -> None:
        self.last_error = reason
        self._give_up()
        log.info("lost %s: %s", self.url, reason)
        self._tell(self._callbacks.on_down, reason)

    def _unreachable(self, reason: str) -> None:
        self.last_error = reason
        log.debug("no connection to %s: %s", self.url, reason)
        self._tell(self._callbacks.on_unreachable, reason)

    def _give_up(self) -> None:
        """Settle everything that waited for the connection."""
        self._info = None
        never, unknown = self._queue.clear()
        for message in unknown:
            _settle(message.ticket, "lost")
        for message in never:
            _settle(message.ticket, "offline")
        self._subscriptions.connection_lost()

    def _message(self, topic: str, payload: bytes, retained: bool) -> None:
        try:
            self._callbacks.on_message(topic, payload, retained)
        except Exception:
            log.exception("a message was not handled")

    def _tell(self, callback: Callable[[T], None], value: T) -> None:
        if self._stopping:
            return
        try:
            callback(value)
        except Exception:
            log.exception("a callback failed")


def _settle(result: asyncio.Future[str], word: str) -> None:
    if not result.done():  # its owner may have cancelled it
        result.set_result(word)
