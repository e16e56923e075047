# SPDX-License-Identifier: MIT
"""Signed messages of two test identities, for ``reference/wire.md``.

The seeds are public and the times fixed: every run makes the same bytes.
Nothing is shown that the receiving side would not take: each message goes
through ``messages.parse`` and ``envelope.verify`` here.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Final

from docs.generator.markdown import code, fenced, table
from federation.identity import keys, words
from federation.identity.keys import SigningKey
from federation.replica import patch
from federation.wire import canonical, envelope, topics
from federation.wire.messages import parse

Fields = dict[str, object]

ALICE: Final = SigningKey.from_seed(bytes(range(32)))
BOB: Final = SigningKey.from_seed(bytes(range(32, 64)))
_SESSION: Final = {ALICE.peer_id: "11" * 16, BOB.peer_id: "22" * 16}


def keys_table() -> str:
    """The two identities."""
    parts = []
    for name, key in (("Alice", ALICE), ("Bob", BOB)):
        rows = [
            ("seed", code(key.seed().hex())),
            ("public key", code(keys.to_hex(key.public_key))),
            ("peer id", code(key.peer_id)),
            ("words", " ".join(words.words(key.public_key))),
        ]
        parts.append(table((name, ""), rows))
    pair = " ".join(words.pair_words(ALICE.public_key, BOB.public_key))
    return "\n".join([*parts, f"Both see the safety words: {pair}.\n"])


def _signed(key: SigningKey, type_: str, second: int, **fields: object) -> Fields:
    message: Fields = {"type": type_, "peer_id": key.peer_id}
    message |= {"timestamp": f"2025-01-07T12:00:{second:02}.000Z", **fields}
    return envelope.sign(message, key)


def _announcement(key: SigningKey, second: int, status: str = "online") -> Fields:
    return _signed(
        key, "peer-announce", second, public_key=keys.to_hex(key.public_key),
        address="mqtt://broker.example:1883", caps=["ack1"],
        session=_SESSION[key.peer_id], status=status,
    )  # fmt: skip


def _plain() -> Fields:
    return envelope.sign(
        {"type": "canvasl-sync", "peer_id": BOB.peer_id, "timestamp": "2025-01-07T12:00:02Z",
         "file": "example.canvasl", "content": '{"id":"a","text":"grün"}\n'},
        BOB,
    )  # fmt: skip


def _document(second: int, seq: int, content: str, base: Fields | None) -> Fields:
    vector, parents = {}, []
    if base is not None:
        vector, parents = {ALICE.peer_id: seq - 1}, [envelope.revision_id(base)]
    return _signed(ALICE, "canvasl-sync", second, file="plan.org", content=content, seq=seq,
                   vector=vector, parents=parents)  # fmt: skip


FIRST: Final = _document(3, 1, "* Plan\n", None)
SECOND: Final = _document(4, 2, "* Plan\n** A pond\n", FIRST)


def signing() -> str:
    """The steps from a message to its signature, for the plain one."""
    message = _plain()
    unsigned = {name: value for name, value in message.items() if name != "signature"}
    given = envelope.signing_input("canvasl-sync", message)
    rows = [
        ("type", code("canvasl-sync")),
        ("SHA-256 of the signing input", code(hashlib.sha256(given).hexdigest())),
        ("signature", code(message["signature"])),
        ("revision id", code(envelope.revision_id(message))),
    ]
    return "\n".join([
        "The canonical form of the message without its signature:\n",
        fenced(canonical.canonical(unsigned).decode(), "json"),
        f"In front of it `canvasl-sync/v1` and one zero byte: {len(given)} bytes in all.\n",
        table(("", ""), rows),
    ])  # fmt: skip


def _first_id() -> str:
    return envelope.revision_id(FIRST)


def _frame(content: bytes) -> bytes:
    """A Zstandard frame (RFC 8878) with its content as it is, so that it is always the same."""
    size = len(content)  # 256 to 65,791: one segment, its size in two bytes
    block = (size << 3 | 1).to_bytes(3, "little") + content
    return b"\x28\xb5\x2f\xfd\x60" + (size - 256).to_bytes(2, "little") + block


def _inner(message: Fields) -> str:
    return canonical.encode(message).decode()


def messages() -> str:
    """One message of each type, with what a receiver makes of it."""
    second_id = envelope.revision_id(SECOND)
    head = ["plan.org", second_id]
    root = f"{int.from_bytes(_leaf(*head), 'big') % 2**256:064x}"
    note = _signed(ALICE, "peer-message", 11, to=BOB.peer_id, kind="text", content="hello",
                   seq=3)  # fmt: skip
    whole = canonical.encode(SECOND)
    handed = _signed(ALICE, "sync-deliver", 10, to=BOB.peer_id, payload=_inner(SECOND),
                     announce=_inner(_announcement(ALICE, 0)))  # fmt: skip
    frame = _frame(canonical.encode(handed))
    shown: list[tuple[str, str, SigningKey, Fields]] = [
        ("Alice announces herself", topics.ANNOUNCE, ALICE, _announcement(ALICE, 0)),
        ("Bob's Last Will, retained on his presence topic", topics.presence(BOB.peer_id), BOB,
         _announcement(BOB, 1, "offline")),
        ("A plain message, as another implementation sends it", topics.SYNC, BOB, _plain()),
        (f"A first revision of Alice's, `{envelope.revision_id(FIRST)}`", topics.SYNC, ALICE,
         FIRST),
        (f"Her second, made from the first, `{second_id}`", topics.SYNC, ALICE, SECOND),
        ("Bytes that are not text", topics.SYNC, ALICE,
         _signed(ALICE, "canvasl-binary", 5, file="scan.txt",
                 data=base64.b64encode(b"\x00\xff\x00").decode(), seq=4, vector={}, parents=[])),
        ("The second revision again, as a message in one piece", topics.SYNC, ALICE,
         _signed(ALICE, "canvasl-piece", 6, id=hashlib.sha256(whole).hexdigest(), index=0,
                 count=1, size=len(whole), data=base64.b64encode(whole).decode())),
        ("The second revision as a change of the first", topics.SYNC, ALICE,
         _signed(ALICE, "canvasl-delta", 6, file="plan.org", revision=second_id, base=_first_id(),
                 payload=_inner({key: value for key, value in SECOND.items() if key != "content"}),
                 patch=base64.b64encode(patch.encode(patch.diff(
                     str(FIRST["content"]).encode(), str(SECOND["content"]).encode()))).decode())),
        ("Alice types on top of the second", topics.live("plan.org"), ALICE,
         _signed(ALICE, "canvasl-edit", 6, file="plan.org", base=second_id, start=0,
                 changes=[[0, 0, "*"], [1, 2, " d"]])),
        ("Bob missed that, and asks", topics.inbox(ALICE.peer_id), BOB,
         _signed(BOB, "edit-want", 7, to=ALICE.peer_id, file="plan.org", base=second_id,
                 start=0)),
        ("Bob has it durably", topics.inbox(ALICE.peer_id), BOB,
         _signed(BOB, "sync-ack", 7, to=ALICE.peer_id, stored=[second_id])),
        ("Bob asks whether Alice is there; he has no documents", topics.inbox(ALICE.peer_id), BOB,
         _signed(BOB, "sync-hello", 8, to=ALICE.peer_id, root="00" * 32, nonce="33" * 16)),
        ("Alice answers; her only head is the second revision", topics.inbox(BOB.peer_id), ALICE,
         _signed(ALICE, "sync-hello", 8, to=BOB.peer_id, root=root, nonce="44" * 16,
                 echo="33" * 16)),
        ("The roots differ, so she lists her heads", topics.inbox(BOB.peer_id), ALICE,
         _signed(ALICE, "sync-heads", 8, to=BOB.peer_id, heads=[head], page=0, last=True,
                 root=root)),
        ("Bob wants what he lacks", topics.inbox(ALICE.peer_id), BOB,
         _signed(BOB, "sync-want", 9, to=ALICE.peer_id, revisions=[second_id])),
        ("Alice hands it on, in its author's words", topics.inbox(BOB.peer_id), ALICE, handed),
        ("The same, packed (without being smaller, here); a NUL and the bytes of the frame follow",
         topics.inbox(BOB.peer_id), ALICE,
         _signed(ALICE, "packed-piece", 10, to=BOB.peer_id, id=envelope.digest(frame), index=0,
                 count=1, size=len(frame), whole=len(canonical.encode(handed)),
                 hash=envelope.digest(frame))),
        (f"A message from user to user; its id is `{envelope.digest(canonical.encode(note))}`",
         topics.inbox(BOB.peer_id), ALICE, note),
    ]  # fmt: skip
    parts: list[str] = []
    for title, topic, key, message in shown:
        behind = b"\0" + frame if message["type"] == "packed-piece" else b""
        envelope.verify(parse(canonical.encode(message) + behind, topic), key.public_key)
        text = json.dumps(message, ensure_ascii=False, indent=1)
        parts += [f"{title}, on `{topic}`:\n", fenced(text, "json")]
    return "\n".join(parts)


def _leaf(file: str, revision: str) -> bytes:
    return hashlib.sha256(f"canvasl-head/v1\0{revision}\0{file}".encode()).digest()
