# SPDX-License-Identifier: MIT
"""Which revision succeeds which: dots, vectors and parents.

A revision is a *dot* (author, counter) together with what its author had seen:
its parents by their hashes, and a vector that reaches the dots of all that these
were made from (dotted version vectors: Preguiça et al., 2012).  A vector only
says so; ``replica.ancestry`` follows the parents.  Wall clocks decide nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from federation import limits
from federation.replica.records import Revision

#: whether the author of the first revision had seen the second one
Contains = Callable[[Revision, Revision], bool]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a revision stands among the heads of its document.

    ``past``: a head already contains it.  ``superseded``: ids of heads that it
    contains.  ``beside``: ids of heads that it is concurrent with.
    """

    past: bool
    superseded: tuple[str, ...]
    beside: tuple[str, ...]


def claims(newer: Revision, older: Revision) -> bool:
    """Whether ``newer`` says that its author had seen ``older``.

    A parent is named by its hash, which proves it.  A vector is only what its
    author says: where two vectors each claim the other's revision, the one
    that claims further beyond what there is does not count.
    """
    if older.revision in newer.parents:
        return True
    if newer.revision in older.parents:
        return False
    claimed = newer.vector.get(older.author, -1) - older.seq
    if claimed < 0:
        return False
    counter = older.vector.get(newer.author, -1) - newer.seq
    return counter < 0 or (claimed, newer.revision) < (counter, older.revision)


def place(
    revision: Revision, heads: Iterable[Revision], contains: Contains, *, named: bool = False
) -> Placement:
    """Compare a revision with the heads of its document.

    ``named``: one that is here names it as a parent.  A late one of those may
    name heads itself, which are none then.
    """
    superseded: list[str] = []
    beside: list[str] = []
    past = named
    for head in heads:
        if not named and contains(head, revision):
            past = True
        elif head.revision in revision.parents or (not named and contains(revision, head)):
            superseded.append(head.revision)
        else:
            beside.append(head.revision)
    if past:
        return Placement(True, tuple(superseded), ())
    return Placement(False, tuple(superseded), tuple(beside))


def reach(revision: Revision) -> dict[str, int]:
    """What whoever made something from a revision has seen, as a vector.

    The revision's own dot is among it only when its author had seen all of its
    own dots before it: else one of those stands beside, and a counter up to
    here would swallow it.  (The revision itself is then named as a parent.)
    """
    vector = dict(revision.vector)
    before = vector.get(revision.author, 0)
    if revision.plain or before >= revision.seq - 1:
        vector[revision.author] = max(before, revision.seq)
    return vector


def vector_after(
    base: Sequence[Revision],
    others: Iterable[Revision],
    author: str,
    seq: int,
    contains: Contains,
) -> dict[str, int]:
    """The vector of a new revision (author, seq) made from ``base``.

    It reaches every dot that the base reaches and the author's own dots before
    this one, and stays short of each head in ``others`` that the base does not
    contain: a counter of one author may not swallow that author's own
    concurrent version.  Where such a head has dots of the author that the base
    lacks, those stand beside, too: then only what the base reaches counts.
    """
    own = max((reach(revision).get(author, -1) for revision in base), default=-1)
    vector: dict[str, int] = {author: seq - 1}
    for revision in base:
        for one, reached in reach(revision).items():
            vector[one] = max(vector.get(one, -1), reached)
    # Nobody has seen what is not written yet, whatever somebody claims.
    vector[author] = min(vector[author], seq - 1)
    taken = {revision.revision for revision in base}
    for head in others:
        if head.revision in taken or any(contains(revision, head) for revision in base):
            continue
        if head.author == author or head.vector.get(author, -1) > own:
            vector[author] = min(vector[author], own)
        if vector.get(head.author, -1) >= head.seq:
            vector[head.author] = head.seq - 1
    return {author: seq for author, seq in vector.items() if seq >= 1}


def parents_after(
    base: Sequence[Revision],
    vector: Mapping[str, int],
    find: Callable[[str], Revision | None],
    missing: Collection[str],
) -> list[str]:
    """The ids that a new revision names: its base, and what only names can reach.

    Where an author has two versions side by side, one counter cannot say which
    of them was seen; what the base named for that reason, or what is ``missing``
    here, is named again, so that who missed the revisions between does not
    take an old one for another version.  What nobody has is named no more.
    """
    names = [revision.revision for revision in base]
    for name in [name for revision in base for name in revision.parents]:
        older = find(name)
        again = name in missing if older is None else vector.get(older.author, -1) < older.seq
        if again:
            names.append(name)
    return list(dict.fromkeys(names))[: limits.PARENTS]


def dot_of(seq: int | None, timestamp_us: int, last: Revision | None) -> tuple[int, bool]:
    """The counter of a message that brought ``seq``, and whether that is its own.

    ``last`` is its author's last version where the message has no vector.  An
    author that begins to count after plain messages without a counter starts
    below theirs: others have seen those, and would seem to have seen this one.
    """
    begins = last is not None and not last.counted and timestamp_us >= last.timestamp_us
    if seq is None or begins:
        return plain_seq(timestamp_us, last), False
    return seq, True


def plain_seq(timestamp_us: int, last: Revision | None) -> int:
    """The counter of a plain message, which brings none of its own.

    A plain author's messages are ordered by its own timestamps (contract), so
    the counter is milliseconds; a second message of the same instant succeeds
    the first, because it arrived after it.
    """
    seq = max(timestamp_us // 1000, 0)
    if last is not None and timestamp_us >= last.timestamp_us:
        # an author that used its counter up by a lie stays at its end
        return max(seq, min(last.seq + 1, limits.SAFE_INTEGER))
    return seq


def is_older(revision: Revision, last: Revision | None) -> bool:
    """Whether a plain message comes after a newer one of the same author.

    By its counter where both brought one, else by the author's own clock.
    """
    if last is None or not revision.plain:
        return False
    if revision.counted and last.counted:
        return revision.seq < last.seq
    return revision.timestamp_us < last.timestamp_us


def vector_from_json(value: Mapping[str, object]) -> dict[str, int]:
    """The ``vector`` field of a checked message."""
    return {author: seq for author, seq in value.items() if isinstance(seq, int)}
