# SPDX-License-Identifier: MIT
"""Each document meets the merge of its kind."""

from __future__ import annotations

import json

import pytest

from federation.replica.kinds import merge_kind, merge_versions

BASE = b"* Peers\n** peer-a\n:PROPERTIES:\n:NAME: Ada\n:END:\n"


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("federation-blackboard.org", "blackboard"),
        ("notes/federation-blackboard.org", "blackboard"),
        ("my-federation-blackboard.org", "text"),
        ("a.canvasl", "canvasl"),
        ("a.canvas", "json-canvas"),
    ],
)
def test_kinds(file: str, kind: str) -> None:
    assert merge_kind(file) == kind


def test_the_blackboard_merges_by_entries_and_properties() -> None:
    ours = BASE.replace(b"Ada", b"Ada L.")
    theirs = BASE.replace(b"Ada", b"Ada Lovelace") + b"** peer-b\n"
    merged = merge_versions("blackboard", BASE, ours, theirs)
    assert merged is not None
    assert merged.content == BASE.replace(b"Ada", b"Ada Lovelace") + b"** peer-b\n"
    (conflict,) = merged.conflicts
    assert conflict.path == ("peer-a", "NAME")
    assert (conflict.base, conflict.a, conflict.b) == ("Ada", "Ada L.", "Ada Lovelace")


@pytest.mark.parametrize("kind", ["blackboard", "text", "canvasl", "json-canvas"])
def test_bytes_that_are_no_text_are_not_merged(kind: str) -> None:
    assert merge_versions(kind, None, b"\xff", b"text") is None


def test_canvases_and_text_go_their_own_way() -> None:
    merged = merge_versions("canvasl", b'{"id":1}\n', b'{"id":1,"a":1}\n', b'{"id":1,"b":1}\n')
    assert merged is not None
    assert json.loads(merged.content) == {"id": 1, "a": 1, "b": 1}
