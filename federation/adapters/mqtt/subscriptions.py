# SPDX-License-Identifier: MIT
"""What we listen to: remembered, renewed at every connection, answered once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from federation.adapters.mqtt.packets import valid_filter
from federation.adapters.mqtt.session import MqttSession

log = logging.getLogger(__name__)

#: Filters in one SUBSCRIBE.
FILTERS: Final = 100

_Part = tuple[list[str], "asyncio.Future[list[str]]"]


class Subscriptions:
    """The topic filters of one connection.

    They are renewed at every connection, also when the broker still has our
    session: retained messages then come again, which is wanted.  ``refused``
    has the filters that the broker does not grant, with its reason code.
    """

    def __init__(self) -> None:
        self.refused: dict[str, int] = {}
        self._filters: dict[str, int] = {}
        self._asked: dict[int, _Part] = {}

    def add(
        self, filters: Sequence[tuple[str, int]], session: MqttSession | None
    ) -> asyncio.Future[list[str]]:
        """Remember filters, and subscribe to them where there is a connection."""
        # QoS 2 costs two round trips more, and nothing of ours needs it.
        asked = [(name, min(qos, 1)) for name, qos in filters]
        good = {name: qos for name, qos in asked if valid_filter(name)}
        self._filters.update(good)
        words = {name: "offline" if name in good else "refused:143" for name, _ in asked}
        result: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        parts = self._send(list(good.items()), session)

        def collect(_: object = None) -> None:
            if result.done() or not all(part.done() for _, part in parts):
                return
            for names, part in parts:
                words.update(zip(names, part.result(), strict=True))
            result.set_result([words[name] for name, _ in asked])

        for _, part in parts:
            part.add_done_callback(collect)
        collect()
        return result

    def remove(self, filters: Sequence[str], session: MqttSession | None) -> None:
        """Forget filters, and unsubscribe from them where there is a connection."""
        known = [name for name in filters if self._filters.pop(name, None) is not None]
        for name in known:
            self.refused.pop(name, None)
        if known and session is not None:
            session.unsubscribe(known)

    def renew(self, session: MqttSession) -> None:
        """Subscribe to everything, on a new connection."""
        self._send(list(self._filters.items()), session)

    def answered(self, packet_id: int, codes: list[int]) -> None:
        """The broker's SUBACK."""
        names, future = self._asked.pop(packet_id, ([], None))
        if future is None:
            return
        # A broker that forgets some has not granted them.
        codes = (codes + [128] * len(names))[: len(names)]
        for name, code in zip(names, codes, strict=True):
            if code < 128:
                self.refused.pop(name, None)
            elif name in self._filters:
                self.refused[name] = code
                log.warning("the broker refused a subscription (%d): %.200r", code, name)
        if not future.done():
            future.set_result(["ok" if code < 128 else f"refused:{code}" for code in codes])

    def connection_lost(self) -> None:
        """No answer will come to what was asked; it will be asked again."""
        asked, self._asked = self._asked, {}
        for names, future in asked.values():
            if not future.done():
                future.set_result(["offline"] * len(names))

    def _send(self, filters: list[tuple[str, int]], session: MqttSession | None) -> list[_Part]:
        parts: list[_Part] = []
        if session is None:
            return parts
        for start in range(0, len(filters), FILTERS):
            some = filters[start : start + FILTERS]
            future: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
            entry: _Part = ([name for name, _ in some], future)
            self._asked[session.subscribe(some)] = entry
            parts.append(entry)
        return parts
