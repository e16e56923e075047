# SPDX-License-Identifier: MIT
"""Parts of ``reference/wire.md``, from the message table, the reasons and the limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from docs.generator import markdown
from docs.generator.markdown import cell, code, table
from federation import limits
from federation.errors import REASONS
from federation.replica.names import DEFAULT_EXTENSIONS
from federation.wire import topics
from federation.wire.forms import Form
from federation.wire.messages import OPTIONAL, REQUIRED, TYPES
from federation.wire.topics import TopicKind

_JSON: Final = {str: "string", int: "integer", bool: "boolean", list: "array", dict: "object"}
_TOPICS: Final = {
    TopicKind.ANNOUNCE: topics.ANNOUNCE,
    TopicKind.PRESENCE: "canvasl/peers/{peer-id}/presence",
    TopicKind.INBOX: "canvasl/peers/{peer-id}/messages",
    TopicKind.SYNC: topics.SYNC,
}


def _rows(required: Mapping[str, Form], optional: Mapping[str, Form]) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = []
    for fields, needed in ((required, "yes"), (optional, "no")):
        rows += [
            (code(name), _JSON[form.kind], needed, cell(form.words))
            for name, form in fields.items()
        ]
    return rows


_HEAD: Final = ("field", "JSON type", "required", "form")


def common_fields() -> str:
    """The fields of every message."""
    return table(_HEAD, _rows(REQUIRED, OPTIONAL))


def topic_table() -> str:
    """Every topic and the types that belong on it."""
    rows = []
    for kind, topic in _TOPICS.items():
        on_it = [code(name) for name, entry in TYPES.items() if kind in entry.topics]
        rows.append((code(topic), ", ".join(on_it)))
    return table(("topic", "types"), rows)


def types() -> str:
    """A heading and a table for each message type."""
    parts = []
    for name, entry in TYPES.items():
        where = ", ".join(code(_TOPICS[kind]) for kind in _TOPICS if kind in entry.topics)
        rows = _rows(entry.required, entry.optional)
        parts += [f"### {code(name)}\n", f"{entry.summary} On {where}.\n", table(_HEAD, rows)]
    return "\n".join(parts)


def endings() -> str:
    """The endings of files that are documents."""
    return ", ".join(map(code, sorted(DEFAULT_EXTENSIONS))) + "."


def bounds() -> str:
    """The limits that another implementation meets."""
    return markdown.bounds(limits, ("the wire", "time", "tables", "names"))


def reasons() -> str:
    """Every reason for which a message of another peer is refused."""
    rows = [
        (code(name), entry.code, cell(entry.message))
        for name, entry in REASONS.items()
        if 1003 <= entry.code < 3000 or 4005 <= entry.code < 5000
    ]
    return table(("reason", "code", "meaning"), rows)
