# SPDX-License-Identifier: MIT
"""What Emacs users expect of a package: each convention, and the checks that stand for it.

A check is an ERT test of ``tests/elisp`` or a test function of ``tests``, by its name.
"""

from __future__ import annotations

import re

import pytest

from tests.meta.test_house import ROOT

#: number -> (convention, names of the checks)
CONVENTIONS: dict[int, tuple[str, tuple[str, ...]]] = {
    1: ("lexical-binding on line 1", ("checks-headers", "test_package_lint")),
    2: ("headers: version, URL, keywords", ("test_package_lint",)),
    3: ("keywords that the finder knows", ("test_package_lint",)),
    4: ("a short summary", ("test_package_lint",)),
    5: ("commentary, code, provide, ends here", ("test_package_lint", "test_checkdoc")),
    6: (
        "a licence line in every file",
        ("checks-headers", "test_every_source_file_names_its_licence"),
    ),
    7: ("Package-Requires is true", ("test_package_lint", "checks-byte-compile")),
    8: ("dependencies install offline", ("convention-test-installs-offline",)),
    9: ("no warnings", ("checks-byte-compile",)),
    10: ("docstrings, arguments in capitals", ("test_checkdoc",)),
    11: ("declarations are true", ("checks-declarations",)),
    12: ("regexps are sane", ("convention-test-regexps",)),
    13: ("a prefix for each file", ("test_audit",)),
    14: ("loading does nothing", ("test_audit", "checks-loading-changes-nothing")),
    15: ("no global keys on load", ("test_global_keys",)),
    16: ("no keys of the user", ("checks-keys", "test_package_lint")),
    17: (
        "keys of major and minor modes",
        ("checks-keys", "convention-test-minor-modes-bind-no-keys"),
    ),
    18: (
        "autoloads offer commands, and load nothing",
        ("checks-autoloads", "menu-test-nothing-is-loaded-before"),
    ),
    19: ("no private autoloads", ("checks-autoloads",)),
    20: ("every command is documented", ("test_audit",)),
    21: ("options have type and group", ("test_audit", "checks-options")),
    22: (
        "options have a version, the group has links",
        ("checks-options", "convention-test-the-group-has-links"),
    ),
    23: (
        "hooks: names and arguments",
        ("checks-options", "convention-test-hooks-say-what-they-are-called-with"),
    ),
    24: (
        "mistakes are user-errors that name the cure",
        ("api-test-errors-name-the-cure", "real-test-refusals-name-the-cure"),
    ),
    25: (
        "obsolete names carry a version",
        ("checks-byte-compile", "convention-test-obsolete-names-have-a-version"),
    ),
    26: ("unloading is clean", ("checks-unload", "test_audit")),
    27: ("works in batch", ("real-test-demo-and-documents",)),
    28: ("no prompt for emacsclient", ("api-test-demo", "api-test-federation")),
    29: ("the lighter", ("api-test-mode-syncs-after-save", "api-test-held-documents-told-once")),
    30: ("a mode turned off undoes everything", ("api-test-mode-syncs-after-save",)),
    31: ("lists and their keys", ("list-test-keys",)),
    32: ("imenu", ("list-test-the-index-and-the-explanation",)),
    33: (
        "a transient with unique keys",
        ("menu-test-keys-are-unique", "menu-test-every-command-is-reachable"),
    ),
    34: (
        "an Info manual that builds",
        ("test_the_built_manual_is_that_of_its_source", "test_makeinfo_has_nothing_to_say",
         "help-test-the-manual-opens"),
    ),
    35: (
        "commands and options in the manual",
        ("test_every_offered_command_is_in_the_index", "test_every_option_is_in_the_index"),
    ),
    36: ("a CHANGELOG entry for each version", ("test_the_changelog_has_the_present_version",)),
    37: ("no folder of Emacs spelled out", ("checks-headers",)),
    38: ("secrets", ("rpc-test-arguments-and-secrets", "real-test-identity")),
    39: (
        "no child is left",
        ("convention-test-processes-hold-nobody-back", "rpc-test-killed-emacs-leaves-no-child"),
    ),
    40: ("never blocks", ("rpc-test-does-not-block",)),
    41: (
        "undo and point with remote edits",
        ("convention-test-others-edits-are-undone-apart", "guard-test-point-stays-in-its-line"),
    ),
    # undercover is not to be had offline: every command is called by some test instead.
    42: ("coverage", ("convention-test-every-command-is-called-by-a-test",)),
    43: ("faces inherit", ("checks-headers", "convention-test-faces-inherit")),
    44: (
        "documented examples run",
        ("convention-test-examples-run", "test_the_examples_do_what_the_page_says"),
    ),
}  # fmt: skip


def _checks() -> set[str]:
    """The names of all ERT tests, and of the Python tests that check documents and Lisp."""
    found: set[str] = set()
    for path in (ROOT / "tests" / "elisp").glob("*.el"):
        found |= set(re.findall(r"^\(ert-deftest ([\w-]+)", path.read_text("utf-8"), re.MULTILINE))
    for path in [*(ROOT / "tests" / "meta").glob("*.py"), *(ROOT / "tests" / "elisp").glob("*.py")]:
        found |= set(re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE))
    return found


def test_none_is_left_out() -> None:
    assert sorted(CONVENTIONS) == list(range(1, 45))


@pytest.mark.parametrize("number", CONVENTIONS)
def test_each_has_its_check(number: int) -> None:
    _, checks = CONVENTIONS[number]
    assert checks
    assert set(checks) - _checks() == set()
