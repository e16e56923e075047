# SPDX-License-Identifier: MIT
"""Members that invent what their revisions were made from, to keep others from what is there."""

from __future__ import annotations

import json

import pytest

from federation import limits
from federation.wire import envelope, topics
from tests.node.clashes import FILE, line, save, settings, shown, the_conflict
from tests.node.network import PlainPeer
from tests.node.world import World, open_numbers

#: names of revisions that nobody has; they come before all others
INVENTED = tuple(f"{number:064x}" for number in range(450))


class Liar:
    """A member with revisions of one document, each made from one of its own and from names."""

    def __init__(self, peer: PlainPeer, file: str) -> None:
        self.peer = peer
        self.file = file
        self.seq = 0

    def make(self, *parents: str) -> tuple[str, bytes]:
        """The next revision: its id, and what would be sent."""
        self.seq += 1
        message = self.peer._signed(
            type="canvasl-sync", file=self.file, content=line(id="of the liar").decode(),
            seq=self.seq, vector={}, parents=list(parents),
        )  # fmt: skip
        return envelope.revision_id(json.loads(message)), message

    def send(self, message: bytes) -> None:
        self.peer.world.broker.publish(self.peer.peer_id, topics.SYNC, message)

    def flood(self, last: list[str]) -> None:
        """Revisions that name as much as they may, none of it there."""
        width = limits.PARENTS - 1
        for start in range(0, len(INVENTED), width):
            name, message = self.make(*last, *INVENTED[start : start + width])
            self.send(message)
            last = [name]


@pytest.mark.parametrize("file", [FILE, "a.canvasl"], ids=["there", "elsewhere"])
def test_a_flood_of_names_hides_no_history(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GAPS", 200)
    world = World()
    a = world.add(settings())
    world.run(5)
    for number in range(6):
        save(a, line(x=number))
    world.run(5)
    ours = {one.revision for one in a.store.revisions(FILE)}
    assert len(ours) == 6
    a.go_offline(clean=True)
    late = world.add(settings())
    liar = Liar(world.add_plain(), file)
    world.run(2)
    liar.flood([])
    world.run(5)
    assert len(late.store.missing(file)) == limits.GAPS
    a.go_online()
    world.run(120)
    assert ours <= {one.revision for one in late.store.revisions(FILE)}


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less patience than there is, for a test that takes less time."""
    for name, value in (("GAP_TRIES", 4), ("GAP_ASKS", 10), ("GAP_DEBT", 3)):
        monkeypatch.setattr(limits, name, value)


@pytest.mark.usefixtures("hasty")
def test_who_feeds_its_own_history_delays_no_conflict_for_ever() -> None:
    """Each of its revisions comes after the one that names it, and all of them name one more."""
    world = World()
    a, b, looker = (world.add(settings()) for _ in range(3))
    liar = Liar(world.add_plain(), FILE)
    world.run(5)
    save(a, line(x=0, y=0))
    world.run(5)
    (head,) = a.store.heads(FILE)
    chain = [liar.make(head.revision, INVENTED[0])]
    while len(chain) < 80:
        chain.append(liar.make(chain[-1][0], head.revision, INVENTED[0]))
    a.go_offline()
    liar.send(chain.pop()[1])
    world.run(5)
    save(b, line(**{**shown(b), "id": "n", "x": 2}))
    save(a, line(x=1, y=0))
    world.settle(30)
    save(a, line(**{**shown(a), "id": "n", "z": 9}))
    world.settle(5)

    def stands() -> bool:
        return all(open_numbers(peer, FILE) for peer in (a, b, looker))

    while chain and not stands():
        liar.send(chain.pop()[1])
        world.run(20)
    assert chain, "it was waited for as long as something came"
    for peer in (a, b, looker):
        assert the_conflict(peer).path == ("n", "x")


@pytest.mark.usefixtures("hasty")
def test_who_invents_one_name_after_another_is_not_waited_for_every_time() -> None:
    world = World()
    a, looker = (world.add(settings()) for _ in range(2))
    liar = Liar(world.add_plain(), FILE)
    world.run(5)
    save(a, line(x=0))
    world.run(5)
    last, waited = a.store.heads(FILE)[0].revision, []
    for name in INVENTED[: limits.GAP_DEBT + 2]:
        last, message = liar.make(last, name)
        liar.send(message)
        world.run(1)
        waited.append(looker.store.missing(FILE))
        while looker.store.missing(FILE):
            world.run(30)
    assert [len(one) for one in waited] == [1] * limits.GAP_DEBT + [0, 0]
    # what was named late is asked for all the same
    assert INVENTED[limits.GAP_DEBT + 1] in looker.store.gaps(FILE)
