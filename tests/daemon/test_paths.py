# SPDX-License-Identifier: MIT
"""Local paths as front ends name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from federation.daemon.paths import user_path
from federation.errors import Refusal


@pytest.mark.parametrize(
    "text",
    ["/home/me/a.md", "/", "/a b/\u00fc.md", "/a:b.md"[:2] + "/x:y.md", "/home/..me/x", "/a//b",
     "/home/me/[1].md", "//host/x.md"],
)  # fmt: skip
def test_what_is_taken(text: str) -> None:
    assert user_path(text) == Path(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a.md", "path-not-absolute"),
        ("~/a.md", "path-not-absolute"),
        ("./a.md", "path-not-absolute"),
        ("C:/a.md", "path-not-absolute"),
        ("", "path-not-absolute"),
        (".", "path-not-regular"),
        ("./", "path-not-regular"),
        ("/a/../b.md", "path-traversal"),
        ("/..", "path-traversal"),
        ("../a.md", "path-traversal"),
        ("/ssh:host:/a.md", "path-tramp"),
        ("/sudo::/etc/passwd", "path-tramp"),
        ("/host:a.md", "path-tramp"),
        ("/ssh:a|sudo:b:/c", "path-tramp"),
        ("/:quoted", "path-tramp"),
        ("/[ssh/host]a.md", "path-tramp"),
        ("/ssh:host:/../a.md", "path-tramp"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        user_path(text)
    assert caught.value.reason == reason
    assert caught.value.detail == text
