# SPDX-License-Identifier: MIT
"""The demonstration itself, with each embedded broker: two real Emacsen and a bot."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest


@pytest.mark.emacs
@pytest.mark.parametrize("broker", ["mosquitto", "amqtt"])
def test_the_demonstration(tmp_path: Path, repository: Path, broker: str) -> None:
    if shutil.which("emacs") is None:
        pytest.skip("Emacs is not installed")
    if broker == "mosquitto" and not shutil.which("mosquitto", path=os.defpath + ":/usr/sbin"):
        pytest.skip("mosquitto is not installed")
    folder = tmp_path / "stage"
    environ = {
        name: value for name, value in os.environ.items()
        if not name.startswith(("META_LOG_", "MQTT_"))
    }  # fmt: skip
    environ |= {"META_LOG_PEER_SYNC_EMBEDDED": broker, "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "federation", "demo", "--json", "--keep", str(folder)]
    done = subprocess.run(command, cwd=repository, env=environ, capture_output=True, text=True,
                          timeout=100, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(done.stdout)
    assert data["success"] is True
    contents = {Path(path).read_bytes() for path in data["files"].values()}
    assert len(data["files"]) == 3
    assert len(contents) == 1
    assert contents.pop().startswith((folder / "a/garden.canvasl").read_bytes() + b"\n")
    left = [
        process.info["cmdline"] for process in psutil.process_iter(["cmdline"])
        if str(folder) in " ".join(process.info["cmdline"] or [])
    ]  # fmt: skip
    assert left == []
