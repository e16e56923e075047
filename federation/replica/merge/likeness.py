# SPDX-License-Identifier: MIT
"""How much two entries resemble each other."""

from __future__ import annotations

from typing import Final

from federation.replica.merge.entry import ENDS, LOOK, Entry
from federation.replica.merge.meaning import NOTHING, Members, Number

#: what two entries must share to be taken for one that was edited
ALIKE: Final = 0.5
#: texts below this length are compared by pairs of characters, longer ones by threes
_SHORT: Final = 24
#: strings with this share of their words in common are two versions of one
_SAME_WORDS: Final = 0.7


def replaces(one: Entry, other: Entry) -> bool:
    """Whether something at the same place is the same thing with another value."""
    atoms = (Number, bool, type(None))
    if isinstance(one.loaded, atoms) and isinstance(other.loaded, atoms):
        return True
    return likeness(one, other) >= ALIKE


def likeness(one: Entry, other: Entry) -> float:
    """0 for nothing in common, 1 for the same."""
    if one.text == other.text:
        return 1.0
    a, b = one.loaded, other.loaded
    if isinstance(a, Members) and isinstance(b, Members):
        if one.id is not None and other.id is not None and one.id != other.id:
            return recognised(one, other)
        return _members_alike(one.members, other.members)
    if a is not NOTHING and b is not NOTHING and type(a) is not type(b):
        return 0.0
    if one.name is not None and one.name == other.name and one.text.startswith("@"):
        return 1.0
    kind = 0 if min(len(one.text), len(other.text)) < _SHORT else 1
    ours, theirs = one.shape[kind], other.shape[kind]
    both = len(ours) + len(theirs)
    return 2 * len(ours & theirs) / both if both else 0.0


def recognised(one: Entry, other: Entry) -> float:
    """How far an entry can be known again by its values alone, wherever it stands.

    Long values tell more than short ones: most entries of a canvas have the
    same type and size.  Edges with other ids that join other things differ.
    """
    if not isinstance(one.loaded, Members) or not isinstance(other.loaded, Members):
        return likeness(one, other)
    ours, theirs = one.members, other.members
    keys = ours.keys() | theirs.keys()
    if one.id != other.id:
        keys -= {"id"}
        if any(ours.get(end) != theirs.get(end) for end in ENDS):
            return 0.0
    most = both = 0.0
    for key in keys:
        mine, other_value = ours.get(key, NOTHING), theirs.get(key, NOTHING)
        weight = max(_weight(mine), _weight(other_value))
        most += weight
        if mine == other_value:
            both += weight
        else:
            both += weight * _shared_words(mine, other_value)
    return both / most if most else 0.0


def _shared_words(one: object, other: object) -> float:
    """How much two strings have in common; little for other values of one key."""
    if one is NOTHING or other is NOTHING:
        return 0.0
    if not isinstance(one, str) or not isinstance(other, str):
        return 0.2
    ours, theirs = set(one[:LOOK].split()), set(other[:LOOK].split())
    share = len(ours & theirs) / max(len(ours), len(theirs), 1)
    return share if share >= _SAME_WORDS else 0.2


def _weight(value: object) -> int:
    """How much a value tells about what has it."""
    if isinstance(value, str):
        return 2 + min(len(value), 40)
    if isinstance(value, Members | list):
        return 2 + min(8 * len(value), 40)
    return 0 if value is NOTHING else 2


def is_telling(entry: Entry) -> bool:
    """Whether there is enough of an entry to know it again elsewhere."""
    return entry.is_object or len(entry.text) >= _SHORT


def _members_alike(ours: dict[str, object], theirs: dict[str, object]) -> float:
    """The share of members that both have; one with another value counts a third."""
    keys = len(ours.keys() | theirs.keys())
    if not keys:
        return 1.0
    both = ours.keys() & theirs.keys()
    return sum(1.0 if ours[key] == theirs[key] else 0.34 for key in both) / keys
