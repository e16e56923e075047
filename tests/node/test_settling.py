# SPDX-License-Identifier: MIT
"""Choosing a side where two wrote the same lines, properties or values, on any peer, once."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from federation import limits
from federation.errors import Refusal
from federation.node import queries
from federation.node.context import Strategy
from federation.node.settling import chosen, settled
from federation.replica.records import Clashing
from tests.node.clashes import settings
from tests.node.world import SimPeer, World

TEXT, BOARD = "notes.txt", "federation-blackboard.org"
LINES = b"one\ntwo\nthree\n"
ENTRY = b"* ada\n:PROPERTIES:\n:NOTE: old\n:SEEN: 1\n:END:\nwords\n"


def save(peer: SimPeer, file: str, content: bytes) -> None:
    peer.sync(file, content, peer.files.synced_path(file))


def clash(
    file: str, base: bytes, *sides: bytes, strategy: Strategy = "auto_merge", others: int = 1
) -> tuple[World, list[SimPeer]]:
    """Peers that changed one document at once, and others that only look on."""
    world = World()
    peers = [world.add(settings(strategy)) for _side in sides]
    peers += [world.add(settings()) for _ in range(others)]
    world.run(5)
    save(peers[0], file, base)
    world.run(5)
    for peer in peers[: len(sides)]:
        peer.go_offline()
    for peer, side in zip(peers, sides, strict=False):
        save(peer, file, side)
    world.settle(60)
    return world, peers


def only(peer: SimPeer, file: str) -> Clashing:
    (one,) = peer.store.open_conflicts(file)
    return one


def resolve(peer: SimPeer, file: str, choice: str, value: str | None = None) -> None:
    number = only(peer, file).number
    peer.do(lambda: peer.node.resolve(file, number[:8], choice, value))


def check(world: World, peers: list[SimPeer], file: str, content: bytes) -> None:
    """Everybody has this now, and nothing is open."""
    world.run(20)
    world.check_converged()
    for peer in peers:
        assert peer.files.synced[file] == content
        assert peer.store.open_conflicts(file) == []


@pytest.mark.parametrize("who", [0, 1, 2])
@pytest.mark.parametrize("choice", ["a", "b", "both", "kept", "value"])
def test_lines_of_a_text(who: int, choice: str) -> None:
    mine, theirs = LINES.replace(b"two", b"12345"), LINES.replace(b"two", b"abcde")
    world, peers = clash(TEXT, LINES, mine, theirs)
    one = only(peers[who], TEXT)
    both = f"{one.a}{one.b}".encode()
    assert peers[who].files.synced[TEXT] == LINES.replace(b"two\n", both)
    (row,) = cast("Any", queries.conflicts(peers[who].node))
    assert [place["kept"] for place in row["places"]] == ["both"]
    value = "mine\n" if choice == "value" else None
    resolve(peers[who], TEXT, choice, value)
    stands = {"a": one.a, "b": one.b, "value": value}.get(choice, both.decode()) or ""
    check(world, peers, TEXT, LINES.replace(b"two\n", stands.encode()))


def test_my_side_and_the_other_one() -> None:
    mine, theirs = LINES.replace(b"two", b"12345"), LINES.replace(b"two", b"abcde")
    for choice, content in (("ours", mine), ("theirs", theirs)):
        world, peers = clash(TEXT, LINES, mine, theirs)
        with pytest.raises(Refusal, match="neither side is yours"):
            resolve(peers[2], TEXT, choice)
        resolve(peers[0], TEXT, choice)
        check(world, peers, TEXT, content)


def test_lines_that_were_written_over_are_for_people() -> None:
    mine, theirs = LINES.replace(b"two", b"12345"), LINES.replace(b"two", b"abcde")
    world, peers = clash(TEXT, LINES, mine, theirs)
    save(peers[2], TEXT, LINES.replace(b"two", b"written by hand"))
    world.run(20)
    for choice in ("a", "b", "both"):
        with pytest.raises(Refusal, match="conflict-moved") as caught:
            resolve(peers[0], TEXT, choice)
        assert "edit the document" in caught.value.hint
    resolve(peers[0], TEXT, "kept")
    check(world, peers, TEXT, LINES.replace(b"two", b"written by hand"))


@pytest.mark.parametrize("choice", ["a", "b", "both", "kept"])
def test_who_sees_the_own_lines_until_somebody_chooses_can_choose(choice: str) -> None:
    mine, theirs = LINES.replace(b"two", b"12345"), LINES.replace(b"two", b"abcde")
    world, peers = clash(TEXT, LINES, mine, theirs, strategy="manual")
    assert [peer.files.synced[TEXT] for peer in peers[:2]] == [mine, theirs]
    one = only(peers[0], TEXT)
    resolve(peers[0], TEXT, choice)
    stands = {"a": one.a, "b": one.b, "kept": "12345\n"}.get(choice, f"{one.a}{one.b}") or ""
    check(world, peers, TEXT, LINES.replace(b"two\n", stands.encode()))


@pytest.mark.parametrize(("file", "form"), [("c.canvasl", "%s\n%s\n"), ("c.canvas", None)])
def test_a_node_that_an_edge_joins_cannot_be_taken_away(file: str, form: str | None) -> None:
    nodes, edge = ['{"id":"m"}', '{"id":"n"}'], '{"id":"e","fromNode":"m","toNode":"n"}'

    def canvas(nodes: list[str], *edges: str) -> bytes:
        if form:
            return "".join(f"{one}\n" for one in (*nodes, *edges)).encode()
        return f'{{"nodes":[{",".join(nodes)}],"edges":[{",".join(edges)}]}}'.encode()

    world, peers = clash(file, canvas(nodes), canvas(nodes[:1]), canvas(nodes, edge))
    one = only(peers[0], file)
    assert None in (one.a, one.b)
    with pytest.raises(Refusal) as caught:
        resolve(peers[0], file, "a" if one.a is None else "b")
    assert caught.value.reason == "bad-params"
    assert "edge" in caught.value.detail
    resolve(peers[0], file, "b" if one.a is None else "a")
    check(world, peers, file, canvas(nodes, edge))


@pytest.mark.parametrize("strategy", ["prefer_local", "prefer_remote"])
def test_a_preference_settles_lines(strategy: Strategy) -> None:
    mine, theirs = LINES.replace(b"two", b"12345"), LINES.replace(b"two", b"abcde")
    world, peers = clash(TEXT, LINES, mine, theirs, strategy=strategy)
    world.run(60)
    world.check_converged()
    assert peers[2].store.open_conflicts(TEXT) == []
    assert peers[2].files.synced[TEXT] in (mine, theirs)


@pytest.mark.parametrize("who", [0, 2])
@pytest.mark.parametrize("choice", ["a", "b", "kept", "value", "removed"])
def test_a_property_of_the_blackboard(who: int, choice: str) -> None:
    mine, theirs = ENTRY.replace(b"old", b"mine"), ENTRY.replace(b"old", b"theirs")
    world, peers = clash(BOARD, ENTRY, mine, theirs)
    one = only(peers[who], BOARD)
    assert one.path == ("ada", "NOTE")
    with pytest.raises(Refusal, match="only lines"):
        resolve(peers[who], BOARD, "both")
    if choice == "removed":
        resolve(peers[who], BOARD, "value", None)
        check(world, peers, BOARD, ENTRY.replace(b":NOTE: old\n", b""))
        return
    resolve(peers[who], BOARD, choice, "new" if choice == "value" else None)
    stands = {"a": one.a, "b": one.b, "kept": one.kept}.get(choice, "new") or ""
    check(world, peers, BOARD, ENTRY.replace(b"old", stands.encode()))


def test_lines_below_a_heading_of_the_blackboard() -> None:
    mine, theirs = ENTRY.replace(b"words", b"12345"), ENTRY.replace(b"words", b"abcde")
    for choice in ("ours", "both"):
        world, peers = clash(BOARD, ENTRY, mine, theirs)
        one = only(peers[0], BOARD)
        resolve(peers[0], BOARD, choice)
        both = f"{one.a}{one.b}".encode()
        expected = mine if choice == "ours" else ENTRY.replace(b"words\n", both)
        check(world, peers, BOARD, expected)


def test_the_properties_of_one_revision_of_a_canvas_go_together() -> None:
    def board(revision: str) -> bytes:
        drawer = "".join(
            f":{name}: {revision} {name}\n"
            for name in ("CANVASL_CID", "CANVASL_SIGNATURE", "PEER_OWNER")
        )
        return f"* n\n:PROPERTIES:\n:NOTE: {revision}\n{drawer}:END:\n".encode()

    world, peers = clash(BOARD, board("old"), board("mine"), board("other"))
    found = {one.path[1]: one for one in peers[2].store.open_conflicts(BOARD)}
    assert set(found) == {"NOTE", "CANVASL_CID", "CANVASL_SIGNATURE", "PEER_OWNER"}
    number = found["CANVASL_SIGNATURE"].number
    peers[0].do(lambda: peers[0].node.resolve(BOARD, number, "ours", None))
    note = found["NOTE"].kept
    assert peers[0].files.synced[BOARD].decode() == board("mine").decode().replace(
        ":NOTE: mine", f":NOTE: {note}"
    )
    assert only(peers[0], BOARD).path == ("n", "NOTE")
    resolve(peers[0], BOARD, "ours")
    check(world, peers, BOARD, board("mine"))


def test_an_entry_too_large_to_be_kept_whole() -> None:
    """Its id finds it; without one, people have to."""
    words = "x" * limits.CONFLICT_TEXT
    for name, fine in (('"id":"n",', True), ("", False)):
        base = f'{{{name}"t":"{words}","x":0}}\n{{"id":"m"}}\n'.encode()
        mine, theirs = base.replace(b'"x":0', b'"x":1'), base.replace(b'"x":0', b'"x":2')
        world, peers = clash("c.canvasl", base, mine, theirs)
        assert len(only(peers[2], "c.canvasl").entry) == limits.CONFLICT_TEXT
        if fine:
            resolve(peers[2], "c.canvasl", "value", "5")
            check(world, peers, "c.canvasl", base.replace(b'"x":0', b'"x":5'))
        else:
            with pytest.raises(Refusal, match="conflict-moved"):
                resolve(peers[2], "c.canvasl", "value", "5")


def test_lines_too_large_to_be_kept_whole() -> None:
    words = b"".join(b"line %d\n" % number for number in range(9000))
    mine = LINES.replace(b"two\n", b"".join(b"12345 %d\n" % n for n in range(9000)))
    world, peers = clash(TEXT, LINES, mine, LINES.replace(b"two\n", words))
    resolve(peers[0], TEXT, "ours")
    check(world, peers, TEXT, mine)


# --- three at once ----------------------------------------------------------------------------
def line(**fields: object) -> bytes:
    return json.dumps({"id": "n", **fields}).encode() + b"\n"


@pytest.mark.parametrize("salt", range(6))
@pytest.mark.parametrize("strategy", ["prefer_local", "prefer_remote", "manual"])
def test_who_changed_another_value_has_no_side(strategy: Strategy, salt: int) -> None:
    base = line(x=0, y=0, z=salt)
    sides = (line(x=1, y=0, z=salt), line(x=0, y=5, z=salt), line(x=2, y=0, z=salt))
    world, peers = clash("c.canvasl", base, *sides, others=0)
    one = only(peers[1], "c.canvasl")
    assert {one.author_a, one.author_b} == {peers[0].peer_id, peers[2].peer_id}
    # the one in the middle has its strategy from now on, and settles nothing for the others
    peers[1].settings = settings(strategy)
    peers[1].restart()
    world.run(60)
    world.check_converged()
    assert only(peers[1], "c.canvasl") == only(peers[0], "c.canvasl") == one
    with pytest.raises(Refusal, match="neither side is yours"):
        resolve(peers[1], "c.canvasl", "ours")
    resolve(peers[0], "c.canvasl", "ours")
    check(world, peers, "c.canvasl", line(x=1, y=5, z=salt))


def test_three_who_changed_one_value() -> None:
    """Each conflict names those whose two values it is about."""
    base = line(x=0)
    world, peers = clash("c.canvasl", base, *(line(x=number) for number in (1, 2, 3)), others=0)
    owners = {json.dumps(number): peer.peer_id for number, peer in enumerate(peers, 1)}
    found = peers[0].store.open_conflicts("c.canvasl")
    assert len(found) == 2
    for one in found:
        assert (one.author_a, one.author_b) == (owners[one.a or ""], owners[one.b or ""])
    for peer in peers[1:]:
        assert peer.store.open_conflicts("c.canvasl") == found
    world.check_converged()


# --- the parts -----------------------------------------------------------------------------------
def one_of(kept: str | None, **changes: str | None) -> Clashing:
    fields = {"a": "a\n", "b": "b\n", "author_a": "me", "author_b": "you", **changes}
    return Clashing("0" * 64, TEXT, "v", ("1",), kept or "", "old\n", fields["a"], fields["b"],
                    kept, str(fields["author_a"]), str(fields["author_b"]))  # fmt: skip


def test_what_a_choice_means() -> None:
    one = one_of("a\nb\n")
    for choice, text in (("a", "a\n"), ("b", "b\n"), ("ours", "b\n"), ("theirs", "a\n"),
                         ("both", "a\nb\n"), ("kept", "a\nb\n"), ("value", "x")):  # fmt: skip
        assert chosen(one, choice, "x", b"", "you") == text
    assert chosen(one_of("x", a="a", b=None), "both", None, b"", "me") == "a\n"
    with pytest.raises(Refusal, match="bad-params"):
        chosen(one_of("x", author_b="me"), "ours", None, b"", "me")


def test_a_place_that_is_gone() -> None:
    assert settled(one_of("a\n"), b"x\n", "b\n", must=False) == b"x\n"
    for wanted in ("b\n", None):
        with pytest.raises(Refusal, match="conflict-moved"):
            settled(one_of("c\n"), b"x\n", wanted, must=True)


@pytest.mark.parametrize("file", ["c.canvasl", "c.canvas"])
@pytest.mark.parametrize(("name", "sides", "bad", "said", "good"), [
    ("color", ('"1"', '"2"'), "3", 'color: a string in quotation marks is expected, such as "3"',
     '"3"'),
    ("x", ("1", "2"), '"3"', "x: a number is expected", "3"),
    ("id", ('"n1"', '"n2"'), '"m"', 'the id "m" is that of', '"n3"'),
])  # fmt: skip
def test_a_value_that_makes_an_entry_unsound_is_refused(
    file: str, name: str, sides: tuple[str, str], bad: str, said: str, good: str
) -> None:
    def canvas(value: str) -> bytes:
        node = {"id": '"n"', "type": '"text"', "text": '"one and two and three"', "x": "0",
                "color": '"0"'} | {name: value}  # fmt: skip
        nodes = [
            '{"id":"m","type":"text"}',
            "{" + ",".join(f'"{key}":{value}' for key, value in node.items()) + "}",
        ]
        if file.endswith("l"):
            return ("\n".join(nodes) + "\n").encode()
        return ('{"nodes":[\n' + ",\n".join(nodes) + '\n],"edges":[]}\n').encode()

    start = '"n"' if name == "id" else '"0"' if name == "color" else "0"
    world, peers = clash(file, canvas(start), *map(canvas, sides), others=0)
    before = peers[0].files.synced[file]
    with pytest.raises(Refusal) as caught:
        resolve(peers[0], file, "value", bad)
    assert caught.value.reason == "bad-params"
    assert said in caught.value.message
    assert peers[0].files.synced[file] == before
    resolve(peers[0], file, "value", good)
    check(world, peers, file, canvas(good))


def test_an_empty_text_that_two_fill_at_once_has_the_line_ends_of_crlf() -> None:
    _world, peers = clash(TEXT, b"", b"one\ntwo\n", b"three\r\nfour\r\n")
    (content,) = {peer.files.synced[TEXT] for peer in peers}
    assert {*content.split(b"\r\n")} == {b"one", b"two", b"three", b"four", b""}
    assert b"\n" not in content.replace(b"\r\n", b"")
