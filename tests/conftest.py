# SPDX-License-Identifier: MIT
"""Fixtures of every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run: one that fails, fails for everybody.  Others on demand.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("default" if os.environ.get("META_LOG_RANDOM") else "same")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the working tree."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data: beside the repository, or ``META_LOG_SHARED``."""
    named = os.environ.get("META_LOG_SHARED")
    folder = Path(named) if named else REPOSITORY.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("shared data is absent: set META_LOG_SHARED to its folder")
    return folder
