# SPDX-License-Identifier: MIT
"""What a running peer counts, and the state that it shows, as metrics."""

from __future__ import annotations

import logging
import os
import resource
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, cast

from federation import __version__
from federation.adapters.scrape import Scrape
from federation.errors import REASONS
from federation.events import EVENTS
from federation.node import queries
from federation.rpc import exposition
from federation.rpc.exposition import Metric, by, single

if TYPE_CHECKING:
    from federation.daemon.peer import RunningPeer

log = logging.getLogger(__name__)


class Metrics:
    """The counters of one peer since its start."""

    def __init__(self, peer: RunningPeer) -> None:
        self._peer = peer
        #: event -> how often it was told
        self.events: Counter[str] = Counter()
        self._scrape: Scrape | None = None

    # --- the endpoint -----------------------------------------------------------------
    async def listen(self, place: str | None) -> None:
        """Answer on a loopback address, if one is configured; a taken port is a warning."""
        if place is None:
            return
        host, _, port = place.rpartition(":")
        scrape = Scrape(self.text, exposition.CONTENT_TYPE)
        try:
            await scrape.listen(host.strip("[]"), int(port))
        except OSError as error:
            log.warning("no metrics on %s: %s", place, error.strerror or error)
            return
        self._scrape = scrape
        log.info("metrics answer", extra={"listen": place})

    async def close(self) -> None:
        """Answer no more."""
        if self._scrape is not None:
            await self._scrape.close()

    # --- gathering --------------------------------------------------------------------
    async def text(self) -> str:
        """Everything in Prometheus' text form."""
        return exposition.text(await self.gather())

    async def gather(self) -> list[Metric]:
        """Everything."""
        node = self._peer.node
        known = await self._peer.turns.ask(lambda _now: queries.status(node))
        return [*self._state(known), *self._counted(), *self._process()]

    def _state(self, known: dict[str, object]) -> list[Metric]:
        peer = self._peer
        peers = cast("dict[str, int]", known["peers"])
        doors = peer.doors.front_ends if peer.doors is not None else ()
        gauges = {
            "documents": "documents that are not deleted",
            "held": "documents held back until their authors are accepted",
            "conflicts": "documents with open conflicts",
            "outbox": "documents and messages that others have not acknowledged",
        }
        return [
            Metric("meta_log_info", "gauge", "the version", [({"version": __version__}, 1)]),
            single("meta_log_uptime_seconds", "gauge", "since the start", peer.uptime()),
            single("meta_log_broker_up", "gauge", "1 while the broker answers",
                   int(peer.link.up)),
            by("meta_log_peers", "gauge", "known peers by state; one may be in several",
               "state", peers),
            *(single(f"meta_log_{name}", "gauge", what, cast("int", known[name]))
              for name, what in gauges.items()),
            single("meta_log_front_ends", "gauge", "connected front ends", len(doors)),
        ]  # fmt: skip

    def _counted(self) -> list[Metric]:
        peer, link = self._peer, self._peer.link
        refused = {why: n for why, n in peer.node.refused.items() if why in REASONS}
        repeated = refused.pop("replay", 0)
        events = {name: self.events[name] for name in EVENTS}
        ends = dict(peer.programs.ends) if peer.programs is not None else {}
        names = ("ok", "failed", "timeout", "unrunnable", "left-out")
        return [
            by("meta_log_mqtt_messages_total", "counter", "MQTT messages", "direction",
               {"received": link.received, "published": link.published}),
            by("meta_log_mqtt_bytes_total", "counter", "their payloads", "direction",
               {"received": link.received_bytes, "published": link.published_bytes}),
            by("meta_log_refused_total", "counter", "inbound messages that were refused", "reason",
               refused),
            single("meta_log_repeated_total", "counter",
                   "inbound messages that had come before, which is nobody's fault", repeated),
            by("meta_log_events_total", "counter", "events told", "event", events),
            by("meta_log_hook_programs_total", "counter", "hook programs by how they ended", "end",
               {name: ends.get(name, 0) for name in names}),
        ]  # fmt: skip

    def _process(self) -> list[Metric]:
        """What the system says of us; names as Prometheus' own clients have them."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return [
            single("meta_log_store_bytes", "gauge", "size of the database with its write-ahead log",
                   store_size(self._peer.options.state_dir)),
            single("meta_log_disk_free_bytes", "gauge", "room where the state is",
                   _free(self._peer.options.state_dir)),
            single("process_cpu_seconds_total", "counter", "CPU time",
                   used.ru_utime + used.ru_stime),
            single("process_resident_memory_bytes", "gauge", "memory", _resident()),
        ]  # fmt: skip


def store_size(state_dir: Path) -> float:
    """Bytes of the database and of its write-ahead log, where what is new is at first."""
    return _size(state_dir / "store.db") + _size(state_dir / "store.db-wal")


def _size(path: Path) -> float:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _free(folder: Path) -> float:
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


def _resident() -> float:
    """Now, where /proc says it; else the most there was."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")
