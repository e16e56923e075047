# SPDX-License-Identifier: MIT
"""Telling further copies of a message from a message that was sent twice.

Where several filters of one connection match a topic, a broker may deliver one
copy for each of them, or one for all (MQTT 3.1.1, section 3.3.5): mosquitto
does the former with MQTT 5 and the latter with 3.1.1, amqtt the former.  The
copies come close together.  A connection that once brought one only is one of
the latter kind, and nothing is dropped from it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from federation import limits


@dataclass(slots=True)
class _Expected:
    """What may still come of one message, and until when (monotonic seconds)."""

    left: int
    until: float
    came: bool = False


class Copies:
    """The copies that one connection may still bring."""

    def __init__(self) -> None:
        self._expected: dict[bytes, _Expected] = {}
        self._brings_copies = True

    def reset(self) -> None:
        """The connection is a new one, maybe to another broker."""
        self._expected.clear()
        self._brings_copies = True

    def is_copy(self, topic: str, payload: bytes, matching: int, now: float) -> bool:
        """Whether this is another copy of a message; ``matching`` filters match its topic."""
        self._forget(now)
        if matching < 2 or not self._brings_copies:
            return False
        digest = hashlib.blake2b(topic.encode() + b"\0" + payload, digest_size=16).digest()
        expected = self._expected.get(digest)
        if expected is None:
            if len(self._expected) < limits.COPIES:
                self._expected[digest] = _Expected(matching - 1, now + limits.COPY)
            return False
        expected.left -= 1
        expected.came = True
        if not expected.left:
            del self._expected[digest]
        return True

    def _forget(self, now: float) -> None:
        """What did not come in time does not come."""
        for digest, expected in list(self._expected.items()):
            if expected.until > now:
                return
            del self._expected[digest]
            self._brings_copies = self._brings_copies and expected.came
