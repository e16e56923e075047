# SPDX-License-Identifier: MIT
"""A command line becomes an exit code, one error line, and nothing that was secret."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from federation import __version__
from federation.cli import app, emacs
from tests.cli.conftest import Run


def test_help_and_version(run: Run) -> None:
    assert run("--help").code == 0
    assert run("--version").out == f"meta-log-peer-sync {__version__}\n"
    assert run("peers", "-h").out.startswith("usage: meta-log-peer-sync peers")


@pytest.mark.parametrize("words", [(), ("frobnicate",), ("status", "--frobnicate")])
def test_wrong_usage_is_one_line_and_exit_2(run: Run, words: tuple[str, ...]) -> None:
    outcome = run(*words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert run("--json", *words).error["reason"] == "usage"


@pytest.mark.parametrize(("word", "said"), [
    ("snyc", "unknown command 'snyc'; did you mean 'sync'?"),
    ("Doctr", "unknown command 'Doctr'; did you mean 'doctor'?"),
    ("sync_status", "unknown command 'sync_status'; did you mean 'sync-status'?"),
    ("frobnicate", "unknown command 'frobnicate'"),
    ("x" * 500, f"unknown command '{'x' * 40}…'"), ("\x1b[2J", "unknown command '\ufffd[2J'"),
])  # fmt: skip
def test_an_unknown_verb_is_answered_with_the_one_that_is_meant(
    run: Run, word: str, said: str
) -> None:
    outcome = run("--state-dir", "/x", word, "more")
    assert outcome.code == 2
    assert outcome.err == (
        f"meta-log-peer-sync: {said} (meta-log-peer-sync --help lists all)\n"
    )  # fmt: skip
    assert run(word, "--json").error["reason"] == "usage"


def test_other_choices_are_still_named(run: Run) -> None:
    outcome = run("trust", "acept", "x")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "accept" in outcome.err
    assert "block" in outcome.err


def test_a_refusal_is_one_line_in_both_forms(run: Run, home: Path) -> None:
    outcome = run("status")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "bot" in outcome.err
    error = run("status", "--json", "--state-dir", str(home / "x")).error
    assert (error["code"], error["reason"]) == (5001, "no-running-peer")
    assert str(home / "x") in error["message"]


def test_a_secret_is_refused_and_not_repeated(run: Run) -> None:
    for words in (["bot", "--passphrase", "canary-7"], ["--json", "--password=canary-7", "bot"]):
        outcome = run(*words)
        assert outcome.code == 2
        assert "canary" not in outcome.err + outcome.out
    assert run("--json", "bot", "--passphrase", "x").error["reason"] == "config-secret-in-argv"


@pytest.mark.parametrize(("flag", "value", "reason"), [
    ("--trust-policy", "x", "config-bad-value"), ("--limits-heartbeat", "0", "config-bad-limit"),
    ("--broker-url", "gopher://x", "config-bad-url"),
    ("--broker-allow-plaintext", "maybe", "config-bad-value"),
    ("--files-extensions", ".exe", "path-forbidden-ext"),
])  # fmt: skip
@pytest.mark.parametrize("verb", ["status", "emacs-path", "peers"])
def test_a_flag_that_does_not_fit_its_key_is_refused_by_every_verb(
    run: Run, verb: str, flag: str, value: str, reason: str
) -> None:
    outcome = run(verb, flag, value, "--json")
    assert (outcome.code, outcome.error["reason"]) == (2, reason)
    assert run(flag, value, verb, "--json").error["reason"] == reason


def test_an_address_elsewhere_is_the_matter_of_who_connects(run: Run) -> None:
    assert run("emacs-path", "--broker-url", "mqtt://broker.example").code == 0


def test_an_interrupt_ends_quietly(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(emacs, "folder", interrupted)
    outcome = run("emacs-path")
    assert (outcome.code, outcome.err) == (130, "")


def test_a_defect_is_not_hidden(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def defective() -> Path:
        raise ZeroDivisionError

    monkeypatch.setattr(emacs, "folder", defective)
    with pytest.raises(ZeroDivisionError):
        app.run(["emacs-path"], {})


def test_a_closed_output_is_no_error() -> None:
    script = f"{sys.executable} -m federation config | true"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""


@pytest.mark.parametrize(("where", "lines"), [(">&-", 0), (">/dev/full", 1)])
def test_an_output_that_cannot_be_written(where: str, lines: int) -> None:
    script = f"{sys.executable} -m federation config {where}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert bool(done.returncode) == bool(lines)
    assert done.stderr.count("\n") == lines
    assert ("standard output" in done.stderr) == bool(lines)


def test_help_loads_little() -> None:
    code = (
        "import sys; from federation.cli import app; app.run(['--help'], {});"
        "slow = {'asyncio', 'msgspec', 'nacl', 'paho', 'tomlkit', 'sqlite3', 'platformdirs'};"
        "sys.exit(sorted(slow & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
