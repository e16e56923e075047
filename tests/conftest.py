# SPDX-License-Identifier: MIT
"""Fixtures of every test."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler.loadscope import LoadScopeScheduling

# The same examples in every run: one that fails, fails for everybody.  Others on demand.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("default" if os.environ.get("META_LOG_RANDOM") else "same")

REPOSITORY = Path(__file__).resolve().parent.parent

#: what runs in one row, beside all the rest: real peers, of which those without a broker of
#: their own meet at the default address
TOGETHER = ("tests/integration/", "tests/meta/test_docs.py")


class Rows(LoadScopeScheduling):  # type: ignore[misc]
    """What one worker runs in one row: a file, or all that starts real peers."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "peers" if file.startswith(TOGETHER) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """How tests are dealt out to workers (``-n 2``)."""
    return Rows(config, log)


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
