# SPDX-License-Identifier: MIT
"""What must hold of every merge (canvas.md), told without any of the merge's own code."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from itertools import permutations
from typing import NoReturn

from federation.replica.merge.document import Conflict, Merged, merge
from federation.replica.records import Clashing
from federation.replica.view import View
from tests.replica.histories import History
from tests.replica.merge.models import Model, Style
from tests.replica.merge.replayed import Case, canon
from tests.replica.merge.sides import tokens_of

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class Broken(AssertionError):
    """A law does not hold."""


# --- reading ------------------------------------------------------------------------------
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
    check_document(case, text, found.conflicts)
    return found


def check_three(case: Case) -> View:
    """Three heads in each order of their ids; what arrives first plays no part."""
    history = History()
    base = history.add("0", "base", 1, case.base.encode())
    names = random.Random(case.base).sample("123", 3)
    heads = [history.add(name, f"author {name}", 1, text.encode(), base.revision)
             for name, text in zip(names, case.sides, strict=True)]  # fmt: skip
    views = [history.viewer.merged(f"x.{case.kind}", case.kind, order)
             for order in permutations(heads)]  # fmt: skip
    found = views[0]
    if found is None or any(view != found for view in views):
        raise Broken("the same view in every order of arrival")
    check_document(case, found.content.decode(), found.conflicts)
    return found


def check_apart(case: Case) -> Merged:
    """Two versions whose base is gone: all of both is there, or listed, and nothing twice."""
    found = merge(case.kind, None, case.a.encode(), case.b.encode())
    if found is None:
        raise Broken("no merge")
    text = found.content.decode()
    _valid(case, text)
    listed = _counts(str([(one.a, one.b, one.path) for one in found.conflicts]))
    result, a, b = (_counts(one) for one in (text, case.a, case.b))
    for token in a.keys() | b.keys():
        if token[0] != "n" and result[token] + listed[token] < max(a[token], b[token]):
            _fail("nothing lost", token)
    return found


def check_document(case: Case, text: str, conflicts: Sequence[Conflict | Clashing]) -> None:
    """What was made of a case, however it was made."""
    _valid(case, text)
    if case.clean is not None:
        _as_replayed(case, case.clean, text, conflicts)
    _nothing_lost(case, text, conflicts)
    _untouched(case, text)


def _fail(law: str, detail: object) -> NoReturn:
    raise Broken(f"{law}: {detail}")


def numbers(found: Merged) -> Counter[str]:
    """Conflicts as their numbers are made."""
    # the two sides may want different line ends, and those of the result are in the values
    return Counter(
        repr((one.path, one.base, sorted((str(one.a), str(one.b))))).replace("\\r\\n", "\\n")
        for one in found.conflicts
    )


def _symmetric(case: Case, found: Merged, back: Merged) -> None:
    if numbers(found) != numbers(back):
        _fail("the same conflicts either way", (found.conflicts, back.conflicts))
    if found.conflicts:
        # another value stands
        return
    told = [
        Counter("".join(sorted(repr((part, canon(one))))) for part, one in entries(case.kind, text))
        for text in (found.content.decode(), back.content.decode())
    ]
    if told[0] != told[1]:
        _fail("the same entries either way", (found.content, back.content))


def _identities(case: Case, texts: list[bytes]) -> None:
    base, a, _b = texts
    for one in (merge(case.kind, base, a, base), merge(case.kind, base, base, a),
                merge(case.kind, base, a, a)):  # fmt: skip
        if one != Merged(a):
            _fail("identity", one)


def _valid(case: Case, text: str) -> None:
    if case.kind == "json-canvas":
        if all(_parses(one) for one in case.sides) and not _parses(text):
            _fail("valid", text)
        return
    if case.kind == "canvasl":
        known = {line.strip() for one in (case.base, *case.sides) for line in one.split("\n")}
        for line in text.split("\n"):
            if line[:1] != "{" or line.strip() in known:
                continue
            if not _parses(line) and all(_parses(one) for one in known if one[:1] == "{"):
                _fail("valid line", line)


def _parses(text: str) -> bool:
    try:
        json.loads(text.removeprefix("\ufeff") or "{}")
    except ValueError:
        return False
    return True


def _counts(text: str) -> Counter[str]:
    return Counter(tokens_of(text))


def _nothing_lost(case: Case, text: str, conflicts: Sequence[Conflict | Clashing]) -> None:
    """Each mark is there, or gone, as the side wants that changed it; else it is listed."""
    base, result = _counts(case.base), _counts(text)
    sides = [_counts(one) for one in case.sides]
    listed = _counts("\n".join(
        part or "" for one in conflicts for part in (one.base, one.a, one.b, one.kept, *one.path)
    ))  # fmt: skip
    for token in base.keys() | result.keys() | set[str]().union(*sides):
        old, counts = base[token], [one[token] for one in sides]
        if max(counts) > old == 0 and not result[token] and not listed[token] and token[0] != "n":
            _fail("nothing lost", token)
        # an id may be gone or there more often: edges follow new ones
        if (
            token[0] != "n"
            and not listed[token]
            and not _as_wanted(case, old, counts, result[token])
        ):
            _fail("nothing lost, nothing doubled", (token, old, counts, result[token]))


def _as_wanted(case: Case, old: int, counts: list[int], found: int) -> bool:
    """Whether a mark is there as often as the sides want."""
    if not case.known and len(counts) > len("ab"):
        return True
    less = sum(max(old - one, 0) for one in counts)
    more = sum(max(one - old, 0) for one in counts)
    if max(old, *counts) > 1:
        # of three sides one may edit the copy that is left of two
        few = found < old - less and len(counts) == len("ab")
        return not few and (found <= old + more or case.kind == "text" or not case.known)
    wanted = next((one for one in counts if one != old), old)
    return found == wanted or not case.known


def _untouched(case: Case, text: str) -> None:
    """What no side touched keeps its bytes, and is there as often."""
    base, *sides, result = (
        Counter(entries(case.kind, one)) for one in (case.base, *case.sides, text)
    )
    for one, count in base.items():
        if case.kind == "text" and not case.known and result[one] >= count:
            # a line that several moved
            continue
        same = all(side[one] == count for side in sides)
        if same and result[one] != count and not _is_edge(one[1]):
            _fail("untouched bytes", (one, count, result[one]))


def _is_edge(text: str) -> bool:
    return '"from' in text or '"to' in text


def _as_replayed(
    case: Case, clean: Model, text: str, conflicts: Sequence[Conflict | Clashing]
) -> None:
    """Edits that do not touch all survive, and there is no conflict."""
    if conflicts:
        _fail("no conflict", conflicts)
    wanted = entries(case.kind, Style(case.kind).render(clean))
    found = entries(case.kind, text)
    ours, theirs = ([repr((part, canon(one))) for part, one in some] for some in (wanted, found))
    if Counter(map(_shuffled, ours)) != Counter(map(_shuffled, theirs)):
        missing, more = Counter(ours) - Counter(theirs), Counter(theirs) - Counter(ours)
        _fail("both edits", (list(missing), list(more)))
    for part in ("line", "nodes", "edges"):
        orders = [
            [_shuffled(text) for text in some if text.startswith(f"('{part}'")]
            for some in (ours, theirs)
        ]
        if case.ordered and orders[0] != orders[1]:
            _fail("order", orders)
    if case.style is not None and case.kind != "text":
        raw = Counter(entries(case.kind, case.style.render(clean)))
        for part, one in Counter(found) - raw:
            if part != "top":
                _styled(one, case.style)


def _shuffled(told: str) -> str:
    """The same for texts with the same words: two words may go into one gap in either order."""
    return " ".join(sorted(re.split(r"[ ']", told)))


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
        return (
            "{"
            + style.comma.join(f'""{style.colon}{_bare(one, style)}' for _key, one in value)
            + "}"
        )
    if isinstance(value, list):
        return "[" + style.comma.join(_bare(one, style) for one in value) + "]"
    if isinstance(value, _Raw):
        return str(value)
    return '""' if isinstance(value, str) else json.dumps(value)
