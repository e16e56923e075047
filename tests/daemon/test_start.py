# SPDX-License-Identifier: MIT
"""From a configuration to a running peer."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from federation.adapters import keystore, logs, runtime
from federation.broker_url import BrokerUrl
from federation.config import DEFAULT_EXTENSIONS, resolve
from federation.daemon.start import _identity, _options, _serve, run
from federation.errors import Refusal
from federation.rpc.framing import FrameDecoder, encode
from tests.adapters.keystores import cheap
from tests.daemon.running import Row, soon

__all__ = ["cheap"]  # fixture


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Starting a peer takes the log of this process over."""
    root = logging.getLogger("federation")
    before, propagate, raising = list(root.handlers), root.propagate, logging.raiseExceptions
    yield
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
        handler.close()
    root.propagate, logging.raiseExceptions = propagate, raising
    logs.set_level("info")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


def secret_file(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "secret"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


# --- options -----------------------------------------------------------------------------------


def test_every_key_that_a_peer_needs_reaches_it(tmp_path: Path) -> None:
    flags = {
        "broker.url": "mqtt://far.example:1999",
        "broker.allow_plaintext": "true",
        "broker.username": "me",
        "broker.ca_file": "/ca.pem",
        "trust.policy": "paired",
        "merge.strategy": "prefer_remote",
        "deletions.hold": "own",
        "identity.name": "Me",
        "files.extensions": ".rst",
        "limits.heartbeat": "7.5",
        "limits.hook_timeout": "90",
        "limits.document": "1000000",
        "limits.unknown_peers": "10",
        "limits.held_per_peer": "2000000",
        "hooks.document-changed": "notify --quiet",
    }
    config = resolve(flags, {"MQTT_PASSWORD": "hunter2"})
    made = _options(config, tmp_path, tmp_path / "log", may_host=True)
    assert made.url == BrokerUrl("mqtt", "far.example", 1999)
    assert (made.username, made.password, made.ca_file) == ("me", "hunter2", Path("/ca.pem"))
    node = made.node
    assert (node.policy, node.name, node.address) == ("paired", "Me", str(made.url))
    assert node.strategy == "prefer_remote"
    assert node.extensions == frozenset({*DEFAULT_EXTENSIONS, ".rst"})
    assert made.hook_timeout == 90
    assert (node.heartbeat, node.max_document) == (7.5, 1_000_000)
    assert (node.max_unknown, node.max_held) == (10, 2_000_000)
    assert made.hooks["document-changed"] == [("notify", "--quiet")]
    assert (made.state_dir, made.log_path, made.may_host) == (tmp_path, tmp_path / "log", True)
    assert made.config is config
    assert "hunter2" not in repr(made)


def test_what_nobody_set_is_the_contracts_default(tmp_path: Path) -> None:
    made = _options(resolve({}, {}), tmp_path, tmp_path / "log", may_host=False)
    assert str(made.url) == "mqtt://localhost:1883"
    assert (made.username, made.password, made.ca_file, made.hooks) == (None, None, None, {})
    assert (made.node.policy, made.node.name, made.node.heartbeat) == ("ask", None, 15.0)
    assert not made.may_host


def test_the_password_of_a_file_is_its_first_line(tmp_path: Path) -> None:
    file = secret_file(tmp_path, "from the file\nnot this\n")
    config = resolve({"broker.password_file": file}, {"MQTT_PASSWORD": "from the environment"})
    made = _options(config, tmp_path, tmp_path / "log", may_host=False)
    assert made.password == "from the file"
    os.chmod(file, 0o644)
    with pytest.raises(Refusal) as caught:
        _options(config, tmp_path, tmp_path / "log", may_host=False)
    assert caught.value.reason == "config-unsafe-mode"
    assert "from the file" not in str(caught.value)


def test_the_identity_is_protected_as_it_is_asked_for(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir(mode=0o700)
    made = _identity(resolve({}, {}), tmp_path / "a")
    assert made.protection == "key-file"
    assert _identity(resolve({}, {}), tmp_path / "a").key.peer_id == made.key.peer_id
    file = secret_file(tmp_path, "a good passphrase\n")
    asked = resolve({"identity.protection": "passphrase", "identity.passphrase_file": file}, {})
    made = _identity(asked, tmp_path / "b")
    opened = keystore.load_file(tmp_path / "b" / "identity.json", b"a good passphrase")
    assert opened.key.peer_id == made.key.peer_id
    with pytest.raises(Refusal) as caught:
        _identity(resolve({}, {}), tmp_path / "b")
    assert caught.value.reason == "identity-locked"


# --- a start -----------------------------------------------------------------------------------


def test_a_second_peer_on_a_state_directory_is_refused_and_leaves_the_first(state: Path) -> None:
    lock = runtime.StateLock.acquire(state)
    try:
        with pytest.raises(Refusal) as caught:
            run(resolve({}, {}), state, mode="bot", embedded=False)
        assert caught.value.reason == "config-state-locked"
        assert sorted(path.name for path in state.iterdir()) == ["lock"]
    finally:
        lock.release()


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"identity.protection": "passphrase"}, "identity-locked"),
        ({"broker.password_file": "/nowhere"}, "file-not-found"),
    ],
)
def test_a_start_that_fails_lets_the_lock_go(
    state: Path, flags: dict[str, str], reason: str
) -> None:
    for _ in range(2):
        with pytest.raises(Refusal) as caught:
            run(resolve(flags, {}), state, mode="bot", embedded=False)
        assert caught.value.reason == reason
    runtime.StateLock.acquire(state).release()


async def _call(path: Path, method: str) -> Row:
    reader, writer = await asyncio.open_unix_connection(str(path))
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {}}
    writer.write(encode(json.dumps(request).encode()))
    decoder = FrameDecoder()
    while not (bodies := decoder.feed(await soon(reader.read(65536)))):
        pass
    writer.close()
    await writer.wait_closed()
    answer: Row = json.loads(bodies[0])["result"]
    return answer


async def test_a_bot_says_ready_answers_at_its_socket_and_stops(
    state: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = resolve({"broker.url": "mqtt://127.0.0.1:1"}, {})
    identity = _identity(config, state)
    made = _options(config, state, state / "peer.log", may_host=False)
    lock = runtime.StateLock.acquire(state)
    serving = asyncio.ensure_future(_serve(made, identity, lock, "bot"))
    socket_path = runtime.socket_path(state)
    shown = ""
    while "\n" not in shown:
        await asyncio.sleep(0)
        assert not serving.done()
        shown += capfd.readouterr().out
    ready = json.loads(shown)
    assert ready.pop("time").endswith("Z")
    assert ready == {
        "event": "ready", "peer_id": identity.key.peer_id, "broker": "mqtt://127.0.0.1:1",
    }  # fmt: skip
    assert json.loads((state / "lock").read_text())["socket"] == str(socket_path)
    assert socket_path.stat().st_mode & 0o777 == 0o600
    status = await _call(socket_path, "status")
    assert (status["peer_id"], status["front_ends"]) == (identity.key.peer_id, 1)
    assert await _call(socket_path, "shutdown") == {"stopping": True}
    assert await soon(serving) == 0
    assert not socket_path.exists()
    lock.release()
