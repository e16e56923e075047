# SPDX-License-Identifier: MIT
"""Revisions that are named and that nobody brings: when they are waited for no longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from federation import limits
from federation.node.context import Context
from federation.node.heads import Heads


class Gaps:
    """How often peers that have all else were asked for what is missing of a history."""

    def __init__(self, context: Context, heads: Heads) -> None:
        self._context = context
        self._heads = heads
        #: document -> when a question was counted last (monotonic seconds)
        self._counted: dict[str, float] = {}

    def noted(self) -> dict[str, list[str]]:
        """Documents whose history is not complete, and what is missing, in the order to ask."""
        store = self._context.store
        return {file: store.gaps(file) for file in store.files_with_gaps()[: limits.WANTS]}

    @staticmethod
    def in_turn(noted: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
        """(document, revision): of every document the first, then of every one the second …"""
        rows = zip_longest(*([(file, one) for one in ones] for file, ones in noted.items()))
        return [one for row in rows for one in row if one is not None]

    def asked(self, file: str, revisions: Sequence[str]) -> None:
        """A peer was asked; several questions within limits.GAP_TRY count as one."""
        now = self._context.now.mono
        if now - self._counted.get(file, float("-inf")) < limits.GAP_TRY:
            return
        if len(self._counted) >= limits.GAPS:
            self._counted.clear()
        self._counted[file] = now
        if self._context.store.tried(file, revisions):
            self._heads.go_on_without(file)
