# SPDX-License-Identifier: MIT
"""What the tests of identity files share."""

from __future__ import annotations

import itertools
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federation import limits
from federation.adapters import keystore
from federation.errors import Refusal
from federation.identity import protect

PASSPHRASE = b"a good passphrase"
Random = Callable[[int], bytes]


@pytest.fixture
def random() -> Random:
    """Different bytes at every call, the same in every run."""
    counter = itertools.count(1)
    return lambda size: next(counter).to_bytes(2, "big") * (size // 2) + b"x" * (size % 2)


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least argon2id that is accepted: its strength is tested elsewhere."""
    seal = protect.seal

    def cheaply(seed: bytes, protection: protect.Protection, **arguments: Any) -> bytes:
        return seal(seed, protection, ops=limits.ARGON2_OPS_MIN,
                    memory=limits.ARGON2_MEMORY_MIN, **arguments)  # fmt: skip

    monkeypatch.setattr(protect, "seal", cheaply)


class Ring:
    """A keyring in memory."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password


def start(
    folder: Path,
    random: Random,
    protection: keystore.Wanted = "auto",
    passphrase: bytes | None = None,
    keyring: keystore.Keyring | None = None,
) -> protect.Opened:
    """Open the identity of a folder, as a starting peer does; it is made if it is missing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return keystore.load_or_create(
        folder, protection=protection, passphrase=passphrase, random=random, keyring=keyring
    )


def reason(call: Callable[..., object], *arguments: Any, **named: Any) -> str:
    """The reason with which a call is refused."""
    with pytest.raises(Refusal) as caught:
        call(*arguments, **named)
    return caught.value.reason


def mode(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its bytes."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
