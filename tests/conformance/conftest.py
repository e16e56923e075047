# SPDX-License-Identifier: MIT
"""Nothing here can be tried without the shared data."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def _data(shared: Path) -> Path:
    """Skip, with the reason, where the data is absent."""
    return shared
