# SPDX-License-Identifier: MIT
"""The services of ``docker-compose.yml`` without an engine: each as it is, below a scratch root.

Commands, environments, volumes and health checks come from the two files; paths of the image
become paths of the scratch root, and ports become free ones.  As in the image the processes see
no variable of ours, and (where the kernel lets us) the user 10001.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from tests.conftest import REPOSITORY
from tests.integration.brokers import Mosquitto, free_port, wait_until

Row = dict[str, Any]
#: Folders of the image that stand in commands.
PLACES = ("/setup", "/state", "/home/peer", "/run/meta-log")
USER = "10001"


def compose() -> Row:
    """The Compose file, its anchors put in."""
    yaml: Any = pytest.importorskip("yaml")
    made: Row = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
    return made


def image_environment() -> dict[str, str]:
    """What ``ENV`` of the last stage of the Dockerfile sets."""
    text = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    (line,) = (line for line in text.splitlines() if line.startswith("ENV "))
    return dict(word.split("=", 1) for word in line.removeprefix("ENV ").split())


def _as_user() -> list[str]:
    """What lets a program see itself as the image's user."""
    if os.geteuid() != 0:
        return []
    words = ["unshare", "--user", f"--map-user={USER}", f"--map-group={USER}"]
    done = subprocess.run([*words, "true"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("as root, this needs user namespaces")
    return words


class Composed:
    """The services, started one by one; ``with`` ends them."""

    def __init__(self) -> None:
        self.services: Row = compose()["services"]
        self.port = free_port()
        self.root = Path(tempfile.mkdtemp(prefix="mlc-"))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._as_user = _as_user()
        for place in (*PLACES, "/setup/broker", "/home/peer/.emacs.d", "/bin", "/tmp"):
            (self.root / place[1:]).mkdir(mode=0o700, parents=True, exist_ok=True)
        program = self.root / "bin/meta-log-peer-sync"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m federation "$@"\n')
        program.chmod(0o755)
        self._path = f"{self.root}/bin:{Path(Mosquitto.program()).parent}:{os.environ['PATH']}"

    def here(self, text: str) -> str:
        """A text of the image as it is below the scratch root."""
        for place in PLACES:
            text = re.sub(rf"(?<![\w.]){place}\b", f"{self.root}{place}", text)
        text = text.replace("/opt/meta-log/elisp", str(REPOSITORY / "elisp"))
        return text.replace("//broker:", "//localhost:").replace("8883", str(self.port))

    def environment(self, service: str) -> dict[str, str]:
        """All that a process of this service sees."""
        given = image_environment() | self.services[service].get("environment", {})
        given = {name: self.here(value) for name, value in given.items()}
        assert set(given["PATH"].split(":")) > {"/opt/meta-log/bin", "/usr/sbin"}
        return given | {"PATH": self._path, "PYTHONPATH": str(REPOSITORY),
                        "TMPDIR": f"{self.root}/tmp"}  # fmt: skip

    def run(self, service: str, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """A command in a service, as ``docker compose exec`` runs one."""
        return subprocess.run(
            [*self._as_user, *map(self.here, words)], env=self.environment(service), text=True,
            cwd=self.root, stdin=subprocess.DEVNULL, capture_output=True, timeout=90, check=False,
        )  # fmt: skip

    def set_up(self, *more: str) -> str:
        """The service ``setup``, to its end, perhaps with more arguments; what it says."""
        done = self.run("setup", [*self.services["setup"]["command"], *more])
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, service: str) -> None:
        """Start a service."""
        log = (self.root / f"{service}.log").open("ab")
        with log:
            self.processes[service] = subprocess.Popen(
                [*self._as_user, *map(self.here, self.services[service]["command"])],
                env=self.environment(service), cwd=self.root, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def log(self, service: str) -> str:
        """What a service has said."""
        return (self.root / f"{service}.log").read_text(errors="replace")

    def healthy(self, service: str) -> bool:
        """Whether its health check is content."""
        test = self.services[service]["healthcheck"]["test"]
        assert test[0] == "CMD"
        return self.run(service, test[1:]).returncode == 0

    def wait_healthy(self, *services: str) -> None:
        """Wait for health checks."""
        for one in services:
            wait_until(lambda one=one: self.healthy(one), 90.0, f"{one} is healthy")  # type: ignore[misc]

    def stop(self, service: str) -> None:
        """End a service as the engine does: SIGTERM, and nothing harder is needed."""
        process = self.processes.pop(service)
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(timeout=60) is not None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for service in [*self.processes]:
                self.stop(service)
        finally:
            shutil.rmtree(self.root, ignore_errors=True)
