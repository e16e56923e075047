# SPDX-License-Identifier: MIT
"""Installing as strangers do: from Emacs, as a package file and from git, and nothing is left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration import bare
from tests.integration.brokers import ROOT, free_port

pytestmark = [pytest.mark.emacs, pytest.mark.slow, pytest.mark.timeout(400)]
DRIVER = Path(__file__).with_name("install_package.el")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bare.dependencies(tmp_path_factory.mktemp("packages") / "site", pip=True)


def follow(emacs: str, source: Path, packages: Path, folder: Path) -> list[str]:
    """What the stranger did, step by step."""
    more = {"META_LOG_MQTT_BROKER": f"mqtt://127.0.0.1:{free_port()}",
            # pip builds with what is there, and asks nobody for anything
            "PIP_NO_BUILD_ISOLATION": "false", "PIP_NO_CACHE_DIR": "1",
            "PIP_NO_INDEX": "1"}  # fmt: skip
    done = subprocess.run(
        [emacs, "-Q", "--batch", "-l", str(DRIVER), str(source)],
        env=bare.environment(folder, packages) | more, cwd=folder, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=380, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    return [line[4:] for line in done.stdout.splitlines() if line.startswith("DID ")]


def test_a_package_file_in_emacs_28(packages: Path, tmp_path: Path) -> None:
    emacs = bare.emacs(28)
    if emacs is None:
        pytest.skip("there is no Emacs 28")
    dist = bare.build(tmp_path / "dist").parent
    subprocess.run([sys.executable, ROOT / ".ci/package", dist], check=True, capture_output=True)
    (tar,) = dist.glob("*.tar")
    did = follow(emacs, tar, packages, tmp_path / "user")
    place = ".emacs.d/elpa/meta-log-peer-sync-0.1.0/meta-log-peer-sync.elc"
    program = ".emacs.d/meta-log-sidecar/venv/bin/meta-log-peer-sync"
    assert did == [f"load {place}", "none yet", f"found {program}", "ready 0.1.0", "upgraded",
                   "doctor ok", "identity kept", "removed"]  # fmt: skip
    assert bare.left_over(tmp_path / "user" / "home") == []


def test_a_git_repository_in_emacs_30(packages: Path, tmp_path: Path) -> None:
    emacs = bare.emacs(30)
    if emacs is None or shutil.which("git") is None:
        pytest.skip("there is no Emacs 30, or no git")
    repository = tmp_path / "repository"
    commit(repository)
    did = follow(emacs, repository, packages, tmp_path / "user")
    place = ".emacs.d/elpa/meta-log-peer-sync/elisp/meta-log-peer-sync.elc"
    program = ".emacs.d/meta-log-sidecar/venv/bin/meta-log-peer-sync"
    assert did == [f"load {place}", "none yet", f"found {program}", "ready 0.1.0", "doctor ok",
                   "identity kept", "removed"]  # fmt: skip
    assert bare.left_over(tmp_path / "user" / "home") == []


def commit(folder: Path) -> None:
    """A git repository with what an installation needs of this working tree."""
    folder.mkdir()
    for name in ("federation", "elisp"):
        shutil.copytree(ROOT / name, folder / name,
                        ignore=shutil.ignore_patterns("__pycache__", "*.elc"))  # fmt: skip
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        author = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *author, *words], cwd=folder, check=True,
                       env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull})  # fmt: skip
