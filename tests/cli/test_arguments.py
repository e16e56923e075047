# SPDX-License-Identifier: MIT
"""Readers of arguments."""

from __future__ import annotations

import argparse

import pytest

from federation import limits
from federation.cli.arguments import seconds, whole


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", str(limits.WAIT_MAX + 1)])
def test_times_out_of_bounds(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        seconds(text)


@pytest.mark.parametrize("text", ["", "x", "0", "11", "1.5", "-1", "٣", "9" * 5000])
def test_numbers_out_of_bounds(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        whole(1, 10)(text)


def test_what_is_taken() -> None:
    assert seconds("0.5") == 0.5
    assert [whole(0, 10)(one) for one in ("0", "007", "10")] == [0, 7, 10]
