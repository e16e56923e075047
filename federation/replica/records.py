# SPDX-License-Identifier: MIT
"""The plain records that the core and the store hand to each other.

All are immutable; times are microseconds since 1970 UTC (``*_us``) and hashes
are lower-case hex SHA-256.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from federation import limits

Trust = Literal["unknown", "accepted", "blocked"]


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer whose announcement was verified once."""

    peer_id: str
    public_key: bytes
    name: str | None = None
    address: str | None = None
    caps: tuple[str, ...] = ()
    trust: Trust = "unknown"
    first_seen_us: int = 0
    last_seen_us: int = 0
    #: newest announcement by its own timestamp, as it came
    announce: str = ""
    announced_us: int = 0


@dataclass(frozen=True, slots=True)
class Revision:
    """One recorded state of a document.

    ``seq`` is the author's counter and (author, seq) the revision's dot.
    ``vector`` and ``parents`` say what its author had seen when writing it:
    for each author the highest counter, and the ids it was made from.
    ``envelope`` is the signed message without its content, as JSON, so that
    any holder can hand the revision on in its author's own words.
    """

    revision: str
    file: str
    author: str
    seq: int
    timestamp: str
    timestamp_us: int
    received_us: int
    content_hash: str
    size: int
    binary: bool
    envelope: str
    #: without a vector: another implementation's, ordered by its own clock
    plain: bool = False
    #: whether ``seq`` came with the message (a plain one may have none)
    counted: bool = True
    vector: Mapping[str, int] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    #: it says that the document is deleted; its content is empty
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Clashing:
    """One conflict of a document: a value that two peers changed at once.

    ``number`` is its id, the same on every peer.  ``entry`` is the merged entry
    around the value, ``path`` leads to it; ``a`` and ``b`` are the two values
    (None: removed) and ``kept`` is what stands in the document.  ``view`` is
    the revision that has it, ``author_*`` are the peers.  Without a ``path`` the
    document itself is meant: ``a`` deleted what ``b`` edited.
    """

    number: str
    file: str
    view: str
    path: tuple[str, ...]
    entry: str
    base: str | None
    a: str | None
    b: str | None
    kept: str | None
    author_a: str
    author_b: str
    #: the heads that had the two values when the conflict was found
    heads_a: tuple[str, ...] = ()
    head_b: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its current revision, and the one that its file holds.

    One that is ``deleted`` has no file, once that is ``written``.
    """

    file: str
    kind: str
    current: str
    written: str | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Space:
    """A space: ``kind`` is ``open`` (``commons``) or ``local``; ``folder`` is the one it shares.

    ``interval``: seconds between two whole looks at its folders.
    """

    name: str
    kind: Literal["open", "local"]
    folder: str | None = None
    auto_sync: bool = True
    interval: float = limits.FOLDER_INTERVAL


@dataclass(frozen=True, slots=True)
class Held:
    """A message that waits until its author is accepted."""

    revision: str
    peer_id: str
    file: str
    raw: bytes
    #: its place in the order of arrival, once it is held
    number: int = 0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for one peer that it has not acknowledged yet."""

    message_id: str
    to: str
    raw: bytes
