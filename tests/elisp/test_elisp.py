# SPDX-License-Identifier: MIT
"""The Emacs package, checked and tested in every Emacs that is there.

``EMACSES`` names the programs, separated by spaces; without it they are
``emacs`` and, where ``install-emacs30.sh`` has put it, ``/usr/bin/emacs30``.
Each ERT test is a test here; a file of them runs once in each Emacs.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
ELISP = REPOSITORY / "elisp"
SHARED = Path(os.environ.get("META_LOG_SHARED") or REPOSITORY.parent / "shared")
PACKAGE_LINT = Path(
    os.environ.get("PACKAGE_LINT")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    / "meta-log-peer-sync"
    / "package-lint"
)
FILES = [HERE / "checks.el", *sorted(HERE.glob("*-test.el"))]
PARTS = sorted(ELISP.glob("*.el"))


def emacses() -> list[str]:
    """The Emacsen to test."""
    named = os.environ.get("EMACSES")
    names = named.split() if named else ["emacs", "/usr/bin/emacs30"]
    return [name for name in names if shutil.which(name)]


def ert_tests() -> list[tuple[Path, str]]:
    """Every ERT test, with its file."""
    return [
        (file, name)
        for file in FILES
        for name in re.findall(
            r"^\(ert-deftest (\S+)", file.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]


def run(emacs: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``emacs`` in batch, with the sidecar of this working tree."""
    return subprocess.run(
        [emacs, "-Q", "--batch", *arguments],
        cwd=HERE, text=True, encoding="utf-8", errors="replace", timeout=600, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "MLPS_PYTHON": sys.executable, "MLPS_SHARED": str(SHARED),
             **environment},
    )  # fmt: skip


@functools.cache
def run_ert(emacs: str, file: Path) -> str:
    """Run the ERT tests of one file, once, and return what Emacs printed."""
    loaded = run(emacs, "-L", str(HERE), "-l", str(file), "-f", "ert-run-tests-batch-and-exit")
    return loaded.stdout


if not emacses():
    pytest.skip("no Emacs is installed", allow_module_level=True)


@pytest.mark.parametrize("emacs", emacses())
@pytest.mark.parametrize(("file", "name"), ert_tests(), ids=lambda value: Path(value).stem)
def test_ert(emacs: str, file: Path, name: str) -> None:
    """One ERT test."""
    output = run_ert(emacs, file)
    result = re.search(
        rf"^ +(passed|skipped|FAILED) .*\b{re.escape(name)}( |$)", output, re.MULTILINE
    )
    if result is None or result[1] == "FAILED":
        begin = output.find(f"Test {name} backtrace")
        pytest.fail(output[max(begin, 0) :][:6000])
    if result[1] == "skipped":
        pytest.skip("ERT skipped it")


@pytest.mark.parametrize("emacs", emacses())
def test_checkdoc(emacs: str, shared: Path) -> None:
    """The docstrings follow the conventions."""
    tool = shared / "tools" / "elisp" / "cd.el"
    done = run(emacs, "-L", str(ELISP), "-l", str(tool), *map(str, PARTS))
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("emacs", emacses())
@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.stem)
def test_audit(emacs: str, part: Path, shared: Path) -> None:
    """Loading a file has no side effects, its names have the prefix, it unloads."""
    prefix = "meta-log-peer-sync" if part.stem.startswith("meta-log-peer-sync") else part.stem
    tool = shared / "tools" / "elisp" / "audit.el"
    output = run(emacs, "-L", str(ELISP), "-l", str(tool), FEAT=part.stem, PREF=prefix).stdout
    assert "timers +0 idle +0 procs +0 buffers +0" in output
    assert "auto-mode-changed nil" in output
    assert "hook changed" not in output
    assert "bad prefix nil; commands without doc nil; custom problems nil" in output
    assert "unload: ok" in output


@pytest.mark.parametrize("emacs", emacses())
def test_global_keys(emacs: str, shared: Path) -> None:
    """Loading the package binds no global key."""
    tool = shared / "tools" / "elisp" / "gm3.el"
    output = run(emacs, "-L", str(ELISP), "-l", str(tool), FEAT="meta-log-peer-sync").stdout
    assert re.search(r"new: nil$", output, re.MULTILINE), output


@pytest.fixture(scope="session")
def package_lint() -> list[str]:
    """The arguments with which Emacs finds package-lint 0.26."""
    done = subprocess.run(
        [str(HERE / "install-package-lint.sh"), str(PACKAGE_LINT)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"package-lint is absent: {done.stderr.strip()}")
    folders = {
        file.parent
        for name in ("package-lint.el", "compat.el")
        for file in PACKAGE_LINT.rglob(name)
    }
    return [word for folder in sorted(folders) for word in ("-L", str(folder))]


@pytest.mark.parametrize("emacs", emacses())
def test_package_lint(emacs: str, package_lint: list[str]) -> None:
    """The headers, dependencies and names are those of a package."""
    done = run(emacs, *package_lint, "-l", str(HERE / "lint.el"), "--", *map(str, PARTS))
    assert (done.returncode, done.stdout) == (0, "")
