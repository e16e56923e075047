# SPDX-License-Identifier: MIT
"""The grammar: every verb is there, explains itself, and takes every flag on both sides."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

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


#: one for many lines: it takes a while to make
PARSER = build()
#: arguments of a verb, and an option of it (or of every verb) that may stand anywhere among them
ANYWHERE: list[tuple[list[str], list[str]]] = [
    (["space", "create", "x"], ["--encrypted"]),
    (["space", "share", "folder"], ["--space", "notes"]),
    (["space", "restore-held", "x"], ["--json"]),
    (["trust", "accept", "ada"], ["--state-dir", "d"]),
    (["identity", "export", "b.json"], ["--passphrase-file", "f"]),
    (["identity", "words", "ada"], ["--identity-name=me"]),
    (["config", "limits.document", "-1"], ["--log-level", "debug"]),
    (["mirror", "git", "path"], ["--json"]),
    (["hook", "backup", "folder"], ["--keep", "3"]),
    (["resolve", "f.canvas", "12345678", "both"], ["--state-dir=d"]),
    (["resolve", "f.canvas", "12345678"], ["--value", "-3"]),
    (["history", "f.org"], ["--export", "12345678", "target"]),
    (["sync", "f.org"], ["--timeout", "3"]),
    (["auto-sync", "off"], ["--space", "notes"]),
    (["interval", "9"], ["--space", "notes"]),
    (["restore", "f.org", "12345678"], ["--json"]),
    (["logs"], ["-n5"]),
    (["broker-check", "one", "two"], ["--json"]),
]


@pytest.mark.parametrize(("words", "option"), ANYWHERE, ids=lambda given: " ".join(given))
def test_options_stand_anywhere(words: list[str], option: list[str]) -> None:
    expected = vars(PARSER.parse_args([*words, *option]))
    assert {"action", "name", "file", "key", "target"}.isdisjoint(expected) or words[1] in (
        expected.get("action"), expected.get("name"), expected.get("file"), expected.get("key"),
    )  # fmt: skip
    for at in range(1, len(words)):
        assert vars(PARSER.parse_args([*words[:at], *option, *words[at:]])) == expected
    behind = [words[0], *option, "--", *words[1:]]
    assert vars(PARSER.parse_args(behind)) == expected


@pytest.mark.parametrize(("words", "names"), [
    (["sync", "--wait", "--", "-x.org"], {"file": "-x.org", "wait": True}),
    (["sync", "--", "--wait"], {"file": "--wait", "wait": False}),
    (["history", "--diff", "a", "b", "--", "f"], {"file": "f", "diff": ["a", "b"]}),
    (["history", "f", "--diff", "a", "--json"], {"file": "f", "diff": ["a"], "json": True}),
])  # fmt: skip
def test_what_stands_behind_two_dashes(words: list[str], names: dict[str, object]) -> None:
    arguments = vars(PARSER.parse_args(words))
    assert {name: arguments[name] for name in names} == names


@pytest.mark.parametrize("words", [
    ["space", "create", "--bogus", "x"], ["space", "make", "--encrypted", "x"],
    ["space", "create", "--space"], ["trust", "--json", "accept"], ["sync", "f", "--", "g"],
    ["history", "--diff", "--json", "f"], ["sync", "f", "--timeout", "--wait"],
])  # fmt: skip
def test_options_among_arguments_that_are_not_understood(words: list[str]) -> None:
    with pytest.raises(CommandError) as caught:
        PARSER.parse_args(words)
    assert caught.value.reason == "usage"


ROOT = Path(__file__).resolve().parents[2]
_SHELL = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`(meta-log-peer-sync [^`]*)`")


def _documented() -> Iterator[tuple[str, list[str]]]:
    """The command lines of the pages, without forms such as `[FILE]`: page, words."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        blocks = [block.replace("\\\n", " ") for block in _SHELL.findall(text)]
        lines = [line for block in blocks for line in block.splitlines()]
        inline = [
            one for one in _INLINE.findall(_SHELL.sub("", text)) if not re.search(r"[\[|…<]", one)
        ]
        for line in [*lines, *inline]:
            # a path of that name, of a container or a unit file, is no command line
            for part in re.split(r"(?<![\w./-])meta-log-peer-sync ", line)[1:]:
                words = _words(part)
                if words and not words[0].startswith("$"):
                    yield page.relative_to(ROOT).as_posix(), words


def _words(part: str) -> list[str] | None:
    """What the shell hands over, up to the next command; None inside of other quotes."""
    lexer = shlex.shlex(part, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    try:
        for word in lexer:
            if set(word) <= set("();<>|&"):
                break
            words.append(word)
    except ValueError:
        return None
    return words


def test_every_documented_command_line_parses(capsys: pytest.CaptureFixture[str]) -> None:
    found = list(_documented())
    verbs = {words[0] for _page, words in found}
    assert len(found) > 100
    assert verbs >= {"space", "trust", "identity", "config", "logs", "resolve", "conflicts", "sync"}
    wrong = []
    for page, words in found:
        try:
            PARSER.parse_args(words)
        except CommandError as error:
            wrong.append(f"{page}: {' '.join(words)}: {error.message}")
        except SystemExit:  # --help
            capsys.readouterr()
    assert wrong == []


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_the_parser_of_some_words_explains_their_verb_as_the_whole_one_does(
    verb: Verb, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for parser in (build(), build([verb.name, "--help"])):
        for words in ([verb.name, "--help"], ["--help"]):
            with pytest.raises(SystemExit):
                parser.parse_args(words)
            said.append(capsys.readouterr().out)
    assert said[:2] == said[2:]
