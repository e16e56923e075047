# SPDX-License-Identifier: MIT
"""A node on a store, and its turns, without a broker."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from federation.adapters.disk import Disk
from federation.adapters.store import SqliteStore
from federation.daemon.turns import Turns
from federation.errors import Refusal
from federation.events import Effect, Instant, Publish
from federation.node.context import NodeSettings
from federation.node.router import Node
from tests.daemon.running import key_of, soon


class Desk:
    """A node on a store, its turns, and what they carried out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = SqliteStore(path)
        disk = Disk(path.parent)
        with self.store.transaction():
            self.node = Node(self.store, disk, key_of(1), NodeSettings(), lambda size: bytes(size))
        self.effects: list[Effect] = []
        self.turns = Turns(self.store, self.node, self.perform)
        self.commits = 0
        transaction = self.store.transaction

        @contextlib.contextmanager
        def counted() -> Iterator[None]:
            self.commits += 1
            with transaction():
                yield

        self.store.transaction = counted  # type: ignore[method-assign]

    async def perform(self, effects: Sequence[Effect]) -> None:
        """Keep the effects."""
        self.effects += effects

    def note(self, key: str, value: str = "here") -> Callable[[Instant], Any]:
        """Work that writes a note, and leaves an effect."""

        def work(_now: Instant) -> str:
            self.store.set_meta(key, value)
            self.node.context.effects.append(Publish(key, b""))
            return value

        return work

    def durable(self, key: str) -> bool:
        """Whether another connection sees a note: it is committed."""
        with contextlib.closing(sqlite3.connect(self.path)) as other:
            return other.execute("SELECT 1 FROM meta WHERE key=?", (key,)).fetchone() is not None

    def topics(self) -> list[str]:
        """The topics of the publishes that were carried out."""
        return [one.topic for one in self.effects if isinstance(one, Publish)]

    def limit(self, pages: int | None = None) -> None:
        """How large the store may grow: as it is now, or so many pages."""
        (count,) = self.store._db.execute("PRAGMA page_count").fetchone()
        self.store._db.execute(f"PRAGMA max_page_count={pages or count}")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path / "store.db")
    task = asyncio.ensure_future(made.turns.run())
    yield made
    made.turns.stop()
    await soon(task)
    made.store.close()


def broken(_now: Instant) -> None:
    raise RuntimeError("a defect")


def refused(_now: Instant) -> None:
    raise Refusal("unknown-document", "x.md")


async def reason(future: asyncio.Future[Any]) -> str:
    with pytest.raises(Refusal) as caught:
        await soon(future)
    return caught.value.reason
