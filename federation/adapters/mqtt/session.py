# SPDX-License-Identifier: MIT
"""One connection to a broker: paho's protocol engine between a stream and its owner.

paho keeps the MQTT state (packet ids, acknowledgements, both versions); the
loop is asyncio's.  What paho reports is written down first and acted on when
its call has returned, so that nothing that we call re-enters it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from federation.adapters.mqtt.client import PahoClient, SessionSettings
from federation.adapters.mqtt.link import describe
from federation.adapters.mqtt.packets import (
    DISCONNECT,
    PINGREQ,
    BrokerError,
    Dropped,
    PacketGate,
    Published,
    Verdict,
)
from federation.adapters.mqtt.policy import Keepalive
from federation.adapters.mqtt.queue import WINDOW, Outgoing
from federation.adapters.mqtt.stream import Stream

log = logging.getLogger(__name__)

#: Packets handled in one turn of the loop: others want their turn as well.
TURN: Final = 64
#: How often keepalive and deadlines are looked at, in seconds.
TICK: Final = 1.0
#: mosquitto 2.0.11 stops in the middle of a WebSocket frame of more than some
#: 70 KB until it hears from us: after this many seconds we say something,
#: then less and less often, up to once a TICK.
NUDGE: Final = 0.01
#: Reason code of a refused version (MQTT 5, table 3-1).
UNSUPPORTED_VERSION: Final = 132


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The broker's CONNACK, as far as we heed it."""

    session_present: bool
    receive_maximum: int
    max_packet: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the owner is told.  ``closed`` comes once, and last."""

    accepted: Callable[[Accepted], None]
    #: reason for a person, reason code of the broker (0 for none)
    closed: Callable[[str, int], None]
    message: Callable[[str, bytes, bool], None]
    #: topic, bytes, reason of a message that was dropped
    dropped: Callable[[str, int, str], None]
    #: packet id, reason code
    published: Callable[[int, int], None]
    subscribed: Callable[[int, list[int]], None]
    #: bytes went out, so there is room for more
    drained: Callable[[], None]


class MqttSession:
    """One connection, from CONNECT to its end."""

    def __init__(self, stream: Stream, settings: SessionSettings, hooks: Hooks) -> None:
        self._loop = asyncio.get_running_loop()
        self._stream = stream
        self._settings = settings
        self._hooks = hooks
        self._gate = PacketGate(settings.max_payload, mqtt5=settings.level == 5)
        self._keepalive = Keepalive(settings.keepalive, self._loop.time())
        self._client = PahoClient(stream, settings)
        self._reports: list[Callable[[], None]] = []
        self._reason = ("the connection was lost", 0)
        self._paused = self._leaving = self._closed = False
        self._flush_due = self._work_due = self._writing = False
        self._verdict = 0
        self._deadline: float | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._nudger: asyncio.TimerHandle | None = None
        self._ended: asyncio.Future[None] = self._loop.create_future()

    @property
    def unsent(self) -> int:
        """Bytes that wait for the socket."""
        return self._stream.unsent

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return self._closed

    @property
    def dropped(self) -> int:
        """Messages that were too large, or had no usable topic."""
        return self._gate.dropped

    def open(self, timeout: float) -> None:
        """Send the CONNECT; the CONNACK must come within ``timeout`` seconds."""
        client = self._client
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_socket_register_write = self._on_want_write
        self._deadline = self._loop.time() + timeout
        self._loop.add_reader(self._stream.fileno(), self._on_readable)
        self._ticker = self._loop.call_later(TICK, self._tick)
        client.begin()

    # --- what the owner asks for ---

    def publish(self, message: Outgoing[Any]) -> int:
        """Hand over a message; its packet id, which ``published`` will name (QoS > 0)."""
        for _ in range(2 * WINDOW):
            info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
            # Packet ids go round; one whose message was never acknowledged is skipped.
            if info.rc != MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
                return info.mid
        raise BrokerError("no packet id is free")

    def subscribe(self, filters: Sequence[tuple[str, int]]) -> int:
        """Subscribe; the packet id that ``subscribed`` will name."""
        if self._settings.level == 5:
            local = self._settings.no_local
            options = [(name, SubscribeOptions(qos, noLocal=local)) for name, qos in filters]
            _, packet_id = self._client.subscribe(options)
        else:
            _, packet_id = self._client.subscribe(list(filters))
        return packet_id or 0

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """Undo subscriptions."""
        self._client.unsubscribe(list(filters))

    def pause(self) -> None:
        """Read nothing, so that the broker has to wait; pings go on."""
        if not self._paused and not self._closed:
            self._paused = True
            self._loop.remove_reader(self._stream.fileno())

    def resume(self) -> None:
        """Read on."""
        if self._paused and not self._closed:
            self._paused = False
            self._keepalive.received(self._loop.time())
            self._loop.add_reader(self._stream.fileno(), self._on_readable)
            self._work_soon()

    async def leave(self, patience: float) -> None:
        """Disconnect properly; waits ``patience`` seconds for the broker to close.

        A socket that is closed with unread bytes resets the connection, and
        the broker may lose our DISCONNECT and tell our will: so wait for its
        end, and read what comes until then.
        """
        if self._closed:
            return
        self._leaving = True
        self.resume()
        self._flush()
        self._stream.send(DISCONNECT)
        self._flush()
        if not self._ended.done() and not self._stream.unsent:
            await asyncio.wait([self._ended], timeout=patience)
        self.close("disconnected")

    def refuse_messages(self) -> None:
        """From now on leave what arrives to the next connection, unacknowledged."""
        self._leaving = True

    def close(self, reason: str, code: int = 0) -> None:
        """End the connection now; tells ``closed``, once."""
        if self._closed:
            return
        self._closed = True
        for timer in (self._ticker, self._nudger):
            if timer is not None:
                timer.cancel()
        self._loop.remove_reader(self._stream.fileno())
        self._loop.remove_writer(self._stream.fileno())
        self._stream.shut()
        self._ended.set_result(None)
        self._hooks.closed(reason, code)

    # --- what paho reports ---

    def _on_connect(
        self, _c: object, _u: object, flags: paho.ConnectFlags, code: ReasonCode, props: object
    ) -> None:
        if code.is_failure:
            self._reason = (f"refused: {code.getName()}", code.value)
            return
        accepted = Accepted(
            session_present=flags.session_present,
            receive_maximum=getattr(props, "ReceiveMaximum", 65535),
            max_packet=getattr(props, "MaximumPacketSize", None),
        )
        self._reports.append(lambda: self._accepted(accepted, props))

    def _accepted(self, accepted: Accepted, props: object) -> None:
        self._deadline = None
        interval = getattr(props, "ServerKeepAlive", self._settings.keepalive)
        self._keepalive = Keepalive(interval, self._loop.time())
        self._hooks.accepted(accepted)

    def _on_disconnect(
        self, _c: object, _u: object, flags: paho.DisconnectFlags, code: ReasonCode, _p: object
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._reason = (f"the broker ended it: {code.getName()}", code.value)

    def _on_publish(self, _c: object, _u: object, packet_id: int, _r: object, _p: object) -> None:
        value = self._verdict
        self._reports.append(lambda: self._hooks.published(packet_id, value))

    def _on_subscribe(
        self, _c: object, _u: object, packet_id: int, codes: list[ReasonCode], _p: object
    ) -> None:
        values = [code.value for code in codes]
        self._reports.append(lambda: self._hooks.subscribed(packet_id, values))

    def _on_want_write(self, _c: object, _u: object, _s: object) -> None:
        if not self._flush_due and not self._closed:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    # --- the loop ---

    def _on_readable(self) -> None:
        try:
            # What has arrived is handled before more is taken in.
            data = b"" if self._gate.backlog else self._stream.read()
            if data:
                self._keepalive.received(self._loop.time())
                self._gate.feed(data)
            if replies := self._gate.take_replies():
                self._stream.send(replies)
        except (OSError, BrokerError) as error:
            self.close(describe(error))
            return
        if self._stream.read_needs_write:
            self._watch_writing(True)
        if data:
            self._expect_rest(NUDGE)
        self._work()
        if self._stream.ended:
            self.close(*self._reason)
        elif self._stream.unsent:
            self._flush()

    def _expect_rest(self, patience: float) -> None:
        """Nudge the broker if the rest of a frame does not come."""
        if self._nudger is not None:
            self._nudger.cancel()
            self._nudger = None
        if self._stream.inside_frame:
            self._nudger = self._loop.call_later(patience, self._nudge, patience)

    def _nudge(self, patience: float) -> None:
        if not self._paused:
            self._stream.send(PINGREQ)
            self._flush()
        if not self._closed:
            self._expect_rest(min(2 * patience, TICK))

    def _work_soon(self) -> None:
        if not self._work_due:
            self._work_due = True
            self._loop.call_soon(self._work_on)

    def _work_on(self) -> None:
        self._work_due = False
        self._work()
        if not self._closed and not self._paused and self._stream.has_more:
            self._on_readable()

    def _work(self) -> None:
        """Handle packets that have arrived, at most a turn's worth."""
        for _ in range(TURN):
            if self._paused or self._closed:
                return
            packet = self._gate.next()
            if packet is None:
                if self._stream.has_more:
                    self._work_soon()
                return
            if isinstance(packet, Published):
                self._message(packet)
            elif isinstance(packet, Dropped):
                self._hooks.dropped(packet.topic, packet.size, packet.reason)
            elif isinstance(packet, Verdict):
                self._control(packet.packet, packet.code)
            else:
                self._control(packet)
        self._work_soon()

    def _message(self, message: Published) -> None:
        if self._leaving:
            return
        self._hooks.message(message.topic, message.payload, message.retained)
        if message.acknowledgement and not self._closed:
            self._stream.send(message.acknowledgement)
            self._on_want_write(None, None, None)

    def _control(self, packet: bytes, verdict: int = 0) -> None:
        """Let paho read one packet, then act on what it found."""
        self._verdict = verdict
        self._stream.offer(packet)
        try:
            code = self._client.loop_read()
        except Exception as error:  # noqa: BLE001 - whatever a hostile packet makes of paho
            log.warning("the broker's packet could not be read: %s", type(error).__name__)
            self.close("the broker sent what cannot be read")
            return
        reports, self._reports = self._reports, []
        for report in reports:
            report()
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._stream.given_up:
            self.close(*self._reason)

    def _flush(self) -> None:
        """Write everything that this turn of the loop produced."""
        self._flush_due = False
        if self._closed:
            return
        try:
            self._client.loop_write()
            self._reports.clear()  # QoS 0 has no acknowledgement to tell of
            waiting = self._stream.flush()
        except OSError as error:
            self.close(describe(error))
            return
        self._keepalive.sent(self._loop.time())
        if waiting != self._writing:
            self._watch_writing(waiting)
        if not waiting:
            self._hooks.drained()

    def _watch_writing(self, watch: bool) -> None:
        self._writing = watch
        if watch:
            self._loop.add_writer(self._stream.fileno(), self._on_writable)
        else:
            self._loop.remove_writer(self._stream.fileno())

    def _on_writable(self) -> None:
        if self._stream.read_needs_write:
            self._on_readable()
        if not self._closed:
            self._flush()

    def _tick(self) -> None:
        now = self._loop.time()
        self._ticker = self._loop.call_later(TICK, self._tick)
        if self._deadline is not None:
            if now >= self._deadline:
                self.close("no answer to CONNECT in time")
            return
        match self._keepalive.action(now, listening=not self._paused):
            case "ping":
                # The stream holds whole packets only: this is between two of them.
                self._stream.send(PINGREQ)
                self._flush()
            case "dead":
                self.close("the broker went silent")
            case _:
                pass
