# SPDX-License-Identifier: MIT
"""Verbs about the running peer and the others: status, health, peers, connect, trust."""

from __future__ import annotations

from typing import cast

from federation.cli.context import Context, Row
from federation.cli.output import FAILED, OK, Result, clean, count, pairs, short_id, table


def status(context: Context) -> Result:
    """The state of the running peer."""
    data = context.call("status")
    broker, peers = cast("Row", data["broker"]), cast("Row", data["peers"])
    detail = ", ".join(
        filter(None, (
            broker["state"],
            f"MQTT {broker['protocol']}" if broker.get("protocol") else "",
            "embedded" if broker.get("embedded") else "",
            clean(broker["error"]) if broker.get("error") else "",
        ))
    )  # fmt: skip
    rights = f"{peers['accepted']} accepted, {peers['blocked']} blocked"
    front_ends = count(data["front_ends"], "front end")
    name = f"{clean(data['name'])}, " if data.get("name") else ""
    mirror = [("git mirror", data["mirror"])] if data.get("mirror") else []
    return Result(data, pairs([
        ("peer", f"{name}{data['peer_id']}"),
        ("broker", f"{broker['url']} ({detail})"),
        ("peers", f"{peers['online']} online of {peers['known']} known, {rights}"),
        ("trust", f"{data['policy']}, {count(data['held'], 'document')} held back"),
        ("documents", f"{data['documents']}, {count(data['conflicts'], 'conflict')}{_held(data)}"),
        ("waiting", f"{data['outbox']} not yet acknowledged"),
        ("refused", f"{count(data['refused'], 'message')} since the start"),
        ("synced", data["synced_dir"]),
        *(("shared", clean(one["path"])) for one in cast("list[Row]", data.get("folders") or [])),
        *mirror,
        ("state", data["state_dir"]),
        ("version", f"{data['version']}, up {float(data['uptime']):.0f} s, {front_ends}"),
    ]))  # fmt: skip


def _held(data: Row) -> str:
    held = data.get("held_deletions")
    return f", {count(held, 'deletion')} held: see `sync-status`" if held else ""


def health(context: Context) -> Result:
    """Whether the peer can do its work; exit code 1 where it cannot."""
    data = context.call("health")
    rows = [
        ("ok" if check["ok"] else "FAILED", check["name"], check["detail"])
        for check in cast("list[Row]", data["checks"])
    ]
    code = OK if data["healthy"] is True else FAILED
    verdict = "healthy" if data["healthy"] is True else "not healthy"
    return Result(data, [*table(("state", "check", "detail"), rows), verdict], code)


def _state(peer: Row) -> str:
    if peer["connected"]:
        return "connected"
    return "online" if peer["online"] else "offline"


def _peer_table(peers: list[Row]) -> list[str]:
    rows = [
        (peer.get("name") or "-", _state(peer), peer["trust"], peer["unacknowledged"],
         peer["held"], peer["last_seen"] or "-", peer["peer_id"])
        for peer in peers
    ]  # fmt: skip
    return table(("name", "state", "trust", "waiting", "held", "seen", "peer"), rows)


def peers(context: Context) -> Result:
    """Every known peer, kept across restarts."""
    data = context.call("peers.list")
    known = cast("list[Row]", data["peers"])
    lines = _peer_table(known) if known else ["No peer has announced itself yet."]
    return Result(data, lines)


def discovered(context: Context) -> Result:
    """The peers that announced themselves and are online now."""
    data = context.call("peers.list")
    online = [peer for peer in cast("list[Row]", data["peers"]) if peer["online"]]
    found = f"Found {count(len(online), 'peer')}"
    lines = [f"{found}:", *_peer_table(online)] if online else [f"{found}."]
    return Result({"peers": online}, lines)


def connect(context: Context) -> Result:
    """Ask a peer to answer, and compare documents with it."""
    wait = float(context.argument("timeout"))
    params: Row = {"peer_id": context.peer_id(context.argument("peer")), "timeout": wait}
    data = context.call("peers.connect", params, extra=wait + 0.1)
    return Result(data, [f"{short_id(data['peer_id'])} answers over {clean(data['route'])}"])


def trust(context: Context) -> Result:
    """Accept or block a peer."""
    action = context.argument("action")
    data = context.call(f"trust.{action}", {"peer_id": context.peer_id(context.argument("peer"))})
    who = short_id(data["peer_id"])
    if action == "accept":
        return Result(data, [f"{who} accepted, {count(data['released'], 'document')} taken"])
    return Result(data, [f"{who} blocked, {count(data['dropped'], 'held document')} dropped"])
