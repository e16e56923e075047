# SPDX-License-Identifier: MIT
"""Merging one entry of a blackboard: heading, planning, properties, body.

Each property is a value of its own; the body merges by lines (``body``).  Where both
sides changed one value, ``b``'s stands and ``a``'s is reported.  Two kinds of
properties are the program's, not people's: observations (who was seen when)
that both sides write all the time yield without a report, and the four that
describe one revision of a canvas are taken from one side together, because a
signature next to another revision's content id would be false.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from federation import limits
from federation.replica.blackboard.body import merge_body
from federation.replica.blackboard.outline import (
    Drawer,
    Entry,
    Property,
    split_heading,
)
from federation.replica.merge import strings
from federation.replica.merge.sequence import BASE, Side, merge_orders

_K = TypeVar("_K", bound=Hashable)
_T = TypeVar("_T")
#: (name, how often it came before)
_Key = tuple[str, int]

#: What a program notes down as time passes; it says nothing that anybody decided.
OBSERVED: Final = frozenset({"LAST_SYNC", "LAST_SEEN", "PEER_STATUS", "LAST_MODIFIED"})
#: One revision of a canvas: only true together.
TOGETHER: Final = frozenset({"CANVASL_CID", "CANVASL_SIGNATURE", "PEER_OWNER", "LAST_MODIFIED"})


class Conflict(NamedTuple):
    """One place where a change had to yield, or a deletion to an edit.

    ``entry`` is its heading's text, empty for the preamble.  ``property`` is
    the property's name, or ``(heading)``, ``(tags)``, ``(planning)``,
    ``(body)``, ``(place)`` or ``(entry)``, which no property can be called.
    None stands for a side (or a base) that does not have it.
    """

    entry: str
    property: str
    base: str | None
    a: str | None
    b: str | None


Report = Callable[[Conflict], None]


@dataclass(frozen=True, slots=True)
class Clash:
    """Where the conflicts of one entry go."""

    entry: str
    report: Report

    def __call__(self, what: str, base: str | None, a: str | None, b: str | None) -> None:
        """Report one value that yielded."""
        self.report(Conflict(self.entry, what, base, a, b))

    def body(self, base: str | None, a: str | None, b: str | None) -> None:
        """Report lines of the body."""
        self("(body)", base, a, b)


def changed(base: _T, a: _T, b: _T) -> _T:
    """What one side changed; b's where both did."""
    return a if b == base else b


def merge_keys(base: Sequence[_K], a: Sequence[_K], b: Sequence[_K]) -> list[_K]:
    """The merged order of all keys; each is at most once in a list, and all stay."""
    at_a = {key: index for index, key in enumerate(a)}
    at_b = {key: index for index, key in enumerate(b)}
    ours = {number: at_a[key] for number, key in enumerate(base) if key in at_a}
    theirs = {number: at_b[key] for number, key in enumerate(base) if key in at_b}
    known = set(base)
    same = {index: at_a[key] for index, key in enumerate(b) if key in at_a and key not in known}
    order = merge_orders(
        len(base), Side("a", len(a), ours), Side("b", len(b), theirs), set(range(len(base))), same
    )
    lists = {BASE: base, "a": a, "b": b}
    # Slots that both sides added come once; the check is for what was moved in from elsewhere.
    return list(dict.fromkeys(lists[kind][number] for kind, number in order))


def own_content(entry: Entry) -> Hashable:
    """What people or documents gave an entry: two are equal if only observations differ."""
    kept = tuple((one.name, one.value) for one in entry.properties if one.name not in OBSERVED)
    return entry.heading.strip(), entry.planning.strip(), kept, entry.body.strip()


def merge_entry(base: Entry | None, a: Entry, b: Entry, report: Report) -> Entry:
    """Both sides' changes of one entry; its level is the caller's to decide."""
    heading = _heading(
        base.heading if base else None, a.heading, b.heading, Clash(b.title or a.title, report)
    )
    # the others are found below the heading that stands
    clash = Clash(split_heading(heading)[0].strip(), report)
    return Entry(
        b.level,
        heading,
        _planning(base.planning if base else None, a.planning, b.planning, clash),
        _drawer(base.drawer if base else None, a.drawer, b.drawer, clash),
        merge_body(base.body if base else None, a.body, b.body, clash.body),
    )


# --- the lines above the drawer ------------------------------------------------


def _heading(base: str | None, a: str, b: str, clash: Clash) -> str:
    if a == b or b == base:
        return a
    if a == base:
        return b
    (ours, our_tags), (theirs, their_tags) = split_heading(a), split_heading(b)
    old, old_tags = split_heading(base) if base is not None else (None, "")
    if ours == theirs:
        title: str | None = ours
    else:
        title = None if old is None else strings.merge_value(old, ours, theirs)
    if title is None or not title.startswith(" "):
        clash("(heading)", old and old.strip(), ours.strip(), theirs.strip())
        title = theirs
    tags = _tags(old_tags, our_tags, their_tags)
    return title + tags + "\n"


def _tags(base: str, a: str, b: str) -> str:
    """Tags are a set: each stays or goes by itself."""
    if a == b or b == base:
        return a
    if a == base:
        return b
    old, ours, theirs = (tag_names(tags) for tags in (base, a, b))
    kept = [tag for tag in ours if tag in theirs or tag not in old]
    kept += [tag for tag in theirs if tag not in ours and tag not in old]
    if not kept:
        return ""
    model = b or a
    return model[: len(model) - len(model.lstrip())] + ":" + ":".join(kept) + ":"


def tag_names(tags: str) -> list[str]:
    """The tags of a heading, each once."""
    return list(dict.fromkeys(tag for tag in tags.strip().split(":") if tag))


def _planning(base: str | None, a: str, b: str, clash: Clash) -> str:
    if a == b or b == base:
        return a
    if a == base:
        return b
    if a and b:
        clash("(planning)", _line(base), _line(a), _line(b))
        return b
    if base:
        clash("(planning)", _line(base), _line(a), _line(b))
    return a or b


def _line(text: str | None) -> str | None:
    return text.strip() if text else None


# --- properties -----------------------------------------------------------------


def _keyed(drawer: Drawer | None) -> dict[_Key, Property]:
    """The properties by name; a name may occur again."""
    seen: Counter[str] = Counter()
    found: dict[_Key, Property] = {}
    for one in drawer.properties if drawer else ():
        found[one.name, seen[one.name]] = one
        seen[one.name] += 1
    return found


def _drawer(base: Drawer | None, a: Drawer | None, b: Drawer | None, clash: Clash) -> Drawer | None:
    if a == b or b == base:
        return a
    if a == base:
        return b
    old, ours, theirs = _keyed(base), _keyed(a), _keyed(b)
    _one_revision(old, ours, theirs, clash)
    merged: dict[_Key, Property] = {}
    for key in dict.fromkeys([*old, *ours, *theirs]):
        kept = _property(key[0], old.get(key), ours.get(key), theirs.get(key), clash)
        if kept is not None:
            merged[key] = kept
    frame = b or a
    if frame is None or not (merged or (a and b)):
        return None
    if len(merged) > limits.BLACKBOARD_PROPERTIES:
        order = [key for key in {**theirs, **ours, **old} if key in merged]
    else:
        order = merge_keys(*([key for key in one if key in merged] for one in (old, ours, theirs)))
    opening = changed(base, a, b) or frame
    return Drawer(opening.opening, tuple(merged[key] for key in order), opening.closing)


def _one_revision(
    base: dict[_Key, Property], a: dict[_Key, Property], b: dict[_Key, Property], clash: Clash
) -> None:
    """Where both sides noted another revision, let ``a`` have ``b``'s."""
    old, ours, theirs = (
        {key[0]: one.value for key, one in side.items() if key[0] in TOGETHER and not key[1]}
        for side in (base, a, b)
    )
    if ours in (old, theirs) or theirs == old:
        return
    for name in sorted(TOGETHER - OBSERVED):
        if ours.get(name) not in (old.get(name), theirs.get(name)):
            clash(name, old.get(name), ours.get(name), theirs.get(name))
    mixed = {key: one for key, one in a.items() if key[0] not in TOGETHER or key in b}
    mixed |= {key: one for key, one in b.items() if key[0] in TOGETHER}
    a.clear()
    a.update(mixed)


def _property(
    name: str, base: Property | None, a: Property | None, b: Property | None, clash: Clash
) -> Property | None:
    if a is not None and b is not None:
        if b == base or a.line == b.line:
            return a
        if base is not None and b.value == base.value and a.value != base.value:
            return a
        both = a.value != b.value and (base is None or base.value not in (a.value, b.value))
        if both and name not in OBSERVED:
            clash(name, _value(base), a.value, b.value)
        return a if a.value == b.value and base is not None and b.line == base.line else b
    left = a or b
    if base is None or left is None:
        return left
    if left.value == base.value or name in OBSERVED:
        return None
    clash(name, base.value, _value(a), _value(b))
    return left


def _value(one: Property | None) -> str | None:
    return None if one is None else one.value
