# SPDX-License-Identifier: MIT
"""The stage: reports of real processes, homes of their own, and an end for everything."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from federation import broker_url
from federation.cli.stage import Stage, answers
from federation.errors import Refusal


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path, {"PATH": os.defpath, "META_LOG_MQTT_BROKER": "x", "XDG_DATA_HOME": "y",
                            "MQTT_USERNAME": "u"})  # fmt: skip
    yield made
    made.close()


def python(stage: Stage, code: str, name: str = "it") -> object:
    home = stage.folder / "home"
    return stage.start(name, [sys.executable, "-u", "-c", code], stage.environment(home))


def test_reports_come_on_both_streams(stage: Stage) -> None:
    code = (
        "import sys, signal\n"
        "print('noise'); print('{\"event\": \"one\", \"n\": 1}'); print('{broken')\n"
        'print(\'@demo {"event": "two", "n": 2}\', file=sys.stderr)\n'
        "signal.pause()"
    )
    actor = python(stage, code)
    assert actor is stage.actors[0]
    assert stage.wait_for(stage.actors[0], "two", 30, n=2) == {"event": "two", "n": 2}
    assert stage.wait_for(stage.actors[0], "one", 30)["n"] == 1
    assert stage.actors[0].said == ["noise", "{broken"]
    assert stage.close() == []
    assert stage.actors[0].process.returncode is not None


def test_what_never_comes_is_a_timeout(stage: Stage) -> None:
    python(stage, "import signal; signal.pause()")
    with pytest.raises(Refusal) as caught:
        stage.wait_for(stage.actors[0], "something", 0.3)
    assert caught.value.reason == "timeout"
    assert "something" in caught.value.message


def test_a_process_that_ends_is_noticed_at_once(stage: Stage) -> None:
    python(stage, 'print(\'{"event": "last"}\')')
    assert stage.wait_for(stage.actors[0], "last", 30) == {"event": "last"}
    with pytest.raises(Refusal) as caught:
        stage.wait_for(stage.actors[0], "more", 30)
    assert caught.value.reason == "internal-error"
    assert "it ended" in caught.value.message


def test_a_process_that_does_not_end_is_killed_and_named(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("federation.cli.stage._PATIENCE", 0.3)
    code = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        'print(\'{"event": "deaf"}\'); signal.pause()'
    )
    python(stage, code, "the deaf one")
    stage.wait_for(stage.actors[0], "deaf", 30)
    assert stage.close() == ["the deaf one"]
    assert stage.actors[0].process.returncode == -9


def test_an_actor_has_a_home_of_its_own(stage: Stage) -> None:
    stage.variables["META_LOG_MQTT_BROKER"] = "mqtt://127.0.0.1:1"
    found = stage.environment(stage.folder / "a", {"PART": "p"})
    assert found["HOME"] == str(stage.folder / "a")
    assert found["META_LOG_MQTT_BROKER"] == "mqtt://127.0.0.1:1"
    assert (found["PART"], found["MQTT_USERNAME"]) == ("p", "u")
    assert "XDG_DATA_HOME" not in found
    assert found["PATH"].startswith(os.path.dirname(sys.executable))
    assert (stage.folder / "a").stat().st_mode & 0o777 == 0o700


def test_a_program_that_is_not_there(stage: Stage) -> None:
    with pytest.raises(Refusal) as caught:
        stage.start("x", ["no-such-program-anywhere"], stage.environment(stage.folder / "x"))
    assert caught.value.reason == "missing-program"


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A port of the loopback address where somebody says this to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def once() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(100)

        thread = threading.Thread(target=once)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


@pytest.mark.parametrize(
    ("answer", "broker"), [(b"\x20\x02\x00\x00", True), (b"\x20\x02\x00\x05", True),
                           (b"SSH-2.0-x\r\n", False), (b"", False)],
)  # fmt: skip
def test_a_broker_is_who_speaks_mqtt(answer: bytes, broker: bool) -> None:
    with answering(answer) as port:
        assert answers(broker_url.parse(f"mqtt://127.0.0.1:{port}")) is broker


def test_nobody_is_no_broker() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert answers(broker_url.parse(f"mqtt://127.0.0.1:{port}")) is False
