# SPDX-License-Identifier: MIT
"""Another implementation, written from the contract alone: it shares no code with ours.

It speaks plain messages only: ``peer-announce`` and ``canvasl-sync`` with the
contract's fields, over any MQTT broker.  Nothing here may import our package;
a test sees to that.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as paho
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey
from paho.mqtt.enums import CallbackAPIVersion

Message = dict[str, Any]
ANNOUNCE = "canvasl/peers/announce"
SYNC = "canvasl/sync"


def canonical(value: object) -> bytes:
    """RFC 8785, for what these messages hold: texts, whole numbers, flags, lists, objects.

    Keys of the contract are ASCII, so that sorting by code point is sorting by UTF-16 unit.
    """
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8")


def id_of(public_key: bytes) -> str:
    """The peer id of a public key."""
    digest = hashlib.sha256(b"canvasl-peer-id/v1\0" + public_key).digest()
    return "peer-" + base64.b32encode(digest).decode("ascii").lower().rstrip("=")


def signing_input(message: Message) -> bytes:
    """What a signature covers."""
    unsigned = {name: value for name, value in message.items() if name != "signature"}
    return str(message["type"]).encode() + b"/v1\0" + canonical(unsigned)


def verifies(message: Message, public_key: str) -> bool:
    """Whether a message is rightly signed under a key of ``0x`` and 64 hex digits."""
    key, signature = bytes.fromhex(public_key[2:]), bytes.fromhex(message["signature"][2:])
    try:
        VerifyKey(key).verify(signing_input(message), signature)
    except (BadSignatureError, ValueError):
        return False
    return True


def now(*, micro: bool = True) -> str:
    """The time as messages carry it."""
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ"
    return datetime.now(UTC).strftime(form)


@dataclass
class IndependentPeer:
    """A plain peer.  What it hears is kept: ``documents`` maps file to every version, in order."""

    seed: bytes
    port: int
    #: peer id -> public key, of every announcement that verified
    known: dict[str, str] = field(default_factory=dict)
    documents: dict[str, list[Message]] = field(default_factory=dict)
    #: every message with its topic, as it came, and whether it was retained
    heard: list[tuple[str, Message, bool]] = field(default_factory=list)
    #: what did not verify
    wrong: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._key = SigningKey(self.seed)
        self.public_key = "0x" + bytes(self._key.verify_key).hex()
        self.peer_id = id_of(bytes(self._key.verify_key))
        self._client: paho.Client | None = None

    # --- the broker -----------------------------------------------------------------
    def connect(self) -> None:
        """Connect with a clean session, subscribe, and announce."""
        ready = threading.Event()
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.on_message = self._message
        client.on_subscribe = lambda *_: ready.set()
        client.connect("127.0.0.1", self.port)
        client.subscribe([(topic, 1) for topic in
                          (SYNC, ANNOUNCE, "canvasl/peers/+/presence",
                           f"canvasl/peers/{self.peer_id}/messages")])  # fmt: skip
        client.loop_start()
        assert ready.wait(10)
        self._client = client
        self.announce()

    def disconnect(self) -> None:
        """Leave without a word."""
        assert self._client is not None
        self._client.disconnect()
        self._client.loop_stop()
        self._client = None

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish bytes; returns when the broker has them."""
        assert self._client is not None
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(20)

    # --- saying -----------------------------------------------------------------------
    def signed(self, message: Message) -> Message:
        """A message under this peer's signature."""
        signature = self._key.sign(signing_input(message)).signature
        return {**message, "signature": "0x" + signature.hex()}

    def announcement(self, **more: object) -> Message:
        """A ``peer-announce`` of the contract's fields."""
        return self.signed(
            {
                "type": "peer-announce", "peer_id": self.peer_id, "public_key": self.public_key,
                "address": f"mqtt://127.0.0.1:{self.port}", "timestamp": now(), **more,
            }
        )  # fmt: skip

    def announce(self) -> None:
        """Say that this peer is there."""
        self.publish(ANNOUNCE, json.dumps(self.announcement()).encode())

    def document(self, file: str, content: str, *, timestamp: str = "", **more: object) -> Message:
        """A ``canvasl-sync`` of the contract's fields."""
        return self.signed(
            {
                "type": "canvasl-sync", "peer_id": self.peer_id, "file": file,
                "content": content, "timestamp": timestamp or now(), **more,
            }
        )  # fmt: skip

    def sync(self, file: str, content: str, *, timestamp: str = "") -> Message:
        """Publish a document."""
        message = self.document(file, content, timestamp=timestamp)
        self.publish(SYNC, json.dumps(message).encode())
        return message

    # --- hearing ------------------------------------------------------------------------
    def _message(self, _client: object, _data: object, packet: paho.MQTTMessage) -> None:
        try:
            message = json.loads(packet.payload)
        except ValueError:  # an exception here would end paho's thread for good
            return
        if message["peer_id"] == self.peer_id:
            return
        self.heard.append((packet.topic, message, bool(packet.retain)))
        if message["type"] == "peer-announce":
            key = message["public_key"]
            right = id_of(bytes.fromhex(key[2:])) == message["peer_id"] and verifies(message, key)
            if right:
                self.known[message["peer_id"]] = key
        else:
            known = self.known.get(message["peer_id"])
            right = known is not None and verifies(message, known)
        if not right:
            self.wrong.append(message)
        elif message["type"] == "canvasl-sync" and packet.topic == SYNC:
            self.documents.setdefault(message["file"], []).append(message)

    def content(self, file: str) -> bytes | None:
        """The last content heard of a document."""
        versions = self.documents.get(file)
        return versions[-1]["content"].encode() if versions else None

    def messages(self, wanted: Callable[[str, Message], bool]) -> list[Message]:
        """The messages heard for which ``wanted(topic, message)``."""
        return [message for topic, message, _ in list(self.heard) if wanted(topic, message)]
