# SPDX-License-Identifier: MIT
"""All parts together: one peer's life, what it tells to whom, and two that meet."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import pytest

from federation import limits
from federation.adapters.doors import Doors
from federation.adapters.output import Output
from federation.daemon.methods import Methods
from federation.daemon.peer import RunningPeer
from federation.errors import Fault
from federation.events import Instant
from federation.identity.protect import Opened
from federation.node.context import NodeSettings
from federation.wire import timestamps, topics
from tests.daemon.mini_broker import MiniBroker
from tests.daemon.running import NOBODY, Row, key_of, options, running, soon, until


class Lines:
    """A bot's standard output, kept."""

    def __init__(self) -> None:
        self.lines: list[Row] = []
        self.closed = False

    def line(self, text: str) -> None:
        self.lines.append(json.loads(text))

    def close(self) -> None:
        self.closed = True


def made(folder: Path, **changes: Any) -> RunningPeer:
    return RunningPeer(options(folder, **changes), Opened(key_of(1), "key-file"))


async def test_the_client_id_is_the_peers_and_its_state_directorys(tmp_path: Path) -> None:
    """Two copies of an identity do not throw each other off the broker."""
    ids = []
    for name in ("a", "a", "b"):
        peer = made(tmp_path / name)
        ids.append(peer.link.connection._options.client_id)
        peer.store.close()
    assert ids[0] == ids[1] != ids[2]
    assert all(one.startswith(key_of(1).peer_id + "-") for one in ids)


async def test_no_secret_in_what_options_show(tmp_path: Path) -> None:
    shown = options(tmp_path, username="me", password="hunter2")
    assert "hunter2" not in repr(shown)
    assert "'me'" in repr(shown)


async def test_ready_is_one_line_and_events_follow(tmp_path: Path) -> None:
    peer = made(tmp_path, node=NodeSettings(name="Me"))
    lines = Lines()
    await peer.start(Doors(Methods(peer).handlers()), cast("Output", lines))
    peer.ready()
    moment = lines.lines[0].pop("time")
    assert timestamps.parse(str(moment)) > 0
    assert lines.lines == [{"event": "ready", "peer_id": key_of(1).peer_id, "broker": str(NOBODY)}]
    task = asyncio.ensure_future(peer.run())
    record = peer.turns.ask(
        lambda now: peer.node.at(now, lambda: peer.node.sync_content("a.md", b"x", None))
    )
    await soon(record)
    await until(lambda: len(lines.lines) > 1)
    assert lines.lines[1]["event"] == "sync-started"
    assert {"time", "file", "revision"} < set(lines.lines[1])
    peer.stopping.set()
    await soon(task)
    assert lines.closed


async def test_events_go_to_who_subscribed_and_to_hook_programs(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    hooks = {"sync-started": [("/bin/sh", "-c", 'cat > "$0.tmp" && mv "$0.tmp" "$0"', str(seen))]}
    async with running(tmp_path, hooks=hooks) as here:
        listening, deaf = here.front(), here.front()
        await listening.call("events.subscribe")
        await here.sync("a.md", "text")
        await until(lambda: seen.exists() and listening.events)
        body = json.loads(seen.read_text())
        assert body == listening.events[0]
        assert (body["event"], body["file"]) == ("sync-started", "a.md")
        assert deaf.events == []


async def test_standard_output_has_no_content_and_hook_programs_have_it(tmp_path: Path) -> None:
    seen, lines = tmp_path / "seen", Lines()
    hooks = {"message-received": [("/bin/sh", "-c", 'cat >> "$0"', str(seen))]}
    content = {"a.md": "canary one", "big.md": "canary two" * limits.KIB * 8}
    async with running(tmp_path, hooks=hooks) as here:
        friend = await here.known()
        here.peer.output = cast("Output", lines)
        for file, text in content.items():
            await friend.sync(file, text)
        await friend.say(
            topics.inbox(key_of(1).peer_id),
            friend.signed("peer-message", to=key_of(1).peer_id, kind="text", content="canary 3"),
        )
        await until(lambda: seen.exists() and seen.read_text().count("\n") == 4)
        told = [json.loads(line) for line in seen.read_text().splitlines()]
        bodies = [json.loads(one["message"]) for one in told if one["peer_id"] == friend.peer_id]
        by_file = {body.get("file"): body for body in bodies}
        assert by_file["a.md"]["content"] == content["a.md"]
        assert by_file["big.md"]["content_file"] == str(here.peer.disk.synced / "big.md")
        assert here.synced("big.md").decode() == content["big.md"]
        assert "canary 3" in seen.read_text()
    assert "canary" not in json.dumps(lines.lines)
    shown = [one for one in lines.lines if one["event"] == "message-received"]
    assert all({"time", "topic", "peer_id"} < set(one) for one in shown)
    assert [one.get("file") for one in shown] == ["a.md", "big.md", None]
    changed = [one for one in lines.lines if one["event"] == "document-changed"]
    assert [one["revision"] for one in changed] == [one["revision"] for one in shown[:2]]


async def test_too_much_at_once_makes_the_broker_wait(tmp_path: Path) -> None:
    async with MiniBroker() as broker, running(tmp_path, broker.url) as here:
        await until(lambda: here.peer.link.up)
        connection = here.peer.link.connection
        for _ in range(limits.INBOUND + 1):
            here.peer.turns.post(lambda _now: None)
        assert connection._paused
        await until(lambda: not connection._paused)
        broker.send(topics.SYNC, b"nonsense")
        await until(lambda: here.peer.node.refused)


async def test_a_defect_of_the_timers_ends_the_peer_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is answered that was not recorded: whoever waits is restarted with the peer."""
    peer = made(tmp_path)
    await peer.start(Doors({}), None)

    def fail(_now: Instant) -> None:
        raise Fault("a timer is broken")

    monkeypatch.setattr(peer.node, "handle_timer", fail)
    with pytest.raises(Fault, match="a timer is broken"):
        await soon(peer.run())
    await peer.link.stop()
    peer.store.close()


async def test_stopping_that_takes_too_long_is_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "SHUTDOWN", 0.05)
    async with running(tmp_path) as here:
        stop = here.peer.link.stop
        hanging = asyncio.get_running_loop().create_future()

        async def hang() -> None:
            await hanging

        here.peer.link.stop = hang  # type: ignore[method-assign]
    await stop()
    assert "stopping took too long" in caplog.text


async def test_topics_of_ours(tmp_path: Path) -> None:
    peer = made(tmp_path)
    own, other = key_of(1).peer_id, key_of(2).peer_id
    taken = [topics.ANNOUNCE, topics.SYNC, topics.presence(other), topics.inbox(own)]
    assert all(peer.is_ours(topic) for topic in taken)
    assert not any(peer.is_ours(topic) for topic in (topics.inbox(other), "t", "canvasl/x"))
    assert peer.uptime() >= 0
    peer.store.close()


async def test_two_peers_share_a_document_and_know_it(tmp_path: Path) -> None:
    async with (
        MiniBroker() as broker,
        running(tmp_path / "a", broker.url) as a,
        running(tmp_path / "b", broker.url, number=2) as b,
    ):
        await until(lambda: a.peer.node.book.online() and b.peer.node.book.online())
        front = a.front()
        answer = await front.call("sync.file", path=a.write("a.md", "text"), wait=True, timeout=5)
        assert (answer["acknowledged"], answer["missing"]) == ([key_of(2).peer_id], [])
        await until(lambda: b.peer.store.document("a.md").written)  # type: ignore[union-attr]
        assert b.synced("a.md") == b"text"
        assert a.peer.node.library.heads.root == b.peer.node.library.heads.root
        answer = await front.call("peers.connect", peer_id=key_of(2).peer_id, timeout=5)
        assert answer["connected"]


async def test_what_was_synced_while_alone_arrives_later(tmp_path: Path) -> None:
    async with MiniBroker() as broker:
        async with running(tmp_path / "a") as a:
            await a.sync("a.md", "offline")
        async with (
            running(tmp_path / "a", broker.url) as a,
            running(tmp_path / "b", broker.url, number=2) as b,
        ):
            await until(lambda: b.peer.store.document("a.md") is not None)
            await until(lambda: a.peer.store.acknowledged(key_of(2).peer_id, "a.md") is not None)
