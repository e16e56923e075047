# SPDX-License-Identifier: MIT
"""The CRDT library, as far as merges rely on it."""

from __future__ import annotations

from federation.replica.merge.crdt import join, new_document


def test_two_sides_of_one_list_converge() -> None:
    one = new_document(1)
    order = one.get_movable_list("order")
    for number in range(4):
        order.push(number)
    one.commit()
    other = one.fork()
    one.peer_id, other.peer_id = 2, 3
    order.mov(0, 3)
    other.get_movable_list("order").insert(1, 9)
    one.commit()
    other.commit()
    join(one, other)
    join(other, one)
    assert order.get_value() == other.get_movable_list("order").get_value()
    assert sorted(map(str, order.to_vec())) == ["0", "1", "2", "3", "9"]
