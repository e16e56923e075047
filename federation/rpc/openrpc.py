# SPDX-License-Identifier: MIT
"""The OpenRPC document, made from the method table (OpenRPC 1.3)."""

from __future__ import annotations

from typing import Any

import msgspec

from federation import __version__
from federation.errors import REASONS
from federation.rpc.methods import METHODS, Method


def document() -> dict[str, object]:
    """The answer of ``rpc.discover``."""
    return {
        "openrpc": "1.3.2",
        "info": {"title": "meta-log-peer-sync", "version": __version__},
        "methods": [_method(one) for one in METHODS.values()],
    }


def parameters(method: Method) -> list[dict[str, Any]]:
    """Name, schema and necessity of each parameter."""
    schema: dict[str, Any] = msgspec.json.schema(method.params)
    own: dict[str, Any] = schema["$defs"][method.params.__name__]
    required = own.get("required", [])
    return [
        {"name": name, "required": name in required, "schema": form}
        for name, form in own.get("properties", {}).items()
    ]


def _method(method: Method) -> dict[str, object]:
    properties = {name: {"description": text} for name, text in method.result.items()}
    return {
        "name": method.name,
        "summary": method.summary,
        "paramStructure": "by-name",
        "params": parameters(method),
        "result": {"name": "result", "schema": {"type": "object", "properties": properties}},
        "errors": [
            {"code": REASONS[reason].code, "message": REASONS[reason].message,
             "data": {"reason": reason}}
            for reason in method.refusals
        ],
    }  # fmt: skip
