# SPDX-License-Identifier: MIT
"""Parts of ``reference/rpc.md``, from the method table and the events."""

from __future__ import annotations

from typing import Any

from docs.generator import markdown
from docs.generator.markdown import cell, code, table
from federation import limits
from federation.errors import REASONS
from federation.events import EVENTS
from federation.rpc.methods import METHODS, Method
from federation.rpc.openrpc import parameters


def methods() -> str:
    """A heading and tables for each method."""
    return "\n".join(_method(method) for method in METHODS.values())


def _method(method: Method) -> str:
    parts = [f"### {code(method.name)}\n", f"{method.summary}\n"]
    given = parameters(method)
    if given:
        rows = [
            (code(one["name"]), "yes" if one["required"] else "no", _form(one["schema"]))
            for one in given
        ]
        parts.append(table(("parameter", "required", "form"), rows))
    answer = [(code(name), cell(text)) for name, text in method.result.items()]
    parts.append(table(("result", "meaning"), answer))
    if method.refusals:
        parts.append("Refusals: " + ", ".join(map(code, method.refusals)) + ".\n")
    return "\n".join(parts)


def _form(schema: dict[str, Any]) -> str:
    """A JSON schema of one parameter in words."""
    if "anyOf" in schema:
        choices = [one for one in schema["anyOf"] if one.get("type") != "null"]
        return _form(choices[0] | {key: schema[key] for key in ("default",) if key in schema})
    words = [" or ".join(map(_value, schema["enum"])) if "enum" in schema else schema["type"]]
    for key, name in (
        ("minimum", "from"), ("maximum", "to"), ("minLength", "at least"),
        ("maxLength", "at most"),
    ):  # fmt: skip
        if key in schema:
            unit = " characters" if "Length" in key else ""
            words.append(f"{name} {schema[key]:,}{unit}")
    if "pattern" in schema:
        words.append("matching " + code(schema["pattern"].replace("\x00", "\\x00")))
    if schema.get("default") is not None:
        words.append(f"default {_value(schema['default'])}")
    return ", ".join(words).replace("|", "\\|") if "pattern" not in schema else ", ".join(words)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return code(str(value).lower())
    return code(f"{value:g}" if isinstance(value, float) else value)


def events() -> str:
    """A table of the events and one of the fields of each."""
    rows = [
        (code(name), cell(meaning), ", ".join(f"{code(key)} ({cell(text)})"
                                              for key, text in fields.items()))
        for name, (meaning, fields) in EVENTS.items()
    ]  # fmt: skip
    return table(("event", "when", "fields beside `event` and `time`"), rows)


def reasons() -> str:
    """Every refusal: its code, what happened, what to do."""
    rows = [
        (entry.code, code(name), cell(entry.message), cell(entry.hint))
        for name, entry in REASONS.items()
    ]
    return table(("code", "reason", "message", "hint"), rows)


def bounds() -> str:
    """The limits that a front end meets."""
    return markdown.bounds(limits, ("the RPC",))
