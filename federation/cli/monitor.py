# SPDX-License-Identifier: MIT
"""The verbs ``metrics`` and ``monitor``: what a running peer counts, and what happens now."""

from __future__ import annotations

import json
import time
from typing import Final, cast

from federation.cli.context import Context, Row
from federation.cli.output import OK, Result, clean, short_id
from federation.events import CONTENT
from federation.rpc import exposition

#: Fields of an event in the order that people read them.
_FIRST: Final = ("file", "peer_id", "name", "broker", "space", "topic", "count", "reason")
_DIRECTIONS: Final = ("received", "published")


def metrics(context: Context) -> Result:
    """Everything that the running peer counts, in Prometheus' text form."""
    data = context.call("metrics")
    rows = cast("list[Row]", data["metrics"])
    return Result(data, exposition.text(map(exposition.from_json, rows)).splitlines())


def monitor(context: Context) -> int:
    """Events as they happen and, every few seconds, what came and went; until interrupted."""
    client, interval = context.client(), float(context.argument("interval"))
    limit = context.argument("for_seconds")
    end = None if limit is None else time.monotonic() + float(limit)
    client.call("events.subscribe")
    before, counted = time.monotonic(), _traffic(context)
    while end is None or time.monotonic() < end:
        due = before + interval
        until = due if end is None else min(due, end)
        for event in client.events(max(until - time.monotonic(), 0.0)):
            _print(context, event, _line(event))
        if time.monotonic() >= due:
            now, latest = time.monotonic(), _traffic(context)
            rates = _rates(counted, latest, now - before)
            _print(context, {"event": "rates", **rates}, _rate_line(rates))
            before, counted = now, latest
    return OK


def _print(context: Context, row: Row, line: str) -> None:
    # like a bot's output: what people wrote stays out of a terminal's or service's log
    shown = {key: value for key, value in row.items() if key not in CONTENT}
    print(json.dumps(shown, ensure_ascii=False) if context.as_json else line, flush=True)


def _line(event: Row) -> str:
    moment = str(event.get("time", ""))[11:19]
    parts = [
        short_id(event[name]) if name == "peer_id" else clean(event[name])
        for name in _FIRST
        if event.get(name) is not None
    ]
    return f"{moment or '-':8}  {clean(event['event']):18} {'  '.join(parts)}".rstrip()


def _traffic(context: Context) -> dict[str, float]:
    """``received messages``, ``published bytes`` and so on -> the number since the start."""
    rows = cast("list[Row]", context.call("metrics")["metrics"])
    found: dict[str, float] = {}
    for row in rows:
        for what in ("messages", "bytes"):
            if row["name"] == f"meta_log_mqtt_{what}_total":
                for one in row["samples"]:
                    found[f"{one['labels']['direction']}_{what}"] = one["value"]
    return found


def _rates(before: dict[str, float], after: dict[str, float], seconds: float) -> dict[str, float]:
    return {
        f"{name}_per_second": round((after[name] - before[name]) / seconds, 2) for name in after
    }


def _rate_line(rates: dict[str, float]) -> str:
    shown = ", ".join(
        f"{one} {rates[f'{one}_messages_per_second']:g} messages/s "
        f"({rates[f'{one}_bytes_per_second']:g} bytes/s)"
        for one in _DIRECTIONS
    )
    return f"{'':8}  {'rates':18} {shown}"
