# SPDX-License-Identifier: MIT
"""The table of what can be broken: whole, and said so that a person can act on it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from federation.doctor.cases import CASES, CHECKS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", CASES)
def test_every_case_says_why_and_what_to_do(name: str) -> None:
    case = CASES[name]
    assert case.check in CHECKS
    assert len(case.cause) > 20
    assert len(case.cure) > 20
    assert not case.cause.endswith(".")
    assert not case.cure.endswith(".")


def test_every_case_is_found_by_a_rule() -> None:
    rules = (ROOT / "federation/doctor/rules.py").read_text()
    emacs = (ROOT / "elisp/meta-log-peer-sync-doctor.el").read_text()
    for name, case in CASES.items():
        assert f'"{name}"' in (emacs if case.check == "sidecar" else rules), name


def test_every_check_has_a_case() -> None:
    assert {case.check for case in CASES.values()} == set(CHECKS)


def test_cures_name_commands_and_keys_that_are_there() -> None:
    from federation.cli.parser import VERBS
    from federation.config import KEYS

    verbs = {verb.name for verb in VERBS}
    text = " ".join(f"{case.cause} {case.cure}" for case in CASES.values())
    assert set(re.findall(r"`meta-log-peer-sync ([a-z-]+)", text)) <= verbs
    named = set(re.findall(r"\b(?:broker|identity)\.[a-z_]+", text))
    assert named - {"identity.json", "identity.key"} <= set(KEYS)


def test_emacs_says_the_same_of_what_it_alone_can_see() -> None:
    source = (ROOT / "elisp/meta-log-peer-sync-doctor.el").read_text()
    for name, case in CASES.items():
        if case.check == "sidecar":
            for text in (name, case.cause, case.cure):
                assert f'"{text}"' in source
