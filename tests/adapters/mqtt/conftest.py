# SPDX-License-Identifier: MIT
"""A broker that is told what to do, and somebody who listens to a connection."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from .fakes import FakeBroker, Owner


@pytest.fixture
async def broker() -> AsyncIterator[FakeBroker]:
    async with FakeBroker() as fake:
        yield fake


@pytest.fixture
def owner() -> Owner:
    return Owner()
