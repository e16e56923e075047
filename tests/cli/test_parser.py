# SPDX-License-Identifier: MIT
"""The grammar: every verb is there, explains itself, and takes every flag on both sides."""

from __future__ import annotations

import importlib

import pytest

from federation.cli.output import CommandError
from federation.cli.parser import VERBS, Verb, build
from federation.config import KEYS

CONTRACT = {"serve", "bot", "broker", "demo", "emacs-setup", "emacs-path", "identity", "status",
            "health", "peers", "discovered", "connect", "sync", "sync-status", "history", "restore",
            "conflicts", "resolve", "config", "logs", "trust", "space", "auto-sync",
            "interval"}  # fmt: skip
NEEDS = {"auto-sync": ["on"], "broker-setup": ["d"], "broker-check": ["f"],
         "hook": ["echo"], "backup": ["f"],
         "interval": ["9"],
         "serve": ["--stdio"], "connect": ["x"], "trust": ["accept", "x"], "history": ["f"],
         "restore": ["f", "12345678"], "resolve": ["f", "12345678", "a"]}  # fmt: skip


def test_the_verbs_of_the_contract_are_there() -> None:
    names = {verb.name for verb in VERBS}
    assert names >= CONTRACT


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_has_a_function_and_a_sentence(verb: Verb) -> None:
    module, _, function = verb.function.partition(":")
    found = getattr(importlib.import_module(f"federation.cli.{module}"), function)
    assert found.__doc__


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_flags_go_before_and_after_the_verb(verb: str) -> None:
    needs = NEEDS.get(verb, [])
    before = build().parse_args(
        ["--json", "--state-dir", "d", "--log-level", "debug", verb, *needs]
    )
    after = build().parse_args([verb, *needs, "--json", "--state-dir", "d", "--log-level=debug"])
    assert vars(before) == vars(after)
    assert vars(before)["log.level"] == "debug"
    both = build().parse_args(["--state-dir", "d", verb, *needs, "--state-dir", "e"])
    assert both.state_dir == "e"


def test_every_key_has_its_flag() -> None:
    for key in KEYS.values():
        if key.flag is not None:
            arguments = build().parse_args(["status", key.flag, "-1"])
            assert vars(arguments)[key.name] == "-1"


def test_what_was_not_given_is_absent() -> None:
    assert vars(build().parse_args(["status"])) == {"verb": "status"}


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        build().parse_args([verb, "--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: meta-log-peer-sync {verb}")
    assert "--trust-policy" in out


@pytest.mark.parametrize("words", [
    [], ["serve"], ["trust", "hug", "x"], ["trust", "accept"], ["history"],
    ["sync", "f", "g"], ["sync", "--timeout", "nan"], ["sync", "--timeout", "-1"],
    ["sync", "--timeout", "3601"], ["logs", "-n", "0"], ["logs", "-n", "x"],
    ["logs", "-n", "9" * 30], ["broker", "--port", "70000"], ["status", "--bogus"],
    ["status", "--stat", "x"],
])  # fmt: skip
def test_what_is_not_understood(words: list[str]) -> None:
    with pytest.raises(CommandError) as caught:
        build().parse_args(words)
    assert (caught.value.reason, caught.value.exit_code) == ("usage", 2)
    verb = f"{words[0]} " if words else ""
    hints = {f"see meta-log-peer-sync {which}--help" for which in (verb, "")}
    assert caught.value.hint in hints


def test_values_are_read() -> None:
    arguments = build().parse_args(["sync", "f", "--wait", "--timeout", "2.5"])
    assert (arguments.file, arguments.wait, arguments.timeout) == ("f", True, 2.5)
    assert build().parse_args(["logs", "-n", "007", "-f"]).lines == 7
    assert build().parse_args(["config", "limits.document", "-1"]).value == "-1"
