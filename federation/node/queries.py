# SPDX-License-Identifier: MIT
"""What the node can tell: the answers of the RPC's read-only methods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from federation.identity import keys
from federation.identity.peer_id import short_id
from federation.identity.words import fingerprint, pair_words
from federation.node.router import Node
from federation.replica.choice import both
from federation.replica.records import Clashing, Peer, Revision
from federation.replica.spaces import parts_of
from federation.wire import timestamps

#: an author's clock further off than this is shown as unverified (microseconds)
_CLOCK_DOUBT = 24 * 3600 * 1_000_000


def status(node: Node) -> dict[str, object]:
    """The part of ``status`` that the node knows."""
    store = node.context.store
    held = store.held_counts()
    peers = store.peers()
    online = node.book.online()
    return {
        "peer_id": node.context.peer_id,
        "name": node.context.settings.name,
        "public_key": keys.to_hex(node.context.key.public_key),
        "policy": node.context.settings.policy,
        "peers": {
            "known": len(peers),
            "online": len(online),
            "connected": sum(node.book.presence_of(one.peer_id).connected for one in online),
            "accepted": sum(peer.trust == "accepted" for peer in peers),
            "blocked": sum(peer.trust == "blocked" for peer in peers),
            "waiting": len(held),
        },
        "documents": store.count_documents(),
        "held": sum(count for count, _size in held.values()),
        "conflicts": len(store.conflicted()),
        "outbox": sum(_waiting(node, peers).values()),
        # the network hands some messages over twice: that is nobody's fault
        "refused": sum(count for why, count in node.refused.items() if why != "replay"),
        "repeated": node.refused.get("replay", 0),
        "refusals": dict(sorted(node.refused.items())),
    }


def _able(known: Iterable[Peer]) -> list[str]:
    """The peers that acknowledge what they have."""
    return [one.peer_id for one in known if "ack1" in one.caps and one.trust != "blocked"]


def _waiting(node: Node, known: Iterable[Peer]) -> dict[str, int]:
    """Peer id -> our documents, and messages to it, that it has not acknowledged."""
    store = node.context.store
    waiting = dict(store.count_queued())
    own, have = store.standing(node.context.peer_id)
    for peer_id in _able(known):
        waiting[peer_id] = waiting.get(peer_id, 0) + own - have.get(peer_id, 0)
    return waiting


def peers(node: Node) -> list[dict[str, object]]:
    """Every known peer."""
    known = node.context.store.peers()
    held = node.context.store.held_counts()
    pending = _waiting(node, known)
    return [_peer(node, peer, held, pending) for peer in known]


def _peer(
    node: Node,
    peer: Peer,
    held: Mapping[str, tuple[int, int]],
    pending: Mapping[str, int],
) -> dict[str, object]:
    live = node.book.presence_of(peer.peer_id)
    trust: str = peer.trust
    if trust == "unknown" and node.context.settings.policy == "announced":
        trust = "announced"
    return {
        "peer_id": peer.peer_id,
        "name": peer.name,
        "short": short_id(peer.peer_id),
        "public_key": keys.to_hex(peer.public_key),
        "address": peer.address,
        "online": live.online,
        "connected": live.connected,
        "trust": trust,
        "last_seen": timestamps.format_us(peer.last_seen_us) if peer.last_seen_us else None,
        "clock": "ok" if live.clock_ok else "unverified",
        "clock_offset": None if live.clock_us is None else round(live.clock_us / 1e6, 1),
        "caps": list(peer.caps),
        "unacknowledged": pending.get(peer.peer_id, 0),
        "held": held.get(peer.peer_id, (0, 0))[0],
    }


def words(node: Node, peer_id: str) -> dict[str, object]:
    """The safety words of this peer and another."""
    peer = node.book.require(peer_id)
    return {
        "peer_id": peer_id,
        "words": pair_words(node.context.key.public_key, peer.public_key),
        "fingerprint": fingerprint(peer.public_key),
    }


@dataclass(frozen=True, slots=True)
class SyncRow:
    """Who lacks and who has one document of ours."""

    file: str
    revision: str
    pending: list[str]
    acknowledged: list[str]
    deleted: bool


def sync_status(node: Node, *, deleted: bool = False) -> list[SyncRow]:
    """Who lacks and who has each document of ours; ``deleted``: of the deleted ones, too."""
    store = node.context.store
    table = store.acknowledgements()
    able = _able(store.peers())
    own = store.own_documents(node.context.peer_id)
    rows: list[SyncRow] = []
    for document in store.documents():
        if document.deleted and not deleted:
            continue
        have = table.get(document.file, {})
        acknowledged = [peer for peer, revision in have.items() if revision == document.current]
        ours = document.file in own
        rows.append(
            SyncRow(
                document.file,
                document.current,
                [one for one in able if ours and have.get(one) != document.current],
                sorted(acknowledged),
                document.deleted,
            )
        )
    return rows


def documents(node: Node, *, deleted: bool = False) -> list[dict[str, object]]:
    """Every document that is not deleted; ``deleted``: these, too."""
    store = node.context.store
    conflicted = set(store.conflicted())
    counts = store.count_revisions()
    rows: list[dict[str, object]] = []
    for document in store.documents():
        revision = store.revision(document.current)
        if revision is None or (document.deleted and not deleted):
            continue
        rows.append(
            {
                "file": document.file,
                "space": parts_of(document.file)[0],
                "kind": document.kind,
                "deleted": document.deleted,
                **_author(node, revision),
                "size": revision.size,
                "revisions": counts.get(document.file, 0),
                "conflict": document.file in conflicted,
                "path": node.context.files.synced_path(document.file),
                "written": document.written == document.current,
            }
        )
    return rows


def _author(node: Node, revision: Revision) -> dict[str, object]:
    """Who made a revision; of a merged one, who made the newest of its parts."""
    if not revision.author:
        parts = [node.library.heads.get(name) for name in revision.parents]
        newest = max(parts, key=lambda one: one.timestamp_us)
        return {**_author(node, newest), "revision": revision.revision}
    own = revision.author == node.context.peer_id
    doubt = abs(revision.received_us - revision.timestamp_us) > _CLOCK_DOUBT
    return {
        "revision": revision.revision,
        "peer_id": revision.author,
        "name": node.context.settings.name if own else node.book.name(revision.author),
        "time": revision.timestamp,
        "clock": "unverified" if doubt else "ok",
    }


def history(
    node: Node, file: str, limit: int | None = None, before: str | None = None
) -> list[dict[str, object]]:
    """The revisions of a document, oldest first, without merged versions: those are nobody's.

    ``limit``: the last of them; ``before`` (the first digits of an id): of those before that one.
    """
    store = node.context.store
    current = node.library.require(file).current
    start = None if before is None else node.library.find(file, before).revision
    pinned, dropped = store.pinned(file), store.dropped(file)
    heads = {head.revision for head in store.heads(file)}
    beside = "concurrent" if current in heads else "merged"
    rows: list[dict[str, object]] = []
    for revision in store.revisions(file, limit, start, signed=True):
        if revision.revision == current:
            state = "current"
        else:
            state = beside if revision.revision in heads else "past"
        rows.append(
            {
                **_author(node, revision),
                "size": revision.size,
                "content_hash": revision.content_hash,
                "parents": list(revision.parents),
                "state": state,
                "pinned": revision.revision in pinned,
                "dropped": revision.revision in dropped,
                "deleted": revision.deleted,
            }
        )
    return rows


def conflicts(node: Node) -> list[dict[str, object]]:
    """Documents with conflicts, or with versions that cannot be merged."""
    store = node.context.store
    rows: list[dict[str, object]] = []
    for file in store.conflicted():
        document = store.document(file)
        if document is None:
            continue
        heads = [head for head in store.heads(file) if not head.deleted]
        merged = all(head.revision != document.current for head in heads)
        versions = [] if merged or len(heads) == 1 else [
            {
                **_author(node, head),
                "size": head.size,
                "path": node.context.files.synced_path(file)
                if head.revision == document.current
                else node.context.files.conflict_path(file, head.revision),
            }
            for head in heads
        ]  # fmt: skip
        places = [_place(one) for one in store.open_conflicts(file)]
        rows.append(
            {"file": file, "current": document.current, "versions": versions, "places": places}
        )
    return rows


def _place(one: Clashing) -> dict[str, object]:
    stands = {one.a: "a", one.b: "b"}.get(one.kept, "neither")
    kept = "both" if one.a and one.b and one.kept == both(one) else stands
    return {
        "number": one.number,
        "path": list(one.path),
        "entry": one.entry,
        "base": one.base,
        "kept": kept,
        "a": {"peers": one.author_a.split(","), "value": one.a},
        "b": {"peers": [one.author_b], "value": one.b},
    }
