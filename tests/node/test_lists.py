# SPDX-License-Identifier: MIT
"""Lists in messages; a field that is not there is an empty one."""

from __future__ import annotations

from federation.node.lists import pairs, texts


def test_lists() -> None:
    assert texts(["a", "b"]) == ["a", "b"]
    assert pairs([["x.md", "1"], ["y.md", "2"]]) == [("x.md", "1"), ("y.md", "2")]
    assert texts(None) == []
    assert pairs(None) == []
