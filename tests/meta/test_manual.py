# SPDX-License-Identifier: MIT
"""The Info manual is that of the code, and every way into it leads somewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from docs.generator import elisp, manual
from tests.elisp.test_elisp import emacses

ELISP = manual.ROOT / "elisp"
pytestmark = pytest.mark.skipif(elisp.program() is None, reason="there is no Emacs")


def _index(node: str) -> set[str]:
    """The entries of an index of the built manual."""
    text = manual.INFO.read_text(encoding="utf-8").split(f"Node: {node},")[1].partition("\x1f")[0]
    return set(re.findall(r"^\* ([\w-]+)(?: <\d+>)?:", text, re.MULTILINE))


def test_the_reference_is_that_of_the_code() -> None:
    source = manual.SOURCE.read_text(encoding="utf-8")
    assert manual.render(source) == source, "run make docs"


@pytest.mark.parametrize("emacs", emacses())
def test_the_built_manual_is_that_of_its_source(emacs: str) -> None:
    built = manual.build(manual.SOURCE.read_text(encoding="utf-8"), emacs)
    assert built == manual.INFO.read_text(encoding="utf-8"), "run make docs"


def test_every_offered_command_is_in_the_index() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in ELISP.glob("*.el"))
    offered = re.findall(
        r"^;;;###autoload\n\(defun ([\w-]+) \((?:(?!^\(def).)*?^ +\(interactive",
        sources, re.MULTILINE | re.DOTALL,
    )  # fmt: skip
    offered += re.findall(r"^;;;###autoload\n\(define-minor-mode ([\w-]+)", sources, re.MULTILINE)
    offered += re.findall(r"^;;;###autoload \(autoload '([\w-]+)", sources, re.MULTILINE)
    assert len(offered) > 45
    assert set(offered) - _index("Command Index") == set()


def test_every_option_is_in_the_index() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in ELISP.glob("*.el"))
    options = set(re.findall(r"^\(defcustom ([\w-]+)", sources, re.MULTILINE))
    assert len(options) > 30
    assert options - _index("Option Index") == set()


def test_makeinfo_has_nothing_to_say(tmp_path: Path) -> None:
    if shutil.which("makeinfo") is None:
        pytest.skip("makeinfo is not installed")
    command = ["makeinfo", "--no-split", "-o", str(tmp_path / "out.info"), str(manual.SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_lines_are_short() -> None:
    long = [line for line in manual.INFO.read_text(encoding="utf-8").splitlines() if len(line) > 90]
    assert [line for line in long if not line.startswith(("*", "File:"))] == []
