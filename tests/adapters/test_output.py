# SPDX-License-Identifier: MIT
"""A bot's standard output: lines, in order, and nobody waits for a reader."""

from __future__ import annotations

import json
import os

import pytest

from federation import limits
from federation.adapters.output import Output


@pytest.fixture
def pipe() -> tuple[int, int]:
    return os.pipe()


def read_all(descriptor: int) -> list[str]:
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read().decode().splitlines()


def test_lines_leave_in_order(pipe: tuple[int, int]) -> None:
    output = Output(pipe[1])
    for number in range(500):
        output.line(f"é {number}")
    output.close()
    os.close(pipe[1])
    assert read_all(pipe[0]) == [f"é {number}" for number in range(500)]


def test_half_a_character_does_not_stop_it(pipe: tuple[int, int]) -> None:
    output = Output(pipe[1])
    output.line("a\ud800b")
    output.close()
    os.close(pipe[1])
    assert read_all(pipe[0]) == ["a?b"]


def test_nobody_reads_and_nobody_waits(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RPC_EVENT_QUEUE", 100)
    output = Output(pipe[1])
    count = 5000
    for number in range(count):
        output.line(f"{number:0200}")  # far more than a pipe holds
    reader = os.fdopen(pipe[0], "rb")
    told = json.dumps({"event": "last"})
    lines = [reader.readline()]
    # the reader is back: what waited comes, then how many were left out, then the next line
    while output._lines.qsize() > 90:
        lines.append(reader.readline())
    output.line(told)
    while True:
        line = reader.readline()
        lines.append(line)
        if line.decode().strip() == told:
            break
    output.close()
    reader.close()
    os.close(pipe[1])
    expected, dropped = 0, 0
    for line in lines[:-1]:
        if line.startswith(b"{"):
            assert line.startswith(b'{"event":"events-dropped"')
            dropped += json.loads(line)["count"]
            expected += json.loads(line)["count"]
        else:
            assert int(line) == expected, "in order, and what is left out is said in its place"
            expected += 1
    assert expected == count
    assert 0 < dropped <= count - 100


def test_a_reader_that_is_gone_stops_nothing(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    output = Output(pipe[1])
    for number in range(10):
        output.line(f"{number}")
    output.close()
    assert not output._thread.is_alive()
    os.close(pipe[1])
