# SPDX-License-Identifier: MIT
"""The MQTT topics of the contract, and what a topic may be at all.

====================================  ==========================================
``canvasl/peers/announce``            announcements, live
``canvasl/peers/{peer-id}/presence``  the same, retained per peer
``canvasl/peers/{peer-id}/messages``  everything addressed to one peer
``canvasl/sync``                      documents of the space ``commons``
``canvasl/live/{document-id}``        what is being typed in one of them
====================================  ==========================================
"""

from __future__ import annotations

import enum
import hashlib
import re
import unicodedata
from typing import Final

from federation.errors import Refusal
from federation.identity.peer_id import check_peer_id

ANNOUNCE: Final = "canvasl/peers/announce"
SYNC: Final = "canvasl/sync"
#: Filter that matches the presence of every peer.
PRESENCES: Final = "canvasl/peers/+/presence"

#: Bytes of a topic (MQTT 5, 1.5.4).
_TOPIC_MAX: Final = 65_535
_PEERS: Final = ("canvasl", "peers")
_LIVE: Final = re.compile(r"canvasl/live/[0-9a-f]{32}")
_DOCUMENT: Final = "canvasl-document/v1\0commons\0"


class TopicKind(enum.Enum):
    """What a topic carries."""

    ANNOUNCE = "announce"
    PRESENCE = "presence"
    INBOX = "inbox"
    SYNC = "sync"
    LIVE = "live"
    OTHER = "other"


_LEAVES: Final = {"presence": TopicKind.PRESENCE, "messages": TopicKind.INBOX}


def presence(peer_id: str) -> str:
    """Where a peer's retained announcement is; ``Refusal("bad-peer-id")``."""
    return f"canvasl/peers/{check_peer_id(peer_id)}/presence"


def inbox(peer_id: str) -> str:
    """Where messages addressed to a peer go; ``Refusal("bad-peer-id")``."""
    return f"canvasl/peers/{check_peer_id(peer_id)}/messages"


def live(file: str) -> str:
    """Where the live edits of a document of ``commons`` go.

    The document's id is the first half of SHA-256 of ``canvasl-document/v1``,
    a zero byte, the space, a zero byte, and the document's name.
    """
    digest = hashlib.sha256((_DOCUMENT + file).encode("utf-8")).hexdigest()
    return f"canvasl/live/{digest[:32]}"


def subscriptions(own_id: str) -> tuple[str, ...]:
    """The filters that the peer ``own_id`` subscribes to."""
    return (ANNOUNCE, PRESENCES, inbox(own_id), SYNC)


def is_own(topic: str, own_id: str) -> bool:
    """Whether a message on ``topic`` is for the peer ``own_id`` to check and take."""
    kind, whose = classify(topic)
    if kind is TopicKind.INBOX:
        return whose == own_id
    return kind is not TopicKind.OTHER


def leaves_first(topic: str) -> bool:
    """Whether others wait for what goes to this topic: documents, and what is typed."""
    return topic == SYNC or is_live(topic)


def is_live(topic: str) -> bool:
    """Whether it is that of a document's live edits."""
    return _LIVE.fullmatch(topic) is not None


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a topic filter takes a topic (MQTT 5, section 4.7)."""
    if topic_filter.startswith("$share/"):
        topic_filter = topic_filter.split("/", 2)[2]
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for number, level in enumerate(wanted):
        if level == "#":
            return True
        if number >= len(levels) or level not in ("+", levels[number]):
            return False
    return len(wanted) == len(levels)


def classify(topic: str) -> tuple[TopicKind, str | None]:
    """What ``topic`` carries, and whose it is (presence and inbox only).

    A topic that is none of the contract's, or names no well-formed peer id, is
    ``OTHER``.
    """
    if topic == ANNOUNCE:
        return TopicKind.ANNOUNCE, None
    if topic == SYNC:
        return TopicKind.SYNC, None
    if _LIVE.fullmatch(topic):
        return TopicKind.LIVE, None
    levels = topic.split("/")
    if len(levels) == 4 and tuple(levels[:2]) == _PEERS and levels[3] in _LEAVES:
        try:
            return _LEAVES[levels[3]], check_peer_id(levels[2])
        except Refusal:
            return TopicKind.OTHER, None
    return TopicKind.OTHER, None


def check_topic(topic: str) -> str:
    """``topic`` if one can publish to it; else ``Refusal("bad-topic")``."""
    _check(topic)
    if "+" in topic or "#" in topic:
        raise Refusal("bad-topic", "a wildcard")
    if topic.startswith("$"):
        # Brokers own these: $SYS, and $share, which is no topic at all.
        raise Refusal("bad-topic", "it begins with $")
    return topic


def check_filter(topic: str) -> str:
    """``topic`` if one can subscribe to it; else ``Refusal("bad-topic")``.

    Wildcards stand for whole levels, and ``#`` for the last only.  A shared
    subscription (``$share/GROUP/FILTER``) names its group without wildcards.
    """
    _check(topic)
    levels = topic.split("/")
    if levels[0] == "$share" and (
        len(levels) < 3 or not levels[1] or set(levels[1]) & set("+#") or levels[2:] == [""]
    ):
        raise Refusal("bad-topic", "a shared subscription is $share/GROUP/FILTER")
    for number, level in enumerate(levels, start=1):
        if ("+" in level and level != "+") or (
            "#" in level and (level != "#" or number < len(levels))
        ):
            raise Refusal("bad-topic", "a wildcard that is no whole level, or # not at the end")
    return topic


def _check(topic: str) -> None:
    """What holds for topics and filters: MQTT strings without controls (MQTT 5, 1.5.4)."""
    if not topic:
        raise Refusal("bad-topic", "it is empty")
    # A NUL makes brokers drop the connection, over and over; half a surrogate
    # pair cannot be sent; the others only confuse those who read logs.
    for character in topic:
        category = unicodedata.category(character)
        if category in {"Cc", "Cs"} or ord(character) & 0xFFFE == 0xFFFE:
            raise Refusal("bad-topic", f"the character U+{ord(character):04X}")
    if len(topic.encode("utf-8")) > _TOPIC_MAX:
        raise Refusal("bad-topic", "longer than 65535 bytes")
