# SPDX-License-Identifier: MIT
"""The demonstration itself, two real Emacsen and a bot: alone, and among others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from federation.cli.stage import Stage

GARDEN = b'{"id":"weeds"}\n'
LIMIT = 60.0


def demonstration(tmp_path: Path, repository: Path, **variables: str) -> dict[str, Any]:
    """Play it in ``tmp_path/stage``; what it says in JSON.  Nothing of it is left running."""
    if shutil.which("emacs") is None:
        pytest.skip("Emacs is not installed")
    folder = tmp_path / "stage"
    environ = {
        name: value for name, value in os.environ.items()
        if not name.startswith(("META_LOG_", "MQTT_"))
    }  # fmt: skip
    environ |= {"HOME": str(tmp_path), **variables}
    command = [sys.executable, "-m", "federation", "demo", "--json", "--keep", str(folder)]
    done = subprocess.run(command, cwd=repository, env=environ, capture_output=True, text=True,
                          timeout=100, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    left = [
        process.info["cmdline"] for process in psutil.process_iter(["cmdline"])
        if str(folder) in " ".join(process.info["cmdline"] or [])
    ]  # fmt: skip
    assert left == []
    data: dict[str, Any] = json.loads(done.stdout)
    assert data["success"] is True
    return data


def check_files(data: dict[str, Any], original: Path) -> None:
    """All three have the same, which begins with what was there first."""
    contents = {Path(path).read_bytes() for path in data["files"].values()}
    assert len(data["files"]) == 3
    assert len(contents) == 1
    assert contents.pop().startswith(original.read_bytes() + b"\n")


@pytest.mark.emacs
@pytest.mark.parametrize("broker", ["mosquitto", "amqtt"])
def test_the_demonstration(tmp_path: Path, repository: Path, broker: str) -> None:
    if broker == "mosquitto" and not shutil.which("mosquitto", path=os.defpath + ":/usr/sbin"):
        pytest.skip("mosquitto is not installed")
    data = demonstration(tmp_path, repository, META_LOG_PEER_SYNC_EMBEDDED=broker)
    check_files(data, tmp_path / "stage/a/garden.canvasl")


@pytest.mark.emacs
def test_on_a_broker_where_others_have_a_garden_already(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "others").mkdir()
    stage = Stage(tmp_path / "others", dict(os.environ))
    try:
        url = _stranger(stage)
        data = demonstration(tmp_path, repository, META_LOG_MQTT_BROKER=url)
        (original,) = (tmp_path / "stage/a").glob("garden-*.canvasl")
        check_files(data, original)
        # theirs is what it was
        theirs = stage.folder / "home/state/synced/garden.canvasl"
        assert theirs.read_bytes() == GARDEN
    finally:
        assert stage.close() == []


def _stranger(stage: Stage) -> str:
    """A broker of others, and a bot there that has a ``garden.canvasl``."""
    me = [sys.executable, "-m", "federation"]
    environment = stage.environment(stage.folder / "home")
    broker = stage.start("the broker", [*me, "broker", "--port", "0", "--json"], environment)
    url = str(stage.wait_for(broker, "ready", LIMIT)["broker"])
    state = ["--state-dir", str(stage.folder / "home/state")]
    bot = stage.start("a stranger", [*me, "bot", *state, "--broker-url", url], environment)
    stage.wait_for(bot, "broker-connected", LIMIT)
    garden = stage.folder / "garden.canvasl"
    garden.write_bytes(GARDEN)
    subprocess.run([*me, "sync", str(garden), *state], env=environment, check=True,
                   capture_output=True, timeout=LIMIT)  # fmt: skip
    return url
