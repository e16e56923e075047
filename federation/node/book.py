# SPDX-License-Identifier: MIT
"""The peers: announcements, presence, trust.

A peer is *known* once its announcement was verified; it stays known.  Whether
it is online is kept in memory only, by its presence machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from federation import limits
from federation.errors import Refusal
from federation.events import Heard
from federation.identity import keys
from federation.identity.peer_id import check_peer_id
from federation.machines import presence
from federation.node.context import CAPS, Context
from federation.node.proof import Proof
from federation.replica.records import Peer, Trust
from federation.wire import envelope, topics
from federation.wire.messages import Message


class Book:
    """Who is known, who is online, who may do what."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.live: dict[str, presence.Presence] = {}
        self.proof = Proof(context)
        #: until then whoever heard us asks (monotonic seconds)
        self.asks_at = float("-inf")
        self._next_heartbeat = float("inf")
        self._next_presence = float("inf")
        #: called with (peer id, event) when a peer's presence changed
        self.on_presence: Callable[[str, presence.Event], None] = lambda _peer, _event: None
        #: called with the id of a peer that may be there although its clock is off
        self.on_doubt: Callable[[str], None] = lambda _peer: None

    # --- what is known ----------------------------------------------------
    def require(self, peer_id: str) -> Peer:
        """The known peer of this id; bad-peer-id, own-peer or unknown-peer otherwise."""
        if peer_id == self._context.peer_id:
            raise Refusal("own-peer", peer_id)
        peer = self._context.store.peer(check_peer_id(peer_id))
        if peer is None:
            raise Refusal("unknown-peer", peer_id)
        return peer

    def presence_of(self, peer_id: str) -> presence.Presence:
        """The presence machine of a peer."""
        if peer_id not in self.live:
            self.live[peer_id] = presence.Presence()
        return self.live[peer_id]

    def online(self) -> list[Peer]:
        """The known peers that are online and not blocked."""
        found = (
            self._context.store.peer(peer_id) for peer_id, live in self.live.items() if live.online
        )
        return [peer for peer in found if peer is not None and peer.trust != "blocked"]

    def may_write(self, peer: Peer) -> bool:
        """Whether this peer's documents and messages are taken at once."""
        if peer.trust == "blocked":
            return False
        return peer.trust == "accepted" or self._context.settings.policy == "announced"

    # --- announcements ----------------------------------------------------
    def announcement(self, status: str = "online") -> bytes:
        """Our announcement, signed for now."""
        context = self._context
        fields: dict[str, object] = {
            "public_key": keys.to_hex(context.key.public_key),
            "caps": list(CAPS),
            "session": context.session,
            "status": status,
        }
        if context.settings.name:
            fields["name"] = context.settings.name
        if context.settings.address:
            fields["address"] = context.settings.address
        return context.signed("peer-announce", **fields)

    def announce(self, *, retained: bool) -> None:
        """Announce ourselves live, and refresh the retained presence."""
        context = self._context
        message = self.announcement()
        self.proof.announced(message)
        context.publish(topics.ANNOUNCE, message)
        if retained:
            context.publish(topics.presence(context.peer_id), message, retain=True)
            self._next_presence = context.now.mono + limits.PRESENCE
        self._next_heartbeat = context.now.mono + context.settings.heartbeat

    def receive_announcement(self, message: Message, *, retained: bool, live: bool = True) -> None:
        """Take a checked ``peer-announce``; ``live`` is False for a relayed one."""
        context = self._context
        key = keys.parse_public_key(str(message.fields["public_key"]))
        envelope.verify(message, key)
        if message.peer_id == context.peer_id:
            self._receive_own(message, alive=live and not retained)
            return
        peer = context.store.peer(message.peer_id)
        if peer is not None and peer.trust == "blocked":
            raise Refusal("revoked-peer", message.peer_id)
        text = message.raw.decode()
        # by its signature: the same announcement in another spelling of its JSON is the same
        if peer is not None and str(message.fields["signature"]) in peer.announce:
            if live and not retained:
                raise Refusal("replay", "announcement")
            if live:
                # The broker is back, and with it what it keeps of those who are there.
                self._presence(peer, message, retained=True, newer=True)
            return
        newer = peer is None or self._is_newer(peer, message)
        if peer is None:
            peer = self._discover(message, key)
        if newer:
            peer = self._update(peer, message, text)
        if live:
            self._presence(peer, message, retained=retained, newer=newer)
            if newer:
                about = {"peer_id": message.peer_id}
                context.effects.append(Heard(topics.ANNOUNCE, message.raw, about=about))

    def _is_newer(self, peer: Peer, message: Message) -> bool:
        """Whether an announcement takes the place of the one that we keep.

        One that was made while the peer's clock was ahead yields to a fresh
        one: a clock that was put right must not hide a peer until then.
        """
        if message.timestamp_us >= peer.announced_us:
            return True
        now, near = self._context.now.wall_us, round(limits.FRESHNESS * 1e6)
        return peer.announced_us > now + near and abs(message.timestamp_us - now) <= near

    def _receive_own(self, message: Message, *, alive: bool) -> None:
        """An announcement of our own key: an echo of ours, or a clone's.

        One that the broker kept, and a last will, are of a session that may be
        over: this identity's on another machine, before it came here.  Whoever
        runs with it somewhere else says so live, with every heartbeat.
        """
        context = self._context
        if not alive or message.fields.get("status") == "offline":
            return
        session = str(message.fields.get("session", ""))
        if session == context.session or session in context.store.own_sessions():
            return
        context.notify(
            "identity-changed",
            peer_id=context.peer_id,
            reason="another program announces itself with this identity",
        )
        raise Refusal("self-peer", "announcement")

    def _discover(self, message: Message, key: bytes) -> Peer:
        context = self._context
        if context.store.count_unknown() >= context.settings.max_unknown:
            raise Refusal("peer-limit", f"{context.settings.max_unknown}")
        name = message.fields.get("name") or None
        address = message.fields.get("address")
        peer = Peer(message.peer_id, key, first_seen_us=context.now.wall_us)
        context.notify(
            "peer-discovered",
            peer_id=message.peer_id,
            public_key=keys.to_hex(key),
            address=address,
            name=name,
        )
        return peer

    def _update(self, peer: Peer, message: Message, text: str) -> Peer:
        name = message.fields.get("name")
        address = message.fields.get("address")
        caps = message.fields.get("caps")
        updated = replace(
            peer,
            name=name if isinstance(name, str) and name else None,
            address=address if isinstance(address, str) else None,
            caps=tuple(str(cap) for cap in caps) if isinstance(caps, list) else (),
            last_seen_us=self._context.now.wall_us,
            announce=text,
            announced_us=message.timestamp_us,
        )
        self._context.store.put_peer(updated)
        return updated

    def _presence(self, peer: Peer, message: Message, *, retained: bool, newer: bool) -> None:
        """What an announcement says about being online.

        A stale one says nothing; a live but stale one of a peer that can
        answer makes us ask (a wrong clock must not hide a peer).
        """
        context = self._context
        live = self.presence_of(peer.peer_id)
        session = message.fields.get("session")
        if message.fields.get("status") == "offline":
            if session == live.session and (session is not None or newer):
                self._move(peer.peer_id, presence.Event.SAID_OFFLINE)
            return
        if not retained:
            live.clock_us = message.timestamp_us - context.now.wall_us
        age = abs(context.now.wall_us - message.timestamp_us) / 1e6
        if newer and age <= limits.FRESHNESS:
            live.clock_ok = True
            fresh_session = live.receive_session(
                session if isinstance(session, str) else None, context.now.mono
            )
            was_online = live.online
            self._move(peer.peer_id, presence.Event.ANNOUNCED)
            if fresh_session and was_online:
                self.on_presence(peer.peer_id, presence.Event.ANNOUNCED)
        elif not retained and "ack1" in peer.caps:
            live.clock_ok = False
            if live.connected:
                self._move(peer.peer_id, presence.Event.ANNOUNCED)
            else:
                self.on_doubt(peer.peer_id)

    def answered(self, peer_id: str) -> None:
        """A peer answered a nonce of ours: it is there, now."""
        live = self.presence_of(peer_id)
        connected = live.connected
        self._move(peer_id, presence.Event.ANSWERED)
        if not connected:
            self._context.notify("peer-connected", peer_id=peer_id, name=self.name(peer_id))

    def can_answer(self, peer_id: str) -> bool:
        """Whether a peer speaks our own messages, and so can prove that it is there."""
        return "ack1" in self.require(peer_id).caps

    def name(self, peer_id: str) -> str | None:
        """The display name of a known peer."""
        peer = self._context.store.peer(peer_id)
        return None if peer is None else peer.name

    def _move(self, peer_id: str, event: presence.Event) -> None:
        live = self.presence_of(peer_id)
        changed = live.receive(event, self._context.now.mono, self._context.settings.heartbeat)
        if not changed:
            return
        self.on_presence(peer_id, event)
        if not live.online:
            self._context.notify("peer-disconnected", peer_id=peer_id, name=self.name(peer_id))

    # --- the user's decisions ---------------------------------------------
    def decide(self, peer_id: str, trust: Trust) -> Peer:
        """Accept or block a peer."""
        peer = replace(self.require(peer_id), trust=trust)
        self._context.store.put_peer(peer)
        if trust == "accepted":
            self._context.notify("peer-trusted", peer_id=peer_id, name=peer.name)
        elif trust == "blocked":
            self._move(peer_id, presence.Event.BLOCKED)
        return peer

    # --- time and the link -------------------------------------------------
    def link_up(self) -> None:
        """The broker answers: announce at once."""
        self.asks_at = self._context.now.mono + limits.ASK_LATER
        self.announce(retained=True)

    def link_down(self) -> None:
        """Without a broker nobody is online for us."""
        self._next_heartbeat = self._next_presence = float("inf")
        self.proof.offline()
        for peer_id in list(self.live):
            self._move(peer_id, presence.Event.LINK_LOST)

    def next_timer(self) -> float:
        """The next moment to act (monotonic seconds)."""
        deadlines: Iterable[float] = (live.deadline for live in self.live.values())
        return min(self._next_heartbeat, *deadlines, float("inf"))

    def handle_timer(self) -> None:
        """Heartbeat, and peers that missed theirs."""
        context = self._context
        for peer_id, live in list(self.live.items()):
            if live.handle_timer(context.now.mono):
                self.on_presence(peer_id, presence.Event.MISSED_HEARTBEATS)
                context.notify("peer-disconnected", peer_id=peer_id, name=self.name(peer_id))
        if context.now.mono >= self._next_heartbeat:
            self.announce(retained=context.now.mono >= self._next_presence)
