# SPDX-License-Identifier: MIT
"""A small stand-in for the sidecar, for the tests of its life in Emacs.

It speaks the framing and answers a few methods with fixed values, so that a
test can make it fail in ways in which the real one must not: at its start, in
the middle of a request, with a damaged answer.  The real sidecar is tested in
``real-test.el`` and in ``tests/integration``.

Environment: ``FAKE_LOG`` is a file that gets one JSON line for each request
and for each start; ``FAKE_MODE`` is empty, ``broken`` (end at once with a line
on standard error), ``lacking`` (end at once for want of a Python package),
``refused`` (end at once because of the configuration), ``nobroker`` (the
broker refuses) or ``silent`` (never answer); ``FAKE_HELD`` is the number of
documents that are held back from the other peer; ``FAKE_VERSION`` its version.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

PEER = "peer-" + "a" * 52
OTHER = "peer-" + "b" * 52
LOG = os.environ.get("FAKE_LOG")
#: Peers that an emitted event has disconnected: ``peers.list`` says so as well.
OFFLINE: set[str] = set()


def log(entry: dict[str, Any]) -> None:
    """Append one line to the log."""
    if LOG:
        with Path(LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def send(message: dict[str, Any]) -> None:
    """Write one frame."""
    body = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    sys.stdout.buffer.flush()


def receive() -> dict[str, Any] | None:
    """Read one frame, or None at the end of input."""
    length = 0
    while True:
        line = sys.stdin.buffer.readline()
        if not line:
            return None
        if line == b"\r\n":
            break
        length = int(line.split(b":")[1])
    message: dict[str, Any] = json.loads(sys.stdin.buffer.read(length))
    return message


def once(name: str) -> bool:
    """Say true the first time only, across restarts."""
    marker = Path(f"{LOG}.{name}")
    if marker.exists():
        return False
    marker.touch()
    return True


COUNTS: dict[str, int] = {}


def once_more(name: str) -> int:
    """How often this was asked for by now."""
    COUNTS[name] = COUNTS.get(name, 0) + 1
    return COUNTS[name]


def flag(name: str) -> str | None:
    """The value that follows flag ``name`` on the command line."""
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else None


def broker() -> dict[str, Any]:
    """The broker in an answer to ``status``; a file ``LOG.broker`` lets it answer after all."""
    refused = os.environ.get("FAKE_MODE") == "nobroker" and not Path(f"{LOG}.broker").exists()
    return {
        "url": flag("--broker-url") or "mqtt://localhost:1883", "embedded": False,
        "state": "connecting" if refused else "connected", "protocol": None if refused else "5",
        "error": "refused: bad user name\n%s or password" if refused else None,
    }  # fmt: skip


def status() -> dict[str, Any]:
    """An answer to ``status``."""
    state = flag("--state-dir") or "/nonexistent"
    return {
        "version": os.environ.get("FAKE_VERSION", "0.1.0"),
        "peer_id": PEER, "name": None, "public_key": "0x" + "1" * 64,
        "state_dir": state, "synced_dir": state + "/synced",
        "broker": broker(),
        "policy": flag("--trust-policy") or "ask",
        "peers": {"known": 1, "online": 1, "connected": 1, "accepted": 0, "blocked": 0,
                  "waiting": 0},
        "documents": 2, "held": 0, "conflicts": 0, "outbox": 0, "refused": 0, "front_ends": 1,
        "uptime": 1,
    }  # fmt: skip


def publish(params: dict[str, Any]) -> dict[str, Any]:
    """``topic.publish``: on ``test/events`` the message is sent back as events."""
    if params["topic"] == "test/events":
        events = json.loads(params["message"])
        OFFLINE.update(e["peer_id"] for e in events if e["event"] == "peer-disconnected")
        send({"method": "events", "params": {"events": events}})
    if params["topic"] == "test/crash":
        os._exit(7)
    if params["topic"] == "test/garbage":
        sys.stdout.buffer.write(b"Content-Length: 9\r\n\r\nnot json!")
    return {"published": True}


def sync_file(params: dict[str, Any]) -> dict[str, Any]:
    """``sync.file``: a path that holds `crash` ends the process, the first time."""
    path = Path(params["path"])
    if "crash" in path.name and once(path.name):
        os._exit(9)
    return {"file": path.name, "revision": "0" * 64, "size": 1, "state": "recorded",
            "conflict": False, "path": str(path),
            "replaces": OTHER if "theirs" in path.name else None}  # fmt: skip


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """The result of one request."""
    if method == "status":
        return status()
    if method == "peers.list":
        return {"peers": [{"peer_id": OTHER, "name": "b", "short": "b",
                           "public_key": "0x" + "2" * 64, "address": "mqtt://x:1883",
                           "online": OTHER not in OFFLINE,
                           "connected": OTHER not in OFFLINE, "trust": "unknown",
                           "last_seen": "2025-01-07T12:00:00Z", "clock": "ok", "caps": [],
                           "unacknowledged": 0,
                           "held": int(os.environ.get("FAKE_HELD", "0"))}]}  # fmt: skip
    if method == "documents.list":
        return {"documents": [
            {"file": "a.canvasl", "kind": "canvasl", "revision": "ab" * 32, "peer_id": OTHER,
             "name": "b", "time": "2025-01-07T12:00:00Z", "size": 3, "revisions": 1,
             "conflict": False, "path": "/nonexistent/a.canvasl", "written": True}]}  # fmt: skip
    if method == "documents.history":
        return {"file": params["file"], "revisions": [
            {"revision": digit * 64, "peer_id": OTHER, "name": "b", "time": "2025-01-07T12:00:00Z",
             "clock": "ok", "size": 3, "content_hash": "0" * 64, "parents": [], "state": state}
            for digit, state in (("1", "past"), ("2", "current"))]}  # fmt: skip
    if method == "conflicts.list":
        return {"conflicts": [] if once_more("conflicts") > 1 else [
            {"file": "a.canvasl", "current": "1" * 64, "versions": [
                {"revision": "1" * 64, "peer_id": OTHER, "name": "b", "clock": "ok", "size": 3,
                 "time": "2025-01-07T12:00:00Z", "path": "/nonexistent/a.canvasl"}]}]}  # fmt: skip
    if method == "documents.restore":
        return {"file": params["file"], "revision": "3" * 64, "path": "/nonexistent/a.canvasl"}
    if method == "config.show":
        return {"config": {"files.extensions": {"value": [".csv"], "source": "file"}}}
    if method == "trust.accept":
        return {"peer_id": params["peer_id"], "trust": "accepted",
                "released": int(os.environ.get("FAKE_HELD", "0"))}  # fmt: skip
    if method == "identity.sign":
        return {"signature": "0x" + "3" * 128, "peer_id": PEER}
    if method == "topic.publish":
        return publish(params)
    if method == "sync.file":
        return sync_file(params)
    return {"subscribed": True, "announced": True, "connected": True, "route": "mqtt",
            "peer_id": params.get("peer_id", PEER), "public_key": "0x" + "1" * 64}  # fmt: skip


def main() -> None:
    """Answer until the end of input."""
    mode = os.environ.get("FAKE_MODE", "")
    log({"start": sys.argv[1:], "password": "MQTT_PASSWORD" in os.environ, "cwd": str(Path.cwd())})
    print("fake sidecar: hello", file=sys.stderr, flush=True)
    if mode == "broken":
        print("fake sidecar: the state is damaged", file=sys.stderr, flush=True)
        sys.exit(3)
    if mode == "lacking":
        print("ModuleNotFoundError: No module named 'msgspec'", file=sys.stderr, flush=True)
        sys.exit(1)
    if mode == "refused":
        error = {"code": 3004, "reason": "config-bad-url", "message": "the URL is wrong",
                 "hint": "write mqtt://HOST:PORT"}  # fmt: skip
        print(json.dumps(error), file=sys.stderr, flush=True)
        sys.exit(2)
    while (message := receive()) is not None:
        log({"method": message["method"], "params": message["params"]})
        if mode == "silent":
            continue
        if message["method"] == "identity.load":
            error = {"code": 4003, "message": "no identity", "data": {"hint": "import one"}}
            send({"id": message["id"], "error": error})
        elif message["method"] != "health":
            send({"id": message["id"], "result": answer(message["method"], message["params"])})
    log({"end": True})


main()
