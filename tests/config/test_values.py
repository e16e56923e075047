# SPDX-License-Identifier: MIT
"""One value: what each kind of key takes, and with which reason it refuses the rest."""

from __future__ import annotations

import pytest

from federation.config import check, find, parse
from federation.config.values import split_program
from federation.errors import Refusal


def refused(name: str, raw: object) -> str:
    with pytest.raises(Refusal) as caught:
        check(find(name), raw)
    assert name in caught.value.message
    return caught.value.reason


@pytest.mark.parametrize("raw", [-1, 0, 1023, 2**62, 1.5, True, "65536", None, [], float("nan")])
def test_a_limit_outside_of_its_range(raw: object) -> None:
    assert refused("limits.document", raw) == "config-bad-limit"


@pytest.mark.parametrize("raw", [0, 0.5, -15, 301, 315360000, float("inf"), float("nan"), "15"])
def test_a_time_outside_of_its_range(raw: object) -> None:
    assert refused("limits.heartbeat", raw) == "config-bad-limit"


@pytest.mark.parametrize(("name", "raw"), [
    ("limits.document", 1024), ("limits.heartbeat", 1), ("limits.heartbeat", 2.5),
    ("broker.allow_plaintext", True), ("trust.policy", "announced"),
    ("identity.name", "Ada \u00e9"), ("hooks.ready", "notify-send"),
    ("hooks.ready", "/bin/sh -c 'echo a b'"),
])  # fmt: skip
def test_what_fits_is_taken_as_it_is(name: str, raw: object) -> None:
    assert check(find(name), raw) == raw


@pytest.mark.parametrize(("name", "raw"), [
    ("broker.allow_plaintext", "true"), ("broker.allow_plaintext", 1),
    ("trust.policy", "everybody"), ("trust.policy", ""), ("trust.policy", 3),
    ("identity.protection", "None"), ("log.level", "INFO"),
    ("identity.name", "x" * 65), ("identity.name", "a\nb"), ("identity.name", ""),
    ("broker.ca_file", "a\x00b"), ("broker.username", ["a"]),
    ("files.extensions", ".csv"), ("files.extensions", ["csv"]), ("files.extensions", [".CSV"]),
    ("files.extensions", [".a/b"]), ("files.extensions", [1]), ("files.extensions", [".c\n"]),
    ("hooks.ready", "a/relative/program"), ("hooks.ready", "'open quote"), ("hooks.ready", "  "),
    ("hooks.ready", []), ("hooks.ready", ["a", 1]), ("hooks.ready", "''"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(name: str, raw: object) -> None:
    assert refused(name, raw) == "config-bad-value"


@pytest.mark.parametrize("ending", [".exe", ".sh", ".py", ".el", ".desktop", ".lnk"])
def test_executable_endings_are_never_added(ending: str) -> None:
    assert refused("files.extensions", [".csv", ending]) == "path-forbidden-ext"


def test_a_program_may_be_a_list() -> None:
    joined = check(find("hooks.ready"), ["/opt/a program", "--to", "x y"])
    assert isinstance(joined, str)
    assert split_program(joined) == ("/opt/a program", "--to", "x y")


@pytest.mark.parametrize(("name", "text", "value"), [
    ("limits.document", "2048", 2048), ("limits.heartbeat", "2.5", 2.5),
    ("limits.heartbeat", "3", 3), ("broker.allow_plaintext", "1", True),
    ("broker.allow_plaintext", "False", False), ("broker.allow_plaintext", "on", True),
    ("files.extensions", ".csv, .tsv .yml", (".csv", ".tsv", ".yml")),
    ("files.extensions", "  ", ()), ("log.format", "json", "json"),
])  # fmt: skip
def test_text_of_a_flag_or_variable(name: str, text: str, value: object) -> None:
    assert parse(find(name), text, "here") == value


@pytest.mark.parametrize(("name", "text", "reason"), [
    *(("limits.document", text, "config-bad-limit")
      for text in ("1e6", "0x400", "2048.0", "", "\u0662\u0660\u0664\u0668", "9" * 5000)),
    ("limits.heartbeat", "nan", "config-bad-limit"),
    ("broker.allow_plaintext", "maybe", "config-bad-value"),
    ("log.level", "loud", "config-bad-value"),
])  # fmt: skip
def test_text_that_does_not_fit(name: str, text: str, reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(find(name), text, "META_HERE")
    assert caught.value.reason == reason
    assert "META_HERE" in caught.value.message


@pytest.mark.parametrize("text", [
    "9464", ":9464", "0.0.0.0:9464", "localhost:0", "localhost:70000", "localhost:09", "::1:9464",
    "127.0.0.1:9464/metrics", "evil.example:80",
])  # fmt: skip
def test_metrics_are_for_the_loopback_address(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        check(find("metrics.listen"), text)
    assert caught.value.reason == "config-bad-value"
    for good in ("127.0.0.1:9464", "[::1]:1", "localhost:65535"):
        assert check(find("metrics.listen"), good) == good
