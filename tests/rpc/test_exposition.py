# SPDX-License-Identifier: MIT
"""Metrics as text: escaped, numbered, and the way back from JSON."""

from __future__ import annotations

import math

import pytest

from federation.rpc.exposition import Metric, by, from_json, single, text


def test_the_text_form() -> None:
    metrics = [
        single("a_total", "counter", "what\nit \\ is", 3),
        by("b", "gauge", "by state", "state", {"up": 1.5, "down": 0}),
        Metric("c", "gauge", "none", []),
        Metric("d", "gauge", "odd", [({"x": 'say "\\\n"'}, 1)]),
    ]
    assert text(metrics) == (
        "# HELP a_total what\\nit \\\\ is\n# TYPE a_total counter\na_total 3\n"
        '# HELP b by state\n# TYPE b gauge\nb{state="down"} 0\nb{state="up"} 1.5\n'
        "# HELP c none\n# TYPE c gauge\n"
        '# HELP d odd\n# TYPE d gauge\nd{x="say \\"\\\\\\n\\""} 1\n'
    )
    assert [from_json(one.as_json()) for one in metrics] == metrics


@pytest.mark.parametrize(("value", "shown"), [
    (0, "0"), (2**60, "1.152921504606847e+18"), (0.1, "0.1"), (math.nan, "NaN"),
    (math.inf, "+Inf"), (-math.inf, "-Inf"), (True, "1"), (1e300, "1e+300"),
])  # fmt: skip
def test_numbers(value: float, shown: str) -> None:
    assert text([single("n", "gauge", "h", value)]).splitlines()[-1] == f"n {shown}"
