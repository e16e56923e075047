# SPDX-License-Identifier: MIT
"""One running peer: every part put together."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from federation import limits
from federation.adapters import runtime
from federation.adapters.disk import Disk
from federation.adapters.doors import Doors, FrontEnd
from federation.adapters.mqtt import MqttOptions
from federation.adapters.output import Output
from federation.adapters.programs import Programs
from federation.adapters.store import SqliteStore
from federation.broker_url import BrokerUrl
from federation.config import Config
from federation.daemon.extra import Extras
from federation.daemon.link import BrokerLink
from federation.daemon.metrics import Metrics
from federation.daemon.mirroring import Mirroring
from federation.daemon.opened import Opened
from federation.daemon.outlet import Outlet, now_text
from federation.daemon.readback import Readback
from federation.daemon.spaces import Spaces
from federation.daemon.turns import Turns, instant
from federation.daemon.upkeep import Upkeep
from federation.events import CONTENT
from federation.identity.protect import Opened as OpenedIdentity
from federation.node.context import NodeSettings
from federation.node.router import Node
from federation.wire import topics

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a peer is to run."""

    state_dir: Path
    url: BrokerUrl
    may_host: bool
    #: started by a front end, which hears the events in a moment
    for_front_end: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    node: NodeSettings = field(default_factory=NodeSettings)
    hooks: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    hook_timeout: float = limits.HOOK_TIMEOUT
    #: contents that are kept of one document, and the bytes that they may take
    history_revisions: int = limits.HISTORY_REVISIONS
    history_bytes: int = limits.HISTORY_BYTES
    #: deletions that others made are held, too, when they are many at once
    hold_all: bool = True
    log_path: Path
    config: Config = field(repr=False)


class RunningPeer:
    """The parts of a peer, and the loop that joins them."""

    def __init__(self, options: Options, identity: OpenedIdentity) -> None:
        self.options = options
        self.identity = identity
        self.started = time.monotonic()
        self.disk = Disk(options.state_dir)
        self.store = SqliteStore(options.state_dir / "store.db")
        with self.store.transaction():
            self.node = Node(self.store, self.disk, identity.key, options.node, secrets.token_bytes)
            self.store.start_counting(instant().wall_us // 1000)
            client_id = self._client_id()
        self.outlet = Outlet(self.store, self.node, self.disk)
        self.turns = Turns(self.store, self.node, self.outlet.perform)
        self.outlet.files.turns = self.turns
        self.turns.perform_now = self.outlet.at_once
        self.link = BrokerLink(
            options.url,
            MqttOptions(
                client_id=client_id,
                username=options.username,
                password=options.password,
                ca_file=options.ca_file,
                persistent=True,
                no_local=True,
            ),
            self.node,
            self.turns,
            self.outlet,
            may_host=options.may_host,
            state_dir=options.state_dir,
        )
        self.extras = Extras(self)
        self.opened = Opened(self)
        self.readback = Readback(self)
        self.spaces = Spaces(self)
        self.upkeep = Upkeep(self)
        self.mirroring = Mirroring(self)
        self.metrics = Metrics(self)
        self.programs: Programs | None = None
        self.output: Output | None = None
        self.doors: Doors | None = None
        self.stopping = asyncio.Event()
        #: set once a front end hears the events
        self.heard = asyncio.Event()

    def _client_id(self) -> str:
        """The MQTT client id: the peer's, and this state directory's own mark."""
        mark = self.store.meta("client")
        if mark is None:
            mark = secrets.token_hex(4)
            self.store.set_meta("client", mark)
        return f"{self.node.context.peer_id}-{mark}"

    # --- life -------------------------------------------------------------------------
    async def start(self, doors: Doors, output: Output | None) -> None:
        """Open everything but the broker, which may come later."""
        self.doors = doors
        self.output = output
        self.programs = Programs(
            {event: [*map(_runnable, some)] for event, some in self.options.hooks.items()},
            {"META_LOG_PEER_SYNC_STATE_DIR": str(self.options.state_dir)},
            self.options.hook_timeout,
        )
        doors.on_gone = self._front_end_gone
        self.outlet.publish = self.link.publish
        self.outlet.follow = self.link.follow
        self.outlet.tell = self.tell
        self.turns.on_pressure = self._pressure
        self.link.on_user_message = self.extras.own_broker_message
        self.link.on_connected = self.extras.copies[0].reset
        self.spaces.load()
        self.outlet.settle(self.node.library.heads.unwritten())

    def _front_end_gone(self, front_end: FrontEnd) -> None:
        self.extras.forget_front_end(front_end)
        self.opened.forget(front_end)

    def _pressure(self, full: bool) -> None:
        if full:
            self.link.connection.pause()
        else:
            self.link.connection.resume()

    def ready(self) -> None:
        """Say that identity, store and control socket are open."""
        fields = {"peer_id": self.node.context.peer_id, "broker": str(self.options.url)}
        # the time comes last: the line begins as the contract has it
        self.tell("ready", {"event": "ready", **fields, "time": now_text()})
        log.info("ready", extra=fields)

    async def run(self) -> None:
        """Make turns until somebody stops the peer."""
        turning = asyncio.ensure_future(self.turns.run())
        stopping = asyncio.ensure_future(self.stopping.wait())
        if self.options.for_front_end:
            # What arrives before somebody hears it would pass the hooks by.
            hearing = asyncio.ensure_future(self.heard.wait())
            await asyncio.wait(
                {hearing, stopping, turning},
                timeout=limits.LISTENER,
                return_when=asyncio.FIRST_COMPLETED,
            )
            hearing.cancel()
        self.turns.post(self.node.receive_start)
        reading = asyncio.ensure_future(self.readback.at_start())
        tidying = asyncio.ensure_future(self.upkeep.run())
        mirroring = asyncio.ensure_future(self.mirroring.run())
        self.spaces.start()
        await self.link.start()
        await self.metrics.listen(self.options.config.text("metrics.listen"))
        await asyncio.wait({turning, stopping}, return_when=asyncio.FIRST_COMPLETED)
        reading.cancel()
        tidying.cancel()
        mirroring.cancel()
        await self._leave_folders()
        if turning.done():
            turning.result()
        await self._stop(turning)

    async def _leave_folders(self) -> None:
        try:
            async with asyncio.timeout(limits.SHUTDOWN):
                await self.spaces.close()
        except TimeoutError:
            log.warning("a folder does not answer; it is looked through at the next start")

    async def _stop(self, turning: asyncio.Future[None]) -> None:
        self.turns.stop()
        try:
            async with asyncio.timeout(limits.SHUTDOWN):
                await turning
                await self.metrics.close()
                await self.extras.close()
                await self.link.stop()
        except TimeoutError:
            log.warning("stopping took too long; what is recorded is safe")
        if self.programs is not None:
            await self.programs.close()
        if self.doors is not None:
            await self.doors.close()
        if self.output is not None:
            self.output.close()
        self.outlet.files.close()
        self.store.close()

    async def apart(self, work: Callable[..., T], *given: object) -> T:
        """Run what takes long (a key derivation) in a thread, beside the loop."""
        return await asyncio.to_thread(work, *given)

    def stop_soon(self) -> None:
        """Stop, once the answer to whoever asked for it has left."""
        asyncio.get_running_loop().call_later(limits.LAZY, self.stopping.set)

    # --- telling ------------------------------------------------------------------------
    def tell(self, event: str, body: dict[str, object]) -> None:
        """Tell an event to front ends, hook programs and the bot's output."""
        if event == "document-edited":
            self.opened.tell(event, body)
            return
        self.metrics.events[event] += 1
        if self.doors is not None:
            for front_end in self.doors.front_ends:
                front_end.notify(event, body)
        if self.programs is not None:
            self.programs.run(event, body)
        if self.output is not None:
            # lines of a service end in its journal: what people wrote does not
            shown = {key: value for key, value in body.items() if key not in CONTENT}
            self.output.line(json.dumps(shown, ensure_ascii=False, separators=(",", ":")))

    def is_ours(self, topic: str) -> bool:
        """Whether the pipeline looks at this topic anyway."""
        return topics.is_own(topic, self.node.context.peer_id)

    def uptime(self) -> float:
        """Seconds since the start."""
        return round(time.monotonic() - self.started, 1)

    def now(self) -> int:
        """Microseconds since 1970 UTC."""
        return instant().wall_us


def _runnable(program: Sequence[str]) -> Sequence[str]:
    """Our own program by its name is this very installation, wherever ``PATH`` leads."""
    if program[0] != runtime.APP:
        return program
    # -P: the bot's folder is no place to load code from
    return [sys.executable, "-P", "-m", "federation", *program[1:]]
