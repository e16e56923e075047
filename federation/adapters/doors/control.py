# SPDX-License-Identifier: MIT
"""The two doors for front ends: standard input and output, and the control socket."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from federation import limits
from federation.adapters.doors.frontend import FrontEnd, Handler
from federation.errors import Refusal

log = logging.getLogger(__name__)
_READ = 64 * limits.KIB


class Doors:
    """All front ends of one peer."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self.front_ends: set[FrontEnd] = set()
        self._accepted: set[asyncio.Task[None]] = set()
        #: called when a front end is gone
        self.on_gone: Callable[[FrontEnd], None] = lambda _front_end: None

    # --- the control socket ---------------------------------------------------------
    async def listen(self, path: Path) -> None:
        """Open the control socket (mode 0600); the lock makes us its only owner."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._accept, str(path), limit=_READ)
        finally:
            os.umask(before)
        self._path = path

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self.front_ends) >= limits.CONTROL_CLIENTS:
            log.warning("too many front ends; one was turned away")
            writer.close()
            return
        front_end = FrontEnd(writer, self._handlers)
        self.front_ends.add(front_end)
        task = asyncio.current_task()
        if task is not None:
            self._accepted.add(task)
            task.add_done_callback(self._accepted.discard)
        try:
            while data := await reader.read(_READ):
                await front_end.feed(data)
            await front_end.finish(limits.SHUTDOWN / 2)
        except Refusal as refusal:
            log.warning("a front end was cut off: %s", refusal)
            await front_end.finish(limits.SHUTDOWN / 2)
        except (ConnectionError, OSError) as error:
            log.info("a front end is gone: %s", error)
        finally:
            self._drop(front_end)

    def _drop(self, front_end: FrontEnd) -> None:
        front_end.close()
        self.front_ends.discard(front_end)
        self.on_gone(front_end)

    # --- standard input and output ------------------------------------------------------
    async def serve_stdio(self) -> None:
        """Serve the program that started us, until its end of input."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=16)
        stop = threading.Event()

        def read() -> None:
            """In a thread: standard input may be a pipe, a file or a terminal."""
            while not stop.is_set():
                try:
                    data = os.read(0, _READ)
                except OSError:
                    data = b""
                # the loop may end meanwhile, and with it who waited for this
                with contextlib.suppress(RuntimeError, concurrent.futures.CancelledError):
                    asyncio.run_coroutine_threadsafe(queue.put(data), loop).result()
                if not data:
                    return

        front_end = FrontEnd(await _stdout(), self._handlers)
        front_end.on_gone = lambda: _end(queue)
        self.front_ends.add(front_end)
        threading.Thread(target=read, daemon=True, name="stdin").start()
        try:
            while data := await queue.get():
                await front_end.feed(data)
                if front_end.closed:
                    return
            await front_end.finish(limits.SHUTDOWN / 2)
        except Refusal as refusal:
            log.error("standard input cannot be understood: %s", refusal)
            await front_end.finish(limits.SHUTDOWN / 2)
        finally:
            stop.set()
            self._drop(front_end)

    async def close(self) -> None:
        """Close both doors."""
        for front_end in list(self.front_ends):
            await front_end.finish(0.2)
            self._drop(front_end)
        if self._accepted:
            await asyncio.wait(self._accepted, timeout=limits.SHUTDOWN / 2)
        if self._server is not None:
            self._server.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _end(queue: asyncio.Queue[bytes]) -> None:
    """End the reading of standard input: what waits there has nobody to answer to."""
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(b"")


class _Blocking:
    """Standard output that is a file: it never blocks for long."""

    def write(self, data: bytes, /) -> None:
        """Write at once."""
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    async def drain(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Standard output stays open."""


async def _stdout() -> asyncio.StreamWriter | _Blocking:
    loop = asyncio.get_running_loop()
    # A copy: the transport closes what it is given, and the interpreter flushes its own at exit.
    copy = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    try:
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, copy)
    except ValueError:
        copy.close()
        return _Blocking()
    return asyncio.StreamWriter(transport, protocol, None, loop)
