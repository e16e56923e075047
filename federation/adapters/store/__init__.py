# SPDX-License-Identifier: MIT
"""The peer's durable memory: one SQLite database a state directory."""

from federation.adapters.store.database import SqliteStore
from federation.adapters.store.trouble import is_passing, refusal_of

__all__ = ["SqliteStore", "is_passing", "refusal_of"]
