# SPDX-License-Identifier: MIT
"""Random documents and random edits; whatever is written has a mark of its own."""

from __future__ import annotations

import json
import random
import re

from tests.replica.merge.models import (
    Arr,
    End,
    Item,
    Model,
    Obj,
    Op,
    Step,
    Style,
    Tree,
    apply,
    look,
    tells,
)  # fmt: skip

#: between the marks of a string: clusters of several code points, quotes, escapes
SPICE = [
    "é",
    "e\u0301",
    "👩‍👩‍👧",
    "🇩🇪🇫🇷",
    "日本語",
    '\\"',
    "\\n",
    "\\u00e9",
    "\\ud83d",
    "\\\\",
    "a-b",
    "",
]
#: keys of real canvases, and odd ones
KEYS = ["x", "y", "width", "color", "a b", "日本", "", "kind", "text", "k\\u0031", "dimension"]
_MARK = re.compile(r"[wknei][bcdfghklmnprstvz]{3}\d+q|[1-9]7\d{4}7")
#: what the two sides may both add
SHARED = ["@include shared", "", '{"id":"s1","v":1}', "plain shared line"]


class Sides:
    """Makes a document and edits it, by one generator of chance."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._count = self._uids = 0
        chance = self.random
        self.kind = chance.choice(["canvasl", "canvasl", "json-canvas", "json-canvas", "text"])
        #: ids are there and unique, edges join what there is
        self.strict = chance.random() < 0.5
        self.style = self._style()

    # --- pieces ---------------------------------------------------------------------
    def mark(self, kind: str = "w") -> str:
        """A word that is nowhere else."""
        self._count += 1
        letters = "".join(self.random.choices("bcdfghklmnprstvz", k=3))
        return f"{kind}{letters}{self._count}q"

    def number(self) -> str:
        """A number that is nowhere else, as people write them."""
        self._count += 1
        sign = self.random.choice(["", "", "-"])
        tail = self.random.choice(["", "", ".50", ".0", "e3", "0E-2"])
        return f"{sign}{self.random.randint(1, 9)}{70000 + self._count}7{tail}"

    def _style(self) -> Style:
        chance = self.random
        comma, colon = chance.choice([(",", ":"), (", ", ": "), (",", ": "), (" ,  ", " :")])
        indent = chance.choice([None, "\t", "  "]) if self.kind == "json-canvas" else None
        return Style(self.kind, comma, colon, chance.choice(["\n", "\n", "\r\n"]),
                     chance.random() < 0.7, chance.choice(["", "", "", "\ufeff"]), indent,
                     chance.random() < 0.2)  # fmt: skip

    def restyled(self) -> Style:
        """Another style, as a program writes that formats what it saves."""
        return self._style()

    def words(self, least: int = 0, most: int = 8) -> str:
        chance = self.random
        pieces = []
        for _ in range(chance.randint(least, most)):
            spice = chance.choice(SPICE) if chance.random() < 0.4 else ""
            pieces.append(self.mark() + spice)
        return " ".join(pieces)

    def value(self, depth: int = 0) -> Tree:
        chance = self.random
        roll = chance.random()
        if depth < 3 and roll < 0.12:
            return self._object(depth)
        if depth < 3 and roll < 0.24:
            return self._array(depth)
        if roll < 0.55:
            return f'"{self.words()}"'
        if roll < 0.9:
            return self.number()
        return chance.choice(["true", "false", "null", "0", "0.50", '""', "1e3", "-0"])

    def _object(self, depth: int) -> Obj:
        chance = self.random
        members: list[tuple[str, Tree]] = []
        for _ in range(chance.randint(0, 4)):
            key = chance.choice(KEYS) if chance.random() < 0.5 else self.mark("k")
            if all(key != other for other, _value in members) or chance.random() < 0.05:
                members.append((key, self.value(depth + 1)))
        return Obj(members)

    def _array(self, depth: int) -> Arr:
        chance = self.random
        roll = chance.random()
        count = chance.randint(0, 4)
        if roll < 0.3:
            return Arr([self.number() for _ in range(count)])
        if roll < 0.7:
            return Arr([f'"{self.words(1, 2)}"' for _ in range(count)])
        return Arr([Obj([("id", f'"{self.mark("i")}"'), ("v", self.value(depth + 2))])
                    for _ in range(count)])  # fmt: skip

    # --- items ----------------------------------------------------------------------------
    def _uid(self) -> int:
        self._uids += 1
        return self._uids

    def line(self) -> Item:
        """A line that is no JSON object, or of a text."""
        chance = self.random
        if self.kind == "text":
            text = "" if chance.random() < 0.1 else self.words(1, 10)
            text = chance.choice(["", "", "* ", "  - ", "#+", "| "]) + text.replace("\\", "/")
            return Item(self._uid(), "line", text)
        text = chance.choice([
            f"@{self.mark()}: {self.number()}", f"@{self.mark()} {self.words(1, 3)}",
            f"@include {self.mark()}", f"{self.mark()}: {self.words(1, 4)}",
            f"# {self.words(2, 5)}", f'"{self.mark()}"', "", "  ", "}", f"[{self.number()}]",
            "<<<<<<< HEAD",
        ])  # fmt: skip
        return Item(self._uid(), "line", text.replace("\\", "/"))

    def node(self, name: str | None) -> tuple[Item, str | None]:
        chance = self.random
        members: list[tuple[str, Tree]] = []
        for _ in range(chance.randint(1, 6)):
            key = chance.choice(KEYS) if chance.random() < 0.6 else self.mark("k")
            if all(key != other for other, _value in members):
                members.append((key, self.value()))
        if not self.strict and chance.random() < 0.08:
            members.append((members[0][0], self.value()))
        members.append((chance.choice(["text", "label"]) + "_", f'"{self.words(2, 8)}"'))
        if name is not None:
            at = 0 if chance.random() < 0.8 else len(members)
            members.insert(at, ("id", json.dumps(name, ensure_ascii=False)))
        return Item(self._uid(), "nodes", Obj(members)), name

    def name(self) -> str | None:
        chance = self.random
        if self.strict:
            return self.mark("n")
        roll = chance.random()
        if roll < 0.2:
            return None
        return chance.choice(["n0", "n1", "v:0D→1D"]) if roll < 0.45 else self.mark("n")

    def edge(self, model: Model) -> Item | None:
        chance = self.random
        nodes = [one.uid for one in model.items if one.part == "nodes" and one.uid in model.names]
        if not nodes:
            return None
        keys = chance.choice([("from", "to"), ("fromNode", "toNode")])
        hashed = keys[0] == "from" and chance.random() < 0.3
        members: list[tuple[str, Tree]] = [
            (keys[0], End(chance.choice(nodes), hashed)), (keys[1], End(chance.choice(nodes)))
        ]  # fmt: skip
        if self.strict or chance.random() < 0.8:
            members.insert(0, ("id", f'"{self.mark("e")}"'))
        if chance.random() < 0.5:
            members.append(("label", f'"{self.words(1, 3)}"'))
        return Item(self._uid(), "edges", Obj(members))

    def base(self) -> Model:
        """The version that both start from."""
        chance = self.random
        model = Model([], {}, self.kind == "text", self.kind != "json-canvas")
        for _ in range(chance.choice([0, 1, 2, 4, 8, 8, 12, 30])):
            if self.kind == "text" or (self.kind == "canvasl" and chance.random() < 0.15
                                       and not self.strict):  # fmt: skip
                model.items.append(self.line())
                continue
            item, name = self.node(self.name())
            model.items.append(item)
            if name is not None:
                model.names[item.uid] = name
        if self.kind == "json-canvas" and chance.random() < 0.3:
            top = Obj([(self.mark("k"), self.value()) for _ in range(chance.randint(1, 3))])
            model.items.append(Item(self._uid(), "top", top))
        if self.kind != "text":
            for _ in range(chance.randint(0, 6)):
                edge = self.edge(model)
                model.items += [edge] if edge else []
        if not self.strict and model.items and chance.random() < 0.2:
            model.items.append(self._copy(chance.choice(model.items), model))
        return model

    def _copy(self, item: Item, model: Model) -> Item:
        uid = self._uid()
        if item.uid in model.names:
            model.names[uid] = model.names[item.uid]
        return Item(uid, item.part, item.value)

    # --- edits ----------------------------------------------------------------------------
    def edits(self, base: Model) -> tuple[Model, list[Op]]:
        """The edited version, and what was done."""
        side, done = base.copy(), list[Op]()
        chance = self.random
        many = chance.choice([1, 1, 2, 3, 5, 8])
        for _ in range(many):
            for op in self._edit(side):
                assert apply(side, [op]), op
                done.append(op)
        return side, done

    def _edit(self, side: Model) -> list[Op]:
        chance = self.random
        what = chance.choice(
            ["add", "add", "delete", "move", "move", "word", "word", "word", "set", "set", "key",
             "drop", "push", "pull", "rename", "edge", "copy_op", "order", "shared"]
        )  # fmt: skip
        if what == "order" and (chance.random() < 0.6 or self.kind == "text"):
            what = "word"
        return getattr(self, f"_{what}")(side) or []

    def _item(self, side: Model) -> Item | None:
        found = [one for one in side.items if one.part != "top" or self.random.random() < 0.5]
        return self.random.choice(found) if found else None

    def _where(self, side: Model, part: str) -> int | None:
        found = [one.uid for one in side.items if self.kind == "canvasl" or one.part == part]
        return self.random.choice([None, *found])

    def _add(self, side: Model) -> list[Op]:
        if self.kind == "text" or (self.kind == "canvasl" and self.random.random() < 0.2):
            item, name = self.line(), None
            if self.strict and self.kind == "canvasl":
                return []
        else:
            item, name = self.node(self.name())
        return [("add", item, name, self._where(side, item.part))]

    def _edge(self, side: Model) -> list[Op]:
        edge = None if self.kind == "text" else self.edge(side)
        return [("add", edge, None, self._where(side, "edges"))] if edge else []

    def _copy_(self, side: Model) -> Item | None:
        found = [one for one in side.items if one.part != "top"]
        return self.random.choice(found) if found else None

    def _shared(self, side: Model) -> list[Op]:
        if self.kind != "canvasl" or self.strict:
            return []
        text = self.random.choice(SHARED)
        return [("add", Item(-SHARED.index(text) - 1, "line", text), None, None)]

    def _delete(self, side: Model) -> list[Op]:
        item = self._item(side)
        if item is None or item.part == "top":
            return []
        gone = {item.uid}
        if self.strict or self.random.random() < 0.5:
            gone |= {one.uid for one in side.items if item.uid in ends(one)}
        return [("delete", uid) for uid in sorted(gone)]

    def _move(self, side: Model) -> list[Op]:
        item = self._item(side)
        if item is None or item.part == "top":
            return []
        return [("move", item.uid, self._where(side, item.part))]

    def _order(self, _side: Model) -> list[Op]:
        return [("order", self.random.randrange(1000))]

    def _rename(self, side: Model) -> list[Op]:
        named = [one.uid for one in side.items if look(side, one.uid, ("id",)) is not None
                 and one.part == "nodes"]  # fmt: skip
        return [("rename", self.random.choice(named), self.mark("n"))] if named else []

    def _walk(self, item: Item) -> list[tuple[tuple[Step, ...], Tree]]:
        """All places of an item that can be named."""
        found: list[tuple[tuple[Step, ...], Tree]] = []
        waiting: list[tuple[tuple[Step, ...], Tree]] = [((), item.value)]
        while waiting:
            path, value = waiting.pop()
            found.append((path, value))
            if isinstance(value, Obj):
                keys = [key for key, _one in value.members]
                waiting += [((*path, key), one) for key, one in value.members
                            if keys.count(key) == 1 and key != "id"]  # fmt: skip
            elif isinstance(value, Arr):
                for one in value.items:
                    token = token_of(tells(one))
                    if isinstance(one, Obj) and token:
                        waiting.append(((*path, ("tok", token)), one))
        return found

    def _places(
        self, side: Model, kind: type | tuple[type, ...]
    ) -> list[tuple[int, tuple[Step, ...], Tree]]:
        item = self._item(side)
        if item is None:
            return []
        return [(item.uid, path, one) for path, one in self._walk(item) if isinstance(one, kind)]

    def _word(self, side: Model) -> list[Op]:
        """Write into a string: behind a word, in its place, or take it away."""
        chance = self.random
        found = [one for one in self._places(side, str) if tokens_of(str(one[2]))
                 and (self.kind == "text" or str(one[2])[:1] == '"' or not one[1])]  # fmt: skip
        if not found:
            return []
        uid, path, value = chance.choice(found)
        token = chance.choice(tokens_of(str(value)))
        new = chance.choice([f"{token} {self.mark()}", f"{self.mark()} {token}", self.mark()])
        if str(value).count(" ") > 2 and chance.random() < 0.2:
            return [("word", uid, path, token, "")]
        return [("word", uid, path, token, new)]

    def _set(self, side: Model) -> list[Op]:
        found = [one for one in self._places(side, (str, Arr, Obj)) if one[1] and one[1][-1] != "id"
                 and isinstance(one[1][-1], str)]  # fmt: skip
        if not found:
            return []
        uid, path, _value = self.random.choice(found)
        new = self.random.choice([self.number(), f'"{self.words(1, 4)}"', self.value()])
        return [("set", uid, path, new)]

    def _key(self, side: Model) -> list[Op]:
        found = self._places(side, Obj)
        if not found:
            return []
        uid, path, value = self.random.choice(found)
        before = self.random.randint(0, len(value.members) if isinstance(value, Obj) else 0)
        return [("key", uid, path, before, self.mark("k"), self.value(1))]

    def _drop(self, side: Model) -> list[Op]:
        found = [one for one in self._places(side, (str, Arr, Obj))
                 if one[1] and isinstance(one[1][-1], str) and one[1][-1] != "id"]  # fmt: skip
        return [("drop", *self.random.choice(found)[:2])] if found else []

    def _push(self, side: Model) -> list[Op]:
        found = self._places(side, Arr)
        if not found:
            return []
        uid, path, value = self.random.choice(found)
        assert isinstance(value, Arr)
        anchors = [token for one in value.items if (token := token_of(tells(one)))]
        new = f'"{self.mark()}"' if self.random.random() < 0.7 else self.number()
        return [("push", uid, path, self.random.choice([None, *anchors]), new)]

    def _pull(self, side: Model) -> list[Op]:
        found = [(uid, path, token) for uid, path, value in self._places(side, Arr)
                 if isinstance(value, Arr) for one in value.items
                 if (token := token_of(tells(one)))]  # fmt: skip
        return [("pull", *self.random.choice(found))] if found else []

    def _copy_op(self, side: Model) -> list[Op]:
        item = self._copy_(side)
        if item is None or self.strict:
            return []
        twin = self._copy(item, side)
        return [("add", twin, side.names.get(item.uid), item.uid)]


def ends(item: Item) -> set[int]:
    """What an edge joins."""
    members = item.value.members if isinstance(item.value, Obj) else []
    return {one.uid for _key, one in members if isinstance(one, End)}


def tokens_of(text: str) -> list[str]:
    """The marks in a text."""
    return _MARK.findall(text)


def token_of(text: str) -> str | None:
    found = tokens_of(text)
    return found[0] if found else None
