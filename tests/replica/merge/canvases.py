# SPDX-License-Identifier: MIT
"""Random canvases and texts, two sides that edit one, and what a merge must keep.

Every piece that a side writes has a mark of its own, so that nothing can get
lost unseen.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from federation.replica.merge.document import Merged, merge, split_lines

#: strings as people write them: clusters of several code points, quotes, escapes
WORDS = [
    "alpha",
    "beta",
    "é",
    "e\u0301",
    "👩‍👩‍👧",
    "🇩🇪🇫🇷",
    "日本",
    '\\"',
    "\\n",
    "\\u00e9",
    "\\ud83d",
    "x y",
]
NUMBERS = ["0.50", "1e3", "-0", "12345678901234567890", "7", "1.0", "0.1E-2"]
Members = list[tuple[str, str]]


@dataclass
class Canvas:
    """A canvas in the making: entries as (key, JSON text) members, or lines that are none."""

    nodes: list[Members | str] = field(default_factory=list)
    edges: list[Members | str] = field(default_factory=list)

    def copy(self) -> Canvas:
        return Canvas(*([one if isinstance(one, str) else list(one) for one in part]
                        for part in (self.nodes, self.edges)))  # fmt: skip


@dataclass
class Style:
    kind: str
    comma: str = ","
    colon: str = ":"
    end: str = "\n"
    final: bool = True
    mark: str = ""
    indent: str | None = None

    def entry(self, entry: Members | str) -> str:
        if isinstance(entry, str):
            return entry
        inside = self.comma.join(f"{json.dumps(key)}{self.colon}{text}" for key, text in entry)
        return "{" + inside + "}"

    def render(self, canvas: Canvas) -> str:
        if self.kind == "canvasl":
            lines = [self.entry(one) for one in (*canvas.nodes, *canvas.edges)]
            text = self.end.join(lines) + (self.end if self.final and lines else "")
            return self.mark + text
        return self.mark + self._tree(canvas) + (self.end if self.final else "")

    def _tree(self, canvas: Canvas) -> str:
        lists = []
        for key, part in (("nodes", canvas.nodes), ("edges", canvas.edges)):
            items = [self.entry(one) for one in part]
            if self.indent is None or not items:
                lists.append(f'"{key}"{self.colon}[{self.comma.join(items)}]')
                continue
            gap = self.end + self.indent * 2
            lists.append(f'"{key}":[{gap}{("," + gap).join(items)}{self.end}{self.indent}]')
        if self.indent is None:
            return "{" + self.comma.join(lists) + "}"
        gap = self.end + self.indent
        return "{" + gap + ("," + gap).join(lists) + self.end + "}"


class Maker:
    """Makes a base and edits it, by one generator of chance."""

    def __init__(self, seed: int, *, strict: bool) -> None:
        self.random = random.Random(seed)
        #: ids are there and unique, edges join what there is
        self.strict = strict
        self._count = 0

    def mark(self) -> str:
        self._count += 1
        return f"m{self._count}x"

    def style(self, kind: str) -> Style:
        chance = self.random
        comma, colon = chance.choice([(",", ":"), (", ", ": "), (",", ": ")])
        indent = chance.choice([None, "\t", "  "]) if kind == "json-canvas" else None
        return Style(kind, comma, colon, chance.choice(["\n", "\n", "\r\n"]),
                     chance.random() < 0.7, chance.choice(["", "", "\ufeff"]), indent)  # fmt: skip

    def canvas(self) -> Canvas:
        chance = self.random
        canvas = Canvas()
        for number in range(chance.randint(0, 8)):
            name = f"n{number}" if self.strict else chance.choice([None, "n0", "n1", f"n{number}"])
            canvas.nodes.append(self._node(name))
        if not self.strict:
            for line in ("", "@version: 1.0", "@include a", "not json", "", '"text"'):
                if chance.random() < 0.3:
                    canvas.nodes.insert(chance.randint(0, len(canvas.nodes)), line)
        for _ in range(chance.randint(0, 4)):
            self.add_edge(canvas)
        return canvas

    def _node(self, name: str | None) -> Members:
        chance = self.random
        members: Members = [] if name is None else [("id", f'"{name}"')]
        for key in chance.sample(
            ["x", "y", "text", "tags", "at", "data", "a b"], chance.randint(1, 5)
        ):
            members.append((key, self.value(key)))
        if not self.strict and chance.random() < 0.1:
            members.append(("x", "1"))
        return members

    def value(self, key: str = "") -> str:
        chance = self.random
        if key == "text":
            return '"' + " ".join(chance.choices(WORDS, k=chance.randint(0, 6))) + '"'
        if key == "tags":
            return "[" + ",".join(f'"{one}"' for one in chance.choices(["a", "b", "c"], k=2)) + "]"
        if key == "at":
            return "[" + ", ".join(chance.choices(NUMBERS, k=2)) + "]"
        if key == "data":
            return (
                f'{{"deep":[{{"id":"i1","v":{chance.choice(NUMBERS)}}},{{"k":null}}],"s":"ab cd"}}'
            )
        return chance.choice(NUMBERS)

    def add_edge(self, canvas: Canvas) -> None:
        chance = self.random
        names = [text for one in canvas.nodes if isinstance(one, list)
                 for key, text in one if key == "id"]  # fmt: skip
        if not names:
            return
        keys = chance.choice([("from", "to"), ("fromNode", "toNode")])
        ends = [chance.choice(names) for _ in keys]
        if keys[0] == "from" and chance.random() < 0.3:
            ends[0] = '"#' + ends[0][1:]
        canvas.edges.append([("id", f'"{self.mark()}"'), *zip(keys, ends, strict=True)])

    # --- what a side does --------------------------------------------------------------
    def edit(self, canvas: Canvas) -> tuple[Canvas, set[str]]:
        """The edited canvas, and the marks of what was written."""
        side = canvas.copy()
        before = self._count
        for _ in range(self.random.randint(0, 5)):
            getattr(self, self.random.choice(
                ["_add", "_delete", "_move", "_set", "_set", "_type", "_type", "_new_key",
                 "_drop_key", "_rename", "_push", "add_edge"]))(side)  # fmt: skip
        text = Style("canvasl").render(side)
        marks = {f"m{number}x" for number in range(before + 1, self._count + 1)}
        return side, {mark for mark in marks if mark in text}

    def _pick(self, side: Canvas) -> Members | None:
        found = [one for one in side.nodes if isinstance(one, list) and one]
        return self.random.choice(found) if found else None

    def _add(self, side: Canvas) -> None:
        taken = {dict(one).get("id") for one in side.nodes if isinstance(one, list)}
        shared = self.random.choice(["s1", "s2", "s3"])
        if f'"{shared}"' not in taken and self.random.random() < 0.4:
            # both sides may use this one
            side.nodes.append([*self._node(shared), ("new", f'"{self.mark()}"')])
            return
        node = self._node(f"{self.mark()}" if self.strict or self.random.random() < 0.6 else None)
        node.append(("new", f'"{self.mark()}"'))
        side.nodes.insert(self.random.randint(0, len(side.nodes)), node)

    def _delete(self, side: Canvas) -> None:
        if not side.nodes:
            return
        gone = side.nodes.pop(self.random.randrange(len(side.nodes)))
        name = dict(gone).get("id", "").strip('"') if isinstance(gone, list) else ""
        if name and self.strict:
            side.edges = [one for one in side.edges if name not in ends(one)]

    def _move(self, side: Canvas) -> None:
        if side.nodes:
            one = side.nodes.pop(self.random.randrange(len(side.nodes)))
            side.nodes.insert(self.random.randint(0, len(side.nodes)), one)

    def _set(self, side: Canvas) -> None:
        node = self._pick(side)
        places = [at for at, (key, _text) in enumerate(node or []) if key != "id"]
        if node and places:
            at = self.random.choice(places)
            new = self.random.choice([f'"{self.mark()}"', f'["{self.mark()}"]', "0.25"])
            node[at] = (node[at][0], new)

    def _type(self, side: Canvas) -> None:
        """Write into a string."""
        node = self._pick(side)
        for at, (key, text) in enumerate(node or []):
            if node and key == "text" and text.startswith('"'):
                words = text[1:-1].split(" ")
                words.insert(self.random.randint(0, len(words)), self.mark())
                node[at] = (key, '"' + " ".join(words) + '"')

    def _new_key(self, side: Canvas) -> None:
        node = self._pick(side)
        if node:
            node.insert(self.random.randint(0, len(node)), (self.mark(), "true"))

    def _drop_key(self, side: Canvas) -> None:
        node = self._pick(side)
        places = [at for at, (key, _text) in enumerate(node or []) if key != "id"]
        if node and places:
            del node[self.random.choice(places)]

    def _rename(self, side: Canvas) -> None:
        node = self._pick(side)
        if not node or node[0][0] != "id":
            return
        old, new = node[0][1].strip('"'), self.mark()
        taken = {dict(one).get("id") for one in side.nodes if isinstance(one, list)}
        if '"s1"' not in taken and self.random.random() < 0.3:
            new = "s1"
        node[0] = ("id", f'"{new}"')
        if self.strict:
            side.edges = [
                one if isinstance(one, str) else
                [(key, text.replace(f'"{old}"', f'"{new}"').replace(f'"#{old}"', f'"#{new}"'))
                 if key != "id" else (key, text) for key, text in one]
                for one in side.edges
            ]  # fmt: skip

    def _push(self, side: Canvas) -> None:
        """Add to an array, or into what is nested."""
        node = self._pick(side)
        for at, (key, text) in enumerate(node or []):
            if node and key == "tags" and text.startswith("[") and len(text) > 2:
                node[at] = (key, text[:-1] + f',"{self.mark()}"]')
            elif node and key == "data" and text.startswith("{"):
                node[at] = (key, text.replace('"v":', f'"{self.mark()}":0,"v":', 1))


def ends(edge: Members | str) -> set[str]:
    if isinstance(edge, str):
        return set()
    return {text.strip('"#') for key, text in edge if key in ("from", "to", "fromNode", "toNode")}


# --- what must hold -----------------------------------------------------------------
def everything(merged: Merged) -> str:
    """All that a merge shows: the result and its conflicts."""
    texts = [merged.content.decode()]
    for one in merged.conflicts:
        texts += [text or "" for text in (one.a, one.b, one.kept, "/".join(one.path))]
    return "\n".join(texts)


def check(kind: str, base: str, a: str, b: str, marks: set[str]) -> Merged:
    """Merge, and see that the rules of canvas.md hold; the result."""
    found = merge(kind, base.encode(), a.encode(), b.encode())
    assert found is not None
    assert found == merge(kind, base.encode(), a.encode(), b.encode())
    text = found.content.decode()
    shown = everything(found)
    assert [mark for mark in sorted(marks) if mark not in shown] == []
    if all(is_valid(kind, one) and has_entries(kind, one) for one in (a, b)):
        assert is_valid(kind, text), text
    if kind == "canvasl":
        lines = [Counter(one.removeprefix("\ufeff").split("\n")) for one in (base, a, b, text)]
        lost = (lines[0] & lines[1] & lines[2]) - lines[3]
        # an edge may follow the last entry of an id that several had
        assert not {line for line in lost if line.strip() and '"to' not in line}
    sides = [facts(kind, one) for one in (base, a, b)]
    if all(side is not None and side[0] and side[1] for side in sides):
        assert facts(kind, text) == (True, True), text
    return found


def is_valid(kind: str, text: str) -> bool:
    """Whether a canvas is valid: JSON, or JSON in every line that begins like it."""
    text = text.removeprefix("\ufeff")
    try:
        if kind == "json-canvas":
            return not text.strip() or isinstance(json.loads(text), dict)
        for line in text.split("\n"):
            if line.strip() and line[0] in '{["':
                json.loads(line)
    except ValueError:
        return False
    return True


def has_entries(kind: str, text: str) -> bool:
    """Whether the document is made of entries, not YAML that is called a canvas."""
    lines = [line for line in split_lines(text)[1] if line.strip() and line[:1] != "@"]
    return kind != "canvasl" or sum(line[0] == "{" for line in lines) * 4 >= len(lines)


def facts(kind: str, text: str) -> tuple[bool, bool] | None:
    """Whether ids are unique, and whether every edge joins what there is."""
    try:
        nodes, edges = entries(kind, text)
    except ValueError:
        return None
    ids = [one["id"] for one in nodes if "id" in one]
    names = {*ids, *(one.get("id") for one in edges)} if kind == "canvasl" else {*ids}
    joined = [str(end).removeprefix("#") in names
              for one in edges for end in ends_of(one)]  # fmt: skip
    return len(set(map(str, ids))) == len(ids), all(joined)


def ends_of(edge: dict[str, object]) -> Iterator[object]:
    return (edge[key] for key in ("from", "to", "fromNode", "toNode") if key in edge)


def entries(kind: str, text: str) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Nodes and edges."""
    text = text.removeprefix("\ufeff")
    if kind == "json-canvas":
        canvas = json.loads(text) if text.strip() else {}
        return canvas.get("nodes", []), canvas.get("edges", [])
    found = [json.loads(line) for line in text.split("\n") if line[:1] == "{"]
    edges = [one for one in found if any(True for _ in ends_of(one))]
    return [one for one in found if one not in edges], edges
