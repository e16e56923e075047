# SPDX-License-Identifier: MIT
"""Metrics, and their text form (Prometheus, version 0.0.4).

By hand, since it is sixty lines: https://prometheus.io/docs/instrumenting/exposition_formats/
Labels have values from fixed sets only (events, reasons, states): nothing that comes
from outside can make a new time series.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its name, what it is, and (labels, value) for each of its series."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: Sequence[tuple[Mapping[str, str], float]] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """The metric as plain JSON."""
        samples = [{"labels": dict(labels), "value": value} for labels, value in self.samples]
        return {"name": self.name, "type": self.kind, "help": self.help, "samples": samples}


def single(name: str, kind: Literal["counter", "gauge"], help_: str, value: float) -> Metric:
    """A metric of one series without labels."""
    return Metric(name, kind, help_, [({}, value)])


def by(
    name: str,
    kind: Literal["counter", "gauge"],
    help_: str,
    label: str,
    values: Mapping[str, float],
) -> Metric:
    """A metric with one label: its value -> that of the series."""
    return Metric(name, kind, help_, [({label: key}, values[key]) for key in sorted(values)])


def from_json(row: Mapping[str, object]) -> Metric:
    """What :meth:`Metric.as_json` made."""
    samples = row["samples"]
    assert isinstance(samples, list)
    return Metric(
        str(row["name"]), "counter" if row["type"] == "counter" else "gauge", str(row["help"]),
        [(one["labels"], one["value"]) for one in samples],
    )  # fmt: skip


def text(metrics: Iterable[Metric]) -> str:
    """The text form of all of them."""
    lines: list[str] = []
    for one in metrics:
        assert _NAME.fullmatch(one.name), one.name
        lines.append(f"# HELP {one.name} {_escaped(one.help)}")
        lines.append(f"# TYPE {one.name} {one.kind}")
        lines += [f"{one.name}{_labels(labels)} {_number(value)}" for labels, value in one.samples]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = (f'{key}="{_escaped(value, quote=True)}"' for key, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str, *, quote: bool = False) -> str:
    shown = value.replace("\\", "\\\\").replace("\n", "\\n")
    return shown.replace('"', '\\"') if quote else shown


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))
