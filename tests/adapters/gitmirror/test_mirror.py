# SPDX-License-Identifier: MIT
"""The door of a mirror, with dulwich and without."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from federation.adapters.gitmirror import Mirror
from federation.errors import Refusal
from tests.adapters.gitmirror.plain_git import entry, git

_WITHOUT = """
import sys
from pathlib import Path
from federation.adapters.gitmirror import Mirror
from federation.errors import Refusal
assert "dulwich" not in sys.modules
sys.modules["dulwich"] = None  # as if it were not installed
try:
    Mirror(Path(sys.argv[1]))
except Refusal as refusal:
    print(refusal.reason, refusal.hint, sep="|")
"""


@pytest.mark.parametrize("bare", [True, False])
def test_revisions_become_commits(tmp_path: Path, bare: bool) -> None:
    path = tmp_path / "space"
    mirror = Mirror(path, bare=bare)
    assert mirror.record(entry(number) for number in range(3)) == 3
    assert git(path, "log", "--format=%an", "main").split() == ["Ada"] * 3
    assert (path / "x.md").exists() is not bare
    assert git(path, "rev-parse", "--is-bare-repository").strip() == str(bare).lower()


def test_without_dulwich_it_says_what_to_install(tmp_path: Path, repository: Path) -> None:
    command = [sys.executable, "-c", _WITHOUT, str(tmp_path / "space")]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    extra = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    (wanted,) = extra["optional-dependencies"]["git"]
    python = shlex.quote(sys.executable)
    assert done.stdout == (
        f"missing-program|{python} -m pip install '{wanted}', "
        f"or uv pip install --python {python} '{wanted}'\n"
    )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_place_of_somebody_elses_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(Refusal) as caught:
        Mirror(tmp_path)
    assert caught.value.reason == "config-unsafe-sync-dir"
