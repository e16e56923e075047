# SPDX-License-Identifier: MIT
"""A machine on which nothing of ours is installed, for tests of installing.

The Python packages that we depend on are there already, so that no test waits
for a network: pip finds that nothing is missing.
"""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
from pathlib import Path

from tests.integration.brokers import ROOT


def build(folder: Path, source: Path = ROOT) -> Path:
    """Build the wheel of a source, by default this working tree, in ``folder``; its path."""
    folder.mkdir(exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=source, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel


def dependencies(folder: Path, *, pip: bool = False) -> Path:
    """A folder with links to every installed Python package, but for ours; pip if wanted."""
    folder.mkdir()
    # Debian's Python names places here that a virtual environment does not have.
    for place in filter(os.path.isdir, site.getsitepackages()):
        for entry in Path(place).iterdir():
            left_out = ("meta_log", "_meta_log", "__editable__", *(() if pip else ("pip",)))
            wanted = not entry.name.startswith(left_out) and entry.suffix != ".pth"
            if wanted and not (folder / entry.name).exists():
                (folder / entry.name).symlink_to(entry)
    return folder


def environment(folder: Path, packages: Path) -> dict[str, str]:
    """Home, runtime directory and programs of a stranger, in ``folder``.

    Python makes virtual environments there that find ``packages``, with the pip
    in it: a pip of their own takes longer than all the rest together.
    """
    for name, mode in (("home", 0o700), ("run", 0o700), ("programs", 0o755)):
        (folder / name).mkdir(mode=mode, parents=True)
    python = folder / "programs" / "python3"
    real = os.path.realpath(sys.executable)
    python.write_text(
        f'''#!/bin/sh
if [ "$1 $2 $3" = "-I -m venv" ]; then
    "{real}" -I -m venv --without-pip "$4" || exit
    for place in "$4"/lib/python3*/site-packages; do
        echo "{packages}" >"$place/packages.pth"
    done
else
    exec "{real}" "$@"
fi
'''
    )
    python.chmod(0o755)
    path = [str(folder / "programs"), "/usr/sbin", "/usr/bin", "/bin"]
    return {
        "HOME": str(folder / "home"), "XDG_RUNTIME_DIR": str(folder / "run"), "LANG": "C.UTF-8",
        "PATH": os.pathsep.join(path),
    }  # fmt: skip


def emacs(version: int) -> str | None:
    """An Emacs of this major version, or None."""
    for name in ("emacs", "/usr/bin/emacs30"):
        if (program := shutil.which(name)) is not None:
            said = subprocess.run(
                [program, "--version"], capture_output=True, text=True, check=True
            )
            if said.stdout.startswith(f"GNU Emacs {version}."):
                return program
    return None


def left_over(folder: Path) -> list[str]:
    """What has a name of ours below ``folder``."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if any(word in path.name for word in ("meta-log", "meta_log", "federation"))
    )
