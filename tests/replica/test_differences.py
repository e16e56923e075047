# SPDX-License-Identifier: MIT
"""Differences: what `patch` makes the new text of, and what `diff` shows."""

from __future__ import annotations

import difflib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federation import limits
from federation.replica.differences import unified

NAMES = ("a", "b")
TEXTS = st.lists(st.sampled_from(["one", "two", "", "x\r", "three \x0b", "é"]), max_size=30).map(
    "\n".join
)


def test_equal_texts_have_none() -> None:
    assert unified("same\n", "same\n", NAMES) == ("", True)
    assert unified("", "", NAMES) == ("", True)


def test_hunks_are_those_of_difflib() -> None:
    old = [f"line {number}\n" for number in range(60)]
    new = [*old]
    new[3] = "changed\n"
    del new[9]
    new.insert(40, "more\n")
    text, whole = unified("".join(old), "".join(new), NAMES)
    assert whole
    assert text == "".join(difflib.unified_diff(old, new, *NAMES))


def test_a_text_that_begins_or_ends() -> None:
    assert unified("", "one\n", NAMES)[0] == "--- a\n+++ b\n@@ -0,0 +1 @@\n+one\n"
    assert unified("one\ntwo\n", "", NAMES)[0] == "--- a\n+++ b\n@@ -1,2 +0,0 @@\n-one\n-two\n"
    assert unified("one", "one\n", NAMES)[0] == (
        "--- a\n+++ b\n@@ -1 +1 @@\n-one\n\\ No newline at end of file\n+one\n"
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, TEXTS)
def test_patch_makes_the_new_text(
    tmp_path_factory: pytest.TempPathFactory, old: str, new: str
) -> None:
    if shutil.which("patch") is None:
        pytest.skip("patch is not installed")
    path: Path = tmp_path_factory.mktemp("patch") / "x"
    path.write_bytes(old.encode())
    text, whole = unified(old, new, NAMES)
    assert whole
    if text:
        command = ["patch", "--binary", "--posix", str(path)]
        subprocess.run(command, input=text.encode(), check=True, capture_output=True)
    made = path.read_bytes() if path.exists() else b""
    assert made == new.encode()


def test_long_differences_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DIFF", 100)
    text, whole = unified("", "line\n" * 100, NAMES)
    assert not whole
    assert len(text) == len("--- a\n+++ b\n") + 100
    text, whole = unified("", "x" * 1000, NAMES)
    assert (len(text), whole) == (12 + 100, False)
