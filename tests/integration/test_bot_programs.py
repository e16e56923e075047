# SPDX-License-Identifier: MIT
"""A bot with the ready-made programs, among real peers: mirrored, backed up, restored, answered."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path

from tests.integration.brokers import Amqtt, wait_until
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
        bot = Peer(tmp_path / "bot", broker.url, flags=announced)
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
            assert bot.stop() == 0
            again = Peer(tmp_path / "again", broker.url, flags=announced)
            verb(again, "backup", made, "--restore")
            assert (again.state_dir / "identity.json").stat().st_mode & 0o777 == 0o600
            with again:
                assert again.call("status")["peer_id"] == ids[bot]
                assert len(again.history("note.org")) == 2
                copy = again.state_dir / "synced/note.org"
                wait_until(partial(_holds, copy, "two"), LIMIT, "written anew")


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text() == text
    except FileNotFoundError:
        return False
