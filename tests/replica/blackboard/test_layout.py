# SPDX-License-Identifier: MIT
"""What the program writes on a blackboard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.replica.blackboard.layout import (
    BoardPeer,
    CanvasNode,
    add_canvas_node,
    update_peers,
)
from federation.replica.blackboard.merge import merge_blackboard
from federation.replica.blackboard.outline import parse
from tests.replica.blackboard.boards import boards

TIME = "2025-01-07T12:00:00Z"
ONE = BoardPeer("peer-" + "a" * 52, "0x" + "1" * 64, "mqtt://h:1883", "connected", TIME)
TWO = BoardPeer("peer-" + "b" * 52, "0x" + "2" * 64)
NODE = CanvasNode("dir/a b.canvasl", "c" * 64, ONE.peer_id, "0x" + "4" * 128, TIME)


def properties(text: str, key: str) -> dict[str, str]:
    (found,) = (
        entry for entry in parse(text).entries
        if key in (entry.get("PEER_ID"), entry.get("NODE_ID"))
    )  # fmt: skip
    return {one.name: one.value for one in found.properties}


def test_a_new_board_has_the_documented_layout() -> None:
    text = add_canvas_node(update_peers("", [ONE, TWO]), NODE)
    assert [(one.level, one.title) for one in parse(text).entries] == [
        (0, ""), (1, "Federation Blackboard"), (2, "Peers"), (3, f"Peer: {ONE.peer_id}"),
        (3, f"Peer: {TWO.peer_id}"), (2, "CanvasL State"), (3, "Node: dir/a b.canvasl"),
    ]  # fmt: skip
    assert properties(text, ONE.peer_id) == {
        "PEER_ID": ONE.peer_id, "PEER_PUBLIC_KEY": ONE.public_key, "PEER_ADDRESS": ONE.address,
        "PEER_STATUS": "connected", "LAST_SEEN": TIME,
    }  # fmt: skip
    assert list(properties(text, NODE.file)) == [
        "NODE_ID", "CANVASL_CID", "CANVASL_SIGNATURE", "PEER_OWNER", "LAST_MODIFIED",
    ]  # fmt: skip


def test_two_peers_that_begin_at_once_begin_the_same_board() -> None:
    a, b = update_peers("", [ONE]), update_peers("", [TWO])
    text, conflicts = merge_blackboard(None, a, b)
    assert (text, conflicts) == (update_peers("", [ONE, TWO]), [])


def test_real_boards_keep_what_they_have(shared: Path) -> None:
    for path in sorted((shared / "data" / "org").glob("*.org")):
        old = path.read_text(encoding="utf-8")
        new = add_canvas_node(update_peers(old, [ONE]), NODE)
        there = iter(new.splitlines())
        assert all(line in there for line in old.splitlines()), path
        assert add_canvas_node(update_peers(new, [ONE]), NODE) == new


@given(boards(), st.lists(st.sampled_from([ONE, TWO]), max_size=2), st.booleans())
@settings(deadline=None)
def test_writing_twice_changes_nothing_and_lines_stay(
    old: str, peers: list[BoardPeer], node: bool
) -> None:
    def write(text: str) -> str:
        return (
            add_canvas_node(update_peers(text, peers), NODE) if node else update_peers(text, peers)
        )

    new = write(old)
    assert write(new) == new
    there = iter(new.splitlines())
    assert all(line in there for line in old.splitlines())


def test_only_lines_of_the_program_change() -> None:
    mine = (
        f"* Ours\n\n** Peers  :x:\nWords\n*** An old friend\n  :PROPERTIES:\n"
        f"  :peer_id:   {ONE.peer_id}\n  :PEER_STATUS:   offline\n  :NOTE: mine\n  :END:\n"
        "He said yes.\n** After\n"
    )
    text = update_peers(mine, [replace(ONE, last_seen=None)])
    assert text == mine.replace(":PEER_STATUS:   offline", ":PEER_STATUS:   connected").replace(
        "  :NOTE: mine\n",
        f"  :NOTE: mine\n  :PEER_PUBLIC_KEY: {ONE.public_key}\n  :PEER_ADDRESS: mqtt://h:1883\n",
    )
    with_two = update_peers(text, [TWO])
    assert with_two.index(TWO.peer_id) < with_two.index("** After")


def test_a_section_that_is_missing_is_made() -> None:
    text = update_peers("Words", [ONE])
    assert text.startswith("Words\n** Peers\n\n*** Peer: ")
    text = update_peers("* Federation Blackboard\n* Other\n", [ONE])
    assert text.startswith("* Federation Blackboard\n** Peers\n\n*** Peer: ")
    assert text.endswith("* Other\n")
    assert update_peers("* x\r\n", [ONE]).count("\n") == update_peers("* x\r\n", [ONE]).count("\r")


def test_a_revision_is_shown_whole_or_not() -> None:
    text = add_canvas_node("", NODE)
    newer = replace(NODE, content_id="d" * 64, signature=None, modified="yesterday")
    assert properties(add_canvas_node(text, newer), NODE.file) == {
        "NODE_ID": NODE.file, "CANVASL_CID": "d" * 64, "PEER_OWNER": ONE.peer_id,
    }  # fmt: skip


@pytest.mark.parametrize(
    "address",
    ["mqtt://h\n* Heading", "[[shell:x]]", "mqtt://h {{{x}}}", "mqtt://" + "h" * 300, "", "x"],
)
def test_text_of_others_is_written_in_its_form_only(address: str) -> None:
    text = update_peers("", [replace(ONE, address=address)])
    assert "PEER_ADDRESS" not in properties(text, ONE.peer_id)
    assert update_peers("* x\n", [replace(ONE, peer_id="peer-x\n* y")]) == "* x\n"


@pytest.mark.parametrize(
    "file", ["a\n* b", "[[x]]", "", "#+include: x", "*x", "a" * 2000, "a\u202e"]
)
def test_names_that_org_would_act_on_are_left_out(file: str) -> None:
    assert add_canvas_node("* x\n", replace(NODE, file=file)) == "* x\n"
