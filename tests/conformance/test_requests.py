# SPDX-License-Identifier: MIT
"""The shared bad requests, through both doors of a real peer: control socket and stdio."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from federation import limits
from federation.errors import REASONS
from tests.conformance import badinputs, mapping
from tests.conformance.badinputs import Case, identities, signed
from tests.conformance.world import World, promptly, seed_of, world
from tests.integration.brokers import wait_until
from tests.integration.peers import Peer, Rpc, command, socket_rpc

pytestmark = pytest.mark.mosquitto

CASES = list(badinputs.cases("jsonrpc"))
#: These end the stream they come on.
FATAL = ("frame-error", "frame-too-large")
#: These are about a front end's behaviour, not about bytes: tests of their own below.
BEHAVIOUR = ("backpressure", "clean-exit")
REQUESTS = [case for case in CASES if case.reason not in BEHAVIOUR]
PING = b'{"jsonrpc":"2.0","id":"ping","method":"status","params":{}}'


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The receiver, for the control socket; a link that leads out of the sandbox."""
    with world(tmp_path_factory.mktemp("r") / "w") as made:
        (made.sandbox / "link-to-shadow.canvasl").symlink_to("/etc/shadow")
        yield made


@pytest.fixture(scope="module")
def sidecars(here: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Peer]]:
    """Gives a running ``serve --stdio``: the same one until it is used up."""
    folder = tmp_path_factory.mktemp("s")
    with contextlib.ExitStack() as stack:
        made: list[Peer] = []

        def give() -> Peer:
            if not made or made[-1].process is None or made[-1].process.poll() is not None:
                peer = Peer(folder / f"s{len(made)}", here.broker.url, mode="stdio")
                made.append(stack.enter_context(peer.start(connected=False)))
            return made[-1]

        yield give


def _bytes(case: Case, sandbox: Path) -> tuple[bytes, bool]:
    """The bytes of a case, and whether they bring their own frame."""
    value = case.row["payload"]
    if not isinstance(value, dict) or "gen" not in value:
        own_frame = case.row.get("encoding") == "base64"
        return mapping.request(case, str(sandbox)), own_frame
    if value["gen"] == "repeat":
        return (value["unit"] * value["count"]).encode(), False
    assert value["gen"] == "batch", value
    return json.dumps([json.loads(PING)] * value["count"]).encode(), False


def _exchange(rpc: Rpc, data: bytes, *, own_frame: bool) -> Any:
    """Send a case; what is answered.  A ping after it comes back unless the stream ended."""
    try:
        if own_frame:
            rpc.send_raw(data)
        else:
            rpc.send(data)
    except OSError:
        assert len(data) > limits.RPC_FRAME  # cut off while we were still sending
    return rpc.response(15)


def _check_answer(case: Case, answer: Any) -> None:
    """Every error of the answer has the reason, its code, a message and a hint."""
    if case.accepted:
        rows = answer if isinstance(answer, list) else [answer]
        assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
        assert all(row["result"]["version"] for row in rows)
        return
    reason = mapping.REASONS.get(case.name, case.reason)
    for one in answer if isinstance(answer, list) else [answer]:
        assert one["jsonrpc"] == "2.0"
        assert "result" not in one
        error = one["error"]
        assert (error["code"], error["data"]["reason"]) == (REASONS[reason].code, reason)
        assert error["message"]
        assert error["data"]["hint"]
    words = case.row["expected"].split()
    if words[-1].startswith("-32"):
        assert REASONS[reason].code == int(words[-1])


@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: case.name)
def test_control_socket(case: Case, here: World) -> None:
    here.log_lines()
    before = here.before()
    data, own_frame = _bytes(case, here.sandbox)
    with here.peer.connect() as connection:
        rpc = socket_rpc(connection)
        answer = _exchange(rpc, data, own_frame=own_frame)
        _check_answer(case, answer)
        _check_stream(case, rpc)
    here.check_alive(before)
    here.check_untouched(before)
    lines = here.log_lines()
    here.check_no_secret(lines)
    if not case.accepted:
        reason = mapping.REASONS.get(case.name, case.reason)
        assert any(reason in line for line in lines), lines


@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: case.name)
def test_stdio(case: Case, here: World, sidecars: Callable[[], Peer]) -> None:
    peer = sidecars()
    memory = peer.forget_peak()
    data, own_frame = _bytes(case, here.sandbox)
    answer = _exchange(peer.stdio, data, own_frame=own_frame)
    _check_answer(case, answer)
    if case.reason in FATAL or mapping.REASONS.get(case.name) in FATAL:
        assert peer.process is not None
        assert peer.process.wait(3) == 0
        return
    _check_stream(case, peer.stdio)
    assert peer.peak_memory() - memory < 50 * limits.MIB


def _check_stream(case: Case, rpc: Rpc) -> None:
    """The stream ends after a broken frame, and goes on after everything else."""
    if case.reason in FATAL or mapping.REASONS.get(case.name) in FATAL:
        with pytest.raises((EOFError, ConnectionError)):
            rpc.response(5)
        return

    def pinged() -> bool:
        rpc.send(PING)
        return bool(rpc.response()["id"] == "ping")

    promptly(pinged)


# --- variants that the data does not have ----------------------------------------------------


@pytest.mark.parametrize("bad", [b"X: 1\r\n\r\n", b"Content-Length: 99999999\r\n\r\n"])
def test_a_bad_frame_right_behind_a_good_one(bad: bytes, here: World) -> None:
    with here.peer.connect() as connection:
        rpc = socket_rpc(connection)
        rpc.send_raw(b"Content-Length: %d\r\n\r\n%s%s" % (len(PING), PING, bad))
        answers = [rpc.response(), rpc.response()]
        assert {"ping", None} == {answer["id"] for answer in answers}
        with pytest.raises((EOFError, ConnectionError)):
            rpc.response(5)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"jsonrpc":"2.0","id":1.5,"method":"status"}', "rpc-invalid-request"),
        (b'{"jsonrpc":"2.0","id":1,"method":"status","params":null}', "rpc-invalid-request"),
        (b'{"jsonrpc":"2.0","id":1,"method":"status","params":{"self":1}}', "rpc-invalid-params"),
        (b'{"jsonrpc":"2.0","id":1,"method":"status","params":{"front_end":1}}',
         "rpc-invalid-params"),
        (b'{"jsonrpc":"2.0","id":1,"method":"logs.tail","params":{"lines":true}}',
         "rpc-invalid-params"),
        (b'{"jsonrpc":"2.0","id":1,"method":"logs.tail","params":{"lines":1e9}}',
         "rpc-invalid-params"),
        (b'{"jsonrpc":"2.0","id":1,"method":"sync.file","params":{"path":"/x\\u0000.md"}}',
         "rpc-invalid-params"),
        (b'{"jsonrpc":"2.0","id":1,"method":"sync.file","params":{"path":"/tmp/../x.md"}}',
         "path-traversal"),
        (b'{"jsonrpc":"2.0","id":1,"method":"sync.file","params":{"path":"/dev/zero.md"}}',
         "file-not-found"),
        (b'{"jsonrpc":"2.0","id":1,"method":"documents.history","params":{"file":"../x"}}',
         "unknown-document"),
        ((b'{"jsonrpc":"2.0","id":1,"method":"documents.restore","params":{"file":"a.md",'
         b'"revision":"%%%%%%%%"}}'), "rpc-invalid-params"),
        ((b'{"jsonrpc":"2.0","id":1,"method":"topic.publish","params":{"topic":"a/#",'
         b'"message":""}}'), "bad-topic"),
        (b'{"jsonrpc":"2.0","id":1,"method":"topic.subscribe","params":{"topic":"a#"}}',
         "bad-topic"),
        (b'{"jsonrpc":"2.0","id":1,"method":"broker.open","params":{"url":"mqtt://h.example"}}',
         "config-plaintext-non-loopback"),
        (b'{"jsonrpc":"2.0","id":1,"method":"identity.verify","params":{"message":"",'
         b'"signature":"","public_key":"0x%s"}}' % (b"00" * 32), "weak-key"),
        (b'[[[[[[]]]]]]', "rpc-invalid-request"),
        (b"[" * 100 + b"]" * 100, "depth-exceeded"),
        (b'{"jsonrpc":"2.0","id":"\\ud800","method":"status"}', "rpc-parse-error"),
        (b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}', "rpc-parse-error"),
    ],
)  # fmt: skip
def test_other_bad_requests(body: bytes, reason: str, here: World) -> None:
    before = here.before()
    with here.peer.front_end() as rpc:
        rpc.send(body)
        answer = rpc.response()
        answer = answer[0] if isinstance(answer, list) else answer
        assert answer["error"]["data"]["reason"] == reason
    here.check_alive(before)
    here.check_untouched(before)


def test_a_notification_is_never_answered(here: World) -> None:
    with here.peer.front_end() as rpc:
        rpc.send(b'{"jsonrpc":"2.0","method":"status"}')
        rpc.send(b'{"jsonrpc":"2.0","method":"nope"}')
        rpc.send(b'[{"jsonrpc":"2.0","method":"status"}]')
        rpc.send(PING)
        assert rpc.response()["id"] == "ping"


def test_a_slow_client_blocks_no_other(here: World) -> None:
    """Half a frame on many connections, and one that asks."""
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            connection = stack.enter_context(here.peer.connect())
            connection.sendall(b"Content-Length: 5000\r\n\r\n{")
        promptly(lambda: here.peer.call("status"))


# --- ends, and clients that do not read --------------------------------------------------------


def test_end_of_input_in_the_middle_of_a_frame(here: World, tmp_path: Path) -> None:
    (case,) = [case for case in CASES if case.name == "rpc-stdin-eof-mid-frame"]
    with Peer(tmp_path / "s", here.broker.url, mode="stdio") as peer:
        assert peer.process is not None
        assert peer.process.stdin is not None
        whole = b"Content-Length: %d\r\n\r\n%s" % (len(PING), PING)
        peer.stdio.send_raw(whole + whole[: case.row["payload"]["after"]])
        assert peer.stdio.response()["id"] == "ping"
        peer.process.stdin.close()
        assert peer.process.wait(3) == 0


def test_a_closed_output_ends_the_sidecar(here: World, tmp_path: Path) -> None:
    with Peer(tmp_path / "s", here.broker.url, mode="stdio") as peer:
        assert peer.process is not None
        assert peer.process.stdout is not None
        peer.process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            for _ in range(20):
                peer.stdio.send(PING)
        assert peer.process.wait(5) == 0
        log = peer.log.read_text()
        assert "Traceback" not in log


def test_a_killed_parent_ends_the_sidecar(here: World, tmp_path: Path) -> None:
    state = tmp_path / "s"
    verb = [*command("serve", "--stdio", "--state-dir", str(state)), "--broker-url",
            here.broker.url]  # fmt: skip
    script = "import subprocess,sys;subprocess.Popen(sys.argv[1:],stdin=subprocess.PIPE).wait()"
    parent = subprocess.Popen(
        [verb[0], "-c", script, *verb], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**here.peer.env},
    )  # fmt: skip
    lock = state / "lock"
    wait_until(lambda: lock.exists() and lock.read_text().strip(), 10, "it runs")
    pid = json.loads(lock.read_text())["pid"]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not _alive(pid), 3, "the sidecar is gone")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_client_that_never_reads(tmp_path: Path) -> None:
    """100,000 events unread: memory stays bounded, and no document's change is lost."""
    (case,) = [case for case in CASES if case.name == "rpc-never-reading-client"]
    count = case.row["payload"]["events"]
    with world(tmp_path / "w") as made, made.peer.front_end() as rpc:
        rpc.call("events.subscribe")
        rpc.call("topic.subscribe", {"topic": "noise/#"})
        before = made.before()
        for number in range(count):
            made.client.publish(f"noise/{number % 7}", b"x" * 64, qos=0)
            if number % (count // 20) == 0:
                name = f"d{number}.canvasl"
                made.publish("canvasl/sync", _document(name))
        # Its own inbox comes after all that.
        made.peer.wait(lambda: len(made.peer.call("documents.list")["documents"]) == 20, 60)
        made.settle()
        made.check_alive(before)
        assert made.peer.pid > 0
        names = {f"d{number}.canvasl" for number in range(0, count, count // 20)}

        def all_told(events: list[dict[str, Any]]) -> bool:
            told = {one["file"] for one in events if one["event"] == "document-changed"}
            return told == names

        events = rpc.collect(all_told, 30)
        noise = sum(one["event"] == "message-received" for one in events)
        dropped = sum(one["count"] for one in events if one["event"] == "events-dropped")
        assert dropped > 0
        assert noise < count


def _document(file: str) -> bytes:
    message = {
        "type": "canvasl-sync", "peer_id": identities()["alice"].peer_id, "file": file,
        "content": "x", "timestamp": "2025-01-07T12:00:00Z",
    }  # fmt: skip
    return json.dumps(signed(message, "alice")).encode()


def test_the_seed_is_nowhere(here: World) -> None:
    """After all of this, no file of the sandbox but the identity's own has the secret."""
    seed = seed_of("bob")
    for folder, _, files in os.walk(here.peer.state_dir):
        for name in files:
            if name not in ("identity.json", "identity.key", "control.sock"):
                data = (Path(folder) / name).read_bytes()
                assert seed not in data
                assert seed.hex().encode() not in data
