# SPDX-License-Identifier: MIT
"""The parts of the demonstration; the whole of it is in ``tests/integration``."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from federation import broker_url
from federation.cli import demo
from federation.cli.demo import CANVAS, CHANGE, DATA, Story
from federation.cli.stage import Stage, answers
from federation.config import resolve
from federation.errors import Refusal
from tests.cli.conftest import Run


def test_a_story_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    story = Story(quiet=False)
    story.tell("first\x1b")
    assert capsys.readouterr().out.endswith(" s  first\ufffd\n")
    story = Story(quiet=True)
    story.tell("first")
    assert capsys.readouterr().out == ""
    assert [step["what"] for step in story.steps] == ["first"]


def test_the_comparison_compares(tmp_path: Path) -> None:
    story = Story(quiet=True)
    for name, content in (("a", b"same"), ("b", b"same"), ("c", b"sane")):
        (tmp_path / name).write_bytes(content)
    same = {name: tmp_path / name for name in "ab"}
    assert demo._compare(story, b"same", same) == {n: str(p) for n, p in same.items()}
    with pytest.raises(Refusal) as caught:
        demo._compare(story, b"same", same | {"c": tmp_path / "c"})
    assert caught.value.reason == "content-mismatch"


def test_what_is_configured_about_the_broker_reaches_everybody() -> None:
    flags = {"broker.ca_file": "/ca.pem", "broker.allow_plaintext": "yes", "log.level": "debug"}
    variables = demo._broker_variables(resolve(flags, {}))
    assert variables == {"META_LOG_PEER_SYNC_BROKER_CA_FILE": "/ca.pem",
                         "META_LOG_PEER_SYNC_BROKER_ALLOW_PLAINTEXT": "true"}  # fmt: skip


def test_without_a_configured_broker_it_has_one_of_its_own(tmp_path: Path) -> None:
    stage, settings = Stage(tmp_path, os.environ), resolve({}, {})
    try:
        url = broker_url.parse(demo._broker(stage, settings, Story(quiet=True)))
        assert answers(url)
        assert (url.host, url.port == 1883) == ("127.0.0.1", False)
        assert [actor.name for actor in stage.actors] == ["the broker"]
    finally:
        assert stage.close() == []
    assert demo.canvas_name(settings) == CANVAS


@pytest.mark.parametrize("environ", [
    {"META_LOG_MQTT_BROKER": "mqtt://localhost:1883"}, {"MQTT_BROKER_PORT": "1883"},
])  # fmt: skip
def test_on_a_broker_of_others_the_canvas_has_a_name_that_nobody_has(
    environ: dict[str, str],
) -> None:
    settings = resolve({}, environ)
    names = {demo.canvas_name(settings) for _ in range(20)}
    assert len(names) == 20
    assert all(re.fullmatch(r"garden-[0-9a-f]{8}\.canvasl", name) for name in names)


def test_the_canvas_is_a_real_one() -> None:
    text = (DATA / CANVAS).read_bytes().decode()
    assert text.startswith("@")
    assert "→" in text
    assert not text.endswith("\n")
    assert CHANGE not in text


def test_without_emacs_it_says_what_to_install(run: Run) -> None:
    outcome = run("demo", "--emacs", "no-such-emacs", "--json")
    assert outcome.code == 1
    assert outcome.error["reason"] == "missing-program"
    assert "emacs-nox" in outcome.error["hint"]


def test_a_folder_that_is_there_is_left_alone(run: Run, home: Path) -> None:
    outcome = run("demo", "--emacs", "true", "--keep", str(home), "--json")
    assert outcome.error["reason"] == "path-io-error"
    assert sorted(entry.name for entry in home.iterdir()) == ["run"]


def test_a_configured_broker_has_to_answer(run: Run, home: Path) -> None:
    url = "mqtt://127.0.0.1:1"
    words = ("--emacs", "true", "--keep", str(home / "d"), "--json", "--broker-url", url)
    outcome = run("demo", *words)
    assert (outcome.code, outcome.error["reason"]) == (1, "broker-unreachable")
    assert outcome.data["success"] is False
