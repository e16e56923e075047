# SPDX-License-Identifier: MIT
"""For each refusal that a method documents: how to get it.

A provocation prepares the world and returns the parameters of the call.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from federation import limits
from federation.machines.folder import Known, Seen
from tests.daemon.mini_broker import MiniBroker
from tests.daemon.running import NOBODY, Front, Remote, Running, key_of

Params = dict[str, object]
STRANGER = key_of(99).peer_id


@dataclass
class Provoked:
    """What a provocation works with."""

    here: Running
    front: Front
    broker: MiniBroker
    patch: pytest.MonkeyPatch

    @property
    def folder(self) -> Path:
        """A folder of the user."""
        return self.here.folder

    def full_disk(self) -> None:
        """From now on the store has no room."""
        db = self.here.peer.store._db
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count={pages}")

    def failing_sync(self, number: int) -> None:
        """From now on fsync fails with this error."""

        def fail(_descriptor: int) -> None:
            raise OSError(number, os.strerror(number))

        self.patch.setattr(os, "fsync", fail)

    async def blocked(self) -> Remote:
        """A peer that is blocked."""
        remote = await self.here.known()
        await self.front.call("trust.block", peer_id=remote.peer_id)
        return remote


def hold(here: Running, space: str) -> None:
    """A deletion in a space waits for a yes, as of many files."""
    folder = here.peer.spaces.places(space)[0].folder
    folder.known["gone.md"] = Known("0" * 64, Seen(1, 1, 1))
    folder._deletions._held.add("gone.md")


Provocation = Callable[[Provoked], Awaitable[Params]]
PROVOCATIONS: dict[tuple[str, str], Provocation] = {}


def provokes(*cases: tuple[str, str]) -> Callable[[Provocation], Provocation]:
    """Register a provocation for (method, reason)."""

    def register(made: Provocation) -> Provocation:
        for case in cases:
            assert case not in PROVOCATIONS, case
            PROVOCATIONS[case] = made
        return made

    return register


def fixed(method: str, reason: str, **params: object) -> None:
    """Register parameters that need no world; ``%`` in a text is the folder of the user."""

    async def made(world: Provoked) -> Params:
        return {
            key: value.replace("%", str(world.folder)) if isinstance(value, str) else value
            for key, value in params.items()
        }

    provokes((method, reason))(made)


# --- peers ---------------------------------------------------------------------------------
_MORE: dict[str, Params] = {
    "message.send": {"kind": "note", "content": ""},
    "identity.sign": {"message": ""},
    "identity.verify": {"message": "", "signature": ""},
}
for _name in ("identity.words", "identity.sign", "identity.verify", "peers.connect",
              "trust.accept", "trust.block", "sync.all", "message.send"):  # fmt: skip
    fixed(_name, "bad-peer-id", peer_id="peer-x", **_MORE.get(_name, {}))
    fixed(_name, "unknown-peer", peer_id=STRANGER, **_MORE.get(_name, {}))
for _name in ("identity.words", "peers.connect", "trust.accept", "trust.block", "sync.all",
              "message.send"):  # fmt: skip
    fixed(_name, "own-peer", peer_id=key_of(1).peer_id, **_MORE.get(_name, {}))
fixed("identity.verify", "bad-public-key", public_key="0x00", **_MORE["identity.verify"])
fixed("identity.verify", "weak-key", public_key="0x" + "00" * 32, **_MORE["identity.verify"])


@provokes(("peers.connect", "revoked-peer"), ("sync.all", "revoked-peer"))
async def _blocked(world: Provoked) -> Params:
    return {"peer_id": (await world.blocked()).peer_id}


@provokes(("message.send", "revoked-peer"))
async def _blocked_recipient(world: Provoked) -> Params:
    return {"peer_id": (await world.blocked()).peer_id, **_MORE["message.send"]}


@provokes(("peers.connect", "timeout"))
async def _silent_peer(world: Provoked) -> Params:
    return {"peer_id": (await world.here.known()).peer_id, "timeout": 0}


@provokes(("message.send", "queue-full"))
async def _full_outbox(world: Provoked) -> Params:
    params = {"peer_id": (await world.here.known()).peer_id, **_MORE["message.send"]}
    world.patch.setattr(limits, "OUTBOX_PER_PEER", 1)
    await world.front.call("message.send", **params)
    return params


@provokes(("message.send", "oversize"))
async def _many_bytes(world: Provoked) -> Params:
    remote = await world.here.known()
    content = "\u20ac" * (limits.PEER_MESSAGE // 3 + 1)
    return {"peer_id": remote.peer_id, "kind": "note", "content": content}


@provokes(("message.send", "nul-in-text"))
async def _nul(world: Provoked) -> Params:
    remote = await world.here.known()
    return {"peer_id": remote.peer_id, "kind": "note", "content": "a\0b"}


# --- conflicts ---------------------------------------------------------------------------------
fixed("conflicts.resolve", "unknown-document", file="no.canvasl", number="0" * 8, choice="a")


@provokes(("conflicts.resolve", "unknown-conflict"))
async def _settled_already(world: Provoked) -> Params:
    number = await world.here.clash()
    params: Params = {"file": "c.canvasl", "number": number, "choice": "a"}
    await world.front.call("conflicts.resolve", **params)
    return params


@provokes(("conflicts.resolve", "conflict-moved"))
async def _entry_is_gone(world: Provoked) -> Params:
    number = await world.here.clash()
    path = world.here.peer.disk.synced / "c.canvasl"
    path.write_text('{"other":"entry"}\n')
    await world.front.call("sync.file", path=str(path))
    return {"file": "c.canvasl", "number": number, "choice": "a"}


@provokes(("conflicts.resolve", "bad-params"))
async def _no_json(world: Provoked) -> Params:
    number = await world.here.clash()
    return {"file": "c.canvasl", "number": number, "choice": "value", "value": "no JSON"}


# --- topics and second connections -------------------------------------------------------------
for _name in ("topic.publish", "topic.subscribe", "topic.unsubscribe"):
    _more = {"message": ""} if _name == "topic.publish" else {}
    fixed(_name, "bad-topic", topic="a/#/b", **_more)
    fixed(_name, "unknown-connection", topic="a", connection=7, **_more)
fixed("broker.close", "unknown-connection", connection=7)
fixed("broker.open", "config-bad-url", url="ftp://127.0.0.1")
fixed("broker.open", "config-bad-port", url="mqtt://127.0.0.1:0")
fixed("broker.open", "config-secret-in-url", url="mqtt://me:secret@127.0.0.1")
fixed("broker.open", "config-plaintext-non-loopback", url="mqtt://far.example")
fixed("topic.publish", "oversize", topic="t", message="\u20ac" * (limits.MIB // 2))


@provokes(("broker.open", "queue-full"))
async def _many_connections(world: Provoked) -> Params:
    world.patch.setattr(limits, "CONNECTIONS", 1)
    await world.front.call("broker.open", url=str(NOBODY))
    return {"url": str(NOBODY)}


@provokes(("topic.publish", "broker-unreachable"))
async def _nobody(world: Provoked) -> Params:
    opened = await world.front.call("broker.open", url=str(NOBODY))
    return {"topic": "t", "message": "", "connection": opened["connection"]}


@provokes(("topic.publish", "publish-refused"))
async def _refused(world: Provoked) -> Params:
    world.broker.publish_code = lambda _topic: 0x87
    return {"topic": "t", "message": ""}


@provokes(("topic.publish", "timeout"))
async def _unconfirmed(world: Provoked) -> Params:
    world.broker.publish_code = lambda _topic: None
    world.patch.setattr(limits, "WAIT_DEFAULT", 0.01)
    return {"topic": "t", "message": ""}


@provokes(("topic.publish", "queue-full"))
async def _queue(world: Provoked) -> Params:
    world.broker.publish_code = lambda _topic: None
    connection = world.here.peer.link.connection
    while not (result := connection.publish("t", b"")).done():
        pass
    assert result.result() == "full"
    return {"topic": "t", "message": ""}


@provokes(("topic.subscribe", "broker-refused"))
async def _refused_filter(world: Provoked) -> Params:
    world.broker.filter_code = lambda _filter: 0x87
    return {"topic": "t"}


@provokes(("topic.subscribe", "timeout"))
async def _unconfirmed_filter(world: Provoked) -> Params:
    world.broker.filter_code = lambda _filter: None
    world.patch.setattr(limits, "WAIT_DEFAULT", 0.01)
    return {"topic": "t"}


@provokes(("topic.subscribe", "queue-full"))
async def _many_subscriptions(world: Provoked) -> Params:
    world.patch.setattr(limits, "SUBSCRIPTIONS", 1)
    await world.front.call("topic.subscribe", topic="one")
    return {"topic": "two"}
