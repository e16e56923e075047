# SPDX-License-Identifier: MIT
"""Requests: decoded strictly, checked, converted, and answered in what Emacs reads."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation import limits
from federation.errors import Refusal
from federation.rpc import params, requests

GOOD: dict[str, object] = {"jsonrpc": "2.0", "method": "status"}


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value.reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "rpc-parse-error"), (b"{", "rpc-parse-error"), (b"nul", "rpc-parse-error"),
        (b'{"a":NaN}', "rpc-parse-error"), (b'{"a":"\\ud800"}', "rpc-parse-error"),
        (b'{"a":1,"a":2}', "duplicate-key"), (b'"\xff"', "bad-utf8"),
        (b"[" * 1000, "depth-exceeded"), (b'{"id":1e999}', "rpc-invalid-request"),
        (b'{"id":9007199254740993}', "rpc-invalid-request"),
    ],
)  # fmt: skip
def test_strict_json(body: bytes, reason: str) -> None:
    assert reason_of(lambda: requests.decode(body)) == reason


def test_batches() -> None:
    assert requests.check_batch({"jsonrpc": "2.0"}) is None
    assert requests.check_batch([1, 2]) == [1, 2]
    assert reason_of(lambda: requests.check_batch([])) == "rpc-invalid-request"
    most: list[object] = [1] * limits.RPC_BATCH
    assert requests.check_batch(most) == most
    assert reason_of(lambda: requests.check_batch([*most, 1])) == "rate-limited"


@pytest.mark.parametrize("extra", [{}, {"id": 1}, {"id": "x"}, {"id": None}, {"params": []},
                                   {"params": {}}])  # fmt: skip
def test_right_requests(extra: dict[str, object]) -> None:
    assert requests.check_request({**GOOD, **extra}) == {**GOOD, **extra}


@pytest.mark.parametrize(
    "change",
    [{"jsonrpc": "1.0"}, {"jsonrpc": 2.0}, {"method": 5}, {"method": None}, {"id": True},
     {"id": 1.5}, {"id": []}, {"params": "x"}, {"params": None}],
)  # fmt: skip
def test_wrong_requests(change: dict[str, object]) -> None:
    assert reason_of(lambda: requests.check_request({**GOOD, **change})) == "rpc-invalid-request"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_anything_is_a_request_or_refused(value: object) -> None:
    try:
        assert requests.check_request(value)["jsonrpc"] == "2.0"
    except Refusal as refusal:
        assert refusal.reason == "rpc-invalid-request"


def test_parameters_are_converted_strictly() -> None:
    made = requests.convert(params.Lines, {"lines": 5})
    assert made.lines == 5
    assert requests.convert(params.Lines, {}).lines == 100
    wrong: tuple[dict[str, object], ...] = (
        {"lines": "5"}, {"lines": 5.5}, {"lines": 0}, {"more": 1}, {"lines": True}
    )  # fmt: skip
    for one in wrong:
        with pytest.raises(Refusal, match="rpc-invalid-params"):
            requests.convert(params.Lines, one)


def test_the_error_response() -> None:
    response = requests.error_response(Refusal("unknown-peer", "x", hint="do"), "id-1")
    assert response == {
        "jsonrpc": "2.0", "id": "id-1",
        "error": {"code": 4005, "message": "the peer has not announced itself: x",
                  "data": {"reason": "unknown-peer", "hint": "do"}},
    }  # fmt: skip
    assert requests.error_response(Refusal("timeout"))["id"] is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a\0": ["b\0", ("c\0",)]}, {"a\ufffd": ["b\ufffd", ["c\ufffd"]]}),
        ({"path": "x\udcff"}, {"path": "x?"}),
        ([1, 1.5, True, None, "é\u2028"], [1, 1.5, True, None, "é\u2028"]),
    ],
)
def test_what_leaves_is_readable_by_emacs(value: object, text: object) -> None:
    data = requests.encode(value)
    assert json.loads(data) == text
    assert b"\\u0000" not in data
