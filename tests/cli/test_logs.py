# SPDX-License-Identifier: MIT
"""The verb logs."""

from __future__ import annotations

from pathlib import Path

from federation.cli.logs import follow, tail
from tests.cli.conftest import Run


def test_the_newest_lines_also_of_the_file_before(run: Run, state: Path) -> None:
    (state / "peer.log.1").write_text("one\ntwo\n")
    (state / "peer.log").write_text("three\nf\x1bour\n")
    assert tail(state / "peer.log", 3) == ["two", "three", "f\x1bour"]
    assert run("logs", "-n", "2", "--state-dir", str(state)).out == "three\nf\ufffdour\n"
    assert run("logs", "--json", "--state-dir", str(state)).data["lines"][0] == "one"


def test_no_log_yet(run: Run, state: Path) -> None:
    assert run("logs", "--state-dir", str(state)).out == "The log is empty.\n"


def test_lines_of_a_level_and_above_in_both_forms(run: Run, state: Path) -> None:
    lines = [
        "2025-01-07T12:00:00.000Z info    one",
        "2025-01-07T12:00:00.000Z warning two",
        '{"time":"x","level":"error","message":"three"}',
        '{"time":"x","level":"debug","message":"four"}',
        "no level at all",
    ]
    (state / "peer.log.3").write_text("\n".join(lines[:2]) + "\n")
    (state / "peer.log").write_text("\n".join(lines[2:]) + "\n")
    words = ("logs", "--json", "--state-dir", str(state))
    assert run(*words).data["lines"] == lines
    assert run(*words, "--level", "warning").data["lines"] == [lines[1], lines[2], lines[4]]
    assert run(*words, "--level", "warning", "-n", "2").data["lines"] == [lines[2], lines[4]]
    assert run(*words, "--level", "loud").code == 2


def test_following_through_a_rotation(state: Path) -> None:
    log = state / "peer.log"
    log.write_text("old\n")

    def half() -> None:
        with log.open("a") as file:
            file.write("fir")

    def rest() -> None:
        with log.open("a") as file:
            file.write("st\nsecond\n")

    def rotate() -> None:
        log.rename(state / "peer.log.1")

    def anew() -> None:
        log.write_text("third\n")

    steps = iter([half, rest, rotate, anew])
    lines = follow(log, lambda: next(steps)())
    assert [next(lines) for _ in range(3)] == ["first", "second", "third"]


def test_following_a_log_that_is_not_there_yet(state: Path) -> None:
    log = state / "peer.log"
    pauses: list[int] = []

    def pause() -> None:
        pauses.append(1)
        if len(pauses) == 2:
            log.write_text("first\n")

    assert next(follow(log, pause)) == "first"
