# SPDX-License-Identifier: MIT
"""Steps of real histories beside a random edit of the same revision, through the merge.

Told by the bytes of entries alone: what only one side touched is as that side
has it, what nobody touched is there as often as before.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from federation.replica.merge.document import merge
from federation.replica.names import kind_of
from tests.replica.merge.laws import entries

#: edits beside each step; more: META_LOG_FORKS=100
FORKS = int(os.environ.get("META_LOG_FORKS", "3"))
MARK = "somebodyelse"


@dataclass(frozen=True, slots=True)
class Edit:
    """The other side: its text, what it did, and the entries that it took and made."""

    text: str
    what: str
    gone: str | None
    new: str | None


def kind(path: Path) -> str:
    return "canvasl" if path.suffix == ".jsonl" else kind_of(path.name)


def steps(shared: Path) -> Iterator[tuple[Path, Path]]:
    """All pairs of successive revisions of one kind."""
    for folder in sorted((shared / "data" / "histories").iterdir()):
        revisions = sorted(folder.glob("rev-*")) if folder.is_dir() else []
        for before, after in pairwise(revisions):
            if kind(before) == kind(after):
                yield before, after


def edited(dice: random.Random, name: str, text: str) -> Edit:
    """A word in a string, a number, a member, an entry more or less or elsewhere."""
    bare = text.removeprefix("\ufeff")
    found = [raw for part, raw in entries(name, text) if part != "top" and raw[:1] == "{"]
    # what stands in the text several times has no place of its own
    found = [raw for raw in found if bare.count(raw) == 1]
    if not found:
        return Edit(text, "nothing", None, None)
    one = dice.choice(found)
    what = dice.choice(["word", "number", "member", "delete", "add", "move"])
    if what in ("word", "number", "member"):
        new = changed(dice, what, one)
        return Edit(text.replace(one, new), what, one, new)
    line = f'{{"id":"{MARK}","text":"{MARK}"}}'
    if what == "add":
        joint = "\n" if name == "canvasl" else ","
        return Edit(text.replace(one, one + joint + line), what, None, line)
    if name == "canvasl":
        rest = [each for each in text.split("\n") if each.rstrip("\r") != one]
        place = 0 if what == "move" else len(rest)
        lines = [*rest[:place], *([one] if what == "move" else []), *rest[place:]]
        return Edit("\n".join(lines), what, one if what == "delete" else None, None)
    return Edit(text, "nothing", None, None)


def changed(dice: random.Random, what: str, one: str) -> str:
    """An entry with a change inside."""
    if what == "word" and (found := re.search(r'"(?:text|label|description)"\s*:\s*"', one)):
        return f"{one[: found.end()]}{MARK} {one[found.end() :]}"
    numbers = list(re.finditer(r"(?<=[:\s])-?\d+(?=[,}\s])", one))
    if what == "number" and numbers:
        number = dice.choice(numbers)
        return f"{one[: number.start()]}424242{one[number.end() :]}"
    return f'{{"{MARK}":true{"," if len(one) > 2 else ""}{one[1:]}'


def name_of(raw: str) -> object:
    """The id in an entry."""
    try:
        found = json.loads(raw)
    except ValueError:
        return None
    return found.get("id") if isinstance(found, dict) else None


def broken(base: str, a: str, edit: Edit, name: str) -> list[str]:
    """The laws that do not hold."""
    sides = [a.encode(), edit.text.encode()]
    found = merge(name, base.encode(), *sides)
    back = merge(name, base.encode(), *reversed(sides))
    assert found is not None
    assert back is not None
    text = found.content.decode()
    old, ours, theirs, result = (Counter(raw for _part, raw in entries(name, one))
                                 for one in (base, a, edit.text, text))  # fmt: skip
    problems = []
    shown = text + "".join(str(one) for one in found.conflicts)
    if MARK in edit.text and MARK not in shown:
        problems.append("the mark is lost")
    apart = edit.gone is None or ours[edit.gone] == old[edit.gone]
    if apart and found.conflicts and edit.what not in ("delete", "move"):
        problems.append(f"conflicts {found.conflicts[:2]}")
    if apart and edit.new is not None and result[edit.new] != max(theirs[edit.new], 1):
        problems.append("the other side's entry")
    touched = {edit.gone, edit.new}
    if not apart:  # both changed one entry: it is neither's
        touched |= {raw for raw in ours if name_of(raw) == name_of(edit.gone or "")}
    listed = str([(one.base, one.a, one.b, one.entry) for one in found.conflicts])
    problems += [f"{result[raw]} of {ours[raw]}: {raw[:200]}"
                 for raw in (old.keys() | ours.keys()) - touched
                 if result[raw] != ours[raw] and repr(raw)[1:-1] not in listed]  # fmt: skip
    if len(found.conflicts) != len(back.conflicts):
        problems.append("other conflicts the other way round")
    if name == "json-canvas":
        json.loads(text)
    return problems


def test_each_step_beside_an_edit(shared: Path) -> None:
    found: dict[str, list[str]] = {}
    kinds: Counter[str] = Counter()
    for before, after in steps(shared):
        base, a = before.read_text("utf-8"), after.read_text("utf-8")
        for seed in range(FORKS):
            dice = random.Random(f"{before.parent.name} {before.name} {seed}")
            edit = edited(dice, kind(before), base)
            kinds[edit.what] += 1
            problems = broken(base, a, edit, kind(before))
            if problems:
                found[f"{before.parent.name}/{before.name} {edit.what} {seed}"] = problems[:3]
    assert found == {}
    assert len(kinds) > 4


def test_a_loss_would_be_seen() -> None:
    base = '{"id":"1"}\n{"id":"2"}'
    edit = Edit(base.replace('"1"', f'"1","{MARK}":1'), "member", '{"id":"1"}', "{}")
    assert broken(base, base.replace('"2"', '"3"'), edit, "canvasl") != []
