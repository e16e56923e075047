# SPDX-License-Identifier: MIT
"""What one merge may spend on looking closer.

Every bound here is a count, never a time: the same versions spend the same
everywhere, so peers agree also where a merge had to be content with less.
"""

from __future__ import annotations

from federation import limits


class Work:
    """The counters of one merge; they only fall."""

    __slots__ = ("letters", "pairs", "parts", "steps")

    def __init__(self) -> None:
        #: steps of comparing two sequences unit by unit
        self.steps = limits.MERGE_STEPS
        #: letters that are compared word by word
        self.letters = limits.MERGE_LETTERS
        #: pairs of entries whose resemblance is measured
        self.pairs = limits.MERGE_LIKENESS
        #: values that objects and arrays are taken apart into
        self.parts = limits.MERGE_PARTS
