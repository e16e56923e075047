# SPDX-License-Identifier: MIT
"""The verbs that start something: ``serve``, ``bot`` and ``broker``."""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path
from typing import Final, Literal

from federation.adapters import runtime
from federation.cli.context import Context
from federation.errors import Refusal

#: How long a peer that holds the lock may take to open (or close) its socket (seconds).
_PATIENCE: Final = 10.0
_INTERVAL: Final = 0.05


def serve(context: Context) -> int:
    """Run a peer on standard input and output, or be relayed to the one that runs already."""
    state_dir = _prepare(context)
    deadline = time.monotonic() + _PATIENCE
    while True:
        code = _relay(state_dir)
        if code is not None:
            return code
        try:
            return _run(context, state_dir, "stdio")
        except Refusal as refusal:
            # The owner of the lock is starting or stopping: one of both ways opens soon.
            if refusal.reason != "config-state-locked" or time.monotonic() > deadline:
                raise
        time.sleep(_INTERVAL)


def bot(context: Context) -> int:
    """Run a headless peer until it is told to stop."""
    return _run(context, _prepare(context), "bot")


def broker(context: Context) -> int:
    """Run the embedded broker alone, until it is told to stop."""
    import asyncio

    from federation.adapters.broker import serve_alone

    port = int(context.argument("port")) or runtime.free_port()

    def ready(kind: str, pid: int) -> None:
        url = f"mqtt://127.0.0.1:{port}"
        if context.as_json:
            print(json.dumps({"event": "ready", "broker": url, "kind": kind, "pid": pid}))
        else:
            print(f"{kind} answers on {url}; Ctrl-C ends it")
        sys.stdout.flush()

    return asyncio.run(serve_alone(port, on_ready=ready))


def _prepare(context: Context) -> Path:
    state_dir = context.state_dir(running=False)
    return runtime.prepare_state_dir(state_dir, context.environ)


def _run(context: Context, state_dir: Path, mode: Literal["stdio", "bot"]) -> int:
    settings = context.settings(state_dir)
    # What a start makes stays: looking for garbage in it takes a tenth of the time.
    gc.disable()
    try:
        # Everything that a peer needs is loaded here and nowhere earlier.
        from federation import daemon

        return daemon.run(settings, state_dir, mode=mode, embedded=not settings.broker_configured)
    finally:
        gc.enable()  # a relay to another peer may follow, and last


def _relay(state_dir: Path) -> int | None:
    """The exit code of a relay to the running peer, or None where none answers."""
    peer = runtime.running_peer(state_dir)
    if peer is None:
        return None
    import asyncio

    from federation.adapters.relay import relay

    try:
        return asyncio.run(relay(peer.socket))
    except (ConnectionRefusedError, FileNotFoundError):
        return None
