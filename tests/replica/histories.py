# SPDX-License-Identifier: MIT
"""Histories of a document by hand."""

from __future__ import annotations

from federation.replica.records import Revision
from federation.replica.view import Viewer


class History:
    """Revisions by hand: each has an author, a counter and parents."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.revisions: dict[str, Revision] = {}
        self.viewer = Viewer(self.revisions.get, lambda one: self.contents.get(one.content_hash))

    def add(self, name: str, author: str, seq: int, content: bytes, *parents: str) -> Revision:
        vector: dict[str, int] = {}
        for parent in parents:
            one = self.revisions[parent]
            for who, count in (*one.vector.items(), (one.author, one.seq)):
                vector[who] = max(vector.get(who, 0), count)
        self.contents[name] = content
        self.revisions[name] = Revision(
            name, "x.canvasl", author, seq, "2026-01-01T00:00:00Z", 0, 0, name, len(content),
            binary=False, envelope="{}", vector=vector, parents=parents,
        )  # fmt: skip
        return self.revisions[name]
