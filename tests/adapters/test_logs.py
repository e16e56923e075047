# SPDX-License-Identifier: MIT
"""Logs: one line a record, nothing of others' text that a terminal obeys."""

from __future__ import annotations

import json
import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from federation import limits
from federation.adapters import logs

HOSTILE = "a\x1b[31m\r\nb\x9b31m\u202ec\u2028d\x00e\u200ff"
log = logging.getLogger("federation.tests")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger("federation")
    before = (root.level, root.propagate, logging.raiseExceptions)
    yield tmp_path / "peer.log"
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.level, root.propagate, logging.raiseExceptions = before


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("text", ["plain", "é ü 漢字 😀", "a\\b", ""])
def test_harmless_text_stays(text: str) -> None:
    assert logs.sanitise(text) == text


def test_hostile_text_is_made_visible() -> None:
    clean = logs.sanitise(HOSTILE)
    assert clean.isprintable()
    assert "\\u001b[31m\\u000d\\u000ab" in clean
    assert "\\u202e" in clean
    assert logs.sanitise("a\u3164b\ufe0f \u2764\ufe0f") == "a\\u3164b\\ufe0f \u2764\ufe0f"


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_record_is_one_line_whatever_it_says(path: Path, form: str) -> None:
    logs.set_up(path, "info", "json" if form == "json" else "text")
    log.info("said %s", HOSTILE, extra={"detail": HOSTILE, "count": 3})
    (line,) = lines(path)
    assert line.isprintable()
    if form == "json":
        record = json.loads(line)
        assert record["level"] == "info"
        assert record["room"] == "federation.tests"
        assert record["count"] == 3
        assert str(record["detail"]).isprintable()
        assert str(record["time"]).endswith("Z")
    else:
        assert "count=3" in line
        assert line.split(" ")[1] == "info"


def test_a_traceback_is_in_the_same_line(path: Path) -> None:
    logs.set_up(path, "info", "text")
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        log.exception("a defect")
    (line,) = lines(path)
    assert "Traceback" in line
    assert line.isprintable()


def test_only_warnings_go_to_standard_error(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(path, "debug", "text")
    log.debug("quiet")
    log.warning("loud")
    assert [line.rsplit(" ", 1)[-1] for line in lines(path)] == ["quiet", "loud"]
    error = capsys.readouterr().err
    assert "loud" in error
    assert "quiet" not in error


def test_the_level_can_change(path: Path) -> None:
    logs.set_up(path, "error", "text")
    log.warning("one")
    logs.set_level("debug")
    log.debug("two")
    assert [line.rsplit(" ", 1)[-1] for line in lines(path)] == ["two"]


def test_setting_up_again_writes_each_line_once(path: Path) -> None:
    logs.set_up(path, "info", "text")
    logs.set_up(path, "info", "text")
    log.info("once")
    assert len(lines(path)) == 1


def test_the_file_is_private_and_rotates(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOG_FILE", 2000)
    logs.set_up(path, "info", "text")
    for number in range(500):
        log.info("line %d", number)
    files = sorted(path.parent.iterdir())
    assert len(files) == limits.LOG_FILES + 1
    assert all(one.stat().st_size < 2000 + 100 for one in files), "and one line at most"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    newest = logs.tail(path, 100)
    assert [line.rsplit(" ", 1)[-1] for line in newest][-3:] == ["497", "498", "499"]
    assert len(newest) == 100
    assert len(logs.tail(path, 10_000)) > 100


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert logs.tail(tmp_path / "none.log", 10) == []


def test_bytes_that_are_no_text_are_shown_somehow(tmp_path: Path) -> None:
    (tmp_path / "peer.log").write_bytes(b"good\n\xff bad\n")
    assert logs.tail(tmp_path / "peer.log", 10) == ["good", "\ufffd bad"]
