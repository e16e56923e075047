# SPDX-License-Identifier: MIT
"""The peer's durable memory: one SQLite database a state directory."""

from federation.adapters.store.database import SqliteStore

__all__ = ["SqliteStore"]
