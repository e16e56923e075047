# SPDX-License-Identifier: MIT
"""``make bench``: ours beside floors that keep the same promise, in one run.

    python -m tests.bench [--lines 1,8,13] [--write]

The numbers are those of the plan's list of what to measure.  Nothing is
asserted: figures drift with the machine, ratios less so.  ``--write`` puts the
table into ``docs/explanation/performance.md``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import (
    burst,
    editors,
    history,
    latency,
    live,
    merging,
    report,
    signing,
    spread,
    startup,
)

_LINES: dict[int, Callable[[Path], list[report.Line]]] = {
    1: latency.measure,
    3: burst.files,
    5: live.measure_latency,
    7: live.measure_rate,
    8: lambda _folder: signing.measure(),
    11: history.reconnect,
    13: startup.measure,
    14: live.measure_cost,
    15: spread.measure,
    16: merging.measure,
    17: history.weight,
    18: history.memory,
    19: history.offline,
    20: history.join,
    21: burst.messages,
    22: editors.measure,
}


def main() -> int:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    every = ",".join(map(str, _LINES))
    parser.add_argument("--lines", default=every, help="which lines (default: all)")
    parser.add_argument("--write", action="store_true", help=f"write {report.PAGE.name}")
    arguments = parser.parse_args()
    found: list[report.Line] = []
    for number in map(int, arguments.lines.split(",")):
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            found += _LINES[number](Path(folder))
        print(f"line {number}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    text = report.table(found)
    print(text)
    if arguments.write:
        print(f"written to {report.write(text)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
