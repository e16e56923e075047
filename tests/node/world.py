# SPDX-License-Identifier: MIT
"""A seeded world in memory: real nodes and stores, a broker that misbehaves, one clock.

Nothing here waits: time is a number, and the next thing that happens is the
next entry of a heap.  Nodes are driven as ``daemon/turns.py`` drives them: some
work, the timers, one transaction, then the effects.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from federation.adapters.store import SqliteStore
from federation.errors import Refusal
from federation.events import (
    DropConflicts,
    Effect,
    Follow,
    Heard,
    Instant,
    Notice,
    Notify,
    Publish,
    Refused,
    WriteConflict,
    WriteFile,
)
from federation.node.context import NodeSettings
from federation.node.heads import Recorded
from federation.node.packing import is_text
from federation.node.router import Node
from federation.wire import envelope, topics
from tests.node.network import EPOCH, Broker, Client, Faults, PlainPeer
from tests.node.network import key_of as key_of


class MemoryFiles:
    """The synced folder as a dictionary; ``broken`` names may not be written."""

    def __init__(self) -> None:
        self.synced: dict[str, bytes] = {}
        self.conflicts: dict[str, bytes] = {}
        self.broken: dict[str, str] = {}

    def check(self, file: str) -> None:
        if file in self.broken:
            raise Refusal(self.broken[file], file)

    def synced_path(self, file: str) -> str:
        return f"/synced/{file}"

    def conflict_path(self, file: str, revision: str) -> str:
        return f"/conflicts/{file}.{revision[:12]}"


@dataclass(order=True)
class _Delivery:
    at: float
    number: int
    to: Client = field(compare=False)
    topic: str = field(compare=False)
    payload: bytes = field(compare=False)
    retained: bool = field(compare=False)


class SimPeer(Client):
    """A real node with its store; ``skew`` is how wrong its clock is (seconds)."""

    def __init__(
        self, world: World, number: int, settings: NodeSettings | None = None, skew: float = 0.0
    ) -> None:
        super().__init__(world, number)
        self.settings = settings or NodeSettings(policy="announced", name=f"peer {number}")
        self.skew = skew
        self.store = SqliteStore(":memory:")
        self.files = MemoryFiles()
        #: how often the hooks ran for each message, across restarts
        self.heard: Counter[str] = Counter()
        self.messages: list[str] = []
        self.notices: list[Notice] = []
        self.refused: Counter[str] = Counter()
        self.later: list[Callable[[Instant], None]] = []
        #: crash after the next commit, before its effects; how often that happened
        self.lose_effects = False
        self.lost_effects = 0
        self.running = True
        self.turns = 0
        self.node = self._make()

    def _make(self) -> Node:
        with self.store.transaction():
            return Node(
                self.store, self.files, self.key, self.settings, self.world.random.randbytes
            )

    def now(self) -> Instant:
        return Instant(EPOCH + round((self.world.now + self.skew) * 1e6), self.world.now)

    # --- turns, as the daemon makes them ------------------------------------------------
    def turn(self, *works: Callable[[Instant], object]) -> list[object]:
        """Some work under one commit, then the effects; what each piece of work answered."""
        self.turns += 1
        notes, self.later = self.later, []
        with self.store.transaction():
            now = self.now()
            results = [self._one(work, now) for work in (*notes, *works)]
            self.node.handle_timer(now)
            effects = self.node.take_effects()
        if self.lose_effects:
            self.lose_effects = False
            self.lost_effects += 1
            self.restart()
        else:
            self._perform(effects)
        return results[len(notes) :]

    def _one(self, work: Callable[[Instant], object], now: Instant) -> object:
        mark = self.node.mark()
        try:
            return self.store.attempt(lambda: work(now))
        except Refusal as refusal:
            self.node.undo(mark)
            return refusal

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, WriteFile):
                self._write(effect)
            elif isinstance(effect, WriteConflict):
                path = self.files.conflict_path(effect.file, effect.revision)
                self.files.conflicts[path] = self.content(effect.revision)
            elif isinstance(effect, DropConflicts):
                self._drop(effect)
        for effect in effects:
            if isinstance(effect, Publish):
                self._publish(effect)
            elif isinstance(effect, Follow):
                (self.followed.add if effect.on else self.followed.discard)(effect.topic)
            elif isinstance(effect, Notify):
                self.notices.append(effect.notice)
            elif isinstance(effect, Heard):
                self._hear(effect)
            elif isinstance(effect, Refused):
                self.refused[effect.reason] += 1

    def _write(self, effect: WriteFile) -> None:
        document = self.store.document(effect.file)
        if document is not None and document.current == effect.revision:
            if document.deleted:
                self.files.synced.pop(effect.file, None)
            else:
                self.files.synced[effect.file] = self.content(effect.revision)
            self.later.append(
                lambda now: self.node.receive_written(effect.file, effect.revision, now)
            )

    def _drop(self, effect: DropConflicts) -> None:
        kept = {self.files.conflict_path(effect.file, one) for one in effect.keep}
        start = self.files.conflict_path(effect.file, "")
        for path in [one for one in self.files.conflicts if one.startswith(start)]:
            if path not in kept:
                del self.files.conflicts[path]

    def _publish(self, effect: Publish) -> None:
        if self.connected:
            self.world.broker.publish(
                self.peer_id, effect.topic, effect.payload, retain=effect.retain
            )
        about, result = effect.about, "ok" if self.connected else "offline"
        if about is not None:
            self.later.append(lambda now: self.node.receive_published(about, result, now))

    def _hear(self, effect: Heard) -> None:
        fields = json.loads(effect.raw)
        if fields["type"] == "peer-message":
            self.messages.append(fields["content"])
        elif fields["type"] != "peer-announce":
            self.heard[envelope.revision_id(fields)] += 1

    def content(self, revision: str) -> bytes:
        found = self.store.revision(revision)
        assert found is not None
        return self.store.content(found.content_hash)

    # --- from the world -------------------------------------------------------------------
    def take(self, topic: str, payload: bytes, *, retained: bool) -> None:
        self.turn(lambda now: self.node.receive_message(topic, payload, retained=retained, now=now))

    def next_timer(self) -> float:
        if not self.running:
            return float("inf")
        return self.world.now if self.later else self.node.next_timer()

    def handle_timer(self) -> None:
        self.turn()

    # --- what a test does with it -----------------------------------------------------------
    def go_online(self) -> None:
        """Connect to the broker, with a will signed now."""
        will = self.node.at(self.now(), lambda: self.node.book.announcement("offline"))
        self.will = (topics.presence(self.peer_id), will)
        self.world.broker.connect(self)
        self.turn(self.node.receive_link_up)

    def go_offline(self, *, clean: bool = False) -> None:
        """Lose the broker; ``clean`` without a will."""
        self.world.broker.disconnect(self, clean=clean)
        self.turn(self.node.receive_link_down)

    def crash(self) -> None:
        """The process dies; its store stays."""
        self.running = False
        self.world.broker.disconnect(self)
        self.later.clear()

    def restart(self) -> None:
        """A new process on the same store, connected if the old one was."""
        was = self.connected
        if was:
            self.world.broker.disconnect(self)
        self.later.clear()
        self.followed.clear()
        self.node = self._make()
        self.running = True
        self.files_again()
        if was:
            self.go_online()

    def files_again(self) -> None:
        """What the daemon does at its start: write what was not written."""
        self._perform(list(self.node.library.heads.unwritten()))
        self.turn(self.node.receive_start)

    def do(self, verb: Callable[[], object]) -> object:
        """A verb of the user; raises its refusal."""
        (result,) = self.turn(lambda now: self.node.at(now, verb))
        if isinstance(result, Refusal):
            raise result
        return result

    def sync(self, file: str, content: bytes, path: str | None = None) -> Recorded:
        """``sync FILE``."""
        result = self.do(lambda: self.node.sync_content(file, content, path))
        assert isinstance(result, Recorded)
        return result

    def heads(self, file: str) -> set[bytes]:
        """The contents of the versions of a document that stand beside each other."""
        return {self.store.content(head.content_hash) for head in self.store.heads(file)}

    def events(self, name: str) -> list[dict[str, object]]:
        """The fields of every event of this name so far."""
        return [notice.fields for notice in self.notices if notice.event == name]

    def has(self, revision: str) -> bool:
        """Whether it holds a revision durably, as a version or until its author is accepted."""
        return self.store.revision(revision) is not None or self.store.is_held(revision)


def open_numbers(peer: SimPeer, file: str) -> set[str]:
    """The conflicts of a document that nobody settled."""
    return {one.number for one in peer.store.open_conflicts(file)}


class World:
    """Peers around a broker, and one clock."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.now = 1000.0
        self.broker = Broker(self)
        self._numbers = itertools.count()
        self._waiting: list[_Delivery] = []
        self.peers: list[SimPeer] = []

    def add(
        self,
        settings: NodeSettings | None = None,
        *,
        skew: float = 0.0,
        online: bool = True,
        number: int | None = None,
    ) -> SimPeer:
        """Another peer; online unless told otherwise."""
        made = SimPeer(self, number or len(self.broker.clients) + 1, settings, skew)
        self.broker.clients.append(made)
        self.peers.append(made)
        made.files_again()
        if online:
            made.go_online()
        return made

    def add_plain(self, *, skew: float = 0.0) -> PlainPeer:
        """Another implementation's peer, online."""
        made = PlainPeer(self, len(self.broker.clients) + 1, skew)
        self.broker.clients.append(made)
        made.go_online()
        return made

    def deliver(
        self, to: Client, topic: str, payload: bytes, delay: float, *, retained: bool = False
    ) -> None:
        """Hand a message over after ``delay`` seconds."""
        number = next(self._numbers)
        heapq.heappush(
            self._waiting, _Delivery(self.now + delay, number, to, topic, payload, retained)
        )

    def run(self, seconds: float, most: int = 50_000) -> None:
        """Let time pass; fails when more than ``most`` things happen (a state that spins)."""
        end = self.now + seconds
        for _ in range(most):
            timer, client = self._next_timer()
            at = self._waiting[0].at if self._waiting else float("inf")
            if min(timer, at) > end:
                self.now = end
                return
            if at <= timer:
                one = heapq.heappop(self._waiting)
                self.now = max(self.now, one.at)
                alive = not isinstance(one.to, SimPeer) or one.to.running
                if one.to.connected and alive:
                    one.to.take(one.topic, one.payload, retained=one.retained)
            else:
                self.now = max(self.now, timer)
                client.handle_timer()
        raise AssertionError(f"seed {self.seed}: more than {most} steps in {seconds} s")

    def _next_timer(self) -> tuple[float, Client]:
        timers = [(client.next_timer(), number) for number, client in self._clients()]
        at, number = min(timers)
        return at, self.broker.clients[number]

    def _clients(self) -> list[tuple[int, Client]]:
        return list(enumerate(self.broker.clients))

    def settle(self, seconds: float = 200.0) -> None:
        """No more faults, everybody online, and a quiet time."""
        self.broker.faults = Faults()
        self.broker.partitions.clear()
        for peer in self.peers:
            if not peer.running:
                peer.restart()
            if not peer.connected:
                peer.go_online()
        self.run(seconds)

    # --- what must hold ---------------------------------------------------------------------
    def check_acknowledged(self) -> None:
        """What a peer is believed to have, it has."""
        by_id = {peer.peer_id: peer for peer in self.peers}
        for peer in self.peers:
            for file, have in peer.store.acknowledgements().items():
                for peer_id, revision in have.items():
                    if peer_id in by_id:
                        assert by_id[peer_id].has(revision), (self.seed, file)

    def check_converged(self) -> None:
        """Everybody has the same versions, their contents, and files that show them."""
        first = self.peers[0]
        for peer in self.peers:
            assert peer.store.all_heads() == first.store.all_heads(), self.seed
            assert peer.node.library.heads.root == first.node.library.heads.root
            for document in peer.store.documents():
                shown = peer.content(document.current)
                file = None if document.deleted else shown
                assert peer.files.synced.get(document.file) == file
                heads = peer.store.heads(document.file)
                merged = document.current not in {head.revision for head in heads}
                opaque = not all(is_text(peer.content(head.revision)) for head in heads)
                others = {
                    peer.files.conflict_path(document.file, head.revision): peer.store.content(
                        head.content_hash
                    )
                    for head in heads
                    if opaque and head.revision != document.current and not head.deleted
                }
                there = first.store.document(document.file)
                assert there is not None
                # what cannot be merged may show another version at each peer
                assert opaque or shown == first.content(there.current), (self.seed, merged)
                assert open_numbers(peer, document.file) == open_numbers(first, document.file), (
                    self.seed
                )
                start = peer.files.conflict_path(document.file, "")
                readable = {
                    path: content
                    for path, content in peer.files.conflicts.items()
                    if path.startswith(start)
                }
                assert readable == others, self.seed
