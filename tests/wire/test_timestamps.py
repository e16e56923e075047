# SPDX-License-Identifier: MIT
from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import Refusal
from federation.wire.timestamps import format_us, parse
from tests.conformance import badinputs

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2025-01-07T12:00:00Z", 1_736_251_200_000_000),
        ("2025-01-07T12:00:00.5Z", 1_736_251_200_500_000),
        ("2025-01-07T12:00:00.000001Z", 1_736_251_200_000_001),
        ("2025-01-07T12:00:00.123456789Z", 1_736_251_200_123_456),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
    ],
)
def test_parse(text: str, us: int) -> None:
    assert parse(text) == us


@pytest.mark.parametrize(
    "text",
    [
        "2025-02-29T00:00:00Z", "2025-13-01T00:00:00Z", "2025-00-01T00:00:00Z",
        "2025-01-07T12:60:00Z", "2025-01-07 12:00:00Z", "2025-01-07T12:00Z",
        "2025-01-07T12:00:00.Z", "2025-01-07T12:00:00,5Z", "2025-01-07T12:00:00.1234567890Z",
        " 2025-01-07T12:00:00Z", "2025-01-07T12:00:00Z\n", "2025-01-07T12:00:00ZZ",
        "20250107T120000Z", "2025-1-7T12:00:00Z", "2025-01-07T12:00:00-00:00",
        "2025-01-07T12:00:0\u0660Z", "+2025-01-07T12:00:00Z",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(Refusal, match="bad-timestamp"):
        parse(text)


@pytest.mark.parametrize(
    "case", [case for case in badinputs.cases("mqtt-sync") if case.reason == "bad-timestamp"],
    ids=lambda case: case.name,
)  # fmt: skip
def test_bad_inputs(case: badinputs.Case) -> None:
    with pytest.raises(Refusal, match="bad-timestamp"):
        parse(case.row["payload"]["timestamp"])


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read(moment: datetime) -> None:
    us = (moment - EPOCH) // timedelta(microseconds=1)
    assert parse(format_us(us)) == us // 1000 * 1000
    assert parse(moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z") == us


@pytest.mark.parametrize(
    ("us", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
     (10**30, "9999-12-31T23:59:59.999Z"), (-(10**30), "0001-01-01T00:00:00.000Z")],
)  # fmt: skip
def test_format(us: int, text: str) -> None:
    assert format_us(us) == text
