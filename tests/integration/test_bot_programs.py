# SPDX-License-Identifier: MIT
"""A bot with the ready-made programs, among real peers: mirrored, backed up, restored, answered."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from functools import partial
from pathlib import Path

from tests.integration.brokers import Amqtt, free_port, wait_until
from tests.integration.peers import Peer, command

LIMIT = 90.0


def verb(peer: Peer, *words: str) -> str:
    """What a verb prints."""
    done = subprocess.run(
        [*command(*words), "--state-dir", str(peer.state_dir)], env=peer.env, capture_output=True,
        text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout


def test_mirror_backup_and_echo(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    with Amqtt(tmp_path / "broker") as broker:
        announced = ("--trust-policy", "announced")
        place = f"127.0.0.1:{free_port()}"
        bot = Peer(tmp_path / "bot", broker.url, flags=(*announced, "--metrics-listen", place))
        other = Peer(tmp_path / "other", broker.url, flags=announced)
        backups = tmp_path / "backups"
        verb(bot, "hook", "mirror", str(tmp_path / "mirror"), "--install")
        verb(bot, "hook", "backup", str(backups), "--every", "0", "--keep", "2", "--install")
        verb(bot, "hook", "echo", "--install")
        with bot, other:
            ids = {one: one.call("status")["peer_id"] for one in (bot, other)}
            wait_until(lambda: other.peer(ids[bot]) and bot.peer(ids[other]), LIMIT, "both known")
            for text in ("one", "two"):
                source = tmp_path / "note.org"
                source.write_text(text)
                other.call("sync.file", {"path": str(source), "wait": True})
                wait_until(partial(_holds, tmp_path / "mirror/note.org", text), LIMIT, text)
            with other.front_end() as listening:
                listening.call("events.subscribe")
                other.call("message.send",
                           {"peer_id": ids[bot], "kind": "text", "content": "hé"})  # fmt: skip
                events = listening.collect(
                    lambda all_: any('"echo"' in str(one.get("message")) for one in all_), LIMIT
                )
            (answer,) = (json.loads(one["message"]) for one in events
                         if '"echo"' in str(one.get("message")))  # fmt: skip
            assert (answer["peer_id"], answer["content"]) == (ids[bot], "hé")
            wait_until(lambda: len(list(backups.glob("meta-log-*.tar.gz"))) == 2, LIMIT, "two")
            made = json.loads(verb(bot, "backup", str(backups), "--keep", "9", "--json"))["archive"]
            _metrics_and_monitor(bot, place)
            assert bot.stop() == 0
            again = Peer(tmp_path / "again", broker.url, flags=announced)
            verb(again, "backup", made, "--restore")
            assert (again.state_dir / "identity.json").stat().st_mode & 0o777 == 0o600
            with again:
                assert again.call("status")["peer_id"] == ids[bot]
                assert len(again.history("note.org")) == 2
                copy = again.state_dir / "synced/note.org"
                wait_until(partial(_holds, copy, "two"), LIMIT, "written anew")


def _metrics_and_monitor(bot: Peer, place: str) -> None:
    """A scrape over HTTP says what has happened; monitor shows what happens."""
    scraped = scrape(place)
    told = [one["event"] for one in bot.events]
    for event in ("document-changed", "peer-discovered", "broker-connected", "ready"):
        assert scraped[f'meta_log_events_total{{event="{event}"}}'] == told.count(event), event
    assert told.count("document-changed") == 2
    assert scraped["meta_log_documents"] == scraped["meta_log_broker_up"] == 1
    assert scraped['meta_log_peers{state="online"}'] == 1
    for direction in ("received", "published"):
        assert scraped[f'meta_log_mqtt_messages_total{{direction="{direction}"}}'] >= 2
        assert scraped[f'meta_log_mqtt_bytes_total{{direction="{direction}"}}'] > 400
    # two programs at ready and at each of the two changes, one for messages
    wait_until(lambda: _ends(place)["ok"] >= 7, LIMIT, "the programs have ended")
    assert _ends(place)["timeout"] == _ends(place)["unrunnable"] == 0
    lines = verb(bot, "monitor", "--interval", "0.2", "--for", "1", "--json").splitlines()
    assert "rates" in {json.loads(line)["event"] for line in lines}
    assert "meta_log_documents 1\n" in verb(bot, "metrics")


def scrape(place: str) -> dict[str, float]:
    """Series -> its value, as a collector reads them."""
    with urllib.request.urlopen(f"http://{place}/metrics", timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        lines = answer.read().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def _ends(place: str) -> dict[str, float]:
    found = scrape(place)
    names = ("ok", "failed", "timeout", "unrunnable")
    return {one: found[f'meta_log_hook_programs_total{{end="{one}"}}'] for one in names}


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text() == text
    except FileNotFoundError:
        return False
