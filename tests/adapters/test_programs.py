# SPDX-License-Identifier: MIT
"""Hook programs: run in turn, bounded, without secrets, and harmless when they fail."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import psutil
import pytest

from federation import limits
from federation.adapters.programs import Programs
from tests.adapters.doors.fakes import until


def program(tmp_path: Path, body: str) -> list[tuple[str, ...]]:
    """A program that runs ``body`` with ``out`` the folder to write to."""
    return [(sys.executable, "-c", f"import json, os, sys\nout = {str(tmp_path)!r}\n{body}")]


async def made(path: Path) -> str:
    """The text of a file, once a program has made it whole."""
    await until(path.exists, 20)
    return read(path)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


WRITE = """
data = {"body": json.load(sys.stdin), "environment": dict(os.environ)}
name = os.environ["META_LOG_PEER_SYNC_EVENT"]
open(f"{out}/{name}.part", "w").write(json.dumps(data))
os.rename(f"{out}/{name}.part", f"{out}/{name}")
"""


async def test_a_program_gets_the_event_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MQTT_PASSWORD", "my_token", "META_LOG_PEER_SYNC_IDENTITY_PASSPHRASE"):
        monkeypatch.setenv(name, "canary")
    programs = Programs({"peer-trusted": program(tmp_path, WRITE)})
    programs.run("peer-trusted", {"event": "peer-trusted", "name": "é\ud800"})
    programs.run("ready", {"event": "ready"})
    text = await made(tmp_path / "peer-trusted")
    await programs.close()
    data = json.loads(text)
    assert data["body"] == {"event": "peer-trusted", "name": "é?"}
    assert data["environment"]["META_LOG_PEER_SYNC_EVENT"] == "peer-trusted"
    assert "canary" not in text
    assert not (tmp_path / "ready").exists()


async def test_a_program_that_fails_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    programs = Programs({
        "one": [(str(tmp_path / "not-there"),)],
        "two": [("\0",)],
        "three": program(tmp_path, "sys.exit('x' * 9999 + ' no\\nsuch thing')"),
        "four": program(tmp_path, "sys.stdin.close()"),
        "last": program(tmp_path, WRITE),
    })  # fmt: skip
    with caplog.at_level(logging.WARNING):
        for _ in range(limits.HOOK_PROGRAMS):
            for event in ("one", "two", "three", "four"):
                programs.run(event, {"text": "x" * 200_000})
        programs.run("last", {})
        await made(tmp_path / "last")
    await programs.close()
    assert "cannot be run" in caplog.text
    assert "ended with 1: xxx" in caplog.text
    assert "no\nsuch thing" in caplog.text
    assert len(max((one.getMessage() for one in caplog.records), key=len)) < 500


async def test_a_program_that_hangs_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "HOOK_TIMEOUT", 0.2)
    monkeypatch.setattr(limits, "HOOK_PROGRAMS", 1)
    programs = Programs({
        "hangs": program(tmp_path, "import time\nwhile True: time.sleep(60)"),
        "last": program(tmp_path, WRITE),
    })  # fmt: skip
    programs.run("hangs", {})
    monkeypatch.setattr(limits, "HOOK_TIMEOUT", 0.2)
    programs.run("last", {})
    programs.run("last", {})
    await until(lambda: "took too long" in caplog.text, 20)
    await programs.close()


async def test_what_waits_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "HOOK_QUEUE", 5)
    programs = Programs({"event": program(tmp_path, "pass")})
    for number in range(10):
        programs.run("event", {"number": number})
    await programs.close()
    assert caplog.text.count("was left out") == 5


async def test_no_programs_no_workers() -> None:
    programs = Programs({})
    programs.run("ready", {})
    assert programs._workers == []
    await programs.close()


async def test_several_programs_of_one_event_a_folder_and_a_timeout_of_their_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = 'sleep 600 & echo $! > "$0/part"; mv "$0/part" "$0/child"; wait'
    hangs = ("/bin/sh", "-c", script, str(tmp_path))
    programs = Programs({"broker-lost": [hangs, ("true",)]}, timeout=3.0)
    programs.run("broker-lost", {"event": "broker-lost"})
    pid = int(await made(tmp_path / "child"))
    await until(lambda: programs.ends == {"ok": 1, "timeout": 1}, 60)
    # what the program had started is gone with it
    await until(lambda: _is_gone(pid), 20)
    await programs.close()
    programs = Programs(
        {"ready": program(tmp_path, WRITE)}, {"META_LOG_PEER_SYNC_STATE_DIR": "/state"}
    )
    programs.run("ready", {"event": "ready"})
    text = await made(tmp_path / "ready")
    assert json.loads(text)["environment"]["META_LOG_PEER_SYNC_STATE_DIR"] == "/state"
    await programs.close()


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
