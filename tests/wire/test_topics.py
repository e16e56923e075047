# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from federation.errors import Refusal
from federation.wire import topics
from federation.wire.topics import TopicKind

PEER = "peer-" + "b" * 51 + "a"


def test_the_topics_of_the_contract() -> None:
    assert topics.ANNOUNCE == "canvasl/peers/announce"
    assert topics.SYNC == "canvasl/sync"
    assert topics.presence(PEER) == f"canvasl/peers/{PEER}/presence"
    assert topics.inbox(PEER) == f"canvasl/peers/{PEER}/messages"
    assert topics.subscriptions(PEER) == (
        "canvasl/peers/announce", "canvasl/peers/+/presence",
        f"canvasl/peers/{PEER}/messages", "canvasl/sync",
    )  # fmt: skip


@pytest.mark.parametrize("peer_id", ["#", "+", "peer-abc123", "../x", "", PEER + "/x", PEER + "\0"])
@pytest.mark.parametrize("build", [topics.presence, topics.inbox])
def test_no_topic_of_a_bad_id(build: object, peer_id: str) -> None:
    assert callable(build)
    with pytest.raises(Refusal, match="bad-peer-id"):
        build(peer_id)


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("canvasl/peers/announce", (TopicKind.ANNOUNCE, None)),
        ("canvasl/sync", (TopicKind.SYNC, None)),
        (f"canvasl/peers/{PEER}/presence", (TopicKind.PRESENCE, PEER)),
        (f"canvasl/peers/{PEER}/messages", (TopicKind.INBOX, PEER)),
        ("canvasl/peers/peer-abc/messages", (TopicKind.OTHER, None)),
        (f"canvasl/peers/{PEER}/other", (TopicKind.OTHER, None)),
        (f"canvasl/peers/{PEER}/messages/x", (TopicKind.OTHER, None)),
        (f"/canvasl/peers/{PEER}/messages", (TopicKind.OTHER, None)),
        ("canvasl/sync/", (TopicKind.OTHER, None)),
        ("canvasl/spaces/x/sync", (TopicKind.OTHER, None)),
        ("", (TopicKind.OTHER, None)),
    ],
)
def test_classify(topic: str, expected: tuple[TopicKind, str | None]) -> None:
    assert topics.classify(topic) == expected


BAD_STRINGS = ["", "a\0b", "a\nb", "a\x1b", "a\x7f", "a\x9b", "a\ud800", "a\uffff", "\U0001fffe",
               "a" * 65_536, "é" * 32_768]  # fmt: skip


@pytest.mark.parametrize("check", [topics.check_topic, topics.check_filter])
@pytest.mark.parametrize("text", BAD_STRINGS)
def test_bad_strings(check: object, text: str) -> None:
    assert callable(check)
    with pytest.raises(Refusal, match="bad-topic"):
        check(text)


@pytest.mark.parametrize("topic", ["a", "/", "a//b", "é/日本", "a" * 65_535, "a$b", "a/$b", " "])
def test_topics_to_publish(topic: str) -> None:
    assert topics.check_topic(topic) == topic


@pytest.mark.parametrize("topic", ["+", "#", "a/+/b", "a/#", "a+", "$SYS/x", "$share/g/t"])
def test_topics_not_to_publish(topic: str) -> None:
    with pytest.raises(Refusal, match="bad-topic"):
        topics.check_topic(topic)


@pytest.mark.parametrize(
    "topic", ["#", "+", "a/+/b", "a/#", "+/+/#", "a", "$SYS/#", "$share/g/a/+", "/", "a//+"]
)
def test_filters(topic: str) -> None:
    assert topics.check_filter(topic) == topic


@pytest.mark.parametrize(
    "topic",
    ["a+", "+a", "a#", "#a", "a/#/b", "##", "++", "a/+b", "$share", "$share/g", "$share//t",
     "$share/+/t", "$share/g/"],
)  # fmt: skip
def test_bad_filters(topic: str) -> None:
    with pytest.raises(Refusal, match="bad-topic"):
        topics.check_filter(topic)
