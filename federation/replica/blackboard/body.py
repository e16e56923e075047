# SPDX-License-Identifier: MIT
"""Merging the text below a heading: by lines, and inside of a line that both changed.

Lines that only one side changed are taken from it.  Inside of lines that both
changed, changes of different places merge; where they overlap, both versions
stay, one after the other, and are reported.  Lines that one side deleted and
the other changed stay and are reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher

from federation import limits
from federation.replica.blackboard.outline import count_headings, is_sound
from federation.replica.merge import strings
from federation.replica.merge.strings import Hunk

#: (base, a, b): lines that yielded
Report = Callable[[str | None, str | None, str | None], None]


def merge_body(base: str | None, a: str, b: str, report: Report) -> str:
    """Both sides' changes; all texts are empty or end in a line feed."""
    if a == b or b == base:
        return a
    if a == base:
        return b
    lost: list[tuple[str | None, str | None, str | None]] = []
    known = _common(a, b) if base is None else base
    merged = "".join(_merge(known, a, b, lambda *texts: lost.append(texts)))
    # Damaged sides may stay damaged, but no heading comes out of two bodies.
    if count_headings(merged) or (not is_sound(merged) and is_sound(a) and is_sound(b)):
        report(base, a, b)
        return b
    for texts in lost:
        report(*texts)
    return merged


def _merge(base: str, a: str, b: str, report: Report) -> Iterator[str]:
    old = _lines(base)
    ours, theirs = strings.hunks(old, _lines(a)), strings.hunks(old, _lines(b))
    at = 0
    for first, last, mine, other in _regions(ours, theirs):
        yield from old[at:first]
        yield _region(old, first, last, mine, other, report)
        at = last
    yield from old[at:]


def _regions(
    ours: Sequence[Hunk], theirs: Sequence[Hunk]
) -> Iterator[tuple[int, int, list[Hunk], list[Hunk]]]:
    """Hunks whose ranges overlap together, the others alone; at one place ours come first."""
    both = [(hunk[0], hunk[1] > hunk[0], side, hunk[1], hunk)
            for side, hunks in enumerate((ours, theirs)) for hunk in hunks]  # fmt: skip
    both.sort(key=lambda one: one[:4])
    group: tuple[list[Hunk], list[Hunk]] = ([], [])
    first = last = 0
    for start, _, side, end, hunk in both:
        if start >= last and (group[0] or group[1]):
            if (start, end) == (first, last) and hunk in (group[0] or group[1]):
                continue  # the same insertion of both
            yield first, last, *group
            group = ([], [])
        if not (group[0] or group[1]):
            first, last = start, end
        last = max(last, end)
        group[side].append(hunk)
    if group[0] or group[1]:
        yield first, last, *group


def _region(
    old: Sequence[str], first: int, last: int, mine: Sequence[Hunk], other: Sequence[Hunk],
    report: Report,
) -> str:  # fmt: skip
    if not mine or not other:
        return _apply(old, first, last, mine or other)
    base = "".join(old[first:last])
    a, b = _apply(old, first, last, mine), _apply(old, first, last, other)
    if a == b:
        return a
    if not a or not b:
        report(base, a or None, b or None)
        return a or b
    merged = strings.merge_value(base, a, b)
    if merged is not None and merged.endswith("\n"):
        return merged
    report(base, a, b)
    return a + b


def _apply(old: Sequence[str], first: int, last: int, hunks: Sequence[Hunk]) -> str:
    """One side's lines of a region."""
    lines: list[str] = []
    for start, end, new in hunks:
        lines += [*old[first:start], *new]
        first = end
    return "".join([*lines, *old[first:last]])


def _lines(text: str) -> list[str]:
    """Lines with their line feeds: CR and other separators are part of a line."""
    return [line + "\n" for line in text.split("\n")[:-1]]


def _common(a: str, b: str) -> str:
    """The lines that both have, in order: what a lost base had at least."""
    ours, theirs = _lines(a), _lines(b)
    if len(ours) * len(theirs) > limits.MERGE_DIFF_CELLS:
        return ""
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    blocks = matcher.get_matching_blocks()
    return "".join("".join(ours[block.a : block.a + block.size]) for block in blocks)
