# SPDX-License-Identifier: MIT
"""Which folder is the same one."""

from __future__ import annotations

import pytest

from federation.machines.folder.values import Root


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Root(1, 2), Root(1, 2), True),
        (Root(1, 2), Root(1, 3), False),
        (Root(1, 2), Root(9, 2), False),
        (Root(1, 2, "m"), Root(9, 8, "m"), True),  # devices are numbered anew at a start
        (Root(1, 2, "m"), Root(1, 2, "other"), False),
        # removed and made anew, with the number of the old one; or the marker was deleted:
        # then most of the files are there, and the machine sees that
        (Root(1, 2, "m"), Root(1, 2), False),
        (Root(1, 2, "m"), Root(1, 3), False),
    ],
)
def test_a_marker_speaks_before_numbers(one: Root, other: Root, *, same: bool) -> None:
    assert one.is_same(other) is other.is_same(one) is same
