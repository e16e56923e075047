# SPDX-License-Identifier: MIT
"""The way by pip: the wheel, the tutorial with two Emacsen, an upgrade, and nothing left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration import bare
from tests.integration.brokers import ROOT, free_port
from tests.meta.walkthrough import Example, Reader, examples

pytestmark = [pytest.mark.emacs, pytest.mark.slow, pytest.mark.timeout(400)]
TUTORIAL = ROOT / "docs" / "tutorial" / "two-peers.md"


def pip(venv: Path, *words: str) -> None:
    """Run the pip of the tests for a virtual environment that has none: that is faster."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python"),
         "--disable-pip-version-check", *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        env={**os.environ, "PIP_NO_INDEX": "1", "PYTHONPATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def newer(folder: Path) -> Path:
    """A wheel of the next version."""
    for name in ("federation", "elisp"):
        shutil.copytree(ROOT / name, folder / name,
                        ignore=shutil.ignore_patterns("__pycache__", "*.elc"))  # fmt: skip
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    version = folder / "federation" / "__init__.py"
    version.write_text(version.read_text().replace('"0.1.0"', '"0.1.1"'))
    return bare.build(folder / "dist", source=folder)


def test_a_stranger_installs_the_wheel_follows_the_tutorial_and_removes_it(tmp_path: Path) -> None:
    if shutil.which("emacs") is None:
        pytest.skip("there is no Emacs")
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (place,) = venv.glob("lib/python3*/site-packages")
    (place / "dependencies.pth").write_text(f"{bare.dependencies(tmp_path / 'site')}\n")
    before = bare.left_over(venv)
    pip(venv, "install", str(bare.build(tmp_path / "dist")))
    program = venv / "bin" / "meta-log-peer-sync"
    assert program.exists()
    home = follow(venv / "bin", tmp_path / "reader")

    pip(venv, "install", "--upgrade", str(newer(tmp_path / "newer")))
    # What was recorded before is there after the upgrade.
    doctor = subprocess.run(
        [program, "doctor", "--state-dir", str(home / "one")],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "version   0.1.1" in doctor.stdout, doctor.stdout + doctor.stderr
    assert "identity  peer-" in doctor.stdout, doctor.stdout + doctor.stderr
    pip(venv, "uninstall", "-y", "meta-log-peer-sync")
    assert bare.left_over(venv) == before == []


def follow(programs: Path, folder: Path) -> Path:
    """Do all that the tutorial says; the home in which it was done."""
    folder.mkdir()
    reader = Reader(folder, programs)
    port = free_port()
    broker = f"meta-log-peer-sync broker --port {port}"
    try:
        # Not the broker of the machine: others may use that one.
        reader.run(Example(0, "background", "answers", broker))
        reader.environment["META_LOG_MQTT_BROKER"] = f"mqtt://127.0.0.1:{port}"
        for example in examples(TUTORIAL.read_text(encoding="utf-8")):
            if example.how != "not run":
                reader.run(example)
    finally:
        reader.leave()
    return reader.folder
