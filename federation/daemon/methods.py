# SPDX-License-Identifier: MIT
"""The RPC's methods: each checks, asks the node in a turn, and answers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from federation import __version__, limits
from federation.adapters import logs
from federation.adapters.doors import FrontEnd, Handler
from federation.adapters.userfiles import read_user_file
from federation.daemon.histories import Histories
from federation.daemon.identities import Identities
from federation.daemon.paths import user_path
from federation.daemon.peer import RunningPeer
from federation.daemon.space_methods import SpaceMethods
from federation.errors import Refusal
from federation.node import queries
from federation.node.heads import Recorded
from federation.replica.names import kind_of
from federation.replica.soundness import faults
from federation.rpc import openrpc
from federation.rpc import params as p

Answer = dict[str, object]


class Methods:
    """Every method of ``rpc.methods`` for one running peer."""

    def __init__(self, peer: RunningPeer) -> None:
        self._peer = peer
        self._node = peer.node
        self._identities = Identities(peer)
        self._histories = Histories(peer)
        self._spaces = SpaceMethods(peer)

    def handlers(self) -> Mapping[str, Handler]:
        """Method name -> handler."""
        extras, opened = self._peer.extras, self._peer.opened
        return {
            "rpc.discover": self.discover,
            "status": self.status,
            "health": self.health,
            "metrics": self.metrics,
            "peers.list": self.peers,
            "peers.announce": self.announce,
            "peers.connect": self.connect,
            "trust.accept": self.accept,
            "trust.block": self.block,
            "sync.file": self.sync_file,
            "sync.all": self.sync_all,
            "sync.status": self.sync_status,
            "documents.list": self.documents,
            "documents.export": self.export,
            "documents.restore": self.restore,
            "documents.open": opened.open,
            "documents.edit": opened.edit,
            "documents.close": opened.close,
            "conflicts.list": self.conflicts,
            "conflicts.resolve": self.resolve,
            "message.send": self.send,
            "topic.publish": extras.publish,
            "topic.subscribe": extras.subscribe,
            "topic.unsubscribe": extras.unsubscribe,
            "broker.open": extras.open,
            "broker.close": extras.close_one,
            "config.show": self.config,
            "logs.tail": self.log_tail,
            "logs.level": self.log_level,
            "events.subscribe": self.events,
            "shutdown": self.shutdown,
            **self._histories.handlers(),
            **self._peer.mirroring.handlers(),
            **self._identities.handlers(),
            **self._spaces.handlers(),
        }

    # --- the peer itself ---------------------------------------------------------------
    async def discover(self, _front_end: FrontEnd, _given: p.Nothing) -> Answer:
        """``rpc.discover``."""
        return openrpc.document()

    async def status(self, _front_end: FrontEnd, _given: p.Nothing) -> Answer:
        """``status``."""
        peer = self._peer
        doors = peer.doors
        known = peer.turns.read(lambda: queries.status(self._node))
        return {
            "version": __version__,
            **known,
            "held_deletions": peer.spaces.held,
            "folders": peer.spaces.folders,
            "state_dir": str(peer.options.state_dir),
            "synced_dir": str(peer.disk.synced),
            "mirror": peer.mirroring.path or None,
            "broker": peer.link.status(),
            "front_ends": len(doors.front_ends) if doors is not None else 0,
            "uptime": peer.uptime(),
        }

    async def health(self, _front_end: FrontEnd, _given: p.Nothing) -> Answer:
        """``health``."""
        peer = self._peer
        broker = peer.link.status()
        checks: list[dict[str, object]] = [
            {"name": "store", "ok": not peer.turns.failing, "detail": peer.turns.failing or "ok"},
            {"name": "broker", "ok": peer.link.up, "detail": broker["error"] or broker["state"]},
            {"name": "disk", **_room(peer.options.state_dir)},
        ]
        return {"healthy": all(check["ok"] for check in checks), "checks": checks}

    async def metrics(self, _front_end: FrontEnd, _given: p.Nothing) -> Answer:
        """``metrics``."""
        return {"metrics": [one.as_json() for one in await self._peer.metrics.gather()]}

    async def config(self, _front_end: FrontEnd, _given: p.Nothing) -> Answer:
        """``config.show``."""
        return {"config": self._peer.options.config.show()}

    async def log_tail(self, _front_end: FrontEnd, given: p.Lines) -> Answer:
        """``logs.tail``."""
        return {"lines": logs.tail(self._peer.options.log_path, given.lines)}

    async def log_level(self, _front_end: FrontEnd, given: p.LogLevel) -> Answer:
        """``logs.level``."""
        logs.set_level(given.level)
        return {"level": given.level}

    async def events(self, front_end: FrontEnd, _given: p.Nothing) -> Answer:
        """``events.subscribe``."""
        front_end.subscribed = True
        self._peer.heard.set()
        return {"subscribed": True}

    async def shutdown(self, _front_end: FrontEnd, _given: p.Nothing) -> Answer:
        """``shutdown``."""
        self._peer.stop_soon()
        return {"stopping": True}

    # --- peers ---------------------------------------------------------------------------
    async def peers(self, _front_end: FrontEnd, _given: p.Nothing) -> Answer:
        """``peers.list``."""
        return {"peers": await self._peer.turns.ask(lambda _now: queries.peers(self._node))}

    async def announce(self, _front_end: FrontEnd, _given: p.Nothing) -> Answer:
        """``peers.announce``."""
        done = await self._peer.turns.ask(lambda now: self._node.at(now, self._node.announce))
        return {"announced": done}

    async def connect(self, _front_end: FrontEnd, given: p.Connect) -> Answer:
        """``peers.connect``: connected once the peer has answered a nonce."""
        node = self._node
        await self._peer.turns.ask(lambda now: node.at(now, lambda: node.hello(given.peer_id)))
        able = node.book.can_answer(given.peer_id)

        def there() -> bool:
            live = node.book.presence_of(given.peer_id)
            return live.connected if able else live.online

        if not await self._peer.turns.wait_for(there, given.timeout):
            raise Refusal("timeout", f"{given.peer_id} did not answer")
        return {"peer_id": given.peer_id, "connected": True, "route": "mqtt"}

    async def accept(self, _front_end: FrontEnd, given: p.Peer) -> Answer:
        """``trust.accept``."""
        node = self._node
        released = await self._peer.turns.ask(
            lambda now: node.at(now, lambda: node.accept(given.peer_id))
        )
        return {"peer_id": given.peer_id, "trust": "accepted", "released": released}

    async def block(self, _front_end: FrontEnd, given: p.Peer) -> Answer:
        """``trust.block``."""
        node = self._node
        dropped = await self._peer.turns.ask(
            lambda now: node.at(now, lambda: node.block(given.peer_id))
        )
        return {"peer_id": given.peer_id, "trust": "blocked", "dropped": dropped}

    async def send(self, _front_end: FrontEnd, given: p.Send) -> Answer:
        """``message.send``."""
        node = self._node
        message_id = await self._peer.turns.ask(
            lambda now: node.at(
                now, lambda: node.send_message(given.peer_id, given.kind, given.content)
            )
        )
        return {"id": message_id, "to": given.peer_id}

    # --- documents ------------------------------------------------------------------------
    async def sync_file(self, _front_end: FrontEnd, given: p.SyncFile) -> Answer:
        """``sync.file``."""
        peer, node = self._peer, self._node
        path = user_path(given.path)
        found = peer.spaces.place_of(path)
        file = path.name if found is None else found[0].file_of(found[1])
        most = peer.options.node.max_document

        def record() -> tuple[Recorded, bytes] | None:
            # Read in the turn: what was last written there is the base of what is there now.
            if found is not None and found[1] in found[0].writing:
                return None
            content = read_user_file(path, most)
            apart = found is not None
            return node.sync_content(file, content, str(path), given.base, apart=apart), content

        until = time.monotonic() + limits.FOLDER_TAKE
        while (done := await peer.turns.ask(lambda now: node.at(now, record))) is None:
            if time.monotonic() >= until:
                raise Refusal("timeout", f"{path} is being written")
            await asyncio.sleep(limits.LAZY)
        recorded, content = done
        revision = recorded.revision
        answer: Answer = {
            "file": file,
            "revision": revision.revision,
            "size": revision.size,
            "state": "unchanged" if recorded.place == "unchanged" else "recorded",
            "conflict": peer.store.is_conflicted(file),
            "path": peer.disk.synced_path(file),
            "replaces": recorded.replaces,
            "warnings": await _warnings(file, content),
        }
        if given.wait:
            await self._peer.turns.wait_for(
                lambda: not node.delivery.missing(revision.revision), given.timeout
            )
            have = peer.store.acknowledgements_of(file)
            answer["missing"] = node.delivery.missing(revision.revision)
            answer["acknowledged"] = sorted(
                peer_id for peer_id, one in have.items() if one == revision.revision
            )
        return answer

    async def sync_all(self, _front_end: FrontEnd, given: p.SyncAll) -> Answer:
        """``sync.all``: import what was edited below ``synced``, then compare."""
        peer, node = self._peer, self._node
        if given.peer_id is not None:
            node.book.require(given.peer_id)
        imported = await peer.readback.take_all() + await peer.spaces.take_all()
        if given.peer_id is not None:
            one = given.peer_id
            await peer.turns.ask(lambda now: node.at(now, lambda: node.hello(one)))
            return {"imported": imported, "peers": [one]}
        asked = await peer.turns.ask(lambda now: node.at(now, node.compare_all))
        return {"imported": imported, "peers": asked}

    async def sync_status(self, _front_end: FrontEnd, given: p.Deleted) -> Answer:
        """``sync.status``."""
        node, deleted = self._node, given.deleted
        rows = await self._peer.turns.ask(lambda _now: queries.sync_status(node, deleted=deleted))
        spaces = await self._peer.spaces.rows()
        return {"documents": [asdict(row) for row in rows], "spaces": spaces}

    async def documents(self, _front_end: FrontEnd, given: p.Deleted) -> Answer:
        """``documents.list``."""
        node, deleted = self._node, given.deleted
        rows = await self._peer.turns.ask(lambda _now: queries.documents(node, deleted=deleted))
        return {"documents": rows}

    async def export(self, _front_end: FrontEnd, given: p.Export) -> Answer:
        """``documents.export``."""
        node = self._node
        wanted = given.revision or node.library.require(given.file).current
        revision = await self._peer.turns.ask(lambda _now: node.library.find(given.file, wanted))
        content = self._peer.outlet.content(revision.content_hash)
        target = user_path(given.path) if given.path is not None else None
        path = self._peer.outlet.export(given.file, revision.revision, target, content)
        return {
            "file": given.file,
            "revision": revision.revision,
            "path": str(path),
            "size": revision.size,
        }

    async def restore(self, _front_end: FrontEnd, given: p.Revision) -> Answer:
        """``documents.restore``."""
        node = self._node
        recorded = await self._peer.turns.ask(
            lambda now: node.at(now, lambda: node.restore(given.file, given.revision))
        )
        return {
            "file": given.file,
            "revision": recorded.revision.revision,
            "path": self._peer.disk.synced_path(given.file),
        }

    async def resolve(self, _front_end: FrontEnd, given: p.Resolve) -> Answer:
        """``conflicts.resolve``."""
        node = self._node

        def settle() -> Recorded:
            return node.resolve(given.file, given.number, given.choice, given.value)

        recorded = await self._peer.turns.ask(lambda now: node.at(now, settle))
        left = await self._peer.turns.ask(
            lambda _now: len(node.context.store.open_conflicts(given.file))
        )
        return {
            "file": given.file,
            "revision": recorded.revision.revision,
            "path": self._peer.disk.synced_path(given.file),
            "open": left,
        }

    async def conflicts(self, _front_end: FrontEnd, _given: p.Nothing) -> Answer:
        """``conflicts.list``."""
        rows = await self._peer.turns.ask(lambda _now: queries.conflicts(self._node))
        return {"conflicts": rows}


async def _warnings(file: str, content: bytes) -> list[Answer]:
    """What is wrong with the canvas that was synced; a large one is looked at beside the loop."""
    kind = kind_of(file)
    if len(content) > limits.CHECK_CANVAS:
        return []
    if len(content) <= limits.CHECK_AT_ONCE:
        found = faults(kind, content)
    else:
        found = await asyncio.to_thread(faults, kind, content)
    return [one.as_data() for one in found]


def _room(folder: Path) -> Answer:
    """Whether there is room where the state is, in the form of a check."""
    try:
        found = os.statvfs(folder)
    except OSError as error:
        return {"ok": False, "detail": f"{folder}: {error.strerror}"}
    room = found.f_bavail * found.f_frsize
    return {"ok": room > limits.DISK_RESERVE, "detail": f"{room} bytes free"}
