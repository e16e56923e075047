# SPDX-License-Identifier: MIT
"""The verb backup; archives themselves are in ``tests/adapters``."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run


def test_made_verified_brought_back(run: Run, home: Path) -> None:
    state = ("--state-dir", str(home / "state"))
    identity = run("identity", "create", "--json", *state).data["peer_id"]
    folder = home / "backups"
    made = [run("backup", str(folder), "--keep", "2", "--json", *state).data for _ in range(3)]
    assert made[2]["removed"] == [made[0]["archive"]]
    archive = made[2]["archive"]
    assert run("backup", archive, "--verify").out == f"{archive} is whole: 2 files\n"
    new = ("--state-dir", str(home / "new"))
    assert run("backup", archive, "--restore", *new).code == 0
    assert run("identity", "--json", *new).data["peer_id"] == identity


def test_what_is_refused(run: Run, home: Path) -> None:
    state = ("--state-dir", str(home / "state"), "--json")
    assert run("backup", str(home / "b"), *state).error["reason"] == "identity-missing"
    assert run("backup", "x", "--verify", "--restore", *state).error["reason"] == "usage"
    assert run("backup", str(home / "x"), "--verify", *state).error["reason"] == "file-not-found"
    unsafe = run("backup", str(home / "x"), "--restore", "--state-dir", str(home), "--json")
    assert unsafe.error["reason"] == "config-unsafe-sync-dir"
