# SPDX-License-Identifier: MIT
"""The CRDT library, as far as merges rely on it."""

from __future__ import annotations

import loro

from federation.replica.merge.crdt import new_document


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
    one.import_(other.export(loro.ExportMode.Updates(one.oplog_vv)))
    other.import_(one.export(loro.ExportMode.Updates(other.oplog_vv)))
    assert order.get_value() == other.get_movable_list("order").get_value()
    assert sorted(map(str, order.to_vec())) == ["0", "1", "2", "3", "9"]
