# SPDX-License-Identifier: MIT
"""The events people see: one hook each in Emacs, one RPC line, one log line.

A :class:`Notice` is what the core says has happened.  Its name is one of
:data:`EVENTS`; its fields are the ones documented there, plain JSON values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

#: event -> (what it means, its fields)
EVENTS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "ready": ("the peer is ready", {"peer_id": "own id", "broker": "URL"}),
    "broker-connected": (
        "the broker answers",
        {"broker": "URL", "protocol": "5 or 3.1.1", "embedded": "bool"},
    ),
    "broker-lost": ("the broker is gone", {"broker": "URL", "reason": "text"}),
    "peer-discovered": (
        "a peer announced itself for the first time",
        {
            "peer_id": "its id",
            "public_key": "its key",
            "address": "text or null",
            "name": "text or null",
        },
    ),
    "peer-connected": ("a peer answers", {"peer_id": "its id", "name": "text or null"}),
    "peer-disconnected": ("a peer went offline", {"peer_id": "its id", "name": "text or null"}),
    "peer-trusted": ("a peer was accepted", {"peer_id": "its id", "name": "text or null"}),
    "identity-changed": (
        "somebody else uses this identity",
        {"peer_id": "own id", "reason": "text"},
    ),
    "sync-started": ("a revision goes out", {"file": "document", "revision": "id"}),
    "sync-completed": (
        "every online peer has a revision",
        {"file": "document", "revision": "id", "peers": "[peer ids]"},
    ),
    "sync-failed": (
        "a revision could not be sent, taken or written",
        {"file": "document", "revision": "id or null", "peer_id": "id or null", "reason": "text"},
    ),
    "document-changed": (
        "a peer's revision was saved",
        {
            "file": "document",
            "peer_id": "author",
            "revision": "id",
            "path": "of the saved copy",
            "size": "bytes",
            "deleted": "bool: the document is deleted",
        },
    ),
    "document-edited": (
        "somebody types in a document that this front end has open; only such front ends hear it",
        {"file": "document", "peer_id": "who types", "base": "the revision that is changed",
         "start": "changes before these",
         "changes": "[[characters before it, characters that go, new text]], one after another"},
    ),
    "document-held": (
        "a document waits until its author is accepted",
        {"file": "document", "peer_id": "author", "held": "documents held from it"},
    ),
    "conflict-detected": (
        "two people changed one value at once, or a document that cannot be merged",
        {"file": "document", "peer_id": "author of the revision that met others",
         "revision": "its id", "path": "of the document, or of a version that cannot be merged",
         "current": "what the document shows",
         "conflicts": "[numbers of the new conflicts]; none for versions that cannot be merged"},
    ),
    "deletions-held": (
        "many files were deleted at once, and that waits for a yes; or it waits no more",
        {"space": "its name", "folder": "absolute path", "count": "files, 0 for no more",
         "documents": "[the first of them]"},
    ),
    "folder-away": (
        "a folder of a space is not there, or is there again",
        {"space": "its name", "folder": "absolute path", "reason": "why; empty: it is back"},
    ),
    "space-changed": (
        "a space was made, left, or set differently", {"space": "its name"},
    ),
    "message-received": (
        "a message passed its checks, or came on a subscribed topic",
        {
            "topic": "MQTT topic",
            "message": "text; a large `content` is replaced by `content_file`",
            "connection": "handle, 0 for the peer's own broker",
            "verified": "bool: false for a topic that the user subscribed to",
            "peer_id": "author, of a verified one",
            "file": "of a document",
            "revision": "likewise",
        },
    ),
    "events-dropped": (
        "a front end did not read, and these many events were left out",
        {"count": "events"},
    ),
}  # fmt: skip


#: fields that hold what somebody wrote: not for a bot's standard output, which ends in logs
CONTENT: Final = frozenset({"message"})


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened, for people and their programs."""

    event: str
    fields: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment: wall clock for people, monotonic clock for waiting."""

    wall_us: int
    mono: float


@dataclass(frozen=True, slots=True)
class Publish:
    """Effect: hand a message to the broker.

    ``about`` is (file, revision) when the result matters to a document.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    about: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Follow:
    """Effect: subscribe to a topic, or do so no longer."""

    topic: str
    on: bool


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Effect: make the synced file of a document hold a revision."""

    file: str
    revision: str


@dataclass(frozen=True, slots=True)
class WriteConflict:
    """Effect: make a concurrent version readable beside the synced folder."""

    file: str
    revision: str


@dataclass(frozen=True, slots=True)
class DropConflicts:
    """Effect: the conflicts of a document are settled but for ``keep``."""

    file: str
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notify:
    """Effect: tell people and their programs."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class Heard:
    """Effect: run the message hooks with a message that passed its checks.

    ``large`` is (file, revision, place) when the content goes by file; place
    is ``current``, ``concurrent`` or ``past``.  ``about`` is what the event
    says beside the message: ``peer_id``, and ``file`` and ``revision`` of a document.
    """

    topic: str
    raw: bytes
    large: tuple[str, str, str] | None = None
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """Effect: log that an inbound message was refused."""

    topic: str
    reason: str
    detail: str
    peer_id: str | None


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Effect: acknowledge to a peer, together with all others of the turn.

    ``kind`` is ``stored``, ``held`` or ``messages``.
    """

    peer_id: str
    kind: str
    one: str


Effect = (
    Acknowledge
    | Publish
    | Follow
    | WriteFile
    | WriteConflict
    | DropConflicts
    | Notify
    | Heard
    | Refused
)
