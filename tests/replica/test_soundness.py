# SPDX-License-Identifier: MIT
"""What is said of a canvas that is broken, and that nothing is said of one that is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.replica.names import Kind, kind_of
from federation.replica.soundness import Fault, expected, faults, new_faults

NODES = '{"id":"a","x":1}\n{"id":"b","x":2}\n'
CANVAS = '{\n "nodes": [\n  {"id":"a"},\n  {"id":"b"}%s\n ],\n "edges": [%s\n ]\n}\n'


def said(kind: Kind, text: str | bytes) -> list[tuple[str, int, int]]:
    """(problem, line, how many more) of each fault."""
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return [(one.problem, one.line, one.more) for one in faults(kind, content)]


@pytest.mark.parametrize("text", [
    "", "\n\n", NODES, "\ufeff" + NODES.replace("\n", "\r\n"), NODES.rstrip(),
    "@version: 1.0\n@include x\n# a remark\n\n" + NODES,
    NODES + '{"id":"e","type":"edge","from":"#a","to":"b"}\n{"fromNode":"a","toNode":"b"}\n',
    NODES + '{"type":"message","from":"ann","to":"bob"}\n{"from":"ann"}\n{"type":"edge"}\n',
    NODES + '{"type":"edge","from":"a","to":"other.canvasl#b"}\n',
    '{"id":1}\n{"id":2}\n{"type":"edge","from":1,"to":"2"}\n',
    '{"text":"\\ud800","text":"twice"}\n{"x":0.50}\n{"id":null}\n{"id":null}\n{"id":{}}\n',
    '{"a":' + "[" * 5000 + "]" * 5000 + "}\n",
    '{"id":' + "9" * 5000 + '}\n{"id":-5,"x":1e999}\n',
    "#+TITLE: Org\n* A heading\nsome words\n", "key: value\nlist:\n- one\n- two\n- {three: 3}\n",
])  # fmt: skip
def test_nothing_is_said_of_what_is_well(text: str) -> None:
    assert said("canvasl", text) == []
    assert said("text", text + "{") == []


@pytest.mark.parametrize(("text", "found"), [
    ('{"id":"a"', [("not-json", 1, 0)]),
    (NODES + '{"id":"c","text":"broken\n"x"}\n', [("not-json", 3, 1)]),
    (NODES + '{"x":NaN}\n[1]\n7\n', [("not-json", 3, 2)]),
    ("<<<<<<< ours\n" + NODES + "=======\n>>>>>>> theirs\n", [("not-json", 1, 2)]),
    (NODES + "@x\n\n" + NODES, [("same-id", 5, 1)]),
    (NODES + '{"type":"edge","from":"a","to":"c"}\n{"fromNode":"x","toNode":"y"}\n',
     [("no-end", 3, 1)]),
    (NODES + '{"type":"edge","from":7,"to":"a"}\n{"id":"a"}\n{\n',
     [("no-end", 3, 0), ("same-id", 4, 0), ("not-json", 5, 0)]),
])  # fmt: skip
def test_a_line_that_is_wrong_is_named(text: str, found: list[tuple[str, int, int]]) -> None:
    assert said("canvasl", text) == found
    assert said("canvasl", "\ufeff" + text.replace("\n", "\r\n")) == found


@pytest.mark.parametrize("text", [
    "", " \n", "{}", "\ufeff{}", CANVAS % ("", ""), '{"x":1}', '{"edges":[]}',
    CANVAS % (',{"id":"c"}', '{"id":"a","fromNode":"a","toNode":"c"}'),
])  # fmt: skip
def test_a_canvas_that_is_well(text: str) -> None:
    assert said("json-canvas", text) == []


@pytest.mark.parametrize(("text", "found"), [
    (CANVAS % (",", ""), [("not-json", 5, 0)]),
    ('{"nodes":[]}\n\n}', [("not-json", 3, 0)]),
    ("[]", [("not-canvas", 1, 0)]), ('{"nodes":{}}', [("not-canvas", 1, 0)]),
    ('{"edges":[1]}', [("not-canvas", 1, 0)]),
    (CANVAS % (',\n  {"id":"c"},\n  {"id":"a"},{"id":"b"}', ""), [("same-id", 6, 1)]),
    (CANVAS % ("", '\n  {"fromNode":"a","toNode":"b"},\n  {"fromNode":"a","toNode":"z"}'),
     [("no-end", 8, 0)]),
    (CANVAS % (',{"id":"a"}', '\n  {"id":1,"fromNode":"a","toNode":"b"},\n\n  {"id":1}'),
     [("same-id", 4, 0), ("same-id", 9, 0)]),
])  # fmt: skip
def test_a_canvas_that_is_broken(text: str, found: list[tuple[str, int, int]]) -> None:
    assert said("json-canvas", text) == found
    assert said("json-canvas", "\ufeff" + text.replace("\n", "\r\n")) == found


def test_what_is_no_text() -> None:
    content = NODES.encode() + b'{"id":"\xff"}'
    assert said("canvasl", content) == said("json-canvas", content) == [("not-text", 3, 0)]
    assert said("text", content) == []


def test_what_is_said() -> None:
    text = NODES + '{"id":"a"}\n{"id":"e","type":"edge","from":"a","to":"%s"}\n{"x" 1}' % ("n" * 99)
    ours, theirs, broken = faults("canvasl", text.encode())
    assert ours == Fault("same-id", 3, 'the id "a" is that of line 1 already')
    assert theirs.text == f'the edge leads to "{"n" * 60}…", which is not in this file'
    assert broken.text == "this is no JSON (column 6)"
    assert json.loads(json.dumps(ours.as_data())) == {
        "problem": "same-id", "line": 3, "text": ours.text, "more": 0
    }  # fmt: skip
    (node,) = faults("json-canvas", (CANVAS % (',{"id":"\\ud800"}' * 2, "")).encode())
    assert node.text == 'the id "\ufffd" is that of node 3 already'


@given(st.text(max_size=60) | st.text(alphabet='{}[]":,ab\n\r @#01\\', max_size=60))
def test_any_text_is_looked_at(text: str) -> None:
    count = text.count("\n") + 1
    for kind in ("canvasl", "json-canvas"):
        for one in faults(kind, text.encode("utf-8", "surrogatepass")):
            assert 1 <= one.line <= count


def test_canvases_of_others(shared: Path) -> None:
    """Real ones are sound, but for edges into other files and ids that are not unique."""
    for path in sorted((shared / "data" / "canvas").glob("*.canvas*")):
        kinds = {one.problem for one in faults(kind_of(path.name), path.read_bytes())}
        assert kinds <= {"no-end", "same-id"}, path.name


def test_a_large_canvas() -> None:
    lines = "".join(f'{{"id":"{n}","text":"{"x" * 30}"}}\n' for n in range(10_000))
    nodes = lines.rstrip().replace("\n", ",\n")
    assert said("canvasl", lines + lines) == [("same-id", 10_001, 9_999)]
    assert said("json-canvas", f'{{"nodes":[{nodes},\n{nodes}]}}') == [("same-id", 10_001, 9_999)]


STRING, NUMBER = "a string in quotation marks is expected", "a number is expected"
ENTRY = '{"id":"a","type":"text","x":0,"color":"1"}'


@pytest.mark.parametrize(("place", "value", "sides", "said"), [
    ("color", "3", ('"1"', '"2"'), f"color: {STRING}, such as \"3\""),
    ("color", '"3"', ('"1"', '"2"'), ""),
    ("color", "3", (None, None), f"color: {STRING}"),
    ("color", "null", ('"1"', None), f"color: {STRING}"),
    ("color", "3", ('"1"', "2"), ""),  # a canvas that has it otherwise
    ("x", '"3"', ("1", "2.5"), f"x: {NUMBER}"),
    ("x", "-3.5e2", ("1", "2"), ""),
    ("x", "9" * 5000, ("1", "2"), ""),
    ("x", "true", ("1", "2"), f"x: {NUMBER}"),
    ("width", "[1]", ("1", "2"), f"width: {NUMBER}"),
    ("text", "{}", ('"a"', '"b"'), f"text: {STRING}"),
    ("text", '{"a":2}', ('{"a":1}', '{"a":0}'), ""),
    ("meaning", "3", ('"a"', '"b"'), ""),
    ("color", "3", ('"1', None), f"color: {STRING}"),  # a side that is cut says nothing
    (None, ENTRY, (ENTRY, None), ""),
    (None, ENTRY.replace('"1"', "1"), (ENTRY, None), f"color: {STRING}"),
    (None, ENTRY.replace('"1"', "1"), (ENTRY.replace('"1"', "2"), ENTRY), ""),
    (None, '{"id":"a","y":"0","text":"\\ud800"}', (ENTRY,), f"y: {NUMBER}"),
    (None, '{"id":"a","x":7,"text":"\\ud800"}', (ENTRY,), ""),
])  # fmt: skip
def test_what_a_property_holds(
    place: str | None, value: str, sides: tuple[str | None, ...], said: str
) -> None:
    for kind, entry in (("canvasl", ("a",)), ("json-canvas", ("nodes", "a"))):
        path = entry if place is None else (*entry, place)
        found = expected(kind, path, value, sides)
        assert found.startswith(said)
        assert bool(found) == bool(said)
        assert expected("text", path, value, sides) == ""
        assert expected(kind, (*entry, "data", "color"), value, sides) == ""


@pytest.mark.parametrize(("before", "after", "problems"), [
    ("", '{"id":1}\n{"id":1}\n', ["same-id"]),
    ('{"id":1}\n{"id":1}\n', '{"id":1}\n{"id":1}\n{"id":2}\n', []),
    ('{"id":1}\n{"id":1}\n', '{"id":1}\n{"id":1}\n{"id":1}\n', ["same-id"]),
    ('{"id":1}\n{"id":1}\n', '{"id":1}\n{"id":1}\n{"id":2\n', ["not-json"]),
    ('{"id":1}\n{"id":2\n', '{"id":1}\n{"id":2}\n', []),
    ('{"id":1}\n', '{"id":1\n{"from":"x","to":"y"}\n', ["not-json", "no-end"]),
])  # fmt: skip
def test_faults_that_were_not_there_before(before: str, after: str, problems: list[str]) -> None:
    found = new_faults("canvasl", before.encode(), after.encode())
    assert [one.problem for one in found] == problems
    assert set(found) <= set(faults("canvasl", after.encode()))
