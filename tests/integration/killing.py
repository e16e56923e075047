# SPDX-License-Identifier: MIT
"""strace on a running peer: kills it at one named system call, and says which it made.

The number counts the calls of one name that one thread makes after strace came;
the call at which the process is killed is not carried out any more.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Self

import pytest

from tests.integration.brokers import wait_until

#: what changes a disk, or makes a change durable
CALLS = (
    "write", "writev", "pwrite64", "pwritev", "fsync", "fdatasync", "ftruncate",
    "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdirat",
)  # fmt: skip
_CALL = re.compile(r"^\d+ +(\w+)\(")


def needed() -> None:
    """Skip where there is no strace, or it may not look at another process."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    with subprocess.Popen(["sleep", "60"]) as child:
        with subprocess.Popen(
            ["strace", "-qq", "-p", str(child.pid)], stderr=subprocess.DEVNULL
        ) as strace:
            deadline = time.monotonic() + 60
            while not _traced(child.pid) and strace.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.005)
            allowed = strace.poll() is None
            strace.send_signal(signal.SIGINT)
        child.kill()
    if not allowed:
        pytest.skip("strace may not attach to other processes here (kernel.yama.ptrace_scope)")


def _traced(pid: int) -> bool:
    """Whether every thread of a process is traced."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        texts = [Path(f"/proc/{pid}/task/{task}/status").read_text() for task in tasks]
    except OSError:  # it is gone, or one of its threads
        return False
    return all("TracerPid:\t0\n" not in text for text in texts)


def options(log: Path, kill_at: tuple[str, int] | None) -> list[str]:
    """The command line of strace up to what it is to look at."""
    command = ["strace", "-f", "-qq", "-y", "-o", str(log), "-e", f"trace={','.join(CALLS)}"]
    if kill_at is not None:
        name, number = kill_at
        command += ["-e", f"inject={name}:signal=KILL:when={number}"]
    return command


def calls(log: Path) -> Counter[str]:
    """How many calls of each name a log of strace has."""
    found = (_CALL.match(line) for line in log.read_text().splitlines())
    return Counter(match[1] for match in found if match is not None)


class Strace:
    """A strace that looks at a process until the ``with`` block ends or the process does."""

    def __init__(self, pid: int, log: Path, kill_at: tuple[str, int] | None = None) -> None:
        self._pid = pid
        self._log = log
        self._command = options(log, kill_at)

    def __enter__(self) -> Self:
        self._log.unlink(missing_ok=True)
        command = [*self._command, "-p", str(self._pid)]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        wait_until(lambda: _traced(self._pid), 60.0, "strace looks at the process")
        return self

    def __exit__(self, *_: object) -> None:
        # not politely: at the end of a process with threads, strace may wait for ever
        self._process.kill() if self.died() else self._process.send_signal(signal.SIGINT)
        self._process.wait(10)

    def died(self) -> bool:
        """Whether the process has been killed; while strace has it, nobody else is told."""
        try:
            status = Path(f"/proc/{self._pid}/stat").read_text()
        except OSError:
            return True
        return status.rpartition(")")[2].split()[0] in "ZX"

    def calls(self) -> Counter[str]:
        """How many calls of each name were made."""
        return calls(self._log)

    def last(self) -> str:
        """The last call, for people."""
        lines = [line for line in self._log.read_text().splitlines() if _CALL.match(line)]
        return lines[-1][:160] if lines else "none"
