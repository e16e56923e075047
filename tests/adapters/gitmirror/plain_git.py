# SPDX-License-Identifier: MIT
"""The user's git, without the user's configuration; and revisions to mirror."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from federation.adapters.gitmirror import MirrorEntry
from federation.identity.keys import SigningKey

ADA, BOB = (SigningKey(bytes([number]) * 32).peer_id for number in (1, 2))


#: stands for a content of its own
DEFAULT = b"default"


def entry(
    number: int, file: str = "x.md", content: bytes | None = DEFAULT, author: str = "Ada",
    peer: str = ADA,
) -> MirrorEntry:  # fmt: skip
    content = f"content {number}\n".encode() if content == DEFAULT else content
    revision = hashlib.sha256(str(number).encode()).hexdigest()
    time = (1_700_000_000 + number) * 1_000_000
    return MirrorEntry(file, content, author, peer, time, revision)


def git(where: Path, *arguments: str) -> str:
    """The standard output of a git command there; it has to succeed."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(where), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_PAGER": "cat", "TZ": "UTC",
        "GIT_AUTHOR_NAME": "User", "GIT_AUTHOR_EMAIL": "user@home.invalid",
        "GIT_COMMITTER_NAME": "User", "GIT_COMMITTER_EMAIL": "user@home.invalid",
    }  # fmt: skip
    done = subprocess.run(
        ["git", "-C", str(where), *arguments], env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
