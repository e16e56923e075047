# SPDX-License-Identifier: MIT
"""Hooks as programs: one run an event, its JSON on standard input.

Bounded in number, in waiting and in time; a program's end, good or bad, never
stops the peer.  Programs are named by the user's own configuration, run
without a shell, and get no secret in their environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import IO

from federation import limits

log = logging.getLogger(__name__)
_SECRETS = ("PASSWORD", "PASSPHRASE", "SECRET", "TOKEN")


class Programs:
    """The hook programs of a peer: event name -> programs, each with its arguments.

    ``variables`` are for their environment; ``timeout`` is in seconds.
    """

    def __init__(
        self,
        commands: Mapping[str, Sequence[Sequence[str]]],
        variables: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> None:
        self._commands = dict(commands)
        self._variables = dict(variables or {})
        self._timeout = limits.HOOK_TIMEOUT if timeout is None else timeout
        #: how programs ended -> how often: ok, failed, timeout, unrunnable, left-out
        self.ends: Counter[str] = Counter()
        self._queue: asyncio.Queue[tuple[Sequence[str], str, bytes]] = asyncio.Queue(
            maxsize=limits.HOOK_QUEUE
        )
        self._ending: set[asyncio.Future[int]] = set()
        self._workers = [
            asyncio.ensure_future(self._work()) for _ in range(limits.HOOK_PROGRAMS)
        ] if self._commands else []  # fmt: skip

    def run(self, event: str, body: Mapping[str, object]) -> None:
        """Run the programs of an event, if there are any, when their turn comes."""
        commands = self._commands.get(event)
        if not commands:
            return
        data = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        for command in commands:
            try:
                self._queue.put_nowait((command, event, data))
            except asyncio.QueueFull:
                self.ends["left-out"] += 1
                log.warning("too many events wait for hook programs; one %s was left out", event)

    async def _work(self) -> None:
        while True:
            command, event, body = await self._queue.get()
            try:
                await self._run(command, event, body)
            except (OSError, ValueError) as error:
                self.ends["unrunnable"] += 1
                log.warning("the hook program %s cannot be run: %s", command[0], error)

    async def _run(self, command: Sequence[str], event: str, body: bytes) -> None:
        # A file, no pipe: what the program leaves running may keep it open as long as it likes.
        with tempfile.TemporaryFile() as errors:
            process = await self._start(command, event, errors)
            late = await self._to_its_end(process, body)
            said = _last_words(errors)
        if late:
            log.warning("the hook program %s took too long and was ended", command[0])
        self.ends["timeout" if late else "failed" if process.returncode else "ok"] += 1
        if process.returncode and not late:
            log.warning("the hook program %s ended with %s: %s",
                        command[0], process.returncode, said or "it said nothing")  # fmt: skip

    async def _start(
        self, command: Sequence[str], event: str, errors: IO[bytes]
    ) -> asyncio.subprocess.Process:
        clean = {
            name: value
            for name, value in os.environ.items()
            if not any(word in name.upper() for word in _SECRETS)
        }
        clean |= {"META_LOG_PEER_SYNC_EVENT": event, **self._variables}
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=errors,
            env=clean,
            start_new_session=True,  # what it starts can be ended with it
        )

    async def _to_its_end(self, process: asyncio.subprocess.Process, body: bytes) -> bool:
        """Feed a program and wait for its end; whether it had to be ended."""
        try:
            # Not wait_for: up to Python 3.11 it forgets a cancel that comes with the end.
            async with asyncio.timeout(self._timeout):
                await process.communicate(body + b"\n")
        except TimeoutError:
            return True
        finally:
            if process.returncode is None:
                _kill(process)
                # Whoever is stopped while waiting for the end leaves that to close().
                ending = asyncio.ensure_future(process.wait())
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)
                await asyncio.shield(ending)
        return False

    async def close(self) -> None:
        """End what runs."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await asyncio.gather(*self._ending)


def _kill(process: asyncio.subprocess.Process) -> None:
    """End a program with everything that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _last_words(errors: IO[bytes]) -> str:
    """The end of what a program wrote to its standard error, however much that is."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(size - limits.HOOK_WORDS, 0))
    return errors.read(limits.HOOK_WORDS).decode("utf-8", "replace").strip()
