# SPDX-License-Identifier: MIT
"""Times on the wire: ``2025-01-07T12:00:00Z``, UTC, 0 to 9 fractional digits.

Inside, a time is a whole number of microseconds since 1970 UTC; finer digits
are dropped.  There are no leap seconds and no other zones.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from federation.errors import Refusal

_FORM: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?Z"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def parse(text: str) -> int:
    """Microseconds since 1970 UTC, negative before it; ``Refusal("bad-timestamp")``.

    Years are 1 to 9999.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise Refusal("bad-timestamp")
    fraction = (match.group(7) or "").ljust(6, "0")[:6]
    try:
        moment = datetime(*map(int, match.groups()[:6]), int(fraction), tzinfo=UTC)  # type: ignore[arg-type, misc]
    except ValueError:
        raise Refusal("bad-timestamp", "there is no such moment") from None
    return (moment - _EPOCH) // _MICROSECOND


def format_us(us: int) -> str:
    """The time ``us`` with milliseconds, rounded down; years outside 1 to 9999 are clipped."""
    try:
        moment = _EPOCH + us * _MICROSECOND
    except OverflowError:
        moment = _LAST if us > 0 else _FIRST
    # isoformat, since strftime does not pad years below 1000 everywhere.
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
