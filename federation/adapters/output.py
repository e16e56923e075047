# SPDX-License-Identifier: MIT
"""A bot's standard output: one JSON line an event, and it never blocks the peer.

A thread writes from a bounded queue.  When nobody reads, lines are dropped and
the next line that leaves says how many.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading

from federation import limits


class Output:
    """Lines on a file descriptor, without waiting for whoever reads it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: queue.Queue[bytes | None] = queue.Queue(maxsize=limits.RPC_EVENT_QUEUE)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, daemon=True, name="output")
        self._thread.start()

    def line(self, text: str) -> None:
        """Queue a line; it is dropped and counted while the queue is full."""
        try:
            if self._dropped:
                count = f'{{"event":"events-dropped","count":{self._dropped}}}'
                self._lines.put_nowait(count.encode() + b"\n")
                self._dropped = 0
            self._lines.put_nowait(text.encode("utf-8", "replace") + b"\n")
        except queue.Full:
            self._dropped += 1

    def _write(self) -> None:
        while (data := self._lines.get()) is not None:
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
            except OSError:
                return  # nobody will ever read again

    def close(self) -> None:
        """Let the queued lines leave, for a moment at most."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
            self._thread.join(timeout=0.5)
