# SPDX-License-Identifier: MIT
"""What is printed: harmless, aligned, and with the right exit code."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.cli.output import (
    CommandError,
    Result,
    clean,
    count,
    pairs,
    print_error,
    print_result,
    short_id,
    table,
    usage_error,
    width,
)
from federation.errors import REASONS, Refusal


@given(st.text())
def test_cleaned_text_is_one_line_that_only_shows(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) == len(text)
    assert len(cleaned.splitlines()) <= 1
    assert all(char.isprintable() or char == "\u3000" or char.isspace() for char in cleaned)
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    "evil",
    [
        "\x1b[31m",
        "\r\n",
        "\u202e",
        "\u2066",
        "\u200b",
        "\x00",
        "\x9b",
        "\u2028",
        "\ud800",
        "\u115f",
        "\u1160",
        "\u3164",
        "\uffa0",
        "\ufe0f",
        "\U000e0100",
        "\u034f",
    ],
)
def test_what_moves_or_hides_text_is_replaced(evil: str) -> None:
    assert not set(evil) & set(clean(f"a{evil}b")) - set("[31m")
    for fine in ("Zo\u00eb \u65e5\u672c", "\u2764\ufe0f"):
        assert clean(fine) == fine


def test_a_table_is_aligned_by_columns_of_the_terminal() -> None:
    lines = table(("name", "n"), [("\u65e5\u672c", 1), ("e\u0301", 22), ("abcdefg\x1b", "x")])
    assert lines == ["name      n", "\u65e5\u672c      1", "e\u0301         22", "abcdefg\ufffd  x"]
    assert width("e\u0301") == 1


def test_pairs_and_counts() -> None:
    assert pairs([("a", 1), ("long", "x\ny")]) == ["a     1", "long  x\ufffdy"]
    assert pairs([]) == []
    assert (count(1, "peer"), count(0, "peer")) == ("1 peer", "0 peers")
    assert short_id("peer-abcdefghijkl") == "peer-abcdefgh"


@pytest.mark.parametrize(("reason", "code"), [
    ("timeout", 3), ("no-running-peer", 1), ("broker-unreachable", 1), ("internal-error", 1),
    ("config-bad-url", 2), ("unknown-peer", 2), ("rpc-invalid-params", 2), ("bad-signature", 2),
])  # fmt: skip
def test_exit_codes(reason: str, code: int) -> None:
    assert CommandError.of(Refusal(reason)).exit_code == code


def test_every_refusal_has_an_exit_code_that_is_no_success() -> None:
    assert {CommandError.of(Refusal(reason)).exit_code for reason in REASONS} == {1, 2, 3}
    assert usage_error("what", "so").exit_code == 2


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    error = CommandError(1, "r", "first\nsecond\x1b[2J", "do\tthis")
    assert print_error(error, as_json=False) == 2
    assert capsys.readouterr().err.count("\n") == 1
    print_error(error, as_json=True)
    shown = json.loads(capsys.readouterr().err)
    assert shown == {
        "code": 1,
        "reason": "r",
        "message": "first\nsecond\x1b[2J",
        "hint": "do\tthis",
    }


def test_a_result_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    result = Result({"k": "\u202e"}, ["a line"], code=1)
    assert print_result(result, as_json=False) == 1
    assert capsys.readouterr().out == "a line\n"
    assert print_result(result, as_json=True) == 1
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == {"k": "\u202e"}


def test_a_result_with_a_problem(capsys: pytest.CaptureFixture[str]) -> None:
    result = Result({}, ["half"], problem=CommandError.of(Refusal("timeout", "peer-x")))
    assert print_result(result, as_json=False) == 3
    out, err = capsys.readouterr()
    assert (out, "peer-x" in err) == ("half\n", True)
