# SPDX-License-Identifier: MIT
"""Documents as what they mean, and edits of them that can be replayed on another version.

Every item has an identity that no text shows, so that what two sides did can
be told without any of the merge's own means: their edits are replayed one
after the other, and what comes out is what a merge must make.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field

#: a step into a value: a key, or ("tok", text in the item), or ("at", index)
Step = str | tuple[str, str] | tuple[str, int]
Op = tuple[object, ...]


@dataclass(slots=True)
class Obj:
    """A JSON object: [key as written between its quotes, value], keys may repeat."""

    members: list[tuple[str, Tree]] = field(default_factory=list)

    def find(self, key: str) -> int | None:
        return next((at for at, one in enumerate(self.members) if one[0] == key), None)


@dataclass(slots=True)
class Arr:
    """A JSON array."""

    items: list[Tree] = field(default_factory=list)


@dataclass(slots=True)
class End:
    """The end of an edge: the item it joins, by identity."""

    uid: int
    hashed: bool = False


#: a value; atoms are their JSON text
Tree = Obj | Arr | End | str


@dataclass(slots=True)
class Item:
    """One entry or line. ``part``: nodes, edges or top (of a JSON Canvas), or line."""

    uid: int
    part: str
    value: Tree


def copied(value: Tree) -> Tree:
    if isinstance(value, Obj):
        return Obj([(key, copied(one)) for key, one in value.members])
    if isinstance(value, Arr):
        return Arr([copied(one) for one in value.items])
    return End(value.uid, value.hashed) if isinstance(value, End) else value


@dataclass(slots=True)
class Model:
    """One version of a document."""

    items: list[Item]
    #: uid -> id, also of what is gone
    names: dict[int, str]
    is_text: bool = False
    #: all items are in one list
    flat: bool = True

    def copy(self) -> Model:
        items = [Item(one.uid, one.part, copied(one.value)) for one in self.items]
        return Model(items, dict(self.names), self.is_text, self.flat)

    def place(self, uid: int) -> int | None:
        return next((at for at, one in enumerate(self.items) if one.uid == uid), None)

    def item(self, uid: int) -> Item | None:
        return next((one for one in self.items if one.uid == uid), None)

    def order(self) -> list[int]:
        return [one.uid for one in self.items]


@dataclass(slots=True)
class Style:
    """How a version is written."""

    kind: str
    comma: str = ","
    colon: str = ":"
    end: str = "\n"
    final: bool = True
    mark: str = ""
    indent: str | None = None
    #: edges stand before nodes
    turned: bool = False

    def value(self, value: Tree, names: dict[int, str]) -> str:
        if isinstance(value, Obj):
            inside = (f'"{key}"{self.colon}{self.value(one, names)}' for key, one in value.members)
            return "{" + self.comma.join(inside) + "}"
        if isinstance(value, Arr):
            return "[" + self.comma.join(self.value(one, names) for one in value.items) + "]"
        if isinstance(value, End):
            return f'"{"#" if value.hashed else ""}{names.get(value.uid, "nowhere")}"'
        return value

    def render(self, model: Model) -> str:
        if self.kind == "json-canvas":
            return self.mark + self._tree(model) + (self.end if self.final else "")
        lines = [self.value(one.value, model.names) for one in model.items]
        return self.mark + self.end.join(lines) + (self.end if self.final and lines else "")

    def _tree(self, model: Model) -> str:
        gap = "" if self.indent is None else self.end + self.indent
        parts = []
        for part in ("edges", "nodes") if self.turned else ("nodes", "edges"):
            texts = [self.value(one.value, model.names) for one in model.items if one.part == part]
            inner = gap + (self.indent or "")
            listed = f"[{inner}{(',' + inner).join(texts)}{gap}]" if texts else "[]"
            parts.append(f'"{part}"{self.colon}{listed}')
        for one in model.items:
            if one.part == "top" and isinstance(one.value, Obj):
                parts += (f'"{key}"{self.colon}{self.value(value, model.names)}'
                          for key, value in one.value.members)  # fmt: skip
        around = gap or ""
        return "{" + around + ("," + around).join(parts) + (self.end if gap else "") + "}"


# --- finding places -----------------------------------------------------------------
_PLAIN = Style("canvasl")


def tells(value: Tree) -> str:
    """A value as text, in the plainest style."""
    return _PLAIN.value(value, {})


def _index(value: Tree, step: Step) -> int | None:
    if isinstance(value, Obj) and isinstance(step, str):
        return value.find(step)
    if isinstance(value, Arr) and isinstance(step, tuple):
        if isinstance(step[1], int):
            return step[1] if step[1] < len(value.items) else None
        return next((at for at, one in enumerate(value.items) if step[1] in tells(one)), None)
    return None


def look(model: Model, uid: int, path: tuple[Step, ...]) -> Tree | None:
    """The value at a place."""
    item = model.item(uid)
    value: Tree | None = item.value if item else None
    for step in path:
        at = None if value is None else _index(value, step)
        if at is None:
            return None
        if isinstance(value, Obj):
            value = value.members[at][1]
        elif isinstance(value, Arr):
            value = value.items[at]
    return value


def put(model: Model, uid: int, path: tuple[Step, ...], new: Tree | None) -> bool:
    """Replace the value at a place, or remove it (None)."""
    new = None if new is None else copied(new)
    item = model.item(uid)
    if item is None:
        return False
    if not path:
        item.value = item.value if new is None else new
        return True
    holder = look(model, uid, path[:-1])
    at = None if holder is None else _index(holder, path[-1])
    if at is None:
        return False
    if isinstance(holder, Obj):
        holder.members[at : at + 1] = [] if new is None else [(holder.members[at][0], new)]
    elif isinstance(holder, Arr):
        holder.items[at : at + 1] = [] if new is None else [new]
    return True


# --- edits -------------------------------------------------------------------------------
def _word(model: Model, uid: int, path: tuple[Step, ...], old: str, new: str) -> bool:
    """One piece of a string is another."""
    value = look(model, uid, path)
    if not isinstance(value, str) or old not in value:
        return False
    return put(model, uid, path, value.replace(old, new, 1))


def _key(model: Model, uid: int, path: tuple[Step, ...], before: int, key: str, new: Tree) -> bool:
    """A further member."""
    value = look(model, uid, path)
    if not isinstance(value, Obj) or value.find(key) is not None:
        return False
    value.members.insert(min(before, len(value.members)), (key, copied(new)))
    return True


def _push(model: Model, uid: int, path: tuple[Step, ...], anchor: str | None, new: Tree) -> bool:
    """A further item behind another, or at the beginning."""
    value = look(model, uid, path)
    if not isinstance(value, Arr):
        return False
    at = 0 if anchor is None else _index(value, ("tok", anchor))
    value.items.insert(0 if at is None else at + (anchor is not None), copied(new))
    return True


def _pull(model: Model, uid: int, path: tuple[Step, ...], token: str) -> bool:
    """An item less; it may be gone already."""
    value = look(model, uid, path)
    if not isinstance(value, Arr):
        return False
    at = _index(value, ("tok", token))
    if at is not None:
        del value.items[at]
    return True


def _add(model: Model, item: Item, name: str | None, after: int | None) -> bool:
    at = -1 if after is None else model.place(after)
    if at is None and model.is_text:
        return False
    at = len(model.items) - 1 if at is None else at
    model.items.insert(at + 1, Item(item.uid, item.part, copied(item.value)))
    if name is not None:
        model.names[item.uid] = name
    return True


def _delete(model: Model, uid: int) -> bool:
    at = model.place(uid)
    if at is not None:
        del model.items[at]
    return True


def _move(model: Model, uid: int, after: int | None) -> bool:
    at = model.place(uid)
    if at is None or after == uid:
        return at is not None
    item = model.items.pop(at)
    there = -1 if after is None else model.place(after)
    model.items.insert(len(model.items) if there is None else there + 1, item)
    return True


def _order(model: Model, seed: int) -> bool:
    model.items.sort(key=lambda one: random.Random(seed * 1_000_003 + one.uid).random())
    return True


def _rename(model: Model, uid: int, name: str) -> bool:
    if not put(model, uid, ("id",), json.dumps(name, ensure_ascii=False)):
        return False
    model.names[uid] = name
    return True


_EDITS: dict[str, Callable[..., bool]] = {
    "set": put, "drop": lambda model, uid, path: put(model, uid, path, None),
    "word": _word, "key": _key,
    "push": _push, "pull": _pull, "add": _add, "delete": _delete, "move": _move, "order": _order,
    "rename": _rename,
}  # fmt: skip


def apply(model: Model, edits: list[Op]) -> bool:
    """Make edits; whether all found their place."""
    found = [_EDITS[str(name)](model, *rest) for name, *rest in edits]
    return all(found)
