# SPDX-License-Identifier: MIT
"""Two real Emacsen with homes of their own share canvases through the documented calls."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import psutil
import pytest

from tests.integration.brokers import ROOT, Mosquitto, answers, wait_until

EMACSES = [one for one in ("emacs", "/usr/bin/emacs30") if shutil.which(one)]

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not EMACSES, reason="no Emacs is installed"),
]


def canvases(seed: int) -> dict[str, bytes]:
    """30 canvases that nobody has seen, of 0 bytes to 4 MB."""
    chance = random.Random(seed)
    alphabet = 'abc xyz äöü 日本語 ❤ " \\ {}[]:, \u2028 \u0301'
    found: dict[str, bytes] = {}
    sizes = [0, 1, 2, 40, 300, 60_000, 65_536, 300_000, 1_040_000, 1_100_000, 4_000_000]
    sizes += [chance.randrange(1, 20_000) for _ in range(30 - len(sizes))]
    for number, size in enumerate(sizes):
        end = chance.choice(["\n", "\r\n", "\n", "\r"])
        lines: list[str] = ["\ufeff"] if number % 7 == 3 else []
        length = 0
        while length < size:
            text = "".join(chance.choices(alphabet, k=chance.randrange(1, 400)))
            entry = {"id": chance.choice(["n1", "v:0D→1D", ""]), "text": text}
            lines.append(json.dumps(entry, ensure_ascii=False) + end)
            length += len(lines[-1].encode())
        data = "".join(lines).encode()[:size] if size else b""
        while True:  # a cut inside of a character is no canvas
            try:
                data.decode()
            except UnicodeDecodeError:
                data = data[:-1]
            else:
                break
        found[f"s{seed}-{number:02d}.canvasl"] = data
    return found


class Emacs:
    """A batch Emacs with a home of its own, and the sidecar that it starts."""

    def __init__(self, program: str, home: Path, name: str, env: dict[str, str]) -> None:
        self.source = home.parent / f"{name}-source"
        self.report_file = home.parent / f"{name}-report.json"
        self.stop_file = home.parent / f"{name}-stop"
        self.output = home.parent / f"{name}.log"
        self.synced = home / ".emacs.d" / "meta-log" / "synced"
        self._program = program
        self.source.mkdir(exist_ok=True)
        (home / ".emacs.d").mkdir(parents=True, exist_ok=True)
        folder = home.parent / "bin"
        folder.mkdir(exist_ok=True)
        sidecar = folder / "meta-log-peer-sync"
        sidecar.write_text(f'#!/bin/sh\nexec {sys.executable} -m federation "$@"\n')
        sidecar.chmod(stat.S_IRWXU)
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("META_LOG", "MQTT"))
        }
        runtime = home.parent / "run"
        runtime.mkdir(mode=0o700, exist_ok=True)
        self._env = {
            **kept, "HOME": str(home), "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(runtime),
            "SOURCE": str(self.source), "REPORT": str(self.report_file),
            "STOP": str(self.stop_file), **env,
        }  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, script: str = "emacs_peer.el") -> Self:
        """Start Emacs."""
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [self._program, "-Q", "--batch", "-L", str(ROOT / "elisp"),
                 "-l", str(ROOT / "tests" / "integration" / script)],
                env=self._env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        return self

    def report(self) -> dict[str, Any]:
        """What Emacs has seen so far."""
        try:
            found: dict[str, Any] = json.loads(self.report_file.read_text())
        except FileNotFoundError:
            return {"heard": {}, "announced": 0, "discovered": []}
        return found

    def do(self, form: str) -> dict[str, Any]:
        """Evaluate a form (``emacs_editor.el``); what Emacs then reports."""
        file = self.source / "form"
        (self.source / "form.new").write_text(form)
        (self.source / "form.new").rename(file)
        wait_until(lambda: not file.exists(), 20.0, form)
        report = self.report()
        assert not report["value"].startswith("ERROR"), report
        return report

    def children(self) -> list[psutil.Process]:
        """The processes below Emacs."""
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self) -> int:
        """Tell it to end; its exit code."""
        assert self.process is not None
        self.stop_file.touch()
        return self.process.wait(20)

    def has(self, wanted: dict[str, bytes]) -> bool:
        """Whether all of these are in its synced folder, byte for byte."""
        return all(
            (self.synced / name).is_file() and (self.synced / name).read_bytes() == data
            for name, data in wanted.items()
        )


@pytest.fixture(params=["mosquitto", "embedded"])
def broker_env(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    if request.param == "embedded":
        if answers(1883):
            pytest.skip("a broker answers at the default address already")
        yield {"META_LOG_PEER_SYNC_EMBEDDED": "amqtt"}
        return
    with Mosquitto(tmp_path) as broker:
        yield {"META_LOG_MQTT_BROKER": broker.url}


def _put(emacs: Emacs, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (emacs.source / name).write_bytes(data)
    (emacs.source / "go").touch()


def test_canvases_both_ways(tmp_path: Path, broker_env: dict[str, str]) -> None:
    """30 canvases each way, identical; hooks once a message; nothing left running."""
    first, second = (EMACSES * 2)[:2]
    a = Emacs(first, tmp_path / "home-a", "a", broker_env).start()
    b = Emacs(second, tmp_path / "home-b", "b", broker_env).start()
    children: list[psutil.Process] = []
    try:
        wait_until(lambda: a.report()["discovered"] and b.report()["discovered"], 60.0, "discovery")
        of_a, of_b = canvases(1), canvases(2)
        _put(a, of_a)
        _put(b, of_b)
        wait_until(lambda: b.has(of_a) and a.has(of_b), 90.0, "all canvases on both sides")
        wait_until(
            lambda: set(b.report()["heard"]) == set(of_a) and set(a.report()["heard"]) == set(of_b),
            30.0,
            "hooks",
        )
        assert b.report()["heard"] == dict.fromkeys(of_a, 1)
        assert a.report()["heard"] == dict.fromkeys(of_b, 1)
        assert b.report()["announced"] >= 1
        assert a.report()["announced"] >= 1
        children = a.children() + b.children()
        assert children
        assert (a.stop(), b.stop()) == (0, 0)
        _gone, alive = psutil.wait_procs(children, timeout=30)
        assert not alive
    finally:
        for one in (a, b):
            if one.process is not None and one.process.poll() is None:
                one.process.kill()
        for child in children:
            if child.is_running():
                child.kill()
        print(a.output.read_text()[-2000:], b.output.read_text()[-2000:])


@contextlib.contextmanager
def editor(
    program: str, tmp_path: Path, env: dict[str, str], name: str = "editor"
) -> Iterator[Emacs]:
    """An Emacs that does what the test says; it and its sidecar are gone afterwards."""
    emacs = Emacs(program, tmp_path / f"home-{name}", name, env).start("emacs_editor.el")
    assert emacs.process is not None
    try:
        yield emacs
    finally:
        children = emacs.children() if emacs.process.poll() is None else []
        emacs.process.kill()
        emacs.process.wait()
        psutil.wait_procs(children, timeout=30)
        print(emacs.output.read_text()[-2000:])


def test_a_wrong_password_is_shown(tmp_path: Path) -> None:
    """The mode line, the status and one message say why there is no broker."""
    file = tmp_path / "passwords"
    program = shutil.which("mosquitto_passwd")
    if program is None:
        pytest.skip("mosquitto_passwd is not installed")
    subprocess.run([program, "-c", "-b", str(file), "ada", "right"], check=True)
    config = f"password_file {file}"
    with Mosquitto(tmp_path, config, anonymous=False) as broker:
        env = {"META_LOG_MQTT_BROKER": broker.url, "MQTT_USERNAME": "ada",
               "MQTT_PASSWORD": "wrong"}  # fmt: skip
        with editor(EMACSES[0], tmp_path, env) as emacs:
            emacs.do("(meta-log-peer-sync-start)")
            wait_until(lambda: emacs.do("t")["modeline"] == " Sync:!", 60.0, "the sign")
            for part in ("help", "status"):
                wait_until(lambda part=part: "refused" in emacs.do("t")[part], 60.0, "why")  # type: ignore[misc]
                assert "wrong" not in emacs.do("t")[part]
            wait_until(
                lambda: any("no broker at" in one for one in emacs.do("t")["messages"]),
                20.0, "the message",
            )  # fmt: skip


def test_second_emacs_of_one_home(tmp_path: Path) -> None:
    """A second Emacs shares the sidecar, and goes on when the first one is killed."""
    with Mosquitto(tmp_path) as broker:
        env = {"META_LOG_MQTT_BROKER": broker.url}
        home = tmp_path / "home"
        one = Emacs(EMACSES[0], home, "one", env).start()
        other = Emacs(EMACSES[-1], tmp_path / "home-x", "x", env).start()
        two = None
        try:
            wait_until(lambda: one.report()["discovered"], 60.0, "the first one runs")
            two = Emacs(EMACSES[-1], home, "two", env).start()
            wait_until(lambda: two.report()["discovered"], 60.0, "the second one runs")
            assert two.report()["discovered"] == one.report()["discovered"]
            assert one.process is not None
            owners = one.children()
            one.process.kill()
            _gone, alive = psutil.wait_procs(owners, timeout=30)
            assert not alive, "the sidecar outlives its Emacs"
            wanted = dict(list(canvases(3).items())[:5])
            _put(two, wanted)
            wait_until(lambda: other.has(wanted), 60.0, "the second one's canvases")
            assert two.stop() == 0
        finally:
            for emacs in (one, two, other):
                if emacs is not None and emacs.process is not None:
                    children = emacs.children() if emacs.process.poll() is None else []
                    emacs.process.kill()
                    emacs.process.wait()
                    psutil.wait_procs(children, timeout=30)
