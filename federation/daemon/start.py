# SPDX-License-Identifier: MIT
"""Starting a peer from its configuration, and ending it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import secrets
import signal
import sqlite3
from pathlib import Path
from typing import Literal, cast

from federation import broker_url
from federation.adapters import keystore, logs, runtime
from federation.adapters.doors import Doors
from federation.adapters.output import Output
from federation.adapters.store import refusal_of
from federation.config import Config
from federation.daemon.methods import Methods
from federation.daemon.peer import Options, RunningPeer
from federation.errors import io_refusal
from federation.identity.protect import Opened
from federation.node.context import NodeSettings, Policy, Strategy

log = logging.getLogger(__name__)


def run(settings: Config, state_dir: Path, *, mode: Literal["stdio", "bot"], embedded: bool) -> int:
    """Run a peer until its end; the exit code.

    Raises Refusal when it cannot start: ``config-state-locked`` when another
    peer has the state directory, and everything that is wrong with the
    identity or the configuration.  ``embedded``: it may host a broker.
    """
    lock = runtime.StateLock.acquire(state_dir)
    try:
        log_path = state_dir / runtime.LOG_NAME
        logs.set_up(
            log_path,
            settings.choice("log.level"),
            "json" if settings.choice("log.format") == "json" else "text",
        )
        identity = _identity(settings, state_dir)
        options = _options(
            settings, state_dir, log_path, may_host=embedded, front_end=mode == "stdio"
        )
        return asyncio.run(_serve(options, identity, lock, mode))
    finally:
        lock.release()


def _identity(settings: Config, state_dir: Path) -> Opened:
    passphrase: bytes | None = None
    file = settings.text("identity.passphrase_file")
    if file:
        text = runtime.read_private_text(Path(file), secret=True)
        passphrase = text.split("\n", 1)[0].encode()
    return keystore.load_or_create(
        state_dir,
        protection=cast(
            "Literal['auto', 'passphrase', 'none']", settings.choice("identity.protection")
        ),
        passphrase=passphrase,
        random=secrets.token_bytes,
    )


def _options(
    settings: Config, state_dir: Path, log_path: Path, *, may_host: bool, front_end: bool = False
) -> Options:
    allow = settings.boolean("broker.allow_plaintext")
    url = broker_url.parse(settings.choice("broker.url"), allow_plaintext=allow)
    password = settings.text("broker.password")
    file = settings.text("broker.password_file")
    if file:
        password = runtime.read_private_text(Path(file), secret=True).split("\n", 1)[0]
    ca_file = settings.text("broker.ca_file")
    node = NodeSettings(
        policy=cast("Policy", settings.choice("trust.policy")),
        strategy=cast("Strategy", settings.choice("merge.strategy")),
        name=settings.text("identity.name"),
        address=str(url),
        extensions=frozenset(settings.extensions),
        heartbeat=settings.number("limits.heartbeat"),
        max_document=settings.integer("limits.document"),
        max_unknown=settings.integer("limits.unknown_peers"),
        max_held=settings.integer("limits.held_per_peer"),
    )
    return Options(
        state_dir=state_dir,
        url=url,
        may_host=may_host,
        for_front_end=front_end,
        username=settings.text("broker.username"),
        password=password,
        ca_file=Path(ca_file) if ca_file else None,
        node=node,
        hooks=settings.hooks(),
        hook_timeout=settings.number("limits.hook_timeout"),
        history_revisions=settings.integer("limits.history_revisions"),
        history_bytes=settings.integer("limits.history_bytes"),
        hold_all=settings.choice("deletions.hold") == "all",
        log_path=log_path,
        config=settings,
    )


async def _opened(
    options: Options, identity: Opened, lock: runtime.StateLock
) -> tuple[RunningPeer, Doors]:
    """A peer that can be reached; Refusal where the disk does not let it."""
    try:
        peer = RunningPeer(options, identity)
        doors = Doors(Methods(peer).handlers())
        socket_path = runtime.socket_path(options.state_dir)
        await doors.listen(socket_path)
        lock.publish(socket_path)
    except sqlite3.Error as error:
        raise refusal_of(error) from error
    except OSError as error:
        raise io_refusal(error, options.state_dir) from error
    return peer, doors


async def _serve(
    options: Options, identity: Opened, lock: runtime.StateLock, mode: Literal["stdio", "bot"]
) -> int:
    peer, doors = await _opened(options, identity, lock)
    output = Output(os.dup(1)) if mode == "bot" else None
    await peer.start(doors, output)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, peer.stopping.set)
    peer.ready()
    gc.freeze()  # all of it is in use, and is not looked through again
    gc.enable()
    stdio: asyncio.Task[None] | None = None
    if mode == "stdio":
        stdio = asyncio.ensure_future(doors.serve_stdio())
        stdio.add_done_callback(lambda _task: peer.stopping.set())
    await peer.run()
    if stdio is not None and not stdio.done():
        stdio.cancel()
    return 0
