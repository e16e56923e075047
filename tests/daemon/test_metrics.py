# SPDX-License-Identifier: MIT
"""Metrics of a peer in this process; a real scrape is in ``tests/integration``."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import pytest

from federation.daemon.metrics import store_size
from federation.errors import REASONS
from federation.events import EVENTS
from federation.rpc import exposition
from federation.wire import topics
from tests.daemon.running import Running, running


async def values(here: Running) -> dict[str, float]:
    """Series -> its value."""
    lines = (await here.peer.metrics.text()).splitlines()
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in lines
        if not line.startswith("#")
    }


async def test_each_counts_what_happened(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        before = await values(here)
        assert before["meta_log_documents"] == before["meta_log_broker_up"] == 0
        friend = await here.known()
        front = here.front()
        await here.sync("a.md", "one")
        raw = friend.announcement()
        for _ in range(2):
            await friend.say(topics.ANNOUNCE, raw)
        await friend.say(topics.ANNOUNCE, b"{}")
        await friend.say("canvasl/sync", b"no json")
        after = await values(here)
        assert after["meta_log_documents"] == 1
        assert after['meta_log_peers{state="known"}'] == 1
        assert after['meta_log_events_total{event="peer-discovered"}'] == 1
        assert after["meta_log_repeated_total"] >= 1
        refused = {name: n for name, n in after.items() if name.startswith("meta_log_refused")}
        assert sum(refused.values()) == 2
        assert sum(refused.values()) == (await front.call("status"))["refused"]
        for name in ("process_resident_memory_bytes", "meta_log_disk_free_bytes",
                     "meta_log_store_bytes", "process_cpu_seconds_total"):  # fmt: skip
            assert after[name] > 0
        rows = (await front.call("metrics"))["metrics"]
        shown = exposition.text(map(exposition.from_json, rows))
        assert {line.split(" ")[2] for line in shown.splitlines() if "# TYPE" in line} == {
            name.partition("{")[0] for name in after
        }


def test_the_store_is_what_its_files_take(tmp_path: Path) -> None:
    assert store_size(tmp_path) == 0
    (tmp_path / "store.db").write_bytes(bytes(5))
    assert store_size(tmp_path) == 5
    (tmp_path / "store.db-wal").write_bytes(bytes(30))
    (tmp_path / "store.db-shm").write_bytes(bytes(700))  # shared memory, not kept
    assert store_size(tmp_path) == 35


async def test_nothing_from_outside_makes_a_series(tmp_path: Path) -> None:
    async with running(tmp_path) as here:
        friend = await here.known()
        first = set(await values(here))
        here.peer.node.refused["made-up"] = 3
        await friend.say("canvasl/sync", b'{"type":"\\u0000made up","x":1}')
        new = set(await values(here)) - first
        assert len(new) <= 1
        assert all(name.partition('reason="')[2].rstrip('"}') in REASONS for name in new)
        assert sum(name.startswith("meta_log_events_total") for name in first) == len(EVENTS)


async def test_a_port_that_is_taken_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path) as here:
        with socket.create_server(("127.0.0.1", 0)) as taken, caplog.at_level(logging.WARNING):
            await here.peer.metrics.listen(f"127.0.0.1:{taken.getsockname()[1]}")
        assert "no metrics on 127.0.0.1" in caplog.text
        await here.peer.metrics.listen(None)
