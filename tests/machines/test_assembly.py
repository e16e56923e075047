# SPDX-License-Identifier: MIT
"""Messages in pieces: any order, any loss, and bounded whatever is sent."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation import limits
from federation.errors import Refusal
from federation.machines.assembly import Assembler, Piece, split


def message(size: int, fill: int = 0) -> tuple[bytes, str]:
    content = bytes([fill]) * size
    return content, hashlib.sha256(content).hexdigest()


def refusal_of(assembler: Assembler, piece: Piece, peer: str = "p") -> str:
    with pytest.raises(Refusal) as caught:
        assembler.receive(peer, piece, 0.0)
    return caught.value.reason


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5 * limits.PIECE), st.randoms(use_true_random=False))
def test_pieces_in_any_order_make_the_message(size: int, chance: random.Random) -> None:
    content, digest = message(size, 7)
    pieces = split(content, digest)
    assert b"".join(piece.data for piece in pieces) == content
    order = pieces[1:] + [piece for piece in pieces[1:] if chance.random() < 0.5]
    chance.shuffle(order)
    assembler = Assembler()
    assert [assembler.receive("p", piece, 0.0) for piece in order] == [None] * len(order)
    assert assembler.receive("p", pieces[0], 0.0) == content
    assert assembler.pending == 0
    assert assembler.next_timer() == float("inf")


def test_two_peers_do_not_mix() -> None:
    content, digest = message(2 * limits.PIECE)
    first, second = split(content, digest)
    assembler = Assembler()
    assert assembler.receive("p", first, 0.0) is None
    assert assembler.receive("q", second, 0.0) is None
    assert assembler.receive("p", second, 0.0) == content
    assert assembler.pending == 1


def test_what_does_not_fit_together_is_refused() -> None:
    content, digest = message(2 * limits.PIECE + 10)
    first, second, third = split(content, digest)
    assembler = Assembler(max_message=limits.MIB * 2)
    for wrong in (
        replace(first, index=-1),
        replace(first, index=3),
        replace(first, count=4),
        replace(first, data=b"short"),
        replace(third, data=b"x" * 11),
        replace(second, count=0, size=0),
    ):
        assert refusal_of(assembler, wrong) == "bad-field"
    assert refusal_of(assembler, replace(first, size=3 * limits.MIB)) == "oversize"
    assert assembler.pending == 0
    assembler.receive("p", first, 0.0)
    other = Piece(digest, 0, 1, 10, b"x" * 10)
    assert refusal_of(assembler, other) == "bad-field"
    assembler.receive("p", second, 0.0)
    assert refusal_of(assembler, replace(third, data=b"y" * 10)) == "content-mismatch"
    assert assembler.pending == 0


def test_a_sender_has_room_for_a_few_messages_and_the_oldest_yields() -> None:
    assembler = Assembler()
    starts = []
    for number in range(limits.ASSEMBLIES_PER_PEER + 1):
        content, digest = message(2 * limits.PIECE, number)
        pieces = split(content, digest)
        starts.append((content, pieces))
        assembler.receive("p", pieces[0], float(number))
    assert assembler.pending == limits.ASSEMBLIES_PER_PEER
    content, pieces = starts[-1]
    assert assembler.receive("p", pieces[1], 9.0) == content
    assert assembler.receive("p", starts[0][1][1], 9.0) is None


def test_all_together_have_bounded_room_and_it_comes_back() -> None:
    assembler = Assembler()
    size = limits.ASSEMBLED_MESSAGE
    count = -(-size // limits.PIECE)
    taken = 0
    for number in range(200):
        piece = Piece(f"{number:064}", 0, count, size, b"x" * limits.PIECE)
        try:
            assembler.receive(f"peer {number}", piece, 0.0)
            taken += 1
        except Refusal as refusal:
            assert refusal.reason == "rate-limited"
    assert 0 < taken <= limits.ASSEMBLY_BYTES // size
    assert assembler.handle_timer(limits.ASSEMBLY_TIMEOUT - 1) == 0
    assert assembler.next_timer() == limits.ASSEMBLY_TIMEOUT
    assert assembler.handle_timer(limits.ASSEMBLY_TIMEOUT) == taken
    content, digest = message(10)
    assert assembler.receive("p", split(content, digest)[0], 100.0) == content


def test_strangers_do_not_take_the_room_of_members() -> None:
    assembler = Assembler()
    content, digest = message(2 * limits.PIECE)
    first, second = split(content, digest)
    size = limits.DOCUMENT
    count = -(-size // limits.PIECE)
    for number in range(50):
        piece = Piece(f"{number:064}", 0, count, size, b"x" * limits.PIECE)
        try:
            assembler.receive(f"sybil {number}", piece, 0.0, stranger=True)
        except Refusal as refusal:
            assert refusal.reason == "rate-limited"
    assert assembler.receive("p", first, 0.0) is None
    assert assembler.receive("p", second, 0.0) == content


def test_a_message_that_still_comes_is_not_given_up() -> None:
    content, digest = message(3 * limits.PIECE)
    pieces = split(content, digest)
    assembler = Assembler()
    assembler.receive("p", pieces[0], 0.0)
    assembler.receive("p", pieces[1], limits.ASSEMBLY_TIMEOUT - 1)
    assert assembler.handle_timer(limits.ASSEMBLY_TIMEOUT + 1) == 0
    assert assembler.receive("p", pieces[2], limits.ASSEMBLY_TIMEOUT + 2) == content


def test_room_is_kept_for_what_a_packed_message_unpacks_to() -> None:
    assembler = Assembler()
    size, room = 2 * limits.PIECE, limits.ASSEMBLY_STRANGERS
    whole = room // 2

    def piece(number: int, index: int, whole: int) -> Piece:
        return Piece(f"{number:064}", index, 2, size, b"x" * limits.PIECE, whole)

    assembler.receive("a", piece(1, 0, whole), 0.0, stranger=True)
    with pytest.raises(Refusal, match="rate-limited"):
        assembler.receive("b", piece(2, 0, whole), 0.0, stranger=True)
    assert refusal_of(assembler, piece(1, 1, whole - 1), "a") == "bad-field"
    assert refusal_of(assembler, piece(3, 0, limits.ASSEMBLED_MESSAGE + 1)) == "oversize"
    assert assembler.handle_timer(limits.ASSEMBLY_TIMEOUT) == 1
    assembler.receive("b", piece(2, 0, whole), 50.0, stranger=True)
