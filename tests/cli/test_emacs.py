# SPDX-License-Identifier: MIT
"""The verbs for Emacs: a folder that is there, two lines that Emacs reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from federation.cli.emacs import folder, quote
from federation.errors import Refusal
from tests.cli.conftest import Run


def test_the_folder_inside_comes_before_the_one_beside(tmp_path: Path) -> None:
    package = tmp_path / "federation"
    for place in (package / "elisp", tmp_path / "elisp"):
        place.mkdir(parents=True)
        (place / "meta-log-peer-sync.el").touch()
    assert folder(package) == package / "elisp"
    (package / "elisp/meta-log-peer-sync.el").unlink()
    assert folder(package) == tmp_path / "elisp"
    (tmp_path / "elisp/meta-log-peer-sync.el").unlink()
    with pytest.raises(Refusal) as caught:
        folder(package)
    assert caught.value.reason == "file-not-found"


def test_strings_of_lisp() -> None:
    assert quote('a"b\\c') == '"a\\"b\\\\c"'


def test_one_line_and_two_lines(run: Run, repository: Path) -> None:
    assert run("emacs-path").out == f"{repository / 'elisp'}\n"
    assert run("emacs-path", "--json").data == {"path": str(repository / "elisp")}
    first, second = run("emacs-setup").out.splitlines()
    assert first == f'(add-to-list \'load-path "{repository / "elisp"}")'
    assert second == "(require 'meta-log-peer-sync)"
