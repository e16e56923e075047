# SPDX-License-Identifier: MIT
"""How a peer begins and ends, and what it does when the machine is in its way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.integration.brokers import Mosquitto, wait_until
from tests.integration.peers import Peer, RpcError, command

ANNOUNCED = {"META_LOG_PEER_SYNC_TRUST_POLICY": "announced"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as one:
        yield one


def _write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def _reads(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
print(child.pid, flush=True)
time.sleep(100)
"""


def test_sidecar_ends_with_a_killed_parent(tmp_path: Path) -> None:
    """End of input ends it within 3 s, its broker too, also after kill -9 of its parent."""
    peer = Peer(tmp_path / "state", None, mode="stdio")
    arguments = command("serve", "--stdio", "--state-dir", str(tmp_path / "state"))
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *arguments], stdout=subprocess.PIPE, env=peer.env
    )
    assert parent.stdout is not None
    sidecar = psutil.Process(int(parent.stdout.readline()))
    wait_until(lambda: (tmp_path / "state" / "control.sock").exists(), 60.0, "ready")
    family = [sidecar, *sidecar.children(recursive=True)]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    _gone, alive = psutil.wait_procs(family, timeout=30)
    assert not alive


def test_nobody_reads_the_output(tmp_path: Path, broker: Mosquitto) -> None:
    """A bot whose standard output is a full pipe goes on, and its memory stays bounded."""
    reader, writer = os.pipe()
    state = tmp_path / "mute"
    peer = Peer(state, broker.url, env=ANNOUNCED)
    mute = subprocess.Popen(
        command("bot", "--state-dir", str(state), "--broker-url", broker.url),
        stdout=writer, stdin=subprocess.DEVNULL, env=peer.env,
    )  # fmt: skip
    try:
        lock = state / "lock"
        wait_until(lambda: lock.exists() and "socket" in lock.read_text(), 60.0, "ready")
        for number in range(400):
            path = _write(tmp_path / "many.canvasl", f'{{"id":{number}}}\n' * 20)
            peer.call("sync.file", {"path": path})
        before = psutil.Process(mute.pid).memory_info().rss
        for number in range(400):
            path = _write(tmp_path / "many.canvasl", f'{{"id":"b{number}"}}\n' * 20)
            peer.call("sync.file", {"path": path})
        assert psutil.Process(mute.pid).memory_info().rss - before < 50 * 1024 * 1024
        assert peer.call("status")["documents"] == 1
    finally:
        peer.hang_up()
        mute.terminate()
        code = mute.wait(10)
        os.close(reader)
        os.close(writer)
    assert code == 0


def test_one_peer_a_state_directory(tmp_path: Path, broker: Mosquitto) -> None:
    """A second bot is refused; a second front end is relayed to the first one's peer."""
    with Peer(tmp_path / "state", broker.url) as first:
        second = subprocess.run(
            command("bot", "--state-dir", str(first.state_dir), "--json"),
            capture_output=True, text=True, env=first.env, timeout=20, check=False,
        )  # fmt: skip
        assert second.returncode != 0
        assert json.loads(second.stderr)["reason"] == "config-state-locked"
        other = Peer(tmp_path / "state", broker.url, mode="stdio")
        with other:
            assert other.stdio.call("status")["peer_id"] == first.call("status")["peer_id"]
            first.stop()
            assert other.process is not None
            assert other.process.wait(5) == 75


def test_terminated_says_offline(tmp_path: Path, broker: Mosquitto) -> None:
    """SIGTERM: exit 0, and the others see it go at once; SIGKILL: by the Last Will."""
    with Peer(tmp_path / "a", broker.url) as a, Peer(tmp_path / "b", broker.url) as b:
        own = b.call("status")["peer_id"]

        def online() -> bool:
            row = a.peer(own)
            return bool(row and row["online"])

        wait_until(online, 60.0, "b online for a")
        assert b.stop() == 0
        wait_until(lambda: not online(), 60.0, "b offline for a")
        b.start()
        wait_until(online, 60.0, "b online again")
        b.kill()
        wait_until(lambda: not online(), 60.0, "b offline by its will")


def test_hook_programs(tmp_path: Path, broker: Mosquitto) -> None:
    """A program per event gets the event as JSON; a failing one stops nothing."""
    out = tmp_path / "out"
    script = tmp_path / "hook.sh"
    script.write_text(f'#!/bin/sh\ncat >> "{out}"\necho >> "{out}"\nexit 3\n')
    script.chmod(0o700)
    flags = ["--hooks-document-changed", str(script)]
    with (
        Peer(tmp_path / "a", broker.url, env=ANNOUNCED) as a,
        Peer(tmp_path / "b", broker.url, env=ANNOUNCED, flags=flags) as b,
    ):
        for number in range(3):
            a.call("sync.file", {"path": _write(tmp_path / f"h{number}.canvasl", "{}\n")})

        def lines() -> list[str]:
            return [line for line in out.read_text().split("\n") if line] if out.exists() else []

        wait_until(lambda: len(lines()) >= 3, 60.0, "the hooks")
        rows = [json.loads(line) for line in lines()]
        assert {row["file"] for row in rows} == {"h0.canvasl", "h1.canvasl", "h2.canvasl"}
        assert all(row["event"] == "document-changed" for row in rows)
        assert b.call("status")["documents"] == 3


def test_edited_outside_meanwhile(tmp_path: Path, broker: Mosquitto) -> None:
    """A synced file that another program changed is never overwritten: the edit is merged."""
    with (
        Peer(tmp_path / "a", broker.url, env=ANNOUNCED) as a,
        Peer(tmp_path / "b", broker.url, env=ANNOUNCED) as b,
    ):
        first, second = '{"id":"1"}\n', '{"id":"2"}\n'
        a.call("sync.file", {"path": _write(tmp_path / "x.canvasl", first + second)})
        wait_until(lambda: _reads(b.synced / "x.canvasl", first + second), 60.0, "arrival")
        by_hand = second.replace("}", ',"by":"hand"}')
        (b.synced / "x.canvasl").write_text(first + by_hand)
        changed = first.replace("}", ',"x":1}')
        a.call("sync.file", {"path": _write(tmp_path / "x.canvasl", changed + second)})
        for one in (a, b):
            path = one.synced / "x.canvasl"
            wait_until(partial(_reads, path, changed + by_hand), 60.0, "both are in it")
        assert len(a.history("x.canvasl")) == len(b.history("x.canvasl")) == 3
        assert a.call("conflicts.list") == b.call("conflicts.list") == {"conflicts": []}


def test_bytes_edited_outside_meanwhile(tmp_path: Path, broker: Mosquitto) -> None:
    """What cannot be merged is kept as well: both versions, until somebody chooses."""
    with (
        Peer(tmp_path / "a", broker.url, env=ANNOUNCED) as a,
        Peer(tmp_path / "b", broker.url, env=ANNOUNCED) as b,
    ):
        a.call("sync.file", {"path": _write(tmp_path / "x.canvasl", "one\n")})
        wait_until(lambda: _reads(b.synced / "x.canvasl", "one\n"), 60.0, "arrival")
        (b.synced / "x.canvasl").write_bytes(b"edited by hand\xff")
        a.call("sync.file", {"path": _write(tmp_path / "x.canvasl", "two\n")})
        wait_until(lambda: b.call("conflicts.list")["conflicts"], 60.0, "the conflict")
        assert (b.synced / "x.canvasl").read_bytes() == b"edited by hand\xff"
        (conflict,) = b.call("conflicts.list")["conflicts"]
        texts = {Path(one["path"]).read_bytes() for one in conflict["versions"]}
        assert texts == {b"edited by hand\xff", b"two\n"}
        wait_until(lambda: a.call("conflicts.list")["conflicts"], 60.0, "the conflict on a")
        assert (a.synced / "x.canvasl").read_text() == "two\n"
        newest = conflict["current"]
        b.call("documents.restore", {"file": "x.canvasl", "revision": newest})
        both = (a, b)
        wait_until(
            lambda: not any(one.call("conflicts.list")["conflicts"] for one in both),
            15.0,
            "settled",
        )
        paths = [one.synced / "x.canvasl" for one in both]
        wait_until(lambda: {one.read_bytes() for one in paths} == {b"edited by hand\xff"})


def test_locked_by_an_editor(tmp_path: Path, broker: Mosquitto) -> None:
    """A file with unsaved changes in Emacs is written only after its lock is gone."""
    with (
        Peer(tmp_path / "a", broker.url, env=ANNOUNCED) as a,
        Peer(tmp_path / "b", broker.url, env=ANNOUNCED) as b,
    ):
        a.call("sync.file", {"path": _write(tmp_path / "x.canvasl", "one\n")})
        wait_until(lambda: _reads(b.synced / "x.canvasl", "one\n"), 60.0, "arrival")
        lock = b.synced / ".#x.canvasl"
        lock.symlink_to("somebody@host.1:1")
        answer = a.call(
            "sync.file", {"path": _write(tmp_path / "x.canvasl", "two\n"), "wait": True}
        )
        assert answer["missing"] == []
        wait_until(lambda: "path-local-modified" in b.log.read_text(), 60.0, "the reason")
        assert (b.synced / "x.canvasl").read_text() == "one\n"
        lock.unlink()
        wait_until(lambda: _reads(b.synced / "x.canvasl", "two\n"), 60.0, "the file")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_full_disk(tmp_path: Path, broker: Mosquitto) -> None:
    """A full disk refuses, keeps what there is, and recovers; nothing false is acknowledged."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(small)],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("this machine mounts nothing")
    try:
        with Peer(small / "b", broker.url, env=ANNOUNCED) as b:
            b.call("sync.file", {"path": _write(tmp_path / "first.canvasl", "kept\n")})
            filler = small / "filler"
            free = os.statvfs(small)
            filler.write_bytes(b"x" * (free.f_bavail * free.f_frsize - 600_000))
            text = os.urandom(1_000_000).hex()  # the store packs it to half of that
            big = _write(tmp_path / "big.canvasl", text)
            with pytest.raises(RpcError) as refused:
                b.call("sync.file", {"path": big})
            assert refused.value.reason == "disk-full"
            assert (b.synced / "first.canvasl").read_text() == "kept\n"
            assert not (b.synced / "big.canvasl").exists()
            filler.unlink()
            b.call("sync.file", {"path": big})
            wait_until(lambda: _reads(b.synced / "big.canvasl", text), 60.0, "recovery")
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False, capture_output=True)
