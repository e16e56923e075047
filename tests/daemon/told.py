# SPDX-License-Identifier: MIT
"""One peer without a broker, and what it tells: fixtures and questions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.daemon.running import Row, Running, running


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path) as made:
        yield made


@pytest.fixture
def told(here: Running) -> list[Row]:
    """The bodies of the events that are told."""
    bodies: list[Row] = []
    here.peer.outlet.tell = lambda _event, body: bodies.append(body)
    return bodies


def written(here: Running, file: str) -> bool:
    """Whether the store knows that the file holds the current revision."""
    document = here.peer.store.document(file)
    return document is not None and document.written == document.current


def read(path: str) -> bytes:
    return Path(path).read_bytes()


def of(bodies: list[Row], event: str) -> list[Row]:
    return [body for body in bodies if body["event"] == event]
