# SPDX-License-Identifier: MIT
"""The two ways to start: ``python -m federation``, and quickly."""

from __future__ import annotations

import subprocess
import sys

from federation import __version__


def test_as_a_module() -> None:
    command = [sys.executable, "-m", "federation", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"meta-log-peer-sync {__version__}\n"
