# SPDX-License-Identifier: MIT
"""A second front end of one state directory: standard input and output, relayed.

``serve --stdio`` on a state directory that a peer already runs on becomes this:
bytes go to that peer's control socket and back, unread.  The protocol on both
is the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import stat
from pathlib import Path
from typing import Final

#: Exit code when the peer went away: the front end starts a sidecar of its own.
#: (EX_TEMPFAIL of sysexits.h: try again.)
PEER_GONE: Final = 75
#: After the end of the input, answers that are under way may still come for so long (seconds).
_LAST_ANSWERS: Final = 0.5
_CHUNK: Final = 256 * 1024


async def relay(socket_path: Path, *, source: int = 0, sink: int = 1) -> int:
    """Move bytes between the file descriptors ``source`` and ``sink`` and a control socket.

    Returns the exit code: 0 at the end of the input or when nobody reads the
    output any more, 75 when the peer went away.  Raises :class:`OSError` when
    the socket does not answer.
    """
    reader, writer = await asyncio.open_unix_connection(os.fspath(socket_path))
    up = asyncio.create_task(_upwards(source, writer))
    down = asyncio.create_task(_downwards(reader, sink))
    try:
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        if up.done() and not down.done() and up.result():
            # The peer sees the end of our input, answers what is under way, and closes.
            await asyncio.wait({down}, timeout=_LAST_ANSWERS)
            return 0
        if down.done():
            return PEER_GONE if down.result() else 0
        return PEER_GONE
    finally:
        for task in (up, down):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await task
        writer.transport.abort()


async def _upwards(source: int, writer: asyncio.StreamWriter) -> bool:
    """Input to socket.  True at the end of the input, False when the socket is gone."""
    try:
        while data := await _read(source):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except ConnectionError:
        return False
    return True


async def _downwards(reader: asyncio.StreamReader, sink: int) -> bool:
    """Socket to output.  True when the socket ended, False when nobody reads the output."""
    blocking = os.get_blocking(sink)
    os.set_blocking(sink, False)
    try:
        while data := await _receive(reader):
            await _write(sink, data)
    except BrokenPipeError:
        return False
    finally:
        os.set_blocking(sink, blocking)
    return True


async def _receive(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(_CHUNK)
    except ConnectionError:
        return b""


async def _read(descriptor: int) -> bytes:
    """The next bytes of a pipe, terminal, socket or file; empty at its end."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # a file never blocks, and epoll refuses it
        await _ready(descriptor, reading=True)
    try:
        return os.read(descriptor, _CHUNK)
    except OSError:
        return b""  # the terminal or the other end is gone


async def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            await _ready(descriptor, reading=False)


async def _ready(descriptor: int, *, reading: bool) -> None:
    """Wait until the descriptor can be read (or written) without blocking."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    add = loop.add_reader if reading else loop.add_writer
    remove = loop.remove_reader if reading else loop.remove_writer
    try:
        add(descriptor, lambda: None if done.done() else done.set_result(None))
    except PermissionError:
        # /dev/null and the like: epoll does not take what is always ready.
        await asyncio.to_thread(select.select, [descriptor] if reading else [], [], [], 0)
        return
    try:
        await done
    finally:
        remove(descriptor)
