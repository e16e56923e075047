# SPDX-License-Identifier: MIT
"""When to ping, when to give up, how long to wait, which MQTT to speak.

Pure decisions of the MQTT adapter: the time is an argument everywhere, in
seconds of any clock that does not jump.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from federation import limits

#: A connection that lived this long was a good one: the delay starts over.
GOOD_CONNECTION: Final = 1.0
#: A broker that was found to speak 3.1.1 only is asked for 5 again after this.
ASK_FOR_FIVE_AGAIN: Final = 600.0
#: Some brokers (amqtt 0.12, for one) never answer an MQTT 5 CONNECT.  As long
#: as we do not know the broker, we wait this long before we try 3.1.1.
UNKNOWN_BROKER_TIMEOUT: Final = 2.0


class Keepalive:
    """Notices a broker that is gone, and shows it that we are here.

    A ping is due ``interval`` after the last byte in or out, whichever is
    older; without any byte in for one and a half intervals, the broker is
    dead.  An ``interval`` of 0 switches both off.
    """

    def __init__(self, interval: float, now: float) -> None:
        self._interval = interval
        self._sent = self._received = now
        self._pinged = now - interval

    def sent(self, now: float) -> None:
        """Bytes went to the broker."""
        self._sent = now

    def received(self, now: float) -> None:
        """Bytes came from the broker, or we begin to listen again."""
        self._received = now

    def action(self, now: float, *, listening: bool) -> Literal["ping", "dead", "none"]:
        """What to do now; a ping counts as sent.  Silence is no sign while not ``listening``."""
        if self._interval <= 0:
            return "none"
        if listening and now - self._received >= 1.5 * self._interval:
            return "dead"
        heard = self._received if listening else now
        if now - min(self._sent, heard) < self._interval:
            return "none"
        if now - self._pinged < self._interval / 2:
            return "none"
        self._pinged = self._sent = now
        return "ping"


class Backoff:
    """Delays between attempts: 0.1 s doubling to 5 s, each shortened by up to a half."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._next = limits.RECONNECT_FIRST

    def delay(self) -> float:
        """Seconds to wait now; the next wait is twice as long."""
        base = self._next
        self._next = min(2 * base, limits.RECONNECT_MAX)
        return base * (1.0 - 0.5 * self._random())

    def reset(self) -> None:
        """Begin again with the shortest delay."""
        self._next = limits.RECONNECT_FIRST


class Versions:
    """Which version to offer: MQTT 5, or 3.1.1 to a broker that does not speak it.

    What worked is remembered.  While nothing is known, an attempt with 5 that
    ended without a CONNACK is followed at once by one with 3.1.1.
    """

    def __init__(self) -> None:
        self._works: Literal[5, 4] | None = None
        self._asked_for_five = 0.0
        self._fall_back = False

    def choose(self, now: float) -> Literal[5, 4]:
        """The protocol level of the next attempt: 5, or 4 (which is 3.1.1)."""
        if self._fall_back:
            return 4
        if self._works == 4 and now - self._asked_for_five < ASK_FOR_FIVE_AGAIN:
            return 4
        self._asked_for_five = now
        return 5

    def timeout(self, level: int) -> float:
        """Seconds to wait for the CONNACK of an attempt with this level."""
        if level == 5 and self._works != 5:
            return UNKNOWN_BROKER_TIMEOUT
        return limits.CONNECT_TIMEOUT

    def succeeded(self, level: Literal[5, 4]) -> None:
        """The broker took a connection of this level."""
        self._works = level
        self._fall_back = False

    def failed(self, level: int, *, refused_version: bool, reached: bool) -> bool:
        """An attempt failed; whether to try the other level at once.

        ``refused_version``: the broker said so.  ``reached``: something took
        our bytes, but no CONNACK came.
        """
        self._fall_back = level == 5 and (refused_version or (reached and self._works != 5))
        if self._fall_back and self._works == 5:
            self._works = None  # another broker has taken this one's place
        return self._fall_back
