# SPDX-License-Identifier: MIT
"""The helper that ends children with their parents."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from federation.adapters.broker import reaper

HELPER = [sys.executable, "-I", "-S", reaper.__file__]
#: Says that it runs, and waits for ever.
CHILD = [
    sys.executable,
    "-c",
    "import os, signal; print(os.getpid(), flush=True); signal.pause()",
]
#: The same helper where the kernel offers nothing.
WATCHER = [
    sys.executable,
    "-c",
    (
        "import sys, runpy; sys.platform = 'other'; sys.argv[0] = 'reaper';"
        f"runpy.run_path({reaper.__file__!r}, run_name='__main__')"
    ),
]

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is Linux's")


@linux
def test_it_becomes_the_command() -> None:
    with subprocess.Popen(
        [*HELPER, str(os.getpid()), *CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == process.pid
        process.terminate()
        assert process.wait(5) == -signal.SIGTERM


@linux
def test_a_parent_that_is_gone_already_is_noticed() -> None:
    process = subprocess.run(
        [*HELPER, "1", "echo", "started"], capture_output=True, timeout=10, check=False
    )
    assert process.returncode == 1
    assert process.stdout == b""
    assert b"the parent is gone" in process.stderr


def test_elsewhere_the_end_of_input_ends_the_child() -> None:
    with subprocess.Popen(
        [*WATCHER, str(os.getpid()), *CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) != process.pid
        assert process.stdin is not None
        process.stdin.close()
        process.wait(5)
        # The child held the other end of this pipe.
        assert process.stdout.read() == b""


def test_elsewhere_a_stopped_helper_stops_its_child() -> None:
    with subprocess.Popen(
        [*WATCHER, str(os.getpid()), *CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.terminate()
        process.wait(5)
        assert process.stdout.read() == b""


def test_elsewhere_the_childs_status_is_the_helpers() -> None:
    command = [*WATCHER, str(os.getpid()), sys.executable, "-c", "raise SystemExit(7)"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.wait(10) == 7
