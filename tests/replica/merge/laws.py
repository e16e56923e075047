# SPDX-License-Identifier: MIT
"""What must hold of every merge (canvas.md), told without any of the merge's own code."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from federation.replica.merge.document import Conflict, Merged, merge
from tests.replica.merge.models import Item, Model, Obj, Op, Style, apply
from tests.replica.merge.sides import Sides, ends, tokens_of

Canon = object
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class Broken(AssertionError):
    """A law does not hold."""


@dataclass(slots=True)
class Case:
    """Three versions, and what both sides did where that is known."""

    kind: str
    base: str
    a: str
    b: str
    #: what a merge makes of both where they do not touch (else None)
    clean: Model | None = None
    #: whether each entry can be known again on both sides, and none was moved in a text
    known: bool = False
    #: whether the order of ``clean`` is that of the result
    ordered: bool = False
    style: Style | None = None


def make(seed: int) -> Case:
    """A random case."""
    sides = Sides(seed)
    base = sides.base()
    one, ours = sides.edits(base)
    other, theirs = sides.edits(base)
    styles = [sides.style, sides.style, sides.style]
    for place in (1, 2):
        if sides.random.random() < 0.12:
            styles[place] = sides.restyled()
    texts = [style.render(model) for style, model in zip(styles, (base, one, other), strict=True)]
    clean = _clean(base, (one, ours), (other, theirs))
    moves = [any(op[0] in ("add", "delete", "move", "order") for op in ops) for ops in (ours, theirs)]
    odd = _rewritten(base, one) or _rewritten(base, other)
    same = styles[0] is styles[1] is styles[2]
    known = not odd and not (base.is_text and any(op[0] == "move" for op in (*ours, *theirs)))
    return Case(sides.kind, *texts, clean, known, not all(moves) and not odd, sides.style if same else None)


def _clean(
    base: Model, ours: tuple[Model, list[Op]], theirs: tuple[Model, list[Op]]
) -> Model | None:
    """Both sides' edits, where these have nothing to do with each other."""
    made = []
    for model, edits in ((ours[0], theirs[1]), (theirs[0], ours[1])):
        both = model.copy()
        if not apply(both, edits):
            return None
        made.append(both)
    if Counter(map(repr, _told(made[0]))) != Counter(map(repr, _told(made[1]))):
        return None
    versions = (base, ours[0], theirs[0], made[0])
    return None if _entangled(versions, ours[1], theirs[1]) else made[0]


def _rewritten(base: Model, side: Model) -> bool:
    """Whether something is not to be known again, or there several times."""
    if _has_twins(side):
        return True
    there = ((item, side.item(item.uid)) for item in base.items)
    return any(new and _kept(item, base, new, side) < 0.6 for item, new in there)


def _has_twins(model: Model) -> bool:
    texts = [repr(item.value) for item in model.items if tokens_of(repr(item.value))]
    return len(texts) != len(set(texts))


def _told(model: Model) -> list[Canon]:
    return [(one.part, canon(_STYLE.value(one.value, model.names))) for one in model.items]


_STYLE = Style("canvasl")


def _entangled(versions: Sequence[Model], ours: list[Op], theirs: list[Op]) -> bool:
    """Whether the sides meet in a way that replaying does not show."""
    base, one, other, both = versions
    for edits in (ours, theirs):
        if any(op[0] == "add" and isinstance(op[1], Item) and op[1].uid < 0 for op in edits):
            return True
        if base.is_text and any(op[0] in ("move", "order", "add") and _twin(op) for op in edits):
            return True
    if _sorted_away(base, one, ours, theirs) or _sorted_away(base, other, theirs, ours):
        return True
    if any(_has_twins(model) for model in versions):
        return True
    there = {item.uid for item in both.items}
    if any(ends(item) - there for item in both.items):
        return True
    renamed = {op[1] for op in (*ours, *theirs) if op[0] == "rename"}
    names = Counter(base.names.values())
    if any(names[base.names.get(int(str(uid)), "")] > 1 for uid in renamed):
        return True
    for item in base.items:
        mine, others = one.item(item.uid), other.item(item.uid)
        if mine and others and mine.value != item.value != others.value:
            sizes = [_kept(item, base, side, model) for side, model in ((mine, one), (others, other))]
            if min(sizes) < 0.6:
                return True
    return False


def _sorted_away(base: Model, side: Model, ours: list[Op], theirs: list[Op]) -> bool:
    """Whether one side deleted what the other moved, or gave a new name to the end of."""
    gone = {op[1] for op in theirs if op[0] == "delete"}
    renamed = {op[1] for op in ours if op[0] == "rename"}
    if any(ends(item) & renamed for item in base.items if item.uid in gone):
        return True
    parts = Counter(item.part for item in base.items)
    few = any(parts[item.part] < 24 for item in base.items if item.uid in gone)
    if few and any(op[0] == "order" for op in ours):
        return True
    return bool(gone - steady(base, side)) and any(op[0] == "move" for op in ours)


def steady(base: Model, side: Model) -> set[int]:
    """What a side did not move, in whatever way one tells what it did: in all longest runs."""
    found: set[int] = set()
    places = {uid: at for at, uid in enumerate(base.order())}
    for part in {item.part for item in base.items}:
        run = [places[item.uid] for item in side.items
               if item.uid in places and (base.is_text or item.part == part or side.flat)]
        found |= {base.items[at].uid for at in _in_all_rising(run)}
    return found


def _in_all_rising(run: list[int]) -> set[int]:
    """The numbers that every longest rising part of a run has."""
    before = [1] * len(run)
    after = [1] * len(run)
    for at, one in enumerate(run):
        before[at] += max((before[to] for to in range(at) if run[to] < one), default=0)
    for at in range(len(run) - 1, -1, -1):
        after[at] += max((after[to] for to in range(at + 1, len(run)) if run[to] > run[at]),
                         default=0)  # fmt: skip
    most = max(before, default=0)
    good = [at for at in range(len(run)) if before[at] + after[at] - 1 == most]
    levels = Counter(before[at] for at in good)
    return {run[at] for at in good if levels[before[at]] == 1}


def _twin(op: Op) -> bool:
    return op[0] != "add"


def _kept(item: Item, base: Model, side: Item, model: Model) -> float:
    """The share of an item's marks and members that a side left as they were."""
    old = Counter(re.findall(r"\w+", _STYLE.value(item.value, base.names)))
    new = Counter(re.findall(r"\w+", _STYLE.value(side.value, model.names)))
    kept = (old & new).total() / max(old.total(), new.total(), 1)
    if not isinstance(item.value, Obj) or not isinstance(side.value, Obj):
        return kept
    same = sum(one in side.value.members for one in item.value.members)
    return min(kept, same / max(len(item.value.members), len(side.value.members), 1) + 0.1)


# --- reading ------------------------------------------------------------------------------
def canon(text: str) -> Canon:
    """What a JSON text means: key order does not matter, duplicates and digits do."""
    try:
        return json.loads(text, object_pairs_hook=_pairs, parse_int=_number, parse_float=_number,
                          parse_constant=_none)  # fmt: skip
    except ValueError:
        return "raw " + text.rstrip("\r")


def _pairs(pairs: list[tuple[str, object]]) -> object:
    return ("object", sorted(pairs, key=lambda one: one[0]))


def _number(text: str) -> object:
    return ("number", text)


def _none(text: str) -> object:
    raise ValueError(text)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _raw(text: str, at: int) -> tuple[str, int]:
    end = _DECODER.raw_decode(text, at)[1]
    return text[at:end], _skip(text, end)


def entries(kind: str, text: str) -> list[tuple[str, str]]:
    """(part, bytes) of all entries; of a canvas that is not JSON its lines."""
    text = text.removeprefix("\ufeff")
    if kind != "json-canvas":
        return [("line", line.rstrip("\r")) for line in text.split("\n") if line.strip()]
    found: list[tuple[str, str]] = []
    at = _skip(text, 0)
    while at < len(text) and text[at] in "{,":
        at = _skip(text, at + 1)
        if text[at] == "}":
            break
        key, at = _raw(text, at)
        at = _skip(text, at + 1)
        if key in ('"nodes"', '"edges"') and text[at] == "[":
            at = _skip(text, at + 1)
            while text[at] != "]":
                one, at = _raw(text, at)
                found.append((key.strip('"'), one))
                at = _skip(text, at + 1) if text[at] == "," else at
            at = _skip(text, at + 1)
        else:
            one, at = _raw(text, at)
            found.append(("top", f"{{{key}:{one}}}"))
    return found


# --- laws -----------------------------------------------------------------------------------
def check(case: Case) -> Merged:
    """Merge a case and see that all laws hold; raises Broken."""
    texts = [one.encode() for one in (case.base, case.a, case.b)]
    found = merge(case.kind, *texts)
    back = merge(case.kind, texts[0], texts[2], texts[1])
    if found is None or back is None:
        raise Broken("no merge")
    if found != merge(case.kind, *texts):
        raise Broken("another result the second time")
    text = found.content.decode()
    _symmetric(case, found, back)
    _identities(case, texts)
    _valid(case, text)
    if case.clean is not None:
        _as_replayed(case, case.clean, text, found.conflicts)
    _nothing_lost(case, text, found.conflicts)
    _untouched(case, text)
    return found


def _fail(law: str, detail: object) -> None:
    raise Broken(f"{law}: {detail}")


def numbers(found: Merged) -> Counter[str]:
    """Conflicts as their numbers are made."""
    return Counter(
        repr((one.path, one.base, sorted((str(one.a), str(one.b))))) for one in found.conflicts
    )


def _symmetric(case: Case, found: Merged, back: Merged) -> None:
    if numbers(found) != numbers(back):
        _fail("the same conflicts either way", (found.conflicts, back.conflicts))
    if found.content != back.content:
        _fail("the same bytes either way", (found.content, back.content))


def _identities(case: Case, texts: list[bytes]) -> None:
    base, a, _b = texts
    for one in (merge(case.kind, base, a, base), merge(case.kind, base, base, a),
                merge(case.kind, base, a, a)):  # fmt: skip
        if one != Merged(a):
            _fail("identity", one)


def _valid(case: Case, text: str) -> None:
    if case.kind == "json-canvas":
        if all(_parses(one) for one in (case.a, case.b)) and not _parses(text):
            _fail("valid", text)
        return
    if case.kind == "canvasl":
        known = {line.strip() for one in (case.base, case.a, case.b) for line in one.split("\n")}
        for line in text.split("\n"):
            if line[:1] in '{["' and line.strip() not in known and not _parses(line):
                _fail("valid line", line)


def _parses(text: str) -> bool:
    try:
        json.loads(text.removeprefix("\ufeff") or "{}")
    except ValueError:
        return False
    return True


def _counts(text: str) -> Counter[str]:
    return Counter(tokens_of(text))


def _nothing_lost(case: Case, text: str, conflicts: Sequence[Conflict]) -> None:
    """Each mark is there, or gone, as the side wants that changed it; else it is listed."""
    base, a, b, result = (_counts(one) for one in (case.base, case.a, case.b, text))
    listed = _counts("\n".join(
        part or "" for one in conflicts for part in (one.base, one.a, one.b, one.kept, *one.path)
    ))  # fmt: skip
    for token in base.keys() | a.keys() | b.keys() | result.keys():
        if token[0] == "n":
            # an id: edges follow new ones
            continue
        old, one, other = base[token], a[token], b[token]
        if max(old, one, other) > 1:
            most = max(old + max(one - old, 0) + max(other - old, 0), 0)
            low = result[token] < min(old, one, other)
            bad = low or (result[token] > most and case.kind != "text")
        else:
            wanted = other if one == old else one
            bad = result[token] != wanted and case.known
        if bad and not listed[token]:
            _fail("nothing lost, nothing doubled", (token, old, one, other, result[token]))
        if one > old and not result[token] and not listed[token]:
            _fail("nothing lost", token)


def _untouched(case: Case, text: str) -> None:
    """What no side touched keeps its bytes, and is there as often."""
    base, a, b, result = (Counter(entries(case.kind, one))
                          for one in (case.base, case.a, case.b, text))  # fmt: skip
    for one, count in base.items():
        if a[one] == b[one] == count != result[one] and not _is_edge(one[1]):
            _fail("untouched bytes", (one, count, result[one]))


def _is_edge(text: str) -> bool:
    return '"from' in text or '"to' in text


def _as_replayed(case: Case, clean: Model, text: str, conflicts: Sequence[Conflict]) -> None:
    """Edits that do not touch all survive, and there is no conflict."""
    if conflicts:
        _fail("no conflict", conflicts)
    wanted = entries(case.kind, Style(case.kind).render(clean))
    found = entries(case.kind, text)
    ours, theirs = ([repr((part, canon(one))) for part, one in some] for some in (wanted, found))
    if Counter(ours) != Counter(theirs):
        missing, more = Counter(ours) - Counter(theirs), Counter(theirs) - Counter(ours)
        _fail("both edits", (list(missing), list(more)))
    for part in ("line", "nodes", "edges"):
        one, other = ([text for text in some if text.startswith(f"('{part}'")] for some in (ours, theirs))
        if case.ordered and one != other:
            _fail("order", (one, other))
    if case.style is not None and case.kind != "text":
        raw = Counter(entries(case.kind, case.style.render(clean)))
        for one in Counter(found) - raw:
            _styled(one[1], case.style)


def _styled(text: str, style: Style) -> None:
    """A line that was put together has the separators of all others."""
    try:
        told = json.loads(text, object_pairs_hook=_Members, parse_int=_Raw, parse_float=_Raw)
    except ValueError:
        return
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text.rstrip("\r"))
    if bare != _bare(told, style):
        _fail("style", (text, _bare(told, style)))


class _Members(list[tuple[str, object]]):
    pass


class _Raw(str):
    __slots__ = ()


def _bare(value: object, style: Style) -> str:
    if isinstance(value, _Members):
        return "{" + style.comma.join(f'""{style.colon}{_bare(one, style)}' for _key, one in value) + "}"
    if isinstance(value, list):
        return "[" + style.comma.join(_bare(one, style) for one in value) + "]"
    if isinstance(value, _Raw):
        return str(value)
    return '""' if isinstance(value, str) else json.dumps(value)
