# SPDX-License-Identifier: MIT
"""The verb service: a unit that systemd understands."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize("name", ["/srv/bot", '/srv/a bot/100% "x"'])
def test_a_unit_that_systemd_takes(run: Run, tmp_path: Path, name: str) -> None:
    text = run("service", "--state-dir", name, "--user", "daemon").out
    unit = configparser.RawConfigParser(strict=False)
    unit.read_string(text)
    assert unit["Service"]["NoNewPrivileges"] == "true"
    assert unit["Service"]["UMask"] == "0077"
    assert run("service", "--state-dir", name, "--json").data["unit"].startswith("[Unit]\n")
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / "meta-log-bot.service"
    path.write_text(text)
    done = subprocess.run([verify, "verify", "--man=no", str(path)], capture_output=True,
                          text=True, timeout=60, check=False)  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "meta-log-bot" in line]
    assert [line for line in said if "not executable" not in line] == []


def test_where_a_home_is_needed_it_is_seen(run: Run) -> None:
    assert "ProtectHome=false" in run("service", "--state-dir", "/home/ada/bot").out
    bad = run("service", "--state-dir", "/srv/bot", "--user", "a\nUser=root", "--json")
    assert bad.error["reason"] == "usage"
