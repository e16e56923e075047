# SPDX-License-Identifier: MIT
"""Figures as a Markdown table, with the machine and the day they come from."""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.integration.brokers import ROOT, Mosquitto

PAGE = ROOT / "docs" / "explanation" / "performance.md"
_FIGURES = re.compile(r"(<!-- figures -->\n).*?(<!-- end of figures -->\n)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """One row: what was measured, ours, the floor, and what the plan asks for."""

    number: int
    work: str
    ours: float
    floor: float | None
    unit: str
    target: str

    def row(self) -> str:
        """As a row of the table."""
        floor, ratio = "–", "–"
        if self.floor is not None:
            floor = f"{_shown(self.floor)} {self.unit}"
            ratio = f"{self.ours / self.floor:.1f}" if self.floor else "–"
        ours = f"{_shown(self.ours)} {self.unit}"
        return f"| {self.number} | {self.work} | {ours} | {floor} | {ratio} | {self.target} |"


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, round(share * (len(ranked) - 1)))]


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def table(lines: Sequence[Line]) -> str:
    """The whole report as Markdown."""
    head = ["| # | work | ours | floor | ratio | to reach |", "|---|---|---|---|---|---|"]
    return "\n".join([machine(), "", *head, *(line.row() for line in lines), ""])


def machine() -> str:
    """One sentence about where and when."""
    version = subprocess.run(
        [Mosquitto.program(), "-h"], capture_output=True, text=True, check=False
    ).stdout.split("\n", 1)[0]
    day = datetime.now(tz=UTC).date().isoformat()
    return (
        f"{day}, {_processor()}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.release().split('-')[0]}, Python {platform.python_version()}, {version}."
    )


def write(text: str) -> Path:
    """Put the report between the marks of the page that carries it."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        _FIGURES.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", page), encoding="utf-8"
    )
    return PAGE


def _shown(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.machine()
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()
