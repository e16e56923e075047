# SPDX-License-Identifier: MIT
"""A revision in the words of git: nothing in it can be taken for anything else."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from federation.adapters.gitmirror import MirrorEntry
from federation.adapters.gitmirror.entry import revision_in
from federation.errors import Refusal
from federation.identity.keys import SigningKey

PEER = SigningKey(b"k" * 32).peer_id
REVISION, PARENT = (hashlib.sha256(one).hexdigest() for one in (b"one", b"parent"))
ENTRY = MirrorEntry("a/x.md", b"x", "Ada", PEER, 1_700_000_000_123_456, REVISION, (PARENT,))


def test_the_message_names_file_and_revision() -> None:
    assert ENTRY.message.decode().splitlines() == [
        f"a/x.md: revision {REVISION[:12]}", "", "File: a/x.md", f"Revision: {REVISION}",
        f"Parent: {PARENT}", f"Peer: {PEER}",
    ]  # fmt: skip
    assert revision_in(ENTRY.message) == REVISION
    assert replace(ENTRY, content=None).message.startswith(b"a/x.md: deleted\n")


@pytest.mark.parametrize(
    ("author", "name"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("Zoë 🐟", "Zoë 🐟"),
        ("x <root@example.com>", "x root@example.com"),
        ("two\nlines\0\x1b[31m", "twolines[31m"),
        ("\u202etxet", "txet"),
        ("", PEER[:13]),
        ("<>", PEER[:13]),
        (" . ", PEER[:13]),
        ("x" * 1000, "x" * 64),
    ],
)
def test_an_author_is_a_name_and_an_address_of_nobody(author: str, name: str) -> None:
    assert replace(ENTRY, author=author).signature.decode() == f"{name} <{PEER}@peers.invalid>"


@pytest.mark.parametrize(
    ("time", "seconds"),
    [(1_700_000_000_999_999, 1_700_000_000), (0, 0), (-5, 0), (10**30, 253_402_300_799)],
)
def test_any_time_is_one_that_git_can_write(time: int, seconds: int) -> None:
    assert replace(ENTRY, time=time).seconds == seconds


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"file": "../x.md"}, "path-traversal"),
        ({"file": ".git/config.md"}, "path-forbidden-name"),
        ({"file": "a/.gitattributes"}, "path-forbidden-name"),
        ({"file": "x.sh"}, "path-forbidden-ext"),
        ({"file": "x\nRevision: y.md"}, "path-control"),
        ({"peer_id": "peer-x> <y"}, "bad-peer-id"),
        ({"revision": "HEAD"}, "bad-field"),
        ({"parents": (PARENT, "x\ny")}, "bad-field"),
    ],
)
def test_what_is_no_name_is_refused(wrong: dict[str, object], reason: str) -> None:
    ENTRY.check()
    with pytest.raises(Refusal) as caught:
        replace(ENTRY, **wrong).check()  # type: ignore[arg-type]
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "message",
    [b"", b"Revision: x\n", b"text\n\nRevision: " + b"0" * 63 + b"\n",
     b"text\n\nRevision: " + b"0" * 64 + b"\n\nother paragraph\n"],
)  # fmt: skip
def test_other_messages_name_none(message: bytes) -> None:
    assert revision_in(message) is None
