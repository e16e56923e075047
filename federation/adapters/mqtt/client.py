# SPDX-License-Identifier: MIT
"""paho's client, set up for one connection on a stream that is open already."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from federation.adapters.mqtt.stream import Stream

#: How long a broker keeps our session when we are away (seconds, MQTT 5).
SESSION_EXPIRY: Final = 7 * 24 * 3600

#: topic, payload, QoS, retain
Will = tuple[str, bytes, int, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """What goes into the CONNECT, and what we take."""

    level: Literal[4, 5]
    client_id: str
    username: str | None
    password: str | None = field(repr=False)
    persistent: bool
    keepalive: int
    max_payload: int
    no_local: bool
    will: Will | None = field(repr=False)


class PahoClient(paho.Client):
    """paho's client on a stream that is connected already."""

    def __init__(self, stream: Stream, settings: SessionSettings) -> None:
        five = settings.level == 5
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=None if five else not settings.persistent,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        self._stream = stream
        self._settings = settings
        # The window is ours (``queue``); paho's costs time for each message.
        self.max_inflight_messages_set(0)
        if settings.username is not None:
            self.username_pw_set(settings.username, settings.password)
        if settings.will is not None:
            topic, payload, qos, retain = settings.will
            self.will_set(topic, payload, qos, retain)

    def _create_socket(self) -> paho.SocketLike:
        return self._stream

    def begin(self) -> None:
        """Queue the CONNECT.  The names of host and port are only for paho."""
        settings = self._settings
        if settings.level != 5:
            self.connect("broker", 1, keepalive=settings.keepalive)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        if settings.persistent:
            properties.SessionExpiryInterval = SESSION_EXPIRY
        self.connect(
            "broker",
            1,
            keepalive=settings.keepalive,
            clean_start=not settings.persistent,
            properties=properties,
        )
