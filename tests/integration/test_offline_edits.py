# SPDX-License-Identifier: MIT
"""One works offline for a thousand edits while the other goes on: nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.brokers import Mosquitto
from tests.integration.peers import Peer

EDITS = 1000


def canvas(lines: list[dict[str, object]]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def save(peer: Peer, path: Path, lines: list[dict[str, object]]) -> None:
    path.write_text(canvas(lines), encoding="utf-8")
    peer.call("sync.file", {"path": str(path)})


@pytest.mark.timeout(400)
def test_a_thousand_edits_offline_meet_others(tmp_path: Path) -> None:
    base: list[dict[str, object]] = [
        {"id": f"n{number}", "type": "text", "text": f"words {number}", "x": number}
        for number in range(100)
    ]
    folder = tmp_path / "broker"
    folder.mkdir()
    with Mosquitto(folder) as broker:
        flags = ("--trust-policy", "announced")
        a, b = (Peer(tmp_path / name, broker.url, flags=flags) for name in "ab")
        with a, b:
            a.wait(lambda: any(row["online"] for row in a.call("peers.list")["peers"]))
            b.wait(lambda: any(row["online"] for row in b.call("peers.list")["peers"]))
            save(a, tmp_path / "c.canvasl", base)
            copy = b.synced / "c.canvasl"
            b.wait(lambda: copy.exists() and copy.read_text() == canvas(base))
            broker.kill()
            mine = [dict(line) for line in base]
            contents: list[str] = []
            for number in range(EDITS):
                mine[number % 90]["text"] = f"{mine[number % 90]['text']} e{number}"
                save(b, copy, mine)
                contents.append(canvas(mine))
            theirs = [dict(line) for line in base]
            theirs[95]["x"] = 4711
            theirs.insert(10, {"id": "new", "type": "text", "text": "of a"})
            save(a, a.synced / "c.canvasl", theirs)
            broker.start()
            both = [dict(line) for line in mine]
            both[95]["x"] = 4711
            both.insert(10, {"id": "new", "type": "text", "text": "of a"})
            for peer in (a, b):
                file = peer.synced / "c.canvasl"
                peer.wait(lambda file=file: file.read_text() == canvas(both), 180, "merged")  # type: ignore[misc]
                peer.wait(
                    lambda peer=peer: len(peer.history("c.canvasl")) == EDITS + 2,  # type: ignore[misc]
                    180, "the whole history",
                )  # fmt: skip
                assert peer.call("conflicts.list")["conflicts"] == []
            ids = [row["revision"] for row in b.history("c.canvasl") if row["peer_id"] == _id(b)]
            assert {row["peer_id"] for row in a.history("c.canvasl")} == {_id(a), _id(b)}
            for number in (0, EDITS // 2, EDITS - 1):
                given = {"file": "c.canvasl", "revision": ids[number], "path": str(tmp_path / "x")}
                a.call("documents.export", given)
                assert (tmp_path / "x").read_text() == contents[number]
                (tmp_path / "x").unlink()
            a.call("documents.restore", {"file": "c.canvasl", "revision": ids[0]})
            for peer in (a, b):
                file = peer.synced / "c.canvasl"
                peer.wait(lambda file=file: file.read_text() == contents[0], 60, "restored")  # type: ignore[misc]


def _id(peer: Peer) -> str:
    return str(peer.call("status")["peer_id"])
