# SPDX-License-Identifier: MIT
"""The shell examples of a page, run as a reader would: in order, in terminals.

Each ``sh`` block has a mark above it that says how it is run:

``<!-- not run: WHY -->``          not at all
``<!-- shows: TEXT -->``           to its end; its output has the text
``<!-- shows soon: TEXT -->``      again and again, until it does (it changes nothing)
``<!-- background: TEXT -->``      in a terminal of its own, which says the text and goes on
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_MARK = re.compile(r"<!-- (not run|shows|shows soon|background): (.+) -->")
#: The longest that one example may take (seconds).
LIMIT = 30.0


@dataclass(frozen=True, slots=True)
class Example:
    """One block: where it begins, how it is run, what it shows, its text."""

    line: int
    how: str
    text: str
    script: str


def examples(page: str) -> list[Example]:
    """The ``sh`` blocks of a page; a block without a mark has an empty ``how``."""
    found: list[Example] = []
    lines = page.splitlines()
    start: int | None = None
    for number, line in enumerate(lines):
        if start is None and line == "```sh":
            start = number
        elif start is not None and line == "```":
            mark = _MARK.fullmatch(lines[start - 1])
            how, text = (mark[1], mark[2]) if mark else ("", "")
            script = "\n".join(lines[start + 1 : number])
            found.append(Example(start + 1, how, text, script))
            start = None
    return found


#: lets a program of root see itself as somebody else
AS_USER = ("unshare", "--user", "--map-user=10001", "--map-group=10001")


def may_be_user() -> bool:
    """Whether programs can be started as a user that is not root."""
    if os.geteuid() != 0:
        return True
    return subprocess.run([*AS_USER, "true"], capture_output=True, check=False).returncode == 0


class Reader:
    """Somebody who types the examples into shells, all in one folder."""

    def __init__(self, folder: Path, programs: Path | None = None) -> None:
        """``programs``: where an installed one is; else it is that of the working tree."""
        self.folder = folder / "home"
        self.folder.mkdir()
        (folder / "run").mkdir(mode=0o700)
        self.environment = {
            "HOME": str(self.folder), "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": str(folder / "run"),
        }  # fmt: skip
        if programs is None:
            programs = folder / "programs"
            programs.mkdir()
            ours = f'exec "{sys.executable}" -m federation "$@"'
            _program(programs / "meta-log-peer-sync", ours)
            self.environment["PYTHONPATH"] = str(ROOT)
        server = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        extra = folder / "broker"
        extra.mkdir()
        if os.geteuid() == 0 and server is not None:
            # The reader is no root, whom mosquitto would make another user.
            as_user = " ".join(AS_USER)
            _program(extra / "mosquitto", f'exec {as_user} {server} "$@"')
        path = [str(extra), str(programs), os.environ.get("PATH", "")]
        self.environment["PATH"] = os.pathsep.join(path)
        self._terminals: list[subprocess.Popen[str]] = []

    def which(self, program: str) -> str | None:
        """Where a program is: on the reader's path, or where servers are."""
        path = os.pathsep.join([self.environment["PATH"], "/usr/sbin"])
        return shutil.which(program, path=path)

    def run(self, example: Example) -> None:
        """Do what an example says; AssertionError when it does not do what the page says."""
        if example.how == "background":
            self._background(example)
            return
        deadline = time.monotonic() + LIMIT
        while True:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", example.script], cwd=self.folder,
                env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, timeout=LIMIT, check=False,
            )  # fmt: skip
            good = done.returncode == 0 and example.text in done.stdout
            if good or example.how == "shows" or time.monotonic() > deadline:
                assert good, f"line {example.line}: {done.returncode}\n{done.stdout}"
                return

    def _background(self, example: Example) -> None:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {example.script}"], cwd=self.folder, env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        self._terminals.append(process)
        said: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_listen, args=(process, said), daemon=True).start()
        lines: list[str] = []
        deadline = time.monotonic() + LIMIT
        while not lines or example.text not in lines[-1]:
            assert process.poll() is None or not said.empty(), f"line {example.line}: it ended"
            with contextlib.suppress(queue.Empty):
                lines.append(said.get(timeout=0.1))
            assert time.monotonic() < deadline, f"line {example.line}: {lines}"

    def leave(self) -> None:
        """Ctrl-C in every terminal, the newest first."""
        for process in reversed(self._terminals):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(timeout=8)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _listen(process: subprocess.Popen[str], said: queue.Queue[str]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            said.put(line)


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
