# SPDX-License-Identifier: MIT
"""The verbs metrics and monitor, against a stand-in."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

from federation.rpc.exposition import by, single
from tests.cli.conftest import Run
from tests.cli.peer import standing_in


def answers() -> dict[str, Any]:
    """A peer through which ten messages of ten bytes come between two looks."""
    looks = count(0, 10)

    def metrics(_params: object) -> dict[str, object]:
        number = next(looks)
        return {"metrics": [
            by("meta_log_mqtt_messages_total", "counter", "h", "direction",
               {"received": number, "published": 0}).as_json(),
            by("meta_log_mqtt_bytes_total", "counter", "h", "direction",
               {"received": 10 * number, "published": 0}).as_json(),
            single("meta_log_documents", "gauge", "h", 2).as_json(),
        ]}  # fmt: skip

    return {"metrics": metrics, "events.subscribe": {"subscribed": True}}


def test_metrics(run: Run, state: Path) -> None:
    with standing_in(state, answers()):
        outcome = run("metrics", "--state-dir", str(state))
        assert outcome.out.endswith("# TYPE meta_log_documents gauge\nmeta_log_documents 2\n")
        data = run("metrics", "--json", "--state-dir", str(state)).data
        assert data["metrics"][2]["name"] == "meta_log_documents"


def test_rates_come_every_interval(run: Run, state: Path) -> None:
    with standing_in(state, answers()):
        words = ("monitor", "--interval", "0.1", "--for", "0.35", "--state-dir", str(state))
        lines = [json.loads(line) for line in run(*words, "--json").out.splitlines()]
        rates = [line for line in lines if line["event"] == "rates"]
        assert rates
        for one in rates:
            assert one["received_messages_per_second"] > 0
            assert one["published_bytes_per_second"] == 0
        assert "rates" in run(*words).out
        assert run("monitor", "--interval", "0.01").code == 2
