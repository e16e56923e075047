# SPDX-License-Identifier: MIT
"""No edge is left without its ends."""

from __future__ import annotations

import json

from federation.replica.merge.document import merge

NODES = [{"id": f"n{number}", "type": "text", "text": f"words {number}"} for number in range(3)]
Node = dict[str, object]


def canvas(nodes: list[Node], edges: list[Node]) -> bytes:
    return json.dumps({"nodes": nodes, "edges": edges}, indent="\t").encode()


def lines(nodes: list[Node], edges: list[Node]) -> bytes:
    return "".join(json.dumps(one) + "\n" for one in [*nodes, *edges]).encode()


EDGE: Node = {"id": "e", "fromNode": "n0", "toNode": "n2"}


def test_a_node_that_an_edge_needs_stays() -> None:
    for kind, write in (("json-canvas", canvas), ("canvasl", lines)):
        base: list[Node] = [dict(node) for node in NODES]
        sides = write(base[1:], []), write(base, [EDGE])
        for a, b in (sides, sides[::-1]):
            found = merge(kind, write(base, []), a, b)
            assert found is not None
            assert b'"n0"' in found.content.split(b'"e"')[0]
            assert len(found.conflicts) == 1


def test_an_edge_follows_a_new_name() -> None:
    base: list[Node] = [dict(node) for node in NODES]
    renamed: list[Node] = [{**base[0], "id": "new"}, *base[1:]]
    for a, b in ((canvas(renamed, []), canvas(base, [EDGE])),
                 (canvas(base, [EDGE]), canvas(renamed, []))):  # fmt: skip
        found = merge("json-canvas", canvas(base, []), a, b)
        assert found is not None
        result = json.loads(found.content)
        assert {edge["fromNode"] for edge in result["edges"]} <= {
            node["id"] for node in result["nodes"]
        }
