# SPDX-License-Identifier: MIT
"""The two ways to start: ``python -m federation``, and quickly."""

from __future__ import annotations

import subprocess
import sys
import time

from federation import __version__


def test_as_a_module() -> None:
    command = [sys.executable, "-m", "federation", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"meta-log-peer-sync {__version__}\n"


def test_help_is_quick() -> None:
    # The best of several: another process may have the processor just now.
    command = [sys.executable, "-m", "federation", "--help"]
    best = 1.0
    for _ in range(10):
        before = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        best = min(best, time.perf_counter() - before)
        if best < 0.15:
            break
    assert best < 0.15
