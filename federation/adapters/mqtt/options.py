# SPDX-License-Identifier: MIT
"""How a broker connection is set up, and what its owner hears of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from federation import limits
from federation.adapters.mqtt.client import Will

#: MQTT keepalive (seconds): a dead broker is noticed after one and a half.
KEEPALIVE: Final = 15


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """What the broker granted: protocol ``5`` or ``3.1.1``; whether it knew us."""

    protocol: str
    session_present: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttOptions:
    """How to connect.  ``no_local`` (MQTT 5): our own messages do not come back."""

    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    persistent: bool = False
    no_local: bool = False
    keepalive: int = KEEPALIVE
    max_payload: int = limits.WIRE_MESSAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttCallbacks:
    """What the owner hears.  An exception in one is logged and changes nothing.

    ``on_dropped``: a message was too large or had no usable topic; its topic,
    bytes and the reason (``oversize``, ``bad-topic``).  ``on_unreachable``: an
    attempt failed; its reason begins with ``refused:`` when a broker answered
    and said no.  ``make_will`` is asked at every attempt; its payload must fit
    65,535 bytes.
    """

    on_message: Callable[[str, bytes, bool], None]
    on_dropped: Callable[[str, int, str], None] = lambda topic, size, reason: None
    on_up: Callable[[ConnectionInfo], None] = lambda info: None
    on_down: Callable[[str], None] = lambda reason: None
    on_unreachable: Callable[[str], None] = lambda reason: None
    make_will: Callable[[], Will | None] = lambda: None
