# SPDX-License-Identifier: MIT
"""A few replicas of three documents, and everything that may happen to them in any order.

Hypothesis makes up what happens and shrinks what goes wrong.  There is no
network here: any message that one replica holds may come to any other one at
any time, again and again, before those that it was made from or long after.
More of it: ``META_LOG_MACHINE=2000 pytest tests/simulation/test_replica_machine.py``.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from federation import limits
from federation.adapters.store import SqliteStore
from federation.errors import Refusal
from federation.events import Effect, Instant, WriteFile
from federation.node.context import Context, NodeSettings
from federation.node.heads import Recorded
from federation.node.library import Library
from federation.wire import envelope, topics
from federation.wire.messages import parse
from tests.node.network import EPOCH, key_of
from tests.node.world import MemoryFiles
from tests.simulation.people import FILES, check_valid, edited, first

COUNT = 3
EXAMPLES = int(os.environ.get("META_LOG_MACHINE", "40"))
REPLICA = st.integers(0, COUNT - 1)
FILE = st.sampled_from((*FILES, "raw.md"))
DICE = st.integers(0, 2**32 - 1)


class Replica:
    """One peer's library on a store of its own."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.store = SqliteStore(":memory:")
        self.files = MemoryFiles()
        self.unwritten: dict[str, str] = {}
        self.clock = EPOCH
        self.restart()

    def restart(self) -> None:
        """A new process on the same store: what was not written is written now."""
        chosen = NodeSettings(policy="announced")
        session = f"{self.number}"
        self.context = Context(
            self.store,
            self.files,
            key_of(self.number + 1),
            chosen,
            lambda size: bytes(size),
            session,
        )
        self.library = Library(self.context)
        self.unwritten.clear()
        self._take(list(self.library.heads.unwritten()))

    def do(self, work: object, *given: object) -> Recorded | None:
        """One turn; None where it was refused, which leaves nothing."""
        self.clock += 1_000_000
        self.context.now = Instant(self.clock, self.clock / 1e6)
        root = self.library.heads.root
        try:
            with self.store.transaction():
                recorded: Recorded | None = self.store.attempt(lambda: work(*given))  # type: ignore[operator]
        except Refusal as refusal:
            assert refusal.reason in ("queue-full", "conflict-moved", "content-dropped"), refusal
            self.context.effects.clear()
            self.library.heads.reload()
            assert self.library.heads.root == root
            return None
        self._take(self.context.effects)
        self.context.effects.clear()
        return recorded

    def _take(self, effects: Sequence[Effect]) -> None:
        self.unwritten.update(
            (one.file, one.revision) for one in effects if isinstance(one, WriteFile)
        )

    def write(self) -> None:
        """Write the files that are to be written."""
        for file, revision in list(self.unwritten.items()):
            document = self.store.document(file)
            if document is not None and document.current == revision:
                if document.deleted:
                    self.files.synced.pop(file, None)
                else:
                    self.files.synced[file] = self.content(revision)
                with self.store.transaction():
                    self.library.heads.written(file, revision)
        self.unwritten.clear()

    def content(self, revision: str) -> bytes:
        return self.store.content(self.library.heads.get(revision).content_hash)

    def shown(self, file: str) -> bytes | None:
        """What a document shows; None while it is deleted."""
        document = self.library.require(file)
        return None if document.deleted else self.content(document.current)

    def signed(self) -> list[str]:
        """The revisions of others and its own, in the order in which they came."""
        return [
            one.revision for file in (*FILES, "raw.md")
            for one in self.store.revisions(file) if one.author
        ]  # fmt: skip


class Machine(RuleBasedStateMachine):
    """What may happen, and what holds all the time."""

    def __init__(self) -> None:
        super().__init__()
        self.replicas = [Replica(number) for number in range(COUNT)]
        #: of each replica, revision -> hash of what it acknowledged
        self.acknowledged: list[dict[str, str]] = [{} for _ in range(COUNT)]
        self.marks = 0

    def _note(self, number: int, recorded: Recorded | None, content: bytes | None = None) -> None:
        """Somebody's change was acknowledged."""
        if recorded is None or recorded.place == "unchanged":
            return
        digest = recorded.revision.content_hash
        if content is not None:
            assert digest == hashlib.sha256(content).hexdigest()
        self.acknowledged[number][recorded.revision.revision] = digest

    def _give(self, source: Replica, to: Replica, name: str) -> bool:
        """A message comes; whether that changed anything."""
        if to.store.revision(name) is not None:
            return False
        revision = source.library.heads.get(name)
        try:
            raw = source.library.packing.message_of(revision)
        except Refusal:  # its content was dropped there
            return False
        message = parse(raw, topics.SYNC, limit=limits.ASSEMBLED_MESSAGE)
        envelope.verify(message, source.context.key.public_key
                        if revision.author == source.context.peer_id
                        else self._key(revision.author))  # fmt: skip
        assert envelope.revision_id(message) == name

        def receive() -> Recorded:
            return to.library.receive(message, name, to.library.check_received(message))

        recorded = to.do(receive)
        if recorded is not None:
            self._note(to.number, recorded)
            if any(head.revision == name for head in source.store.heads(revision.file)):
                source.store.acknowledge(to.context.peer_id, revision.file, name)
        return recorded is not None

    def _key(self, peer_id: str) -> bytes:
        return next(
            one.context.key.public_key
            for one in self.replicas if one.context.peer_id == peer_id
        )  # fmt: skip

    # --- what may happen ----------------------------------------------------------------
    @initialize(dice=DICE)
    def begin(self, dice: int) -> None:
        one = self.replicas[0]
        for file in FILES:
            content = first(random.Random(dice), file)
            self._note(0, one.do(one.library.import_content, file, content, None), content)
        self._note(0, one.do(one.library.import_content, "raw.md", b"\xff0", None), b"\xff0")
        one.write()
        for name in one.signed():
            for other in self.replicas[1:]:
                self._give(one, other, name)
                other.write()

    @rule(number=REPLICA, file=FILE, dice=DICE)
    def edit(self, number: int, file: str, dice: int) -> None:
        """An edit of what the document shows, as an editor saves it."""
        one = self.replicas[number]
        self.marks += 1
        content = self._edited(one.shown(file), file, dice)
        self._note(number, one.do(one.library.import_content, file, content, None), content)

    @rule(number=REPLICA, file=FILE, dice=DICE)
    def edit_outside(self, number: int, file: str, dice: int) -> None:
        """An edit of the synced file, which may be behind."""
        one = self.replicas[number]
        self.marks += 1
        content = self._edited(one.files.synced.get(file), file, dice)
        path = one.files.synced_path(file)
        one.files.synced[file] = content
        self._note(number, one.do(one.library.import_content, file, content, path), content)

    def _edited(self, content: bytes | None, file: str, dice: int) -> bytes:
        chance = random.Random(dice)
        if content is None:
            return first(chance, file)
        if file == "raw.md":
            return bytes([chance.choice((65, 0xFF))]) + f"{self.marks}".encode()
        return edited(chance, file, content, f"m{self.marks}")

    @rule(source=REPLICA, to=REPLICA, dice=DICE)
    def exchange(self, source: int, to: int, dice: int) -> None:
        """Any message, in whatever order; or one that came already."""
        names = self.replicas[source].signed()
        self._give(self.replicas[source], self.replicas[to], random.Random(dice).choice(names))

    @rule(source=REPLICA, to=REPLICA)
    def exchange_newest(self, source: int, to: int) -> None:
        """What a peer that has just edited sends."""
        one = self.replicas[source]
        for file in (*FILES, "raw.md"):
            for head in one.store.heads(file):
                self._give(one, self.replicas[to], head.revision)

    @rule(number=REPLICA, file=st.sampled_from(FILES), outside=st.booleans())
    def delete(self, number: int, file: str, outside: bool) -> None:
        """A deletion, of what is shown or of a file that may be behind; an edit outlives it."""
        one = self.replicas[number]
        path = one.files.synced_path(file) if outside else None
        self._note(number, one.do(one.library.delete, file, path))

    @rule(number=REPLICA)
    def write(self, number: int) -> None:
        self.replicas[number].write()

    @rule(number=REPLICA)
    def restart(self, number: int) -> None:
        one = self.replicas[number]
        root = one.library.heads.root
        one.restart()
        assert one.library.heads.root == root

    @rule(number=REPLICA, dice=DICE)
    def resolve(self, number: int, dice: int) -> None:
        one = self.replicas[number]
        found = one.store.open_conflicts()
        if not found:
            return
        chosen = random.Random(dice).choice(found)
        choice = random.Random(dice + 1).choice(("a", "b", "kept"))
        self._note(number, one.do(one.library.resolve, chosen.file, chosen.number, choice, None))

    @rule(number=REPLICA, file=FILE, dice=DICE)
    def restore(self, number: int, file: str, dice: int) -> None:
        one = self.replicas[number]
        chosen = random.Random(dice).choice(one.store.revisions(file))
        recorded = one.do(one.library.restore, file, chosen.revision)
        if recorded is not None:
            assert recorded.revision.content_hash == chosen.content_hash
        self._note(number, recorded)

    @rule(number=REPLICA, file=FILE)
    def join(self, number: int, file: str) -> None:
        one = self.replicas[number]
        self._note(number, one.do(one.library.join, file))

    @rule(number=REPLICA, file=FILE, dice=DICE)
    def compact(self, number: int, file: str, dice: int) -> None:
        """Old contents go, where all have come to the same; who made what stays.

        An edit that somebody makes of what all have must be merged everywhere alike.
        """
        self.meet(dice)
        store = self.replicas[number].store
        before = {one.revision for one in store.revisions(file)}
        with store.transaction():
            for other in self.replicas:
                if other.number != number:
                    store.acknowledge_all(other.context.peer_id)
            while store.compact(file, 1, 2**62):
                pass
        assert {one.revision for one in store.revisions(file)} == before

    @rule(dice=DICE)
    def meet(self, dice: int) -> None:
        """All exchange everything; then all agree."""
        chance = random.Random(dice)
        for _round in range(20):
            offers = [
                (source, to, name)
                for source in self.replicas for name in source.signed()
                for to in self.replicas if to.store.revision(name) is None
            ]  # fmt: skip
            chance.shuffle(offers)
            if not sum(self._give(*offer) for offer in offers):
                break
        for one in self.replicas:
            one.write()
        self._check_agreement()

    def _check_agreement(self) -> None:
        one, *others = self.replicas
        for other in others:
            assert other.library.heads.root == one.library.heads.root
            assert other.store.all_heads() == one.store.all_heads()
            for file in FILES:
                assert other.shown(file) == one.shown(file), file
                assert other.files.synced.get(file) == one.shown(file)
            numbers = [
                {clash.number for clash in each.store.open_conflicts()} for each in (one, other)
            ]
            assert numbers[0] == numbers[1]
        for file in FILES:
            shown = one.shown(file)
            if shown is not None:
                check_valid(file, shown)

    # --- what holds all the time ----------------------------------------------------------
    @invariant()
    def nothing_acknowledged_is_lost(self) -> None:
        for one, acknowledged in zip(self.replicas, self.acknowledged, strict=True):
            for name, digest in acknowledged.items():
                revision = one.library.heads.get(name)
                assert revision.content_hash == digest
                try:
                    content = one.store.content(digest)
                except Refusal:
                    assert name in one.store.dropped(revision.file)
                else:
                    assert hashlib.sha256(content).hexdigest() == digest

    @invariant()
    def what_is_needed_is_readable(self) -> None:
        for one in self.replicas:
            for document in one.store.documents():
                one.content(document.current)
                for head in one.store.heads(document.file):
                    one.store.content(head.content_hash)

    @invariant()
    def the_root_is_that_of_the_store(self) -> None:
        for one in self.replicas:
            root = one.library.heads.root
            one.library.heads.reload()
            assert one.library.heads.root == root

    def teardown(self) -> None:
        if self.replicas[0].store.count_documents():
            self.meet(0)


TestReplicas = Machine.TestCase
TestReplicas.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=30, deadline=None, derandomize=EXAMPLES == 40,
    database=None, print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
