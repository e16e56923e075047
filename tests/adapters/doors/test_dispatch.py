# SPDX-License-Identifier: MIT
"""Requests and the methods that answer them, without a front end."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from federation.adapters.doors.dispatch import adapt, dispatch
from federation.errors import Refusal
from federation.rpc import params as p


async def here(front_end: object, _given: p.Nothing) -> dict[str, object]:
    return {"for": front_end}


async def unknown(_front_end: object, given: p.Peer) -> dict[str, object]:
    raise Refusal("unknown-peer", given.peer_id)


async def broken(_front_end: object, _given: p.Nothing) -> dict[str, object]:
    raise RuntimeError("a secret detail")


CALLS = adapt({"status": here, "trust.accept": unknown, "health": broken})


@pytest.mark.parametrize(
    ("method", "params", "reason"),
    [
        ("trust.accept", {"peer_id": "abc"}, "unknown-peer"),
        ("trust.accept", {}, "rpc-invalid-params"),
        ("trust.accept", {"peer_id": "abc", "more": 1}, "rpc-invalid-params"),
        ("health", {}, "internal-error"),
        ("no.such", {}, "rpc-method-not-found"),
        ("__class__", {}, "rpc-method-not-found"),
    ],
)
async def test_what_is_refused_has_its_reason(method: str, params: Any, reason: str) -> None:
    request = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
    response = await dispatch(request, CALLS, "me")
    assert response is not None
    assert response["id"] == 7
    error: Any = response["error"]
    assert error["data"]["reason"] == reason
    assert "secret" not in str(response)


async def test_an_answer_is_for_who_asked_and_a_notification_has_none() -> None:
    request: dict[str, object] = {"jsonrpc": "2.0", "id": "x", "method": "status", "params": {}}
    expected = {"jsonrpc": "2.0", "id": "x", "result": {"for": "me"}}
    assert await dispatch(request, CALLS, "me") == expected
    del request["id"]
    assert await dispatch(request, CALLS, "me") is None


def test_a_peer_that_is_asked_nothing_and_merges_nothing_loads_no_libraries_for_it() -> None:
    code = (
        "import sys, federation.cli.app, federation.cli.start, federation.daemon\n"
        "later = {'jsonrpcserver', 'jsonschema', 'loro', 'regex', 'aiortc'}\n"
        "sys.exit(repr(later & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == "set()\n"
